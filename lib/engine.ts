// Attaches app.io to Egg's HTTP server, and takes it off at the end. Called by app.ts.
import { type Server as HttpServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Application } from 'egg';
import { configOf } from './config/config';
import { statsOf } from './stats';
import { shareSessions } from './workers/workers';

/** What to do, by Engine.IO's code of a refused request. */
const ADVICE: Record<number, string> = {
  1: 'Its connection is over, or its worker is, and the client connects anew; or it is on another host, and the load balancer does not keep clients on one host: see docs/cluster.md',
  5: 'It is a client of Socket.IO 2 or older: set config.io.init.allowEIO3 = true to let it in',
};

interface ConnectionError {
  req: IncomingMessage | undefined;
  code: number;
  message: string;
  context?: Record<string, unknown>;
}

/** A connection of Engine.IO, as far as it is used here. */
export interface Connection {
  readonly readyState: string;
  readonly transport: {
    readonly readyState: string;
    /** Of long-polling: for how many ms a connection that closes waits for the client's next request. */
    closeTimeout?: number;
    once(event: 'close', listener: () => void): void;
  };
  once(event: 'close', listener: () => void): void;
  /** @param discard - without what is still to be sent */
  close(discard?: boolean): void;
}

/** What Engine.IO calls before it looks at a request. */
type EngineMiddleware = (
  req: IncomingMessage & { _query: { sid?: string } },
  res: ServerResponse,
  next: (err?: Error) => void,
) => void;

/** Engine.IO's server, as far as it is used here. */
export interface Engine {
  /** By session id. */
  readonly clients: Record<string, Connection>;
  generateId: (request: IncomingMessage) => string;
  use(middleware: EngineMiddleware): void;
  on(event: 'connection', listener: (conn: Connection) => void): void;
  on(event: 'connection_error', listener: (err: ConnectionError) => void): void;
  close(): void;
}

/** The engines of each `app.io`: one for each HTTP server that Egg has announced. Usually there is one. */
const engines = new WeakMap<object, Map<HttpServer, Engine>>();

/** Attaches Socket.IO to an HTTP server, as `config.io` says. */
export function attach(app: Application, server: HttpServer): void {
  const { io } = app;
  const { generateId } = configOf(app);
  const attached = engines.get(io) ?? new Map<HttpServer, Engine>();
  engines.set(io, attached);
  if (attached.has(server)) return;
  io.attach(server);
  const engine = io.engine as unknown as Engine;
  attached.set(server, engine);
  shareSessions(app, engine as never);
  // Of a client of Socket.IO 2 the id of the connection is that of its sockets, and the client works it out by itself. For
  // the others the two differ: who knows the connection's can speak for the client.
  if (generateId) {
    const random = engine.generateId;
    engine.generateId = (request) => (isOld(request) ? generateId(request) : random.call(engine, request));
  }
  engine.on('connection_error', (err) => logRefused(app, err));
  statsOf(io).watch(io.engine as never);
}

/** The engines of `app.io`. */
export function enginesOf(app: Application): Engine[] {
  return Array.from(engines.get(app.io)?.values() ?? []);
}

/**
 * Closes the connections that are left, whose clients come back by themselves, and the adapters. Egg's HTTP server, which
 * Socket.IO's own `close` would close too, is Egg's to close.
 */
export async function detach(app: Application): Promise<void> {
  for (const engine of enginesOf(app)) engine.close();
  app.io.closeChildren();
  await Promise.all(Array.from(app.io._nsps.values(), (nsp) => nsp.adapter.close()));
}

function isOld(request: IncomingMessage): boolean {
  return (request as { _query?: { EIO?: string } })._query?.EIO !== '4';
}

function logRefused(app: Application, { req, code, message, context }: ConnectionError): void {
  const from = req?.socket?.remoteAddress ?? 'another worker';
  const error = context?.error instanceof Error ? ` ${context.error.message}` : '';
  const request = `${req?.method} ${req?.url?.split('?')[0]} from ${from}`;
  const advice = ADVICE[code] ? `. ${ADVICE[code]}` : '';
  app.coreLogger.warn(`[egg-socket.io] refused: ${message}${error} (${request})${advice}`);
}

// The answer to those who come to a worker that leaves: they try again on a new connection, which reaches another worker.
// Called by drain.ts and cluster/handover.ts.

const BODY = JSON.stringify({ message: 'the server is closing' });
const HEADERS = { connection: 'close', 'content-type': 'application/json', 'content-length': BODY.length };

/** Refuses a request, or an upgrade: for that Engine.IO makes a response that writes nothing. */
export function refuse({ socket }: IncomingMessage, res: ServerResponse): void {
  if (res instanceof ServerResponse) res.writeHead(503, HEADERS).end(BODY);
  else refuseUpgrade(socket);
}

export function refuseUpgrade(socket: Duplex): void {
  const lines = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 503 Service Unavailable\r\n${lines.join('')}\r\n${BODY}`, () => socket.destroy());
}
