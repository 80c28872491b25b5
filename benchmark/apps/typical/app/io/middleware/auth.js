module.exports = () => async (ctx, next) => {
  const { user } = ctx.session;
  if (!user) throw new Error('not signed in');
  ctx.state.user = user;
  await next();
};
