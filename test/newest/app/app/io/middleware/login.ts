import type { Middleware } from 'egg-socket.io';

/** Refuses clients that have not logged in. */
export default (): Middleware => async (ctx, next) => {
  if (!ctx.session.user) ctx.throw(401, 'log in first');
  await next();
};
