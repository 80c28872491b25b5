// The Engine.IO servers of app.io: attached to the HTTP servers that Egg announces, and closed with the application.
import { type Server as HttpServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { configOf } from './config/config';
import { type Engine, engineOf, queryOf, replaceGenerateId } from './internals/engineio';
import { namespacesOf } from './internals/namespaces';
import { logRefusals } from './refused-requests';
import { statsOf } from './stats';

const debug = debuglog('egg-socket.io:engine');

const ENGINES = Symbol('egg-socket.io:engines');

/** `app.io` with its engines, by HTTP server. Usually there is one. */
type WithEngines = Application['io'] & { [ENGINES]?: Map<HttpServer, Engine> };

/**
 * Attaches Socket.IO to an HTTP server.
 *
 * @param generateSessionId - generates the session ids of clients. Default: Engine.IO generates them
 * @returns the new engine, or undefined if that server has one already
 */
export function attach(app: Application, server: HttpServer, generateSessionId?: () => string): Engine | undefined {
  const io: WithEngines = app.io;
  io[ENGINES] ??= new Map();
  const attached = io[ENGINES];
  if (attached.has(server)) return undefined;
  io.attach(server);
  const engine = engineOf(io);
  attached.set(server, engine);
  debug('attached to an HTTP server, path %s', io.path());
  useSessionIds(app, engine, generateSessionId);
  logRefusals(app, engine);
  statsOf(io).watch(engine);
  return engine;
}

/** Returns the engines of `app.io`. */
export function enginesOf(app: Application): Engine[] {
  const io: WithEngines = app.io;
  return Array.from(io[ENGINES]?.values() ?? []);
}

/**
 * Closes the connections that are still open, and the adapters. The clients reconnect. Socket.IO's own `close()` is not called: it would
 * close Egg's HTTP server.
 */
export async function detach(app: Application): Promise<void> {
  for (const engine of enginesOf(app)) engine.close();
  app.io.closeChildren();
  await Promise.all(Array.from(namespacesOf(app.io).values(), (nsp) => nsp.adapter.close()));
}

/**
 * A client of Socket.IO 2 derives the ids of its sockets from its session id: `config.io.generateId` generates it. Session ids of other
 * clients are secret, since they authenticate requests: `config.io.generateId` generates the ids of their sockets only.
 */
function useSessionIds(app: Application, engine: Engine, generateSessionId: (() => string) | undefined): void {
  const { generateId } = configOf(app);
  if (generateSessionId) replaceGenerateId(engine, () => generateSessionId);
  if (generateId) replaceGenerateId(engine, (own) => (req) => (queryOf(req).EIO === '4' ? own(req) : generateId(req)));
}

const CLOSING = 'the server is closing';

/**
 * Refuses a request. The client tries again on a new connection, which may reach another worker.
 *
 * @param message - the reason, for the client
 */
export function refuse({ socket }: IncomingMessage, res: ServerResponse, message = CLOSING): void {
  // Engine.IO passes a response that writes nothing for an upgrade.
  if (!(res instanceof ServerResponse)) {
    refuseUpgrade(socket, message);
    return;
  }
  const { headers, body } = refusalOf(message);
  res.writeHead(503, headers).end(body);
}

/** The same for an upgrade. */
export function refuseUpgrade(socket: Duplex, message = CLOSING): void {
  debug('refuse an upgrade: %s', message);
  const { headers, body } = refusalOf(message);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

function refusalOf(message: string) {
  const body = JSON.stringify({ message });
  const headers = { connection: 'close', 'content-type': 'application/json', 'content-length': body.length };
  return { headers, body };
}
