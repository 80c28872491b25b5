// The Engine.IO servers of app.io: attached to the HTTP servers that Egg announces, and closed with the application.
import { type Server as HttpServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { configOf } from './config/config';
import {
  type ConnectionError,
  type Engine,
  engineOf,
  queryOf,
  replaceGenerateId,
  replaceHandlers,
  sessionIdOf,
} from './internals/engineio';
import { namespacesOf } from './internals/namespaces';
import { originCheckOf } from './origins';
import { statsOf } from './stats';

const debug = debuglog('egg-socket.io:engine');

/** What is logged for a refused request, by Engine.IO's code. */
const ADVICE: Record<number, string> = {
  1: 'The connection or its worker has closed, and the client reconnects. If its worker is on another host, the load balancer must send all requests of a client to one host: see docs/cluster.md',
  5: 'It is a client of Socket.IO 2 or older: set config.io.init.allowEIO3 = true to accept it',
};

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
  checkOrigins(app, engine);
  engine.on('connection_error', (err) => logRefused(app, err));
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

/** Engine.IO's code for a request that is not allowed. */
const FORBIDDEN = 4;
/** The name of refusals that are logged where they are decided. */
const FOREIGN_ORIGIN = 'FOREIGN_ORIGIN';

/**
 * Refuses handshakes and upgrades of origins that may not connect, before Engine.IO reads them. Other requests have a session id, which is
 * secret, or are refused by Engine.IO, or are preflights, which `init.cors` answers.
 */
function checkOrigins(app: Application, engine: Engine): void {
  const check = originCheckOf(app);
  if (check === undefined) return;
  const report = (req: IncomingMessage, message: string) => {
    debug('refused: %s', message);
    const context = { name: FOREIGN_ORIGIN, message };
    engine.emit('connection_error', { req, code: FORBIDDEN, message: 'Forbidden', context });
  };
  replaceHandlers(engine, (own) => ({
    handleRequest: (req, res) => {
      if (req.method !== 'GET' || sessionIdOf(req)) {
        own.handleRequest(req, res);
        return;
      }
      decide(check.refusal(req), (reason) => {
        if (reason === undefined) {
          own.handleRequest(req, res);
          return;
        }
        report(req, reason);
        const { headers, body } = responseOf({ code: FORBIDDEN, message: reason });
        res.writeHead(403, headers).end(body);
      });
    },
    handleUpgrade: (req, socket, head) => {
      // An error while the application checks the origin is followed by `close`.
      socket.on('error', ignore);
      decide(check.refusal(req), (reason) => {
        socket.off('error', ignore);
        if (reason === undefined) {
          own.handleUpgrade(req, socket, head);
          return;
        }
        report(req, reason);
        endUpgrade(socket, '403 Forbidden', { code: FORBIDDEN, message: reason });
      });
    },
  }));
}

function ignore(): void {}

/** Calls `callback` with a value, at once unless it is a promise. */
function decide<T>(value: T | Promise<T>, callback: (value: T) => void): void {
  if (value instanceof Promise) void value.then(callback);
  else callback(value);
}

function logRefused(app: Application, { req, code, message, context }: ConnectionError): void {
  if (context?.name === FOREIGN_ORIGIN) return;
  const address = req?.socket?.remoteAddress ?? 'another worker';
  const reason = context?.error instanceof Error ? ` ${context.error.message}` : '';
  const request = `${req?.method} ${req?.url?.split('?')[0]} from ${address}`;
  const advice = ADVICE[code] ? `. ${ADVICE[code]}` : '';
  debug('refused with code %d: %s (%s)', code, message, request);
  app.coreLogger.warn(`[egg-socket.io] refused: ${message}${reason} (${request})${advice}`);
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
  const { headers, body } = responseOf({ message });
  res.writeHead(503, headers).end(body);
}

/** The same for an upgrade. */
export function refuseUpgrade(socket: Duplex, message = CLOSING): void {
  debug('refuse an upgrade: %s', message);
  endUpgrade(socket, '503 Service Unavailable', { message });
}

function endUpgrade(socket: Duplex, status: string, content: object): void {
  const { headers, body } = responseOf(content);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', ignore);
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

function responseOf(content: object) {
  const body = JSON.stringify(content);
  const length = Buffer.byteLength(body);
  return { headers: { connection: 'close', 'content-type': 'application/json', 'content-length': length }, body };
}
