// The application of the benchmark, written with Socket.IO alone.
module.exports = (io) => {
  io.on('connection', (socket) => {
    socket.join('room');
    socket.on('echo', (data, ack) => ack(data));
    socket.on('news', (data) => io.to('room').emit('news', data));
  });
};
