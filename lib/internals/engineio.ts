// The private and undocumented members of Engine.IO that the plugin uses, and the members that it overrides.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server } from 'socket.io';
import { type Member, property } from './members';

/** A low-level connection: long-polling, a WebSocket or WebTransport. */
interface Transport {
  readonly name: string;
  readonly readyState: string;
  /** Of long-polling: how long a closing transport waits for the next request of the client, in ms. */
  closeTimeout?: number;
  once(event: 'close', listener: () => void): void;
}

/** An Engine.IO connection. */
export interface Connection {
  /** The version of Engine.IO's protocol: 3 for clients of Socket.IO 1 and 2, 4 for later ones. */
  readonly protocol: number;
  readonly readyState: string;
  readonly transport: Transport;
  once(event: 'close', listener: () => void): void;
  /** @param discard - drops what is still to be sent */
  close(discard?: boolean): void;
}

/** A request that Engine.IO has parsed, or is about to parse. */
interface EngineRequest extends IncomingMessage {
  /** The parameters of the query. Set by Engine.IO before its middleware runs. */
  _query: Record<string, string>;
}

/** Why a request is refused. */
export const RefusalCode = {
  UNKNOWN_TRANSPORT: 0,
  UNKNOWN_SESSION: 1,
  BAD_METHOD: 2,
  BAD_REQUEST: 3,
  FORBIDDEN: 4,
  UNSUPPORTED_PROTOCOL: 5,
} as const;

/** A refused handshake or request. */
export interface ConnectionError {
  readonly req: IncomingMessage | undefined;
  readonly code: number;
  readonly message: string;
  readonly context?: Record<string, unknown>;
}

/** Engine.IO's methods that answer requests to its path. */
export interface RequestHandlers {
  handleRequest(req: IncomingMessage, res: ServerResponse): void;
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Generates the session id of a new connection. */
export type GenerateId = (req: IncomingMessage) => string | PromiseLike<string>;

/** An Engine.IO server. Its types hide `clients`. */
export interface Engine extends RequestHandlers {
  /** The open connections, by session id. */
  clients: Record<string, Connection>;
  /** How many there are. */
  readonly clientsCount: number;
  generateId: GenerateId;
  use(middleware: (req: EngineRequest, res: ServerResponse, next: (err?: Error) => void) => void): void;
  on(event: 'connection', listener: ConnectionListener): void;
  on(event: 'connection_error', listener: (err: ConnectionError) => void): void;
  listeners(event: 'connection'): ConnectionListener[];
  emit(event: 'connection_error', err: ConnectionError): void;
  close(): void;
}

/** Called with each new connection. */
export type ConnectionListener = (conn: Connection) => void;

/**
 * What the boot checks. `_query` is not listed: it is a member of requests, and without it the URL is parsed. `transport` and `close()` of
 * connections are documented.
 */
export const ENGINE_MEMBERS: readonly Member[] = [
  memberOf('clients', 'object'),
  memberOf('generateId', 'function'),
  memberOf('handleRequest', 'function'),
  memberOf('handleUpgrade', 'function'),
  {
    library: 'engine.io',
    path: 'Polling.prototype.closeTimeout',
    type: 'number',
    find: ({ transport }) => property(transport, 'closeTimeout'),
    fallback: 'a closing worker waits up to 30 s for clients that have stopped polling, or until its drain times out',
  },
];

function memberOf(name: string, type: Member['type']): Member {
  return { library: 'engine.io', path: `Server.prototype.${name}`, type, find: ({ engine }) => property(engine, name) };
}

/** Creates a transport for the check at boot. */
export function createSampleTransport(engine: object): object {
  const { createTransport } = engine as { createTransport?(name: string, req: object): object };
  return createTransport?.call(engine, 'polling', { _query: {} }) ?? {};
}

/** Returns the engine of the HTTP server that a Socket.IO server was attached to last. */
export function engineOf(io: Server): Engine {
  return io.engine as unknown as Engine;
}

/** Returns the open connections of an engine. */
export function connectionsOf(engine: Engine): Connection[] {
  return Object.values(engine.clients);
}

/** Returns the open connection that has a session id. */
export function connectionOf(engine: Engine, sessionId: string): Connection | undefined {
  // Session ids come from clients: `constructor` is none.
  return Object.hasOwn(engine.clients, sessionId) ? engine.clients[sessionId] : undefined;
}

/**
 * Calls a function with the session id of each connection that has closed. A listener of each connection would hold 145 bytes of an idle
 * one.
 */
export function onSessionClosed(engine: Engine, callback: (sessionId: string) => void): void {
  engine.clients = new Proxy(engine.clients, {
    deleteProperty(clients, sessionId) {
      callback(String(sessionId));
      return Reflect.deleteProperty(clients, sessionId);
    },
  });
}

/**
 * Replaces the methods that answer requests.
 *
 * @param replace - returns the new methods
 * @returns the engine's own methods
 */
export function replaceHandlers(engine: Engine, replace: (own: RequestHandlers) => RequestHandlers): RequestHandlers {
  const own = { handleRequest: engine.handleRequest.bind(engine), handleUpgrade: engine.handleUpgrade.bind(engine) };
  Object.assign(engine, replace(own));
  return own;
}

/**
 * Replaces the method that generates session ids.
 *
 * @param replace - returns the new method
 */
export function replaceGenerateId(engine: Engine, replace: (own: GenerateId) => GenerateId): void {
  engine.generateId = replace(engine.generateId.bind(engine));
}

/** Sets how long a closing connection waits for the next request of a client that uses long-polling, in ms. Default: 30 s. */
export function setCloseTimeout({ transport }: Connection, timeout: number): void {
  if (transport.closeTimeout !== undefined) transport.closeTimeout = timeout;
}

/** Whether a connection was closed because of a message longer than `maxHttpBufferSize`, by the description of the close. */
export function isTooLong(description: unknown): boolean {
  // Engine.IO makes an error of the text of the WebSocket's.
  return description instanceof Error && description.message.includes('Max payload size exceeded');
}

/** Returns the parameters of a request's query. Of several values of a parameter, the last one counts. */
export function queryOf(req: IncomingMessage): Record<string, string> {
  const parsed = (req as EngineRequest)._query;
  return parsed ?? Object.fromEntries(new URL(req.url ?? '', 'https://socket.io').searchParams);
}

/** Returns the session id of a request, as Engine.IO reads it. */
export function sessionIdOf(req: IncomingMessage): string | undefined {
  const parsed = (req as EngineRequest)._query;
  if (parsed) return parsed.sid;
  // Called before Engine.IO has parsed the request. A handshake has no session id and is not parsed twice.
  if (!req.url?.includes('sid=')) return undefined;
  const [url = ''] = req.url.split('#', 1);
  const query = url.indexOf('?');
  return query < 0 ? undefined : new URLSearchParams(url.slice(query)).getAll('sid').at(-1);
}
