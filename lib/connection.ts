// The connection onion: admits a client to a namespace or refuses it, once, and ends when the connection is over.
import type { Context } from 'egg';
import { type Decide, Way } from './connection/way';
import { ownerOf } from './context';
import { Entry } from './entry';
import { connectionFailed } from './failures';
import type { SocketScope } from './scope';

/** Runs the connection chain of a socket. */
export function connect(scope: SocketScope, decide: Decide): void {
  const { contexts } = scope.nsp;
  // The socket's own request, not one of this context: what a middleware notes on ctx.req is there in all that follow.
  let ctx: Context;
  try {
    ctx = contexts.ofConnection(scope);
  } catch (thrown) {
    // An application may have its own createContext. Socket.IO catches nothing here.
    scope.nsp.counts.of(scope.socket).refused++;
    decide(connectionFailed(scope.nsp, thrown));
    return;
  }
  if (scope.nsp.decides) scope.entry = new Entry();
  contexts.run(ctx, run, new Way(scope, ctx, decide));
}

function run(way: Way): void {
  way.run();
}

/** The core of all connection chains. Whoever is in, or was refused, without it waits in vain. */
export function connectionCore(this: Context): Promise<void> {
  const { entry, leave } = ownerOf(this) as SocketScope;
  if (entry?.isReached || leave !== undefined) return Promise.reject(new Error('next() called multiple times'));
  if (entry?.chain === undefined) return new Promise<void>(() => {});
  entry.isReached = true;
  return entry.chain.core();
}
