// Graceful shutdown: a closing worker accepts no new clients, waits for running handlers, and closes the connections, whose clients
// then connect to another worker.
import cluster from 'node:cluster';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { closeVariablesOf, drainTimesOf } from './config/topology';
import { enginesOf, refuse } from './engine';
import { healthOf } from './health';
import { inFlightOf } from './in-flight';
import {
  type Connection,
  connectionOf,
  connectionsOf,
  type Engine,
  sessionIdOf,
  setCloseTimeout,
} from './internals/engineio';
import { namespacesOf } from './internals/namespaces';
import { routerOf } from './router';

const debug = debuglog('egg-socket.io:drain');

/** How many ms each connection adds to the time over which all connections are closed. */
const MS_PER_CONNECTION = 2;

/**
 * The share of the timeout for running handlers of packets. The rest is for what runs after a disconnect, and for clients that poll:
 * in that time they fetch what was sent to them.
 */
const HANDLER_SHARE = 0.75;

/**
 * Refuses new clients, closes all connections, and waits for running handlers and connection chains.
 *
 * @returns a promise that resolves when the last one has ended, or after `config.io.drain.timeout`
 */
export async function drain(app: Application): Promise<void> {
  healthOf(app.io).draining = true;
  const engines = enginesOf(app);
  for (const engine of engines) refuseHandshakes(engine);
  const times = drainTimesOf(app);
  if (times === undefined) return;
  const { timeout, spread } = times;
  const start = performance.now();
  const connections = engines.flatMap(connectionsOf);
  const span = Math.min(spread, connections.length * MS_PER_CONNECTION, timeout * HANDLER_SHARE);
  debug('drain %d connections over %d ms, timeout %d ms', connections.length, span, timeout);
  const drained = connections.map(async (conn, i) => {
    // Random within a slot of its own: the connections are spread evenly, and two workers are not in step.
    await sleep(((i + Math.random()) * span) / connections.length);
    await close(app, conn, start + timeout * HANDLER_SHARE - performance.now(), timeout);
  });
  await Promise.all(drained);
  const { handlers, chains } = inFlightOf(app.io);
  await within(start + timeout - performance.now(), Promise.all([handlers.idle(), chains.idle()]));
  if (handlers.running + chains.running > 0) app.coreLogger.warn(timeoutWarning(app, timeout));
}

/**
 * Drains a worker that ends after an uncaught exception. Egg then closes its HTTP server, disconnects it from the master and ends the
 * process 30 s later, but does not close the application.
 *
 * @param leave - drains the worker
 */
export function drainOnDisconnect(app: Application, leave: () => Promise<unknown>): void {
  const { worker } = cluster;
  worker?.once('disconnect', async () => {
    // If the master has ended, so does the process, at once.
    if (!worker.exitedAfterDisconnect) return;
    app.coreLogger.warn(
      `[egg-socket.io] worker ${process.pid} has disconnected from its master, which Egg does after an uncaught exception: its clients are disconnected and connect to another worker`,
    );
    try {
      await leave();
    } catch (err) {
      app.coreLogger.error(err);
    }
    // With `config.io.drain: false`, these are all connections.
    for (const engine of enginesOf(app)) engine.close();
  });
}

/**
 * Waits for what a client has running, then closes its connection.
 *
 * @param sid - Engine.IO's session id. Ignored if this worker does not have it
 */
export function drainConnection(app: Application, sid: string): void {
  const timeout = drainTimesOf(app)?.timeout ?? 0;
  for (const engine of enginesOf(app)) {
    const conn = connectionOf(engine, sid);
    if (conn) void close(app, conn, timeout * HANDLER_SHARE, timeout);
  }
}

/**
 * Closes a connection once the handlers of its packets have ended.
 *
 * @param handlerTimeout - how long to wait for the handlers, in ms
 * @param timeout - the timeout of the drain, in ms
 */
async function close(app: Application, conn: Connection, handlerTimeout: number, timeout: number): Promise<void> {
  const inFlight = inFlightOf(app.io).of(conn);
  inFlight.isClosing = true;
  if (inFlight.running > 0) {
    await within(handlerTimeout, inFlight.idle());
    // Socket.IO calls listeners of the socket in a later tick.
    await immediate();
  }
  await flushAndClose(conn, timeout * (1 - HANDLER_SHARE));
}

/**
 * Closes a connection after what is still to be sent on it.
 *
 * @returns a promise that resolves when the client has received it, or after `timeout` ms
 */
async function flushAndClose(conn: Connection, timeout: number): Promise<void> {
  if (conn.readyState === 'closed') return;
  // The connection closes when its packets are written, the transport when they are sent.
  const flushed = new Promise<void>((resolve) => {
    conn.once('close', () =>
      conn.transport.readyState === 'closed' ? resolve() : conn.transport.once('close', resolve),
    );
  });
  setCloseTimeout(conn, timeout);
  conn.close();
  await within(timeout, flushed);
  conn.close(true);
}

/** Answers handshakes so that the client tries again on a new connection, which reaches another worker. */
function refuseHandshakes(engine: Engine): void {
  engine.use((req, res, next) => {
    if (sessionIdOf(req)) next();
    else refuse(req, res);
  });
  // A handshake that was under way.
  engine.on('connection', (conn) => conn.close());
}

/** Waits for a promise, which must not reject, for at most so many ms. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}

function timeoutWarning(app: Application, timeout: number): string {
  const { handlers, chains } = inFlightOf(app.io);
  const routers = new Set(Array.from(namespacesOf(app.io).values(), routerOf));
  const events = Array.from(routers).flatMap((router) => router?.running() ?? []);
  const named = events.length > 0 ? ` (${events.join(', ')})` : '';
  const variables = closeVariablesOf(app);
  const advice = `${variables.join(' and ')} in the environment give${variables.length > 1 ? '' : 's'} more time`;
  return `[egg-socket.io] drain timed out after ${timeout} ms: ${handlers.running} handlers of events${named} and ${chains.running} connection chains are still running. ${advice}`;
}
