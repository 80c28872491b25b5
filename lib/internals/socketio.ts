// The private members of Socket.IO's sockets, and of what creates them, that the plugin uses: it runs the packet chain in place of `dispatch`, and learns of the
// end of a socket that never connected from `_cleanup`.
import { type Namespace, Socket } from 'socket.io';
import { dispatchContained, isContained, receiver } from './listeners';
import { type Member, property } from './members';

/** What the plugin does at the private methods of a socket. One object for all sockets. */
export interface SocketHooks {
  /**
   * Handles an event packet of the client in place of Socket.IO, which would call the listeners of the socket. It must call
   * `callAnyListeners` first.
   */
  packet(socket: Socket, packet: unknown[]): void;
  /** Whether a call of `disconnect()` was remembered for later, since the client is still being admitted. */
  defersDisconnect(socket: Socket, close: boolean): boolean;
  /**
   * Called when Socket.IO releases a socket: it has disconnected, was refused, or its client left before it was connected. May be
   * called twice.
   */
  released(socket: Socket): void;
  /**
   * Called when a socket is about to disconnect, or its client has left before it was connected.
   *
   * @param description - Engine.IO's description of the reason
   */
  closed(socket: Socket, reason: string, description: unknown): void;
  /** Called with an error of the connection, such as a packet that cannot be decoded. */
  error(socket: Socket, err: unknown): void;
}

/** The private methods. */
interface PrivateSocket {
  /** Runs the middlewares of `socket.use()`, then emits the event to the listeners of the socket. */
  dispatch(packet: unknown[]): void;
  /** Leaves all rooms and the namespace. */
  _cleanup(): void;
  /** Leaves all rooms, and emits `disconnecting` and `disconnect` with the reason. */
  _onclose(reason: string, description?: unknown): unknown;
  /** Emits `error`. */
  _onerror(err: unknown): void;
  /** The middlewares of `socket.use()`. */
  readonly fns: readonly unknown[];
  /** The callbacks of emitted events whose acknowledgement has not arrived. */
  acks: Map<number, unknown>;
  readonly client: { _disconnect(): void };
}

interface PrivateNamespace {
  /** Creates the socket of a client, or recovers one. */
  _createSocket(client: Socket['client'], auth: Record<string, unknown>): Socket | Promise<Socket>;
}

const original = Socket.prototype as unknown as PrivateSocket;

const member = (
  owner: 'socket' | 'namespace' | 'client',
  path: string,
  type: Member['type'],
  fallback: string,
): Member => ({
  library: 'socket.io',
  path,
  type,
  find: (sample) => property(sample[owner], path.split('.').at(-1) as string),
  fallback,
});

export const SOCKET_MEMBERS: readonly Member[] = [
  member('socket', 'Socket.prototype.dispatch', 'function', 'packet chains run in socket.use()'),
  member(
    'socket',
    'Socket.prototype._cleanup',
    'function',
    'the chain of a client that a later namespace middleware refuses ends with the connection',
  ),
  member(
    'socket',
    'Socket.prototype._onclose',
    'function',
    'the reason of the disconnect of an expired client is "server namespace disconnect", a message over WebSocket that is longer than config.io.init.maxHttpBufferSize is not logged, and disconnects are neither published nor in the access log',
  ),
  member(
    'socket',
    'Socket.prototype._onerror',
    'function',
    'the system event error is emitted for errors of the transport alone',
  ),
  member(
    'socket',
    'Socket.prototype.fns',
    'object',
    'every event is passed to the listeners of its socket, and events without a route are not answered with an error',
  ),
  member('socket', 'Socket.prototype.acks', 'object', 'an idle connection holds 180 bytes more'),
  member('namespace', 'Namespace.prototype._createSocket', 'function', 'an idle connection holds 220 bytes more'),
  member(
    'client',
    'Client.prototype._disconnect',
    'function',
    'the connection of a refused client is closed without a disconnect packet for each namespace',
  ),
];

/** The listener of `error` that Socket.IO itself adds to each socket. It is one function. */
let ownErrorListener: unknown;

/** Under which an event packet has the `next` of `socket.use()`, if `dispatch` is missing. */
const NEXT = Symbol('egg-socket.io:next');

type UsedPacket = unknown[] & { [NEXT]?: () => void };

/** Installs hooks on the sockets of namespaces. */
export class SocketHookInstaller {
  readonly #properties: PropertyDescriptorMap;
  readonly #HookedSocket: new (
    ...args: unknown[]
  ) => Socket;

  /**
   * @param hooks - the same for all sockets
   * @param members - more members of the sockets
   */
  constructor(
    private readonly hooks: SocketHooks,
    members: PropertyDescriptorMap = {},
  ) {
    this.#properties = { ...hookProperties(hooks), ...members };
    this.#HookedSocket = hookedSocketClass(this.#properties);
  }

  /** Makes a namespace create sockets of a class of our own. The class only saves memory: `hook` installs the hooks on any socket. */
  hookNamespace(nsp: Namespace): void {
    const target = nsp as unknown as PrivateNamespace;
    const create = target._createSocket;
    if (typeof create !== 'function') return;
    const HookedSocket = this.#HookedSocket;
    target._createSocket = function (client, auth) {
      // Socket.IO itself creates a socket that it may recover.
      const isReturning = typeof auth.pid === 'string' && typeof auth.offset === 'string';
      return isReturning ? create.call(this, client, auth) : new HookedSocket(this, client, auth);
    };
  }

  /** Installs the hooks on a socket, unless it has them. Must be called before the client of the socket is connected. */
  hook(socket: Socket): void {
    const { hooks } = this;
    const properties = this.#properties;
    ownErrorListener ??= socket.listeners('error')[0];
    if (!(socket instanceof this.#HookedSocket)) Object.defineProperties(socket, properties);
    if (properties.dispatch === undefined) {
      socket.use((packet, next) => {
        (packet as UsedPacket)[NEXT] = next;
        hooks.packet(socket, packet);
      });
    }
    if (properties._onerror === undefined) listenUntilDisconnect(socket, 'error', (err) => hooks.error(socket, err));
    if (properties._cleanup === undefined) {
      socket.on('disconnect', () => hooks.released(socket));
      listenUntilDisconnect(socket, 'close', () => hooks.released(socket));
    }
  }
}

/** Adds a listener to the connection of a socket, and removes it when the socket disconnects. */
function listenUntilDisconnect(socket: Socket, event: 'close' | 'error', listener: (arg: unknown) => void): void {
  socket.conn.on(event, listener);
  socket.on('disconnect', () => socket.conn.off(event, listener));
}

/** Makes a child namespace create its sockets as its parent does. */
export function inheritSocketHooks(child: Namespace, parent: Namespace): void {
  const name = '_createSocket';
  if (Object.hasOwn(parent, name)) Object.assign(child, { [name]: Reflect.get(parent, name) });
}

/**
 * Returns a class of sockets with the hooks in its prototype. An idle connection holds 220 bytes less than one with hooks of its own:
 * most of them are the empty Map for acknowledgements that Socket.IO creates for each socket, although most clients are never asked
 * for one.
 */
function hookedSocketClass(properties: PropertyDescriptorMap): new (...args: unknown[]) => Socket {
  class HookedSocket extends Socket {}
  Object.defineProperties(HookedSocket.prototype, {
    ...properties,
    acks: {
      configurable: true,
      get(this: PrivateSocket) {
        setAcks(this, new Map());
        return this.acks;
      },
      // The constructor of Socket.IO's class assigns an empty Map.
      set(this: PrivateSocket, acks: PrivateSocket['acks']) {
        if (!(acks instanceof Map) || acks.size > 0) setAcks(this, acks);
      },
    },
  });
  return HookedSocket as unknown as new (
    ...args: unknown[]
  ) => Socket;
}

function setAcks(socket: PrivateSocket, value: PrivateSocket['acks']): void {
  Object.defineProperty(socket, 'acks', { value, writable: true, enumerable: true, configurable: true });
}

function hookProperties(hooks: SocketHooks): PropertyDescriptorMap {
  const { dispatch, _cleanup, _onclose, _onerror } = original;
  const { disconnect, join, leave } = Socket.prototype;
  const properties: PropertyDescriptorMap = {
    // Read by koa and Egg through `request.socket`: ctx.ip, ctx.secure, ctx.protocol.
    remoteAddress: fromHandshake('remoteAddress', 'address'),
    encrypted: fromHandshake('encrypted', 'secure'),
    disconnect: method(function (this: Socket, close = false) {
      return hooks.defersDisconnect(this, close) ? this : disconnect.call(this, close);
    }),
    join: method(function (this: Socket, rooms: string | string[], callback?: Callback) {
      return callBack(join.call(this, rooms), callback);
    }),
    leave: method(function (this: Socket, room: string, callback?: Callback) {
      return callBack(leave.call(this, room), callback);
    }),
  };
  if (typeof dispatch === 'function') {
    properties.dispatch = method(function (this: Socket, packet: unknown[]) {
      hooks.packet(this, packet);
    });
    Object.assign(properties, receiver());
  }
  if (typeof _cleanup === 'function') {
    properties._cleanup = method(function (this: Socket) {
      _cleanup.call(this as unknown as PrivateSocket);
      hooks.released(this);
    });
  }
  if (typeof _onclose === 'function') {
    properties._onclose = method(function (this: Socket, reason: string, description?: unknown) {
      hooks.closed(this, reason, description);
      return _onclose.call(this as unknown as PrivateSocket, reason, description);
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

/** The callback of `join` and `leave` in Socket.IO 2. Socket.IO 4 ignores it. */
type Callback = (err: unknown) => void;

/** Calls a callback in a later tick, as Socket.IO 2 does: with null, or with the error of the adapter. */
function callBack(result: Promise<void> | void, callback: Callback | undefined): Promise<void> | void {
  if (typeof callback !== 'function') return result;
  const call = (err: unknown) => process.nextTick(callback, err);
  Promise.resolve(result).then(() => call(null), call);
  return result;
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
  if (typeof original.dispatch === 'function' && isContained(socket)) dispatchContained.call(socket, packet);
  else if (typeof original.dispatch === 'function') original.dispatch.call(socket as unknown as PrivateSocket, packet);
  else (packet as UsedPacket)[NEXT]?.();
}

/** Whether `dispatchToListeners` has something to call: a listener of the event, or a middleware of `socket.use()`. */
export function hasListeners(socket: Socket, event: unknown): boolean {
  if (event === 'error') {
    if (socket.listeners(event).some((listener) => listener !== ownErrorListener)) return true;
  } else if (socket.listenerCount(event as string) > 0) return true;
  const { fns } = socket as unknown as PrivateSocket;
  // If `dispatch` is missing, one of the middlewares is the plugin's.
  return fns === undefined || fns.length > (typeof original.dispatch === 'function' ? 0 : 1);
}

/** Emits an event to the client of a socket alone, whatever `socket.emit` is. */
export function emitToClient(socket: Socket, event: string, ...args: unknown[]): void {
  Socket.prototype.emit.call(socket, event, ...args);
}

/** Disconnects a client from all namespaces and closes its connection. */
export function disconnectClient(socket: Socket): void {
  const { client } = socket as unknown as PrivateSocket;
  if (typeof client._disconnect === 'function') client._disconnect();
  else socket.conn.close();
}

/**
 * Disconnects a client from the namespace of a socket, as `socket.disconnect()` does.
 *
 * @param reason - the reason that `disconnecting` and `disconnect` have on the server, in place of "server namespace disconnect"
 */
export function disconnectFor(socket: Socket, reason: string): void {
  const target = socket as unknown as PrivateSocket;
  const { _onclose } = target;
  if (typeof _onclose === 'function') {
    const value = (_reason: string, description?: unknown) => _onclose.call(target, reason, description);
    Object.defineProperty(socket, '_onclose', method(value));
  }
  socket.disconnect();
}
