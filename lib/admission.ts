// A socket between its connection chain and its end: whether it is in yet, what waits for that, and what ends with it. Called
// by connection.ts and namespace.ts.
import type { Socket } from 'socket.io';
import { hasClosed, onClose } from './closing';
import { type SocketScope, scopeOf } from './scope';

/**
 * Socket.IO ignores `disconnect()` until the client is in, so a middleware that throws a client out and returns would have
 * let it in. (Up to Socket.IO 2.4 the client was out.) It is kept, and done when the client is in: so the client hears what
 * the middleware has told it, and `disconnect`.
 */
export function holdDisconnect(scope: SocketScope): void {
  const { socket } = scope;
  socket.disconnect = (close = false) => {
    scope.dismissed = { close: close || scope.dismissed?.close === true };
    return socket;
  };
}

/** The client is in: it goes again at once where the chain has disconnected it. Called before anybody else hears of it. */
export function admitted(scope: SocketScope): void {
  const { socket, nsp, dismissed } = scope;
  if (!nsp.decides) return;
  decided(scope);
  // Not by `delete`, which would make every later access to the socket slow.
  socket.disconnect = Object.getPrototypeOf(socket).disconnect;
  // In a later tick, before any packet: listeners of `connection` put on by hand hear of a socket that is in, and of its end.
  if (dismissed) process.nextTick(() => socket.disconnect(dismissed.close));
}

/** Closes the connection below, which ends its sockets in all namespaces. */
export function disconnectClient({ client }: Socket): void {
  (client as unknown as { _disconnect: () => void })._disconnect();
}

/**
 * Ends the core of a chain when its socket has disconnected. Socket.IO cleans a socket up whatever becomes of it: it has
 * disconnected, its client has left before it was in, a later middleware of the namespace has refused it.
 */
export function endWith(scope: SocketScope, leave: (() => void) | undefined): void {
  scope.leave = leave;
  scope.isPending = true;
  (scope.socket as unknown as Cleaned)._cleanup = cleanUp;
}

interface Cleaned {
  leaveAll(): void;
  _cleanup(): void;
}

/** Takes the place of a socket's own: one function for all of them. */
function cleanUp(this: Socket): void {
  Object.getPrototypeOf(this)._cleanup.call(this);
  const scope = scopeOf(this) as SocketScope;
  decided(scope);
  scope.leave?.();
}

/** The client is in, or it never will be. */
function decided(scope: SocketScope): void {
  scope.isPending = false;
  scope.decided?.();
  scope.decided = undefined;
}

/** A client that waits for a later middleware for ever leaves with its connection. */
export function awaitOthers(scope: SocketScope): void {
  const { conn } = scope.socket;
  if (!scope.isPending) return;
  const leave = () => {
    // Socket.IO would have it do that when that middleware has decided.
    (scope.socket as unknown as Cleaned).leaveAll();
    scope.leave?.();
  };
  if (hasClosed(conn)) leave();
  else scope.decided = onClose(conn as never, leave);
}
