// Ports that no other process uses. A free port that the system has assigned may be assigned again once it is released. These
// ports are from a range from which the system assigns none. Each process that runs tests has a block of them, also if several
// suites run on one machine: it listens on the first port of its block for as long as it lives.
import { createServer, type Server } from 'node:net';

const FIRST = 10_000;
/** The system assigns ports from here on. */
const END = 32_768;
const BLOCK = 500;
const BLOCKS = Math.floor((END - FIRST) / BLOCK);

let block: Promise<number> | undefined;
let last = 0;

/** Returns a port that no process listens on. */
export async function freePort(): Promise<number> {
  block ??= claimBlock();
  const first = await block;
  for (let attempts = 1; attempts < BLOCK; attempts++) {
    last = (last % (BLOCK - 1)) + 1;
    const port = first + last;
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${first} to ${first + BLOCK - 1} is free`);
}

/** Returns the first port of a block that no other process has. */
export async function claimBlock(): Promise<number> {
  for (let n = 0; n < BLOCKS; n++) {
    const port = FIRST + ((process.pid + n) % BLOCKS) * BLOCK;
    const server = await listen(port);
    if (server === undefined) continue;
    server.unref();
    return port;
  }
  throw new Error(`no block of ports from ${FIRST} to ${END - 1} is free: do so many suites run?`);
}

/** Whether no process listens on a port. */
export async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  return server !== undefined;
}

/** Returns a server that listens on a port. Undefined if another one does. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
