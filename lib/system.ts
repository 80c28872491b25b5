// System events: what Socket.IO itself says of a socket, routed like a client's events, past the packet chain.
import { Socket } from 'socket.io';
import { setArgs } from './context';
import { logFailure } from './failures';
import type { Route } from './route';
import { type SocketScope, scopeOf } from './scope';

/** Listens to the system events of a socket that has just connected. */
export function listenToSystem({ socket, nsp: { router } }: SocketScope): void {
  if (router.get('disconnecting')) socket.on('disconnecting', onDisconnecting);
  if (router.get('disconnect')) socket.on('disconnect', onDisconnect);
}

/** What of a socket Socket.IO keeps private. */
interface Inner {
  _onerror(this: Socket, err: unknown): void;
}

// The same functions for all sockets: most are idle, and there are many.

function onDisconnecting(this: Socket, reason: unknown): void {
  routed(scopeOf(this), 'disconnecting', reason);
}

function onDisconnect(this: Socket, reason: unknown): void {
  routed(scopeOf(this), 'disconnect', reason);
}

/**
 * Takes the place of a socket's own `_onerror`, which emits `error`: a listener of that would hear a client's packet of that name,
 * too.
 */
export function onError(this: Socket, err: unknown): void {
  const scope = scopeOf(this) as SocketScope;
  if (!routed(scope, 'error', err)) {
    scope.nsp.counts.of(this).errors++;
    logFailure(scope.nsp.log, err);
  }
  (Socket.prototype as unknown as Inner)._onerror.call(this, err);
}

/** Calls the handler of a system event. Whether there is one. */
function routed(scope: SocketScope | undefined, event: string, arg: unknown): boolean {
  const route = scope?.nsp.router.get(event);
  if (scope === undefined || route === undefined) return false;
  handle(scope, route, [arg]);
  return true;
}

function handle(scope: SocketScope, route: Route, args: unknown[]): void {
  const { contexts, log, work, counts } = scope.nsp;
  const run = async (): Promise<void> => {
    const ctx = contexts.ofPacket(scope);
    setArgs(ctx, args);
    // At once, not in a later tick: a `disconnecting` handler must find the rooms that its socket is about to leave.
    await contexts.run(ctx, (given) => route.run(given), ctx);
  };
  work.handlers.begin();
  run()
    .catch((thrown) => {
      counts.of(scope.socket).errors++;
      logFailure(log, thrown);
    })
    .finally(() => work.handlers.end());
}
