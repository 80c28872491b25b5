// Socket.IO attached by hand in an Egg worker, no plugin: what any plugin could reach.
const { Server } = require('socket.io');
const handle = require('../../servers/handle.cjs');
const options = require('../../servers/options.cjs');

module.exports = (app) => {
  app.on('server', (server) => handle(new Server(server, options)));
};
