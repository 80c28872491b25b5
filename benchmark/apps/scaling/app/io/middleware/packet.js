module.exports = () => async (ctx, next) => {
  ctx.received = ctx.packet[0];
  await next();
};
