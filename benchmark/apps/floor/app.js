// Socket.IO attached by hand to the HTTP server of an Egg worker.
const { Server } = require('socket.io');
const handle = require('../../servers/handle.cjs');
const options = require('../../servers/options.cjs');

module.exports = (app) => {
  app.on('server', (server) => handle(new Server(server, options)));
};
