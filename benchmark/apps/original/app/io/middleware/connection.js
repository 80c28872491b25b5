module.exports = () => async (ctx, next) => {
  ctx.socket.join('room');
  await next();
};
