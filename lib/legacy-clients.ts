// Clients of Socket.IO 1 and 2, which init.allowEIO3 lets in, as Socket.IO 2 treated them: they pass `/` before any other
// namespace, and the query of a socket is in its handshake. Socket.IO 4 lets them in at once, past whatever guards `/`. Called
// by server.ts for each namespace.
import type { EventEmitter } from 'node:events';
import { type ParsedUrlQuery, parse } from 'node:querystring';
import { isDeepStrictEqual } from 'node:util';
import type { Namespace, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';

/** Socket.IO's client, as far as it is used here. */
interface Client {
  nsps: Map<string, Socket>;
  connect: (name: string, query?: ParsedUrlQuery) => void;
  /** Finds the namespace of a packet and, for one that asks to be let in, what becomes `handshake.auth`. */
  _parseNamespace: (packet: { nsp: string }) => { namespace: string; authPayload: ParsedUrlQuery };
  _packet: (packet: { type: number; nsp: string; data?: unknown }, opts?: object) => void;
  readonly decoder: EventEmitter;
  ondecoded: (packet: { type: number; nsp: string }) => void;
}

/** The namespaces that a client has asked for and of which it has not heard yet, with the query where it has to wait for `/`. */
type Asked = Map<string, ParsedUrlQuery | undefined>;

const asked = new WeakMap<Client, Asked>();

/** A client that asks for more before it is in `/` means no good. */
const MAX_ASKED = 100;
/** Nor does one with a longer query, in characters. */
const MAX_QUERY = 16_384;
const UNKNOWN = { message: 'Invalid namespace' };

/** Treats the clients of Socket.IO 1 and 2 in a namespace as Socket.IO 2 did. */
export function treatOldClients(nsp: Namespace): void {
  if (nsp.name === '/') {
    nsp.use((socket, next) => {
      const client = clientOf(socket);
      if (socket.conn.protocol === 3 && !asked.has(client)) {
        asked.set(client, new Map([['/', undefined]]));
        Object.assign(client, { connect: ask, _parseNamespace: parseNamespace, _packet: send });
        ignoreLate(client);
      }
      next();
    });
    // In a later tick: a client that the chain has disconnected is out again by then.
    nsp.on('connection', (socket: Socket) => process.nextTick(() => enter(clientOf(socket))));
  } else {
    nsp.use((socket, next) => {
      const { handshake, conn } = socket;
      // The query of the connection is that of all its sockets: this one gets its own.
      if (conn.protocol === 3 && Object.keys(handshake.auth).length > 0) {
        handshake.query = { ...handshake.query, ...handshake.auth };
      }
      next();
    });
  }
}

function clientOf({ client }: Socket): Client {
  return client as unknown as Client;
}

/**
 * What was on its way when the server sent the client out of a namespace: Socket.IO 4 would close the whole connection. One that
 * is in no namespace is cut off.
 */
function ignoreLate(client: Client): void {
  const { decoder, ondecoded } = client;
  client.ondecoded = (packet) => {
    const { nsps } = client;
    if (packet.type === PacketType.CONNECT || nsps.has(packet.nsp) || nsps.size === 0) ondecoded(packet);
  };
  decoder.off('decoded', ondecoded);
  decoder.on('decoded', client.ondecoded);
}

/** Socket.IO's own methods. */
function methodsOf(client: Client): Client {
  return Object.getPrototypeOf(client) as Client;
}

/** Whether the client is in `/` now: who has left it, or was sent away, has to come back first. */
function isIn({ nsps }: Client): boolean {
  return nsps.has('/');
}

/**
 * The client asks to be let in. A second socket in a namespace would have the id of the first and take its place, and the first
 * neither life nor end. What waits for `/` has no socket yet: it takes no place of the namespace, and no chain has seen it.
 */
function ask(this: Client, name: string, query: ParsedUrlQuery = {}): void {
  const all = asked.get(this) as Asked;
  if (all.has(name)) refuse(this, name, `already connecting to ${name}`);
  else if (name === '/' || isIn(this)) {
    all.set(name, undefined);
    methodsOf(this).connect.call(this, name, query);
  } else if (all.size < MAX_ASKED && JSON.stringify([name, query]).length < MAX_QUERY) all.set(name, query);
  else refuse(this, name.slice(0, MAX_QUERY), 'asked for too much before it was in /');
}

function refuse(client: Client, nsp: string, data: string): void {
  methodsOf(client)._packet.call(client, { type: PacketType.CONNECT_ERROR, nsp, data });
}

/** The client is in `/`: what it has asked for meanwhile is asked for now. */
function enter(client: Client): void {
  const all = asked.get(client);
  if (all === undefined || !isIn(client)) return;
  for (const [name, query] of all) {
    if (query === undefined) continue;
    all.set(name, undefined);
    methodsOf(client).connect.call(client, name, query);
  }
}

/** Socket.IO 4 takes it for a URL, and so finds no namespace whose name isn't ASCII. */
function parseNamespace({ nsp }: { nsp: string }): ReturnType<Client['_parseNamespace']> {
  const end = nsp.indexOf('?');
  return end < 0
    ? { namespace: nsp, authPayload: {} }
    : { namespace: nsp.slice(0, end), authPayload: parse(nsp.slice(end + 1)) };
}

/** Socket.IO 4 says to all clients with an object that there is no such namespace; Socket.IO 2 said it with a text. */
function send(this: Client, packet: Parameters<Client['_packet']>[0], opts?: object): void {
  const { type, nsp, data } = packet;
  if (type === PacketType.CONNECT || type === PacketType.CONNECT_ERROR) asked.get(this)?.delete(nsp);
  const isUnknown = type === PacketType.CONNECT_ERROR && isDeepStrictEqual(data, UNKNOWN);
  methodsOf(this)._packet.call(this, isUnknown ? { ...packet, data: UNKNOWN.message } : packet, opts);
}
