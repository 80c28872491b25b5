// Clients of Socket.IO 1 and 2, which config.io.init.allowEIO3 accepts (Engine.IO protocol 3). They are treated as in Socket.IO 2: they
// connect to `/` before any other namespace, and the query of a namespace is part of its sockets' handshake. Socket.IO 4 connects them to
// other namespaces at once, without the middleware of `/`.
import { type ParsedUrlQuery, parse } from 'node:querystring';
import { debuglog, isDeepStrictEqual } from 'node:util';
import type { Namespace, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import {
  type Client,
  type OriginalHandler,
  type Packet,
  type PacketHandler,
  type ParsedNamespace,
  replacePacketHandler,
  socketsOf,
} from './internals/client';

const debug = debuglog('egg-socket.io:legacy');

/** How many namespaces a client may be connecting to before it is connected to `/`. */
const MAX_PENDING = 100;
/** The longest name and query of a namespace that has to wait for `/`, in characters. */
const MAX_LENGTH = 16_384;
/** How Socket.IO 4 reports to any client that a namespace does not exist. */
const INVALID_NAMESPACE = { message: 'Invalid namespace' };

/** Why a client is refused whose middleware of `/` has called `ctx.disconnect()`. In Socket.IO 2 it would wait for ever. */
const DISCONNECTED = 'disconnected from /';

const LEGACY_CLIENT = Symbol('egg-socket.io:legacy-client');

type WithLegacyClient = Client & { [LEGACY_CLIENT]?: LegacyClient };

/** Treats the clients of Socket.IO 1 and 2 in a namespace as Socket.IO 2 does. */
export function supportLegacyClients(nsp: Namespace): void {
  if (nsp.name !== '/') {
    nsp.use((socket, next) => {
      useOwnQuery(socket);
      next();
    });
    return;
  }
  nsp.use((socket, next) => {
    const client: WithLegacyClient = socket.client;
    if (socket.conn.protocol === 3) client[LEGACY_CLIENT] ??= new LegacyClient(client);
    next();
  });
  // In a later tick: by then a client is disconnected if its connection chain has asked for that.
  nsp.on('connection', ({ client }: Socket) => process.nextTick(connectToPending, client));
}

/** Adds the query of the namespace to the handshake of a socket. Socket.IO 4 has it in `handshake.auth`. */
function useOwnQuery({ handshake, conn }: Socket): void {
  if (conn.protocol !== 3 || Object.keys(handshake.auth).length === 0) return;
  // A copy: all sockets of the connection share the query of the handshake request.
  handshake.query = { ...handshake.query, ...handshake.auth };
}

function connectToPending(client: WithLegacyClient): void {
  client[LEGACY_CLIENT]?.connectToPending();
}

/** A client of Socket.IO 1 or 2. */
class LegacyClient implements PacketHandler {
  /**
   * The namespaces that the client has asked for, until they are answered. The value is the query of one that has to wait until the
   * client is connected to `/`. One that waits has no socket yet.
   */
  readonly #pending = new Map<string, ParsedUrlQuery | undefined>([['/', undefined]]);
  /** Whether the connection chain of `/` has disconnected the client. */
  #isDisconnected = false;
  readonly #original: OriginalHandler;

  constructor(private readonly client: Client) {
    this.#original = replacePacketHandler(client, this);
  }

  /**
   * Connects the client to a namespace once it is connected to `/`. A second request for the same namespace is refused: its socket would
   * have the id of the first one and replace it.
   */
  connect(name: string, query: ParsedUrlQuery): void {
    if (this.#pending.has(name)) {
      this.#refuse(name, `already connecting to ${name}`);
    } else if (name === '/' || this.#isConnected) {
      this.#isDisconnected = false;
      this.#connectNow(name, query);
    } else if (this.#isDisconnected) {
      this.#refuse(name, DISCONNECTED);
    } else if (this.#pending.size < MAX_PENDING && JSON.stringify([name, query]).length < MAX_LENGTH) {
      debug('%s waits for /', name);
      this.#pending.set(name, query);
    } else {
      this.#refuse(name.slice(0, MAX_LENGTH), 'too many requests before the connection to /');
    }
  }

  /** Connects the client to the namespaces that it has asked for meanwhile. Refuses it there if the chain of `/` has disconnected it. */
  connectToPending(): void {
    this.#isDisconnected = !this.#isConnected;
    for (const [name, query] of this.#pending) {
      if (query === undefined) continue;
      if (this.#isConnected) {
        this.#connectNow(name, query);
      } else {
        this.#pending.delete(name);
        this.#refuse(name, DISCONNECTED);
      }
    }
  }

  /**
   * Ignores packets that were under way when the server has disconnected the client from a namespace. Socket.IO 4 closes the whole
   * connection. That stays so for a client that is connected to no namespace.
   */
  accepts({ type, nsp }: Packet): boolean {
    const sockets = socketsOf(this.client);
    return type === PacketType.CONNECT || sockets.has(nsp) || sockets.size === 0;
  }

  /** Splits at the question mark. Socket.IO 4 parses the name as a URL, which encodes all characters that are not ASCII. */
  parseNamespace(nsp: string): ParsedNamespace {
    const end = nsp.indexOf('?');
    if (end < 0) return { namespace: nsp, authPayload: {} };
    return { namespace: nsp.slice(0, end), authPayload: parse(nsp.slice(end + 1)) };
  }

  /** Reports an unknown namespace by a string, as Socket.IO 2 does. Socket.IO 4 sends an object. */
  outgoing(packet: Packet): Packet {
    const { type, nsp, data } = packet;
    if (type === PacketType.CONNECT || type === PacketType.CONNECT_ERROR) this.#pending.delete(nsp);
    const isUnknown = type === PacketType.CONNECT_ERROR && isDeepStrictEqual(data, INVALID_NAMESPACE);
    return isUnknown ? { ...packet, data: INVALID_NAMESPACE.message } : packet;
  }

  /** Whether the client is connected to `/`. It may have left it again. */
  get #isConnected(): boolean {
    return socketsOf(this.client).has('/');
  }

  #connectNow(name: string, query: ParsedUrlQuery): void {
    this.#pending.set(name, undefined);
    this.#original.connect(name, query);
  }

  /** By Socket.IO's own method: a request for the same namespace may still be pending. */
  #refuse(nsp: string, data: string): void {
    debug('refuse %s: %s', nsp, data);
    this.#original.send({ type: PacketType.CONNECT_ERROR, nsp, data });
  }
}
