// System events: what Socket.IO itself says of a socket, routed like a client's events, past the packet chain.
import { setArgs } from './context';
import { controllerError, logFailure } from './errors';
import type { Route } from './router';
import type { SocketScope } from './scope';

/** Listens to the system events of a socket that has just connected. */
export function listen(scope: SocketScope): void {
  const { socket, nsp } = scope;
  for (const event of ['disconnecting', 'disconnect'] as const) {
    const route = nsp.router.get(event);
    if (route) socket.on(event, (reason: unknown) => handle(scope, route, [reason]));
  }
  socket.on('error', (err: unknown) => {
    // Socket.IO emits a client's packet named `error` on the same emitter. A client can't send an instance of Error.
    if (scope.saidError && !(err instanceof Error)) return;
    const route = nsp.router.get('error');
    if (route) handle(scope, route, [err]);
    else logFailure(nsp.log, err);
  });
}

function handle(scope: SocketScope, route: Route, args: unknown[]): void {
  const { contexts, log, work } = scope.nsp;
  const run = async (): Promise<void> => {
    const ctx = contexts.ofPacket(scope.request);
    setArgs(ctx, args);
    // At once, not in a later tick: a `disconnecting` handler must find the rooms that its socket is about to leave.
    await contexts.run(ctx, (given) => route.handler.call(given, given), ctx);
  };
  work.handlers.begin();
  route.running++;
  run()
    .catch((thrown) => logFailure(log, controllerError(thrown)))
    .finally(() => {
      route.running--;
      work.handlers.end();
    });
}
