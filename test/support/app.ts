// Starts fixture applications in this process, on the major version of Egg that EGG_MAJOR names, and connects clients to them.
// They are closed after the test or the suite that has started them: see hooks.ts.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Application } from 'egg';
import type { Socket } from 'socket.io-client';
import { asError, type ClientOptions, connectClient, type Kind, kind } from './clients';
import { freePort } from './port';
import { next } from './wait';

export const EGG_MAJOR = process.env.EGG_MAJOR === '4' ? 4 : 3;
export const FRAMEWORK = path.dirname(require.resolve('egg/package.json'));
export const ROOT = path.resolve(__dirname, '../..');

// The members used here exist in egg-mock for both majors, but their types differ.
const { default: mm } = require('egg-mock') as { default: any };

export type { ClientOptions };
export { mm };

/** A fixture application that listens. */
export interface Running {
  app: Application;
  server: Server;
  url: string;
  port: number;
  /** Returns a client that is connecting. It is closed after the test. */
  client(nsp?: string, options?: ClientOptions): Socket;
  /** Returns a connected client. It is closed after the test. */
  connect(nsp?: string, options?: ClientOptions): Promise<Socket>;
  close(): Promise<void>;
}

/** The running applications, each with whether a test has started it. If so, it is closed after that test. */
const running = new Map<Running, boolean>();
let inTest = false;
/** How many applications are being started. */
let startsPending = 0;
const clients = new Set<Socket>();

export function fixture(name: string): string {
  return path.join(__dirname, '../fixtures/apps', name);
}

/** Starts a fixture application of test/fixtures/apps, which listens on a free port. */
export async function start(name: string, options: Record<string, unknown> = {}): Promise<Running> {
  const own = { baseDir: fixture(name), framework: FRAMEWORK, cache: false, beforeInit: keepPort };
  startsPending++;
  if (kind().protocol === 3) process.env.EGG_APP_CONFIG = JSON.stringify({ io: { init: { allowEIO3: true } } });
  // Another test file may run the same fixture at this moment and write into its directories.
  const app = mm.app({ ...own, clean: false, ...options });
  try {
    await app.ready();
  } catch (err) {
    await app.close?.().catch(() => {});
    throw err;
  } finally {
    // Another application of the same test may not have read it yet.
    if (--startsPending === 0) delete process.env.EGG_APP_CONFIG;
  }
  const started = await listen(app);
  running.set(started, inTest);
  return started;
}

/** Sets Egg's own port. egg-mock would detect a free port, which another process could use before the agent listens on it. */
async function keepPort(mock: { options: object }): Promise<void> {
  const port = await freePort();
  Object.defineProperty(mock.options, 'clusterPort', { enumerable: true, get: () => port, set: () => {} });
}

async function listen(app: Application): Promise<Running> {
  // mm.app of Egg 4 creates its server for the first request, that of Egg 3 before the router is loaded.
  const server = createServer(app.callback());
  app.emit('server', server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const client = (nsp = '/', options: ClientOptions = {}) => track(url + nsp, options);
  const started: Running = {
    app,
    server,
    url,
    port,
    client,
    connect: async (nsp, options) => connected(client(nsp, options)),
    close: async () => {
      running.delete(started);
      try {
        await app.close();
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  return started;
}

/** Returns a client of any server, of the current kind or of another. It is closed after the test. */
export function track(url: string, options: ClientOptions = {}, of?: Kind): Socket {
  const socket = connectClient(url, options, of);
  clients.add(socket);
  return socket;
}

/**
 * Waits until the client is connected.
 *
 * @throws the server's error if the client is refused
 */
export async function connected(socket: Socket): Promise<Socket> {
  if (socket.connected) return socket;
  const refusal = await outcome(socket);
  if (refusal) throw refusal;
  return socket;
}

/** Waits until the client is refused, and returns the error. */
export async function refused(socket: Socket): Promise<Error & { data?: unknown }> {
  const refusal = await outcome(socket);
  assert(refusal, 'the client was admitted');
  return refusal;
}

async function outcome(socket: Socket): Promise<(Error & { data?: unknown }) | undefined> {
  const refusals = kind().protocol === 3 ? ['error', 'connect_error'] : ['connect_error'];
  const refusal = refusals.map((event) => next(socket, event).then(([heard]) => asError(heard)));
  return await Promise.race([...refusal, next(socket, 'connect').then(() => undefined)]);
}

export function testBegins(): void {
  inTest = true;
}

export async function testEnds(): Promise<void> {
  inTest = false;
  for (const socket of clients) socket.disconnect();
  clients.clear();
  const own = Array.from(running).filter(([, ofTest]) => ofTest);
  await Promise.all(own.map(([each]) => each.close()));
}

export async function closeApps(): Promise<void> {
  await Promise.all(Array.from(running.keys(), (each) => each.close()));
}

/** Records what is logged to `app.coreLogger` from now on. */
export function logs(app: Application): { error: any[]; warn: any[] } {
  const seen = { error: [] as any[], warn: [] as any[] };
  for (const level of ['error', 'warn'] as const) {
    mm(app.coreLogger, level, (...args: any[]) => {
      seen[level].push(args.length === 1 ? args[0] : args);
    });
  }
  return seen;
}
