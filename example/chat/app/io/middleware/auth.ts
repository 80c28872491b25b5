// Connection middleware: lets in those who have chosen a nickname. Whoever is refused hears `connect_error`.
import cluster from 'node:cluster';
import type { Application, Context } from 'egg';
import type { Session } from '../../session';

export default (_app: Application) => async (ctx: Context, next: () => Promise<void>) => {
  const { nickname } = ctx.session as Session;
  if (!nickname) throw new Error('Choose a nickname first.');
  ctx.data.nickname = nickname;
  // Which of Egg's workers this is; only one without a master, as in tests.
  ctx.data.worker = cluster.worker?.id ?? 1;
  ctx.logger.info('%s is in', nickname);
  // Comes back when the socket has disconnected.
  await next();
  ctx.logger.info('%s is gone', nickname);
};
