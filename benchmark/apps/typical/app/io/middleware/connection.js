module.exports = () => async (ctx, next) => {
  if (!ctx.session.user) throw new Error('not signed in');
  await ctx.join('room');
  await next();
};
