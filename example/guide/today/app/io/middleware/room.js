// Lets a client into the room that its query names.
module.exports = () => async (ctx, next) => {
  const { room, userId } = ctx.handshake.query;
  if (!(await ctx.service.room.exists(room))) {
    throw Object.assign(new Error(`There is no room ${room}.`), { data: { type: 'deleted' } });
  }
  await ctx.join(room);
  await next(); // until the client disconnects
  await ctx.service.room.announce(room, 'leave', userId);
};
