// The packet onion: session, packet middleware, and in its core the native listeners and the routed controller. The hot path:
// no promise is made for what is done at once.
import type { Context } from 'egg';
import { setArgs } from './context';
import { controllerError, packetFailed } from './errors';
import { isReserved, isSystemEvent, type Route, type Router } from './router';
import type { SocketScope } from './scope';
import { keepCookies } from './session';

const RUN = Symbol('egg-socket.io:run');

/** A packet on its way through its onion. */
interface PacketRun {
  readonly scope: SocketScope;
  readonly ctx: Context;
  /** Socket.IO's callback of a socket middleware: hands the packet to the native listeners. */
  readonly dispatch: () => void;
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
  const { contexts } = scope.nsp;
  let ctx: PacketContext;
  try {
    ctx = contexts.ofPacket(scope, packet);
  } catch (thrown) {
    // An application may have its own createContext. Socket.IO catches nothing here.
    packetFailed(scope.nsp.log, scope.socket, thrown);
    return;
  }
  const run: PacketRun = { scope, ctx, dispatch };
  ctx[RUN] = run;
  contexts.run(ctx, start, run);
}

async function start({ scope, ctx }: PacketRun): Promise<void> {
  const { nsp, work } = scope;
  const { session } = nsp;
  work.begin();
  nsp.work.handlers.begin();
  try {
    if (session.isStored()) await session.around(ctx, async () => void (await nsp.packet(ctx)));
    else {
      // A session in a cookie is nobody's business until somebody asks for it.
      try {
        const running = nsp.packet(ctx);
        if (running !== undefined) await running;
      } finally {
        const saving = session.save(ctx);
        if (saving !== undefined) await saving;
      }
    }
  } catch (thrown) {
    packetFailed(nsp.log, scope.socket, thrown);
  } finally {
    work.end();
    nsp.work.handlers.end();
    keepCookies(ctx, scope);
  }
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
    const { scope, dispatch } = ctx[RUN] as PacketRun;
    const packet = ctx.packet as unknown[];
    const event = packet[0];
    if (isReserved(event)) throw new Error(`"${event}" is a reserved event name`);
    if (event === 'error') scope.saidError = true;
    // Socket.IO takes a turn for it, which costs something.
    if (scope.socket.listenerCount(event as string) > 0 || hasOthers(scope.socket)) dispatch();
    const route = isSystemEvent(event) ? undefined : router.get(event);
    if (route === undefined) return done;
    setArgs(ctx, packet.slice(1));
    return call(ctx, route) ?? done;
  };
}

/** Whether there are other middlewares of the socket than the chain, put on by hand. */
function hasOthers(socket: object): boolean {
  return (socket as { fns: unknown[] }).fns.length > 1;
}

function call(ctx: Context, route: Route): Promise<void> | undefined {
  let result: unknown;
  try {
    result = route.handler.call(ctx, ctx);
  } catch (thrown) {
    throw controllerError(thrown);
  }
  if (!isPromise(result)) return undefined;
  route.running++;
  return Promise.resolve(result).then(route.done, route.failed);
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}
