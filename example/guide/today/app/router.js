module.exports = ({ io }) => {
  io.route('exchange', io.controller.room.exchange);
};
