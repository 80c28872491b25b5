// The job by hand, without any framework: bare.cjs and the floor do it with Socket.IO alone.
module.exports = (io) => {
  io.on('connection', (socket) => {
    socket.join('room');
    socket.on('echo', (data, answer) => answer(data));
    socket.on('news', (data) => io.to('room').emit('news', data));
  });
};
