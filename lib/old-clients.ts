// Clients of Socket.IO 1 and 2, which init.allowEIO3 lets in, as Socket.IO 2 treated them: they pass `/` before any other
// namespace, and the query of a socket is in its handshake. Socket.IO 4 lets them in at once, past whatever guards `/`. Called
// by server.ts for each namespace.
import { type ParsedUrlQuery, parse } from 'node:querystring';
import { isDeepStrictEqual } from 'node:util';
import type { Namespace, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';

type Connection = Socket['conn'];
/** Socket.IO's callback of a namespace middleware. */
type Next = (err?: Error) => void;

/** By connection, what waits until its client is in `/`, by namespace: a client that asks twice for one is refused. */
const waiting = new WeakMap<Connection, Map<string, Next>>();

/** Socket.IO's client, as far as it is used here. */
interface Client {
  nsps: Map<string, Socket>;
  /** Finds the namespace of a packet and, for one that asks to be let in, what becomes `handshake.auth`. */
  _parseNamespace: (packet: { nsp: string }) => { namespace: string; authPayload: ParsedUrlQuery };
  _packet: (packet: { type: number; data?: unknown }, opts?: object) => void;
}

const UNKNOWN = { message: 'Invalid namespace' };

/** Treats the clients of Socket.IO 1 and 2 in a namespace as Socket.IO 2 did. */
export function treatOldClients(nsp: Namespace): void {
  if (nsp.name === '/') {
    nsp.use((socket, next) => {
      if (socket.conn.protocol === 3)
        Object.assign(clientOf(socket), { _parseNamespace: parseNamespace, _packet: send });
      next();
    });
    // In a later tick: a client that the chain has disconnected is out again by then.
    nsp.on('connection', (socket: Socket) => process.nextTick(() => isIn(socket) && settle(socket.conn)));
  } else {
    nsp.use((socket, next) => {
      if (socket.conn.protocol === 3) enter(socket, next);
      else next();
    });
  }
}

function clientOf({ client }: Socket): Client {
  return client as unknown as Client;
}

/** Socket.IO 4 takes it for a URL, and so finds no namespace whose name isn't ASCII. */
function parseNamespace({ nsp }: { nsp: string }): ReturnType<Client['_parseNamespace']> {
  const end = nsp.indexOf('?');
  return end < 0
    ? { namespace: nsp, authPayload: {} }
    : { namespace: nsp.slice(0, end), authPayload: parse(nsp.slice(end + 1)) };
}

/** Socket.IO 4 says to all clients with an object that there is no such namespace; Socket.IO 2 said it with a text. */
function send(this: Client, packet: { type: number; data?: unknown }, opts?: object): void {
  const isUnknown = packet.type === PacketType.CONNECT_ERROR && isDeepStrictEqual(packet.data, UNKNOWN);
  const { _packet } = Object.getPrototypeOf(this) as Client;
  _packet.call(this, isUnknown ? { ...packet, data: UNKNOWN.message } : packet, opts);
}

/** Whether the client is in `/` now: who has left it, or was sent away, has to come back first. */
function isIn(socket: Socket): boolean {
  return clientOf(socket).nsps.has('/');
}

function enter(socket: Socket, next: Next): void {
  const { handshake } = socket;
  // The query of the connection is that of all its sockets: this one gets its own.
  if (Object.keys(handshake.auth).length > 0) handshake.query = { ...handshake.query, ...handshake.auth };
  if (isIn(socket)) next();
  else wait(socket, next);
}

function wait({ conn, nsp }: Socket, next: Next): void {
  // It has left between asking and now: its close has been, and would be waited for in vain.
  if (conn.readyState === 'closed') {
    next(new Error('the client has left'));
    return;
  }
  const all = waitingOn(conn);
  if (all.has(nsp.name)) next(new Error(`already connecting to ${nsp.name}`));
  else all.set(nsp.name, next);
}

function waitingOn(conn: Connection): Map<string, Next> {
  const known = waiting.get(conn);
  if (known) return known;
  const all = new Map<string, Next>();
  waiting.set(conn, all);
  // Refused after the close, Socket.IO forgets the socket, and no chain runs for who never was in `/`.
  conn.once('close', () => settle(conn, new Error('the client has left')));
  return all;
}

function settle(conn: Connection, err?: Error): void {
  const all = waiting.get(conn);
  if (all === undefined) return;
  const nexts = [...all.values()];
  all.clear();
  for (const next of nexts) next(err);
}
