module.exports = ({ io }) => {
  io.route('connect', io.controller.room.enter);
  io.route('exchange', io.controller.room.exchange);
};
