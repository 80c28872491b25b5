// Ports of this process's own. Whoever takes a free port from the system and lets go of it may find that somebody else has
// got it meanwhile; these are from a range that the system gives to nobody.
import { createServer } from 'node:net';

/** Of the processes of one run, up to six, each has its own range. All end below 32,768, from where on the system gives ports. */
const RANGE = 3500;
const FIRST = 10_000 + RANGE * (Number(process.env.MOCHA_WORKER_ID ?? 0) % 6);

let last = (process.pid * 97) % RANGE;

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    last = (last + 1) % RANGE;
    const port = FIRST + last;
    if (await isFree(port)) return port;
  }
}

/** Whether nobody listens on a port. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (listening) await new Promise((resolve) => server.close(resolve));
  return listening;
}
