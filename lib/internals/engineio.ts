// The private and undocumented members of Engine.IO that the plugin uses, and the members that it overrides.
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Server } from 'socket.io';
import { type Member, property } from './members';

/** A WebSocket of ws. Other engines lack some members. */
interface RawWebSocket {
  readonly bufferedAmount: number;
  pause(): void;
  resume(): void;
  terminate(): void;
}

/** A low-level connection: long-polling, a WebSocket or WebTransport. */
interface Transport {
  readonly name: string;
  /** Of a WebSocket: the object of ws, or of another engine. */
  readonly socket?: Partial<RawWebSocket>;
  readonly readyState: string;
  /** Of long-polling: how long a closing transport waits for the next request of the client, in ms. */
  closeTimeout?: number;
  once(event: 'close', listener: () => void): void;
}

/** An Engine.IO connection. */
export interface Connection extends EventEmitter {
  readonly id: string;
  /** The version of Engine.IO's protocol: 3 for clients of Socket.IO 1 and 2, 4 for later ones. */
  readonly protocol: number;
  readonly readyState: string;
  readonly transport: Transport;
  readonly request: IncomingMessage;
  /** The packets that wait until the transport can send. Another array as soon as they are passed to it. */
  readonly writeBuffer?: ReadonlyArray<{ readonly data?: string | ArrayBufferView | ArrayBuffer }>;
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

/** Decides about a handshake: `init.allowRequest`. */
export type AllowRequest = (
  req: IncomingMessage,
  done: (err: string | null | undefined, ok: boolean) => void,
) => unknown;

/** Generates the session id of a new connection. */
export type GenerateId = (req: IncomingMessage) => string | PromiseLike<string>;

/** An Engine.IO server. Its types hide `clients`. */
export interface Engine extends RequestHandlers {
  /** The open connections, by session id. */
  clients: Record<string, Connection>;
  /** How many there are. */
  readonly clientsCount: number;
  generateId: GenerateId;
  /** Documented. `allowRequest` is read at each handshake. */
  readonly opts: { allowRequest?: AllowRequest; path?: string; addTrailingSlash?: boolean; destroyUpgrade?: boolean };
  use(middleware: (req: EngineRequest, res: ServerResponse, next: (err?: Error) => void) => void): void;
  on(event: 'connection', listener: ConnectionListener): void;
  on(event: 'connection_error', listener: (err: ConnectionError) => void): void;
  off(event: 'connection', listener: ConnectionListener): void;
  listeners(event: 'connection'): ConnectionListener[];
  emit(event: 'connection_error', err: ConnectionError): void;
  close(): void;
}

/** Called with each new connection. */
export type ConnectionListener = (conn: Connection) => void;

/**
 * What the boot checks. `_query` is not listed: it is a member of requests, and without it the URL is parsed. Nor is `writeBuffer`, a member
 * of connections: without it, `config.io.limits.unsentBytes` counts what the WebSocket itself holds. `transport` and `close()` of
 * connections are documented.
 */
export const ENGINE_MEMBERS: readonly Member[] = [
  {
    library: 'engine.io',
    path: 'WebSocket.prototype.socket',
    type: 'object',
    find: ({ webSocket }) => property(webSocket, 'socket'),
    fallback:
      'config.io.limits.packetsPerTurn has no effect on WebSockets, and unsentBytes does not count what the WebSocket itself holds',
  },
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
export function createSampleTransport(engine: object, name: 'polling' | 'websocket' = 'polling'): object {
  const { createTransport } = engine as { createTransport?(name: string, req: object): object };
  return createTransport?.call(engine, name, { _query: {}, websocket: new EventEmitter() }) ?? {};
}

/** Returns the engine of the HTTP server that a Socket.IO server was attached to last. */
export function engineOf(io: Server): Engine {
  return io.engine as unknown as Engine;
}

/** Whether the path of a request is that of an engine, as Engine.IO compares it. */
export function hasOwnPath({ opts }: Engine, { url }: IncomingMessage): boolean {
  const path = (opts.path || '/engine.io').replace(/\/$/, '');
  return url?.startsWith(opts.addTrailingSlash === false ? path : `${path}/`) === true;
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

/** A packet that waits to be sent. */
export type UnsentPacket = NonNullable<Connection['writeBuffer']>[number];

/** What a waiting packet takes beside its data, in bytes. */
const PACKET_SIZE = 100;

/** Returns how many bytes a waiting packet takes, approximately. */
export function sizeOf(packet: UnsentPacket | undefined): number {
  const data = packet?.data;
  if (data === undefined) return PACKET_SIZE;
  return PACKET_SIZE + (typeof data === 'string' ? data.length : data.byteLength);
}

/** Returns how many bytes wait to be sent to a connection, without responses that Engine.IO has ended. */
export function unsentBytesOf(conn: Connection): number {
  let bytes = bufferedBytesOf(conn);
  for (const packet of conn.writeBuffer ?? []) bytes += sizeOf(packet);
  return bytes;
}

/** Returns how many bytes a WebSocket has been given and has not sent. 0 for other transports. */
export function bufferedBytesOf({ transport }: Connection): number {
  return transport.socket?.bufferedAmount ?? 0;
}

/** Closes a connection whose client does not read, and drops what is still to be sent. */
export function terminate(conn: Connection): void {
  const { socket } = conn.transport;
  conn.close(true);
  // The closing handshake of a WebSocket would wait behind what is unsent.
  socket?.terminate?.();
}

/**
 * Stops to read from a WebSocket.
 *
 * @returns a function that reads again, or undefined if the transport cannot stop
 */
export function pauseReading({ transport }: Connection): (() => void) | undefined {
  const { socket } = transport;
  if (typeof socket?.pause !== 'function' || typeof socket.resume !== 'function') return undefined;
  socket.pause();
  return () => socket.resume?.();
}

/** Whether the transport of a connection can stop to read. Of long-polling, the next request waits. */
export function canPauseReading({ transport }: Connection): boolean {
  return transport.name === 'polling' || typeof transport.socket?.pause === 'function';
}

/** What a connection passes on of what it receives: the data of each packet, a text or binary. */
export type Receive = (this: Connection, data: unknown) => void;

/**
 * Replaces the listener by which Socket.IO receives the packets of a connection.
 *
 * @param receive - the new listener
 * @returns Socket.IO's own, or undefined if there is not exactly one, in which case nothing is replaced
 */
export function replaceReceiver(conn: Connection, receive: Receive): Receive | undefined {
  const [own, ...others] = conn.listeners('data') as Receive[];
  if (own === undefined || others.length > 0) return undefined;
  conn.off('data', own);
  conn.on('data', receive);
  return own;
}

/** Engine.IO's reason for a connection that the server itself closes. */
const CLOSED_BY_SERVER = 'forced close';

/**
 * Holds back the event `close` of a connection that its client, or an error, closes.
 *
 * @param closed - called when the connection closes. `isHeld`: whether the event is held back
 * @returns a function that ends that, and emits the event if it was held back
 */
export function holdClose(conn: Connection, closed: (isHeld: boolean) => void): () => void {
  const { emit } = conn;
  let held: unknown[] | undefined;
  conn.emit = (event, ...args) => {
    if (event !== 'close') return emit.call(conn, event, ...args);
    const isHeld = args[0] !== CLOSED_BY_SERVER;
    if (isHeld) held = args;
    closed(isHeld);
    return isHeld || emit.call(conn, event, ...args);
  };
  return () => {
    // Not deleted: V8 accesses the properties of an object more slowly after one was deleted.
    conn.emit = emit;
    if (held !== undefined) conn.emit('close', ...held);
  };
}
