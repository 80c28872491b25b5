// Connection middleware: admits users who have chosen a nickname. Other clients are refused, and receive `connect_error`.
import cluster from 'node:cluster';
import type { Application, Context } from 'egg';
import type { Session } from '../../session';

export default (_app: Application) => async (ctx: Context, next: () => Promise<void>) => {
  const { nickname } = ctx.session as Session;
  if (!nickname) throw new Error('Choose a nickname first.');
  ctx.data.nickname = nickname;
  // The id of this worker. Without a master, as in tests, there is only one.
  ctx.data.worker = cluster.worker?.id ?? 1;
  await ctx.service.people.enter(ctx);
  ctx.logger.info('%s is in', nickname);
  // Resolves when the socket is disconnected.
  await next();
  ctx.logger.info('%s is gone', nickname);
};
