module.exports = () => async (ctx, next) => {
  await ctx.join('room');
  await next();
};
