// Lets a client into the room that its query names, and tracks it there: all clients in the room receive `presence_state` and `presence_diff`.
module.exports = () => async (ctx, next) => {
  const { room, userId } = ctx.handshake.query;
  if (!(await ctx.service.room.exists(room))) {
    throw Object.assign(new Error(`There is no room ${room}.`), { data: { type: 'deleted' } });
  }
  await ctx.join(room);
  await ctx.app.io.presence(room).track(ctx, userId, { id: ctx.id }); // until the client disconnects
  await next();
};
