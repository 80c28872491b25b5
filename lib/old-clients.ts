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

/** How far a client is. */
interface Entrance {
  /** The namespaces that it has asked for and of which it has not heard yet. All its sockets of a namespace have one id. */
  readonly asked: Set<string>;
  /** What waits until it is in `/`. */
  readonly waiting: Set<Next>;
  /** Whether `/` has refused it. */
  isRefused: boolean;
}

const entrances = new WeakMap<Connection, Entrance>();

/** Socket.IO's client, as far as it is used here. */
interface Client {
  conn: Connection;
  nsps: Map<string, Socket>;
  connect: (name: string, auth?: object) => void;
  /** Finds the namespace of a packet and, for one that asks to be let in, what becomes `handshake.auth`. */
  _parseNamespace: (packet: { nsp: string }) => { namespace: string; authPayload: ParsedUrlQuery };
  _packet: (packet: { type: number; nsp?: string; data?: unknown }, opts?: object) => void;
}

const REFUSED = 'refused in /';
const UNKNOWN = { message: 'Invalid namespace' };

/** Treats the clients of Socket.IO 1 and 2 in a namespace as Socket.IO 2 did. */
export function treatOldClients(nsp: Namespace): void {
  if (nsp.name === '/') {
    nsp.use((socket, next) => {
      if (socket.conn.protocol === 3) {
        entranceOf(socket.conn).asked.add('/');
        Object.assign(clientOf(socket), { _parseNamespace: parseNamespace, _packet: send, connect: ask });
      }
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

/** A second socket in a namespace, of the same id, would take the place of the first, which then has neither life nor end. */
function ask(this: Client, name: string, auth?: object): void {
  const { connect, _packet } = Object.getPrototypeOf(this) as Client;
  const entrance = entranceOf(this.conn);
  if (entrance.asked.has(name)) {
    _packet.call(this, { type: PacketType.CONNECT_ERROR, nsp: name, data: `already connecting to ${name}` });
    return;
  }
  entrance.asked.add(name);
  if (name === '/') entrance.isRefused = false;
  connect.call(this, name, auth);
}

/** Socket.IO 4 says to all clients with an object that there is no such namespace; Socket.IO 2 said it with a text. */
function send(this: Client, packet: Parameters<Client['_packet']>[0], opts?: object): void {
  const { type, nsp = '/', data } = packet;
  const isRefusal = type === PacketType.CONNECT_ERROR;
  if (isRefusal || type === PacketType.CONNECT) entranceOf(this.conn).asked.delete(nsp);
  const isUnknown = isRefusal && isDeepStrictEqual(data, UNKNOWN);
  const { _packet } = Object.getPrototypeOf(this) as Client;
  _packet.call(this, isUnknown ? { ...packet, data: UNKNOWN.message } : packet, opts);
  if (!isRefusal || nsp !== '/') return;
  // It would hold its places in namespaces whose own chains have never seen it.
  entranceOf(this.conn).isRefused = true;
  settle(this.conn, new Error(REFUSED));
}

/** Whether the client is in `/` now: who has left it, or was sent away, has to come back first. */
function isIn(socket: Socket): boolean {
  return clientOf(socket).nsps.has('/');
}

function enter(socket: Socket, next: Next): void {
  const { handshake } = socket;
  // The query of the connection is that of all its sockets: this one gets its own.
  if (Object.keys(handshake.auth).length > 0) handshake.query = { ...handshake.query, ...handshake.auth };
  const { conn } = socket;
  const { isRefused, waiting } = entranceOf(conn);
  if (isIn(socket)) next();
  else if (isRefused) next(new Error(REFUSED));
  // It has left between asking and now: its close has been, and would be waited for in vain.
  else if (conn.readyState === 'closed') next(new Error('the client has left'));
  else waiting.add(next);
}

function entranceOf(conn: Connection): Entrance {
  const known = entrances.get(conn);
  if (known) return known;
  const entrance: Entrance = { asked: new Set(), waiting: new Set(), isRefused: false };
  entrances.set(conn, entrance);
  // Refused after the close, Socket.IO forgets the socket, and no chain runs for who never was in `/`.
  conn.once('close', () => settle(conn, new Error('the client has left')));
  return entrance;
}

function settle(conn: Connection, err?: Error): void {
  const { waiting } = entranceOf(conn);
  const nexts = [...waiting];
  waiting.clear();
  for (const next of nexts) next(err);
}
