// A worker leaves in good order: it takes no new clients, lets what is running end, and closes its clients' connections, who
// come back by themselves to another worker. Called by app.ts.
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import type { Application } from 'egg';
import { drainOf, variablesOf } from './config/topology';
import { type Connection, type Engine, enginesOf, refuse } from './engine';
import { workOf } from './in-flight';
import { routerOf } from './router';

/** How many ms the telling of one client adds to the span over which all are told. */
const EACH = 2;
/**
 * From this part of the time on nobody waits for handlers of packets: the rest is for what comes after a disconnect. As long as
 * that rest, a client that has been told may take to fetch what was still to be sent, and that it is told.
 */
const LAST = 0.75;

/**
 * Lets no new client in, tells the clients that are there, and waits for what is running. Done when the last handler has
 * ended or `config.io.drain.timeout` is over.
 */
export async function drain(app: Application): Promise<void> {
  const engines = enginesOf(app);
  for (const engine of engines) refuseHandshakes(engine);
  const times = drainOf(app);
  if (times === undefined) return;
  const { timeout, spread } = times;
  const begin = performance.now();
  const turns = engines.flatMap((engine) => Object.values(engine.clients));
  const span = Math.min(spread, turns.length * EACH, timeout * LAST);
  const told = turns.map(async (conn, i) => {
    // Each somewhere in a part of the span that is its own: spread evenly, and no two workers in step.
    await sleep(((i + Math.random()) * span) / turns.length);
    await leave(app, conn, begin + timeout * LAST - performance.now(), timeout);
  });
  await Promise.all(told);
  const { handlers, chains } = workOf(app.io);
  await within(begin + timeout - performance.now(), Promise.all([handlers.none(), chains.none()]));
  if (handlers.running + chains.running > 0) app.coreLogger.warn(stillRunning(app, timeout));
}

/**
 * Lets what a client has under way end, and closes its connection: it comes back by itself.
 *
 * @param sid - Engine.IO's session id; one that this worker doesn't know is nobody's
 */
export function drainConnection(app: Application, sid: string): void {
  const timeout = drainOf(app)?.timeout ?? 0;
  for (const { clients } of enginesOf(app)) {
    const conn = Object.hasOwn(clients, sid) ? clients[sid] : undefined;
    if (conn) void leave(app, conn, timeout * LAST, timeout);
  }
}

/**
 * @param patience - how long handlers of its packets may take, in ms
 * @param timeout - how long the whole may take, in ms
 */
async function leave(app: Application, conn: Connection, patience: number, timeout: number): Promise<void> {
  const work = workOf(app.io).of(conn);
  work.leaving = true;
  if (work.running > 0) {
    await within(patience, work.none());
    // A listener put on by hand gets its packet in a tick of its own.
    await immediate();
  }
  await closed(conn, timeout * (1 - LAST));
}

/**
 * Closes a connection behind what is still to be sent on it. Done when the client has it, or has not fetched it within so
 * many ms.
 */
async function closed(conn: Connection, grace: number): Promise<void> {
  if (conn.readyState === 'closed') return;
  // The connection is closed when what it had to send is on its way, its transport when that has arrived.
  const arrived = new Promise<void>((resolve) => {
    conn.once('close', () =>
      conn.transport.readyState === 'closed' ? resolve() : conn.transport.once('close', resolve),
    );
  });
  // Engine.IO would give a client that polls no more 30 s.
  if (conn.transport.closeTimeout !== undefined) conn.transport.closeTimeout = grace;
  conn.close();
  await within(grace, arrived);
  conn.close(true);
}

/** Answers new handshakes so that their clients try again on a new connection, which reaches another worker. */
function refuseHandshakes(engine: Engine): void {
  engine.use((req, res, next) => {
    if (req._query.sid) next();
    else refuse(req, res);
  });
  // One whose handshake was under way.
  engine.on('connection', (conn) => conn.close());
}

/** Waits for the promise, which does not fail, but no longer than so many ms. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

function stillRunning(app: Application, timeout: number): string {
  const { handlers, chains } = workOf(app.io);
  const routers = new Set(Array.from(app.io._nsps.values(), routerOf));
  const events = Array.from(routers).flatMap((router) => router?.running() ?? []);
  const named = events.length > 0 ? ` (${events.join(', ')})` : '';
  const more = `${variablesOf(app).join(' and ')} in the environment give${variablesOf(app).length > 1 ? '' : 's'} more time`;
  return `[egg-socket.io] closing without waiting any longer: after ${timeout} ms ${handlers.running} handlers of events${named} and ${chains.running} connection chains are still running; ${more}`;
}
