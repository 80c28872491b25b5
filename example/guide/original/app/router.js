module.exports = (app) => {
  const { io } = app;
  io.of('/').route('exchange', io.controller.nsp.exchange);
};
