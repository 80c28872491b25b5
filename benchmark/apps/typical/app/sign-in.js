// The HTTP route that creates the session of the clients.
module.exports = async (ctx) => {
  ctx.session.user = { id: 42, name: 'Ann' };
  ctx.body = 'signed in';
};
