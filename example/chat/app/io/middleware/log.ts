// Packet middleware: logs each event and its duration.
import type { Application, Context } from 'egg';

export default (_app: Application) => async (ctx: Context, next: () => Promise<void>) => {
  const [event] = ctx.packet;
  const start = performance.now();
  try {
    // Runs the rest of the chain and the controller.
    await next();
  } finally {
    ctx.logger.info('%j from %s took %s ms', event, ctx.data.nickname, (performance.now() - start).toFixed(1));
  }
};
