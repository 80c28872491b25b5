// The packet onion: session, packet middleware, and in its core the native listeners and the routed controller. The hot path:
// no promise is made for what is done at once.
import type { Context } from 'egg';
import { Ack } from './ack';
import { ackFailed, logFailure, packetFailed } from './failures';
import { isReserved } from './reserved';
import type { Router } from './router';
import type { SocketScope } from './scope';
import { keepCookies } from './session';

const RUN = Symbol('egg-socket.io:run');

/** A packet on its way through its onion. */
interface PacketRun {
  readonly scope: SocketScope;
  readonly ctx: Context;
  /** Socket.IO's callback of a socket middleware: hands the packet to the native listeners. */
  readonly dispatch: () => void;
  /** Undefined where the client asked for none, or has Socket.IO's own. */
  ack: Ack | undefined;
}

/** What a chain has thrown, whatever that is. */
interface Failure {
  readonly thrown: unknown;
}

interface PacketContext extends Context {
  [RUN]?: PacketRun;
}

/** Runs the packet chain for one event of a client. Called by Socket.IO for each. */
export function receive(scope: SocketScope, packet: unknown[], dispatch: () => void): void {
  // Its turn to leave has come: what it asks to acknowledge it sends again, to another worker.
  if (scope.work.leaving) return;
  // What it has sent together with its leaving comes behind it.
  if (!scope.socket.connected) return;
  const { contexts, acks, counts } = scope.nsp;
  counts.of(scope.socket).events++;
  let ctx: PacketContext;
  try {
    ctx = contexts.ofPacket(scope, packet);
  } catch (thrown) {
    // An application may have its own createContext. Socket.IO catches nothing here.
    counts.of(scope.socket).errors++;
    packetFailed(scope.nsp, scope.socket, thrown);
    return;
  }
  const run: PacketRun = { scope, ctx, dispatch, ack: undefined };
  if (acks !== undefined) {
    run.ack = Ack.of(acks, packet, (ack, err) => {
      scope.nsp.counts.of(scope.socket).errors++;
      ackFailed(scope.nsp, ack, err, ctx);
    });
  }
  ctx[RUN] = run;
  contexts.run(ctx, start, run);
}

/** Without an async function, which would make promises of its own for each packet. */
function start(run: PacketRun): void {
  const { scope, ctx } = run;
  const { nsp } = scope;
  scope.work.begin();
  nsp.work.handlers.begin();
  let running: unknown;
  try {
    // A session in a cookie is nobody's business until somebody asks for it.
    running = nsp.session.isStored()
      ? nsp.session.around(ctx, async () => void (await nsp.packet(ctx)))
      : nsp.packet(ctx);
  } catch (thrown) {
    save(run, { thrown });
    return;
  }
  if (running === undefined) save(run);
  else
    (running as Promise<void>).then(
      () => save(run),
      (thrown) => save(run, { thrown }),
    );
}

/** The chain has ended: saves a session that somebody has asked for. */
function save(run: PacketRun, failure?: Failure): void {
  const { session } = run.scope.nsp;
  let saving: Promise<void> | undefined;
  try {
    saving = session.isStored() ? undefined : session.save(run.ctx);
  } catch (thrown) {
    end(run, { thrown });
    return;
  }
  if (saving === undefined) end(run, failure);
  else
    saving.then(
      () => end(run, failure),
      (thrown) => end(run, { thrown }),
    );
}

function end(run: PacketRun, failure: Failure | undefined): void {
  const { scope, ctx, ack } = run;
  try {
    if (failure) failed(run, failure.thrown);
    else ack?.settle();
  } catch (thrown) {
    failed(run, thrown);
  } finally {
    scope.work.end();
    scope.nsp.work.handlers.end();
    keepCookies(ctx, scope);
  }
}

function failed({ scope, ctx, ack }: PacketRun, thrown: unknown): void {
  scope.nsp.counts.of(scope.socket).errors++;
  if (ack?.isOpen) ackFailed(scope.nsp, ack, thrown, ctx);
  // The client has been told that its time was up.
  else if (ack?.isTooLate && scope.nsp.acks?.auto) logFailure(scope.nsp.log, thrown);
  else packetFailed(scope.nsp, scope.socket, thrown, ctx);
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
    const { scope, dispatch, ack } = ctx[RUN] as PacketRun;
    const packet = ctx.packet as unknown[];
    const event = packet[0];
    if (isReserved(event)) throw new Error(`"${event}" is a reserved event name`);
    if (event === 'error') scope.saidError = true;
    // Socket.IO takes a turn for it, which costs something.
    const isHeard = scope.socket.listenerCount(event as string) > 0 || hasOthers(scope.socket);
    if (isHeard) dispatch();
    const route = router.find(event);
    if (route !== undefined) return route.run(ctx, packet, ack) ?? done;
    if (!isHeard && ack !== undefined && scope.socket.listenersAny().length === 0) ack.unheard();
    return done;
  };
}

/** Whether there are other middlewares of the socket than the chain, put on by hand. */
function hasOthers(socket: object): boolean {
  return (socket as { fns: unknown[] }).fns.length > 1;
}
