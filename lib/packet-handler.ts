// The packet onion: session, packet middleware, and in its core the native listeners and the routed controller. The hot path:
// no promise is made for what is done at once.
import type { Context } from 'egg';
import { Socket } from 'socket.io';
import { Ack } from './ack';
import { setArgs } from './context';
import { ackFailed, logFailure, logLast, packetFailed } from './error-response';
import { isPromise } from './errors';
import type { ConnectionWork } from './in-flight';
import { isErrorHeard, isReserved, type Route, type Router } from './router';
import { keepCookies } from './session';
import { type SocketScope, scopeOf } from './socket-state';

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

// A packet on its way through its onion, and its end: the session is saved, the client answered, a failure told. Called by packet.ts.

/** Where a context has its packet's run. */
export const RUN = Symbol('egg-socket.io:run');

/** A packet on its way through its onion. */
export interface PacketRun {
  readonly scope: SocketScope;
  readonly ctx: Context;
  readonly work: ConnectionWork;
  /** Undefined where the client asked for none, or has Socket.IO's own. */
  ack: Ack | undefined;
}

/** What a chain has thrown, whatever that is. */
export interface Failure {
  readonly thrown: unknown;
}

export interface PacketContext extends Context {
  [RUN]?: PacketRun;
}

/** The chain has ended: saves a session that somebody has asked for. */
export function save(run: PacketRun, failure?: Failure): void {
  const { session } = run.scope.nsp;
  let saving: unknown;
  try {
    saving = session.isStored() ? undefined : session.save(run.ctx);
  } catch (thrown) {
    end(run, { thrown });
    return;
  }
  if (isPromise(saving)) {
    saving.then(
      () => end(run, failure),
      (thrown) => end(run, { thrown }),
    );
  } else end(run, failure);
}

function end(run: PacketRun, failure: Failure | undefined): void {
  const { scope, ctx, work } = run;
  try {
    keepCookies(ctx, scope);
    settle(run, failure);
  } catch (thrown) {
    logLast(scope.nsp.log, thrown);
  } finally {
    work.end();
    scope.nsp.work.handlers.end();
  }
}

function settle(run: PacketRun, failure: Failure | undefined): void {
  if (failure) {
    failed(run, failure.thrown);
    return;
  }
  try {
    run.ack?.settle();
  } catch (thrown) {
    failed(run, thrown);
  }
}

/** The time of an ack is up, or its controller has failed when the chain was over. */
export function ackOver({ scope, ctx, ack }: PacketRun, err: unknown): void {
  const { nsp, socket } = scope;
  // Nobody is there to hear it.
  if (!socket.connected || ack === undefined) return;
  nsp.counts.of(socket).errors++;
  try {
    ackFailed(nsp, ack, err, ctx);
  } catch (thrown) {
    logLast(nsp.log, thrown);
  }
}

function failed({ scope, ctx, ack }: PacketRun, thrown: unknown): void {
  scope.nsp.counts.of(scope.socket).errors++;
  if (ack?.isOpen) ackFailed(scope.nsp, ack, thrown, ctx);
  // The client has been told that its time was up.
  else if (ack?.isTooLate && scope.nsp.acks?.auto) logFailure(scope.nsp.log, thrown);
  else packetFailed(scope.nsp, scope.socket, thrown, ctx);
}

// System events: what Socket.IO itself says of a socket, routed like a client's events, past the packet chain.

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
