// System events: what Socket.IO itself says of a socket, routed like a client's events, past the packet chain.
import type { Socket } from 'socket.io';
import { setArgs } from './context';
import { logFailure } from './failures';
import { deaf } from './reserved';
import type { Route } from './route';
import { type SocketScope, scopeOf } from './scope';

/** Listens to the system events of a socket that has just connected. */
export function listenToSystem({ socket, nsp: { router } }: SocketScope): void {
  if (router.get('disconnecting')) socket.on('disconnecting', onDisconnecting);
  if (router.get('disconnect')) socket.on('disconnect', onDisconnect);
  socket.on('error', onError);
}

// The same functions for all sockets: most are idle, and there are many.

deaf.add(onError);

function onDisconnecting(this: Socket, reason: unknown): void {
  routed(scopeOf(this), 'disconnecting', reason);
}

function onDisconnect(this: Socket, reason: unknown): void {
  routed(scopeOf(this), 'disconnect', reason);
}

function onError(this: Socket, err: unknown): void {
  const scope = scopeOf(this);
  if (scope === undefined) return;
  // Socket.IO emits a client's packet named `error` on the same emitter. A client can't send an instance of Error.
  if (scope.saidError && !(err instanceof Error)) return;
  if (routed(scope, 'error', err)) return;
  scope.nsp.counts.of(this).errors++;
  logFailure(scope.nsp.log, err);
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
