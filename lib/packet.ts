// The packet onion: session, packet middleware, and in its core the native listeners and the routed controller. The hot path:
// no promise is made for what is done at once.
import type { Context } from 'egg';
import { Socket } from 'socket.io';
import { Ack } from './ack';
import { isPromise } from './errors';
import { packetFailed } from './failures';
import { ackOver, type PacketContext, type PacketRun, RUN, save } from './packet/run';
import { isErrorHeard, isReserved } from './reserved';
import type { Router } from './router';
import { type SocketScope, scopeOf } from './scope';

/** What of a socket Socket.IO keeps private. */
interface Inner {
  /** Hands a packet to the middlewares of the socket, then to its listeners. */
  dispatch(this: Socket, packet: unknown[]): void;
  /** The middlewares. */
  fns: unknown[];
}

const theirs = Socket.prototype as unknown as Inner;

/**
 * Takes the place of a socket's own `dispatch`: runs the packet chain for one event of a client; in its core the event goes to
 * what is put on by hand. With `socket.use` the chain would be one of those, and cost each socket and each packet more.
 */
export function receive(this: Socket, packet: unknown[]): void {
  const scope = scopeOf(this) as SocketScope;
  // Its chain has disconnected it.
  if (scope.entry !== undefined) return;
  const { work } = scope;
  // Its turn to leave has come: what it asks to acknowledge it sends again, to another worker.
  if (work.leaving) return;
  // What it has sent together with its leaving comes behind it.
  if (!this.connected) return;
  const { contexts, counts } = scope.nsp;
  counts.of(this).events++;
  let ctx: PacketContext;
  try {
    ctx = contexts.ofPacket(scope, packet);
  } catch (thrown) {
    // An application may have its own createContext. Socket.IO catches nothing here.
    counts.of(this).errors++;
    packetFailed(scope.nsp, this, thrown);
    return;
  }
  const run: PacketRun = { scope, ctx, work, ack: undefined };
  ctx[RUN] = run;
  contexts.run(ctx, start, run);
}

/** Without an async function, which would make promises of its own for each packet. Throws nothing: nobody would catch it. */
function start(run: PacketRun): void {
  const { scope, ctx, work } = run;
  const { nsp } = scope;
  work.begin();
  nsp.work.handlers.begin();
  let running: unknown;
  try {
    if (nsp.acks !== undefined) run.ack = Ack.of(nsp.acks, scope.socket, ctx.packet, (err) => ackOver(run, err));
    // A session in a cookie is nobody's business until somebody asks for it.
    running = nsp.session.isStored()
      ? nsp.session.around(ctx, async () => void (await nsp.packet(ctx)))
      : nsp.packet(ctx);
  } catch (thrown) {
    save(run, { thrown });
    return;
  }
  if (isPromise(running)) {
    running.then(
      () => save(run),
      (thrown) => save(run, { thrown }),
    );
  } else save(run);
}

/** What middlewares wait for in `await next()` where nothing is left to wait for: koa-compose would make one for each packet. */
export const DONE = Promise.resolve();

/**
 * The core of a namespace's packet onion: one function for all its packets.
 *
 * @param done - what it returns where it is done at once
 */
export function packetCore(router: Router, done?: Promise<void>): (ctx: Context) => Promise<void> | undefined {
  return (ctx: PacketContext) => {
    const { scope, ack } = ctx[RUN] as PacketRun;
    const packet = ctx.packet as unknown[];
    const event = packet[0];
    if (isReserved(event)) throw new Error(`"${event}" is a reserved event name`);
    // Socket.IO takes a turn for it, which costs something.
    const isHeard = hasListeners(scope.socket, event) || hasMiddlewares(scope.socket);
    if (isHeard) theirs.dispatch.call(scope.socket, packet);
    const route = router.find(event);
    if (route !== undefined) return route.run(ctx, packet, ack) ?? done;
    ack?.unrouted(isHeard || scope.socket.listenersAny().length > 0);
    return done;
  };
}

function hasListeners(socket: Socket, event: unknown): boolean {
  return event === 'error' ? isErrorHeard(socket) : socket.listenerCount(event as string) > 0;
}

/** Whether there are middlewares of the socket, put on by hand. */
function hasMiddlewares(socket: Socket): boolean {
  return (socket as unknown as Inner).fns.length > 0;
}
