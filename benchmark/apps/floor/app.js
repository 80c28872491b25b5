// Socket.IO attached by hand in an Egg worker, no plugin: what any plugin could reach.
const { Server } = require('socket.io');

module.exports = (app) => {
  app.on('server', (server) => {
    new Server(server, { serveClient: false }).on('connection', (socket) => {
      socket.on('echo', (data, answer) => answer(data));
    });
  });
};
