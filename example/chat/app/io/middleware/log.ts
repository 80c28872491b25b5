// Packet middleware: one line in the log for each event, with the time it took.
import type { Application, Context } from 'egg';

export default (_app: Application) => async (ctx: Context, next: () => Promise<void>) => {
  const [event] = ctx.packet;
  const start = performance.now();
  try {
    // The rest of the chain and the controller.
    await next();
  } finally {
    ctx.logger.info('%j from %s took %s ms', event, ctx.data.nickname, (performance.now() - start).toFixed(1));
  }
};
