// Ports that no other process uses. A free port that the system has assigned may be assigned again once it is released. These
// ports are from a range from which the system assigns none.
import { createServer } from 'node:net';

/** Each of the up to six processes of a run has its own range. All end below 32,768, where the range of the system begins. */
const RANGE = 3500;
const FIRST = 10_000 + RANGE * (Number(process.env.MOCHA_WORKER_ID ?? 0) % 6);

let last = (process.pid * 97) % RANGE;

/** Returns a port that no process listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    last = (last + 1) % RANGE;
    const port = FIRST + last;
    if (await isFree(port)) return port;
  }
}

/** Whether no process listens on a port. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (listening) await new Promise((resolve) => server.close(resolve));
  return listening;
}
