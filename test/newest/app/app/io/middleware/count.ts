import type { Middleware } from 'egg-socket.io';

export default (): Middleware => async (ctx, next) => {
  ctx.data.events = (ctx.data.events ?? 0) + 1;
  await next();
};
