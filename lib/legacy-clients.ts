// Clients of Socket.IO 1 and 2, which `init.allowEIO3` allows. They are treated as by Socket.IO 2: a client connects to `/` before any
// other namespace, so that the middleware of `/` guards all of them, and the query of a socket is in its handshake.
import { type ParsedUrlQuery, parse } from 'node:querystring';
import { debuglog, isDeepStrictEqual } from 'node:util';
import type { Namespace, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import {
  type Client,
  type ClientReplacements,
  type ConnectRequest,
  connectClient,
  isConnected,
  isConnectedTo,
  type Packet,
  replaceClientMethods,
  sendConnectError,
} from './internals/client';

const debug = debuglog('egg-socket.io:legacy');

const REQUESTED = Symbol('egg-socket.io:requested');

/** The namespaces that a client has requested and that have not answered. The query of those that wait until `/` has admitted it. */
type Requested = Map<string, ParsedUrlQuery | undefined>;

type LegacyClient = Client & { [REQUESTED]?: Requested };

/** How many namespaces a client may request before `/` has admitted it. */
const MAX_REQUESTED = 100;
/** How long the name and the query of each may be, in characters. */
const MAX_QUERY = 16_384;

/** Treats clients of Socket.IO 1 and 2 in a namespace as Socket.IO 2 does. */
export function setUpLegacyClients(nsp: Namespace): void {
  if (nsp.name !== '/') {
    nsp.use((socket, next) => {
      if (socket.conn.protocol === 3) addQuery(socket);
      next();
    });
    return;
  }
  nsp.use((socket, next) => {
    const client: LegacyClient = socket.client;
    if (socket.conn.protocol === 3 && client[REQUESTED] === undefined) {
      debug('a client of %s speaks EIO3', socket.handshake.address);
      client[REQUESTED] = new Map([['/', undefined]]);
      replaceClientMethods(client, REPLACEMENTS);
    }
    next();
  });
  // In a later tick: a client that the chain has disconnected is not connected any more by then.
  nsp.on('connection', (socket: Socket) => process.nextTick(connectRequested, socket.client));
}

/** The query of the connection is that of all its sockets. In a namespace, the query of the CONNECT packet is added. */
function addQuery({ handshake }: Socket): void {
  if (Object.keys(handshake.auth).length === 0) return;
  handshake.query = { ...handshake.query, ...handshake.auth };
}

const REPLACEMENTS: ClientReplacements = {
  connect: request,
  parseNamespace,
  outgoing,
  // A packet that was under way when the server disconnected the client from a namespace: Socket.IO 4 would close the connection.
  // It still does if the client is in no namespace.
  accepts: (client, { type, nsp }) => type === PacketType.CONNECT || isConnectedTo(client, nsp) || !isConnected(client),
};

/**
 * Handles the request of a client to connect to a namespace. A second request for the same namespace is rejected: its socket would
 * have the id of the first. A request that waits for `/` creates no socket and no namespace.
 */
function request(client: LegacyClient, name: string, query: ParsedUrlQuery): void {
  const requested = client[REQUESTED] as Requested;
  if (requested.has(name)) sendConnectError(client, name, `already connecting to ${name}`);
  else if (name === '/' || isConnectedTo(client, '/')) {
    requested.set(name, undefined);
    connectClient(client, name, query);
  } else if (requested.size < MAX_REQUESTED && JSON.stringify([name, query]).length < MAX_QUERY) {
    requested.set(name, query);
  } else {
    debug('reject a request of %s: too many before / has admitted it', client.request.url);
    sendConnectError(client, name.slice(0, MAX_QUERY), 'asked for too much before it was in /');
  }
}

/** Connects a client that `/` has admitted to the namespaces that it has requested meanwhile. */
function connectRequested(client: LegacyClient): void {
  const requested = client[REQUESTED];
  if (requested === undefined || !isConnectedTo(client, '/')) return;
  for (const [name, query] of requested) {
    if (query === undefined) continue;
    requested.set(name, undefined);
    connectClient(client, name, query);
  }
}

/** Socket.IO 4 parses the namespace as a URL, and does not find one whose name is not ASCII. */
function parseNamespace({ nsp }: { nsp: string }): ConnectRequest {
  const end = nsp.indexOf('?');
  return end < 0
    ? { namespace: nsp, authPayload: {} }
    : { namespace: nsp.slice(0, end), authPayload: parse(nsp.slice(end + 1)) };
}

const INVALID_NAMESPACE = { message: 'Invalid namespace' };

/** Socket.IO 4 rejects an unknown namespace with an object, Socket.IO 2 with a string. */
function outgoing(client: LegacyClient, packet: Packet): Packet {
  const { type, nsp, data } = packet;
  if (type === PacketType.CONNECT || type === PacketType.CONNECT_ERROR) client[REQUESTED]?.delete(nsp);
  const isInvalid = type === PacketType.CONNECT_ERROR && isDeepStrictEqual(data, INVALID_NAMESPACE);
  return isInvalid ? { ...packet, data: INVALID_NAMESPACE.message } : packet;
}
