// Binds a namespace to its chains: puts the connection's on with nsp.use, and has each socket's packets run through the other.
// Called by boot.ts for each namespace.
import { Namespace, Socket } from 'socket.io';
import { admitted, cleanUp, connect, disconnect } from '../connection-handler';
import { listenToSystem, onError, receive } from '../packet-handler';
import { type NamespaceScope, SocketScope, scopeOf } from '../socket-state';

/**
 * Runs a namespace's chains for its sockets.
 *
 * @param nsp - of Socket.IO; what is bound to a parent namespace holds for its children
 * @param scope - the chains and routes
 */
export function bindNamespace(nsp: Namespace, scope: NamespaceScope): void {
  const make = (socket: Socket): SocketScope => {
    takeOver(socket);
    return new SocketScope(scope, socket);
  };

  makeBound(nsp);
  nsp.use((socket, next) => connect(make(socket), next));

  // Socket.IO emits it before `connection`.
  nsp.prependListener('connect', (socket: Socket) => {
    const made = scopeOf(socket);
    if (made) admitted(made);
  });

  nsp.on('connection', (socket: Socket) => {
    // A recovered socket may have skipped the middlewares of the namespace.
    const made = scopeOf(socket) ?? make(socket);
    const counted = scope.counts.of(socket);
    if (made.entry !== undefined) {
      counted.refused++;
      return;
    }
    counted.total++;
    listenToSystem(made);
  });
}

// The sockets of a bound namespace: Socket.IO's own, in which the plugin comes first. Called by namespace.ts, and by parents.ts
// for children.

/** What of a namespace Socket.IO keeps private. */
interface Inner {
  _createSocket(client: Socket['client'], auth: Record<string, unknown>): Socket | Promise<Socket>;
}

const theirs = Namespace.prototype as unknown as Inner;

/** What a socket has of the plugin. Of Socket.IO's methods, `disconnect` alone is public. */
const PROPERTIES: PropertyDescriptorMap = {
  dispatch: method(receive),
  disconnect: method(disconnect),
  _cleanup: method(cleanUp),
  _onerror: method(onError),
  // Read by koa and Egg through `request.socket`: ip, secure, protocol.
  remoteAddress: fromHandshake('remoteAddress', 'address'),
  encrypted: fromHandshake('encrypted', 'secure'),
};

function method(value: unknown): PropertyDescriptor {
  return { value, writable: true, configurable: true };
}

function fromHandshake(name: string, from: 'address' | 'secure'): PropertyDescriptor {
  return {
    configurable: true,
    get(this: Socket) {
      return this.handshake[from];
    },
    set(this: Socket, value: unknown) {
      Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    },
  };
}

const ACKS = Symbol('egg-socket.io:acks');

type Acks = Map<number, unknown>;

/** A socket that the plugin has made itself: with a prototype of its own from the beginning, it holds less than Socket.IO's. */
class BoundSocket extends Socket {
  /** Set after the constructor of Socket.IO, which makes a Map for each. */
  [ACKS]: Acks | undefined = undefined;
}

Object.defineProperties(BoundSocket.prototype, {
  ...PROPERTIES,
  // What waits for a client's answer. An empty Map holds 180 bytes, and most clients are never asked.
  acks: {
    configurable: true,
    get(this: BoundSocket) {
      this[ACKS] ??= new Map();
      return this[ACKS];
    },
    set(this: BoundSocket, acks: Acks) {
      this[ACKS] = acks;
    },
  },
});

/** From now on a namespace makes its sockets so that they are under the plugin. */
export function makeBound(nsp: object): void {
  (nsp as Inner)._createSocket = createSocket;
}

/** A child of a parent namespace gets its sockets as its parent does. */
export function makeLike(child: object, parent: object): void {
  if (Object.hasOwn(parent, '_createSocket')) makeBound(child);
}

/** Takes the place of a namespace's own, to which is left who may have been here before: the adapter knows. */
function createSocket(this: Namespace, ...made: Parameters<Inner['_createSocket']>): Socket | Promise<Socket> {
  const [client, auth] = made;
  if (typeof auth.pid === 'string' && typeof auth.offset === 'string')
    return theirs._createSocket.apply(this as unknown as Inner, made);
  return new BoundSocket(this, client as ConstructorParameters<typeof Socket>[1], auth);
}

/**
 * Puts a socket under the plugin, if it isn't yet. By properties that are the same for all of them, and not by another prototype:
 * after that V8 (up to Node 22) would make a shape of its own for each socket that gets a property.
 */
export function takeOver(socket: Socket): void {
  if (!(socket instanceof BoundSocket)) Object.defineProperties(socket, PROPERTIES);
}
