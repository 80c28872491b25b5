// The options of Socket.IO, the same for all servers.
module.exports = {
  serveClient: false,
  perMessageDeflate: false,
  // No pings during a run. The sum must not exceed what a timer of Node accepts, 2^31 - 1 ms.
  pingInterval: 1e9,
  pingTimeout: 1e9,
};
