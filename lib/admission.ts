// A socket between its connection chain and its end: whether it is in yet, what waits for that, and what ends with it. Called
// by connection/way.ts and namespace.ts; by way of socket.ts disconnect by the application, and cleanUp by Socket.IO.
import { Socket } from 'socket.io';
import { hasClosed, onClose } from './closing';
import { type SocketScope, scopeOf } from './scope';

/** What of a socket Socket.IO keeps private. */
interface Inner {
  leaveAll(): void;
  _cleanup(): void;
  readonly client: { _disconnect(): void };
}

const theirs = Socket.prototype as unknown as Inner;

/**
 * Takes the place of a socket's own `disconnect`, which Socket.IO ignores until the client is in, so that a middleware that throws
 * a client out and returns would have let it in. (Up to Socket.IO 2.4 the client was out.) It is kept, and done when the client is
 * in: so the client hears what the middleware has told it, and `disconnect`.
 */
export function disconnect(this: Socket, close = false): Socket {
  const entry = scopeOf(this)?.entry;
  // One that is in may have to go with another socket of its connection: Socket.IO asks only once.
  if (entry === undefined || this.connected) return Socket.prototype.disconnect.call(this, close);
  entry.dismissed ??= { close };
  entry.dismissed.close ||= close;
  return this;
}

/** The client is in: it goes again at once where the chain has disconnected it. Called before anybody else hears of it. */
export function admitted(scope: SocketScope): void {
  const { socket, entry } = scope;
  if (entry === undefined) return;
  entry.decided();
  const { dismissed } = entry;
  if (dismissed === undefined) {
    scope.entry = undefined;
    return;
  }
  // In a later tick, before any packet: listeners of `connection` put on by hand hear of a socket that is in, and of its end.
  process.nextTick(() => {
    scope.entry = undefined;
    socket.disconnect(dismissed.close);
  });
}

/** Closes the connection below, which ends its sockets in all namespaces. */
export function disconnectClient(socket: Socket): void {
  (socket as unknown as Inner).client._disconnect();
}

/**
 * Ends the core of a chain when its socket has disconnected. Socket.IO cleans a socket up whatever becomes of it: it has
 * disconnected, its client has left before it was in, a later middleware of the namespace has refused it.
 */
export function endWith(scope: SocketScope, leave: (() => void) | undefined): void {
  scope.leave = leave;
  if (scope.entry !== undefined) scope.entry.isPending = true;
}

/** Takes the place of a socket's own `_cleanup`. */
export function cleanUp(this: Socket): void {
  theirs._cleanup.call(this as unknown as Inner);
  // It has none where a middleware that was put on before the chain has refused it.
  const scope = scopeOf(this);
  scope?.entry?.decided();
  scope?.leave?.();
}

/** A client that waits for a later middleware for ever leaves with its connection. */
export function awaitOthers({ socket, entry, leave }: SocketScope): void {
  if (!entry?.isPending) return;
  const gone = () => {
    // Socket.IO would have it do that when that middleware has decided.
    (socket as unknown as Inner).leaveAll();
    leave?.();
  };
  if (hasClosed(socket.conn)) gone();
  else entry.onDecided(onClose(socket.conn as never, gone));
}
