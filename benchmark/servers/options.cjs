// The options of Socket.IO that all servers have, and no others.
module.exports = {
  serveClient: false,
  perMessageDeflate: false,
  // Nobody pings while something is measured. The two together stay below what a timer takes.
  pingInterval: 1e9,
  pingTimeout: 1e9,
};
