// The private members of Socket.IO's Socket that the plugin uses: it runs the packet chain in place of `dispatch`, and learns of the
// end of a socket that never connected from `_cleanup`.
import { Socket } from 'socket.io';
import { type Member, property } from './members';

/** What the plugin does at the private methods of a socket. One object for all sockets. */
export interface SocketHooks {
  /** Handles an event packet of the client in place of Socket.IO, which would call the listeners of the socket. */
  packet(socket: Socket, packet: unknown[]): void;
  /** Whether a call of `disconnect()` was remembered for later, since the client is still being admitted. */
  defersDisconnect(socket: Socket, close: boolean): boolean;
  /**
   * Called when Socket.IO releases a socket: it has disconnected, was refused, or its client left before it was connected. May be
   * called twice.
   */
  released(socket: Socket): void;
  /** Called with an error of the connection, such as a packet that cannot be decoded. */
  error(socket: Socket, err: unknown): void;
}

/** The private methods. */
interface PrivateSocket {
  /** Runs the middlewares of `socket.use()`, then emits the event to the listeners of the socket. */
  dispatch(packet: unknown[]): void;
  /** Leaves all rooms and the namespace. */
  _cleanup(): void;
  /** Emits `error`. */
  _onerror(err: unknown): void;
  /** The middlewares of `socket.use()`. */
  readonly fns: readonly unknown[];
  readonly client: { _disconnect(): void };
}

const original = Socket.prototype as unknown as PrivateSocket;

export const SOCKET_MEMBERS: readonly Member[] = [
  {
    library: 'socket.io',
    path: 'Socket.prototype.dispatch',
    type: 'function',
    find: ({ socket }) => property(socket, 'dispatch'),
    fallback: 'packet chains run in socket.use()',
  },
  {
    library: 'socket.io',
    path: 'Socket.prototype._cleanup',
    type: 'function',
    find: ({ socket }) => property(socket, '_cleanup'),
    fallback: 'the chain of a client that a later namespace middleware refuses ends with the connection',
  },
  {
    library: 'socket.io',
    path: 'Socket.prototype._onerror',
    type: 'function',
    find: ({ socket }) => property(socket, '_onerror'),
    fallback: 'the system event error is emitted for errors of the transport alone',
  },
  {
    library: 'socket.io',
    path: 'Socket.prototype.fns',
    type: 'object',
    find: ({ socket }) => property(socket, 'fns'),
    fallback: 'every event is passed to the listeners of its socket, also if there are none',
  },
  {
    library: 'socket.io',
    path: 'Client.prototype._disconnect',
    type: 'function',
    find: ({ client }) => property(client, '_disconnect'),
    fallback: 'the connection of a refused client is closed without a disconnect packet for each namespace',
  },
];

/** How many listeners of `error` Socket.IO itself adds to a socket. */
const OWN_ERROR_LISTENERS = 1;

/** Under which an event packet has the `next` of `socket.use()`, if `dispatch` is missing. */
const NEXT = Symbol('egg-socket.io:next');

type UsedPacket = unknown[] & { [NEXT]?: () => void };

/**
 * Returns a function that installs the hooks on one socket. It must be called before the client of the socket is connected.
 *
 * @param hooks - the same for all sockets
 */
export function hookInstaller(hooks: SocketHooks): (socket: Socket) => void {
  const properties = hookProperties(hooks);
  return (socket) => {
    Object.defineProperties(socket, properties);
    if (properties.dispatch === undefined) {
      socket.use((packet, next) => {
        (packet as UsedPacket)[NEXT] = next;
        hooks.packet(socket, packet);
      });
    }
    if (properties._onerror === undefined) socket.conn.on('error', (err: unknown) => hooks.error(socket, err));
    if (properties._cleanup === undefined) {
      socket.on('disconnect', () => hooks.released(socket));
      socket.conn.on('close', () => hooks.released(socket));
    }
  };
}

function hookProperties(hooks: SocketHooks): PropertyDescriptorMap {
  const { dispatch, _cleanup, _onerror } = original;
  const { disconnect } = Socket.prototype;
  const properties: PropertyDescriptorMap = {
    // Read by koa and Egg through `request.socket`: ctx.ip, ctx.secure, ctx.protocol.
    remoteAddress: fromHandshake('remoteAddress', 'address'),
    encrypted: fromHandshake('encrypted', 'secure'),
    disconnect: method(function (this: Socket, close = false) {
      return hooks.defersDisconnect(this, close) ? this : disconnect.call(this, close);
    }),
  };
  if (typeof dispatch === 'function') {
    properties.dispatch = method(function (this: Socket, packet: unknown[]) {
      hooks.packet(this, packet);
    });
  }
  if (typeof _cleanup === 'function') {
    properties._cleanup = method(function (this: Socket) {
      _cleanup.call(this as unknown as PrivateSocket);
      hooks.released(this);
    });
  }
  if (typeof _onerror === 'function') {
    properties._onerror = method(function (this: Socket, err: unknown) {
      hooks.error(this, err);
      _onerror.call(this as unknown as PrivateSocket, err);
    });
  }
  return properties;
}

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

/** Passes an event packet on to the middlewares of `socket.use()` and to the listeners of the socket, in a later tick. */
export function dispatchToListeners(socket: Socket, packet: unknown[]): void {
  if (typeof original.dispatch === 'function') original.dispatch.call(socket as unknown as PrivateSocket, packet);
  else (packet as UsedPacket)[NEXT]?.();
}

/** Whether `dispatchToListeners` has something to call: a listener of the event, or a middleware of `socket.use()`. */
export function hasListeners(socket: Socket, event: unknown): boolean {
  const count = socket.listenerCount(event as string);
  if (count > (event === 'error' ? OWN_ERROR_LISTENERS : 0)) return true;
  const { fns } = socket as unknown as PrivateSocket;
  return fns === undefined || fns.length > 0;
}

/** Disconnects a client from all namespaces and closes its connection. */
export function disconnectClient(socket: Socket): void {
  const { client } = socket as unknown as PrivateSocket;
  if (typeof client._disconnect === 'function') client._disconnect();
  else socket.conn.close();
}
