// System events: what Socket.IO itself says of a socket, routed like a client's events, past the packet chain.
import { setArgs } from './context';
import { controllerError, logFailure } from './errors';
import type { Handler } from './router';
import type { SocketScope } from './scope';

/** Listens to the system events of a socket that has just connected. */
export function listen(scope: SocketScope): void {
  const { socket, nsp } = scope;
  for (const event of ['disconnecting', 'disconnect'] as const) {
    const handler = nsp.router.get(event);
    if (handler) socket.on(event, (reason: unknown) => handle(scope, handler, [reason]));
  }
  socket.on('error', (err: unknown) => {
    // Socket.IO emits a client's packet named `error` on the same emitter. A client can't send an instance of Error.
    if (scope.saidError && !(err instanceof Error)) return;
    const handler = nsp.router.get('error');
    if (handler) handle(scope, handler, [err]);
    else logFailure(nsp.log, err);
  });
}

function handle(scope: SocketScope, handler: Handler, args: unknown[]): void {
  const { contexts, log } = scope.nsp;
  const run = async (): Promise<void> => {
    const ctx = contexts.create(Object.create(scope.request));
    setArgs(ctx, args);
    // At once, not in a later tick: a `disconnecting` handler must find the rooms that its socket is about to leave.
    await contexts.run(ctx, (given) => handler.call(given, given), ctx);
  };
  run().catch((thrown) => logFailure(log, controllerError(thrown)));
}
