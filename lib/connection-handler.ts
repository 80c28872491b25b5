// Admits a client to a namespace or refuses it, and unwinds the connection chain once the socket has disconnected.
import { debuglog } from 'node:util';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { Onion } from './compose';
import { type ConnectionMessage, connections, isTraced, refusals, traceConnection } from './diagnostics';
import { connectError, logFailure } from './error-response';
import { plainMessage, thrownBy, toError } from './errors';
import { disconnectClient } from './internals/socketio';
import { hasClosed, onClose } from './on-close';
import { keepCookies } from './session';
import { type PendingAdmission, type SocketState, stateOf } from './socket-state';
import type { Middleware } from './types/context';

const debug = debuglog('egg-socket.io:connection');

/** The callback of a namespace middleware: admits the client, or refuses it with an error. */
type Decide = (err?: Error) => void;

/** Runs the connection chain of a socket, and admits or refuses its client. */
export function handleConnection(state: SocketState, decide: Decide): void {
  const { runtime, socket } = state;
  let ctx: Context;
  try {
    ctx = runtime.contexts.forConnection(state);
  } catch (thrown) {
    // The application's own createContext has failed. Socket.IO does not catch what a namespace middleware throws.
    runtime.counts.of(socket).refused++;
    publishRefusal(state, thrown);
    decide(connectError(runtime, socket, thrown));
    return;
  }
  const admission = new Admission(state, ctx, decide);
  const { connectionChain, expiry, users } = runtime;
  if (connectionChain !== undefined || expiry !== undefined || users !== undefined) state.admission = admission;
  if (!isTraced(connections)) {
    void runtime.contexts.run(ctx, () => admission.run());
    return;
  }
  const message: ConnectionMessage = { ctx, socket, namespace: runtime.router.name };
  admission.trace = message;
  void runtime.contexts.run(ctx, () => traceConnection(message, () => admission.run()));
}

function publishRefusal({ runtime, socket }: SocketState, error: unknown, ctx?: Context): void {
  if (!refusals.hasSubscribers) return;
  const { request } = socket;
  const namespace = runtime.router.name;
  refusals.publish({
    app: runtime.app,
    stage: 'admission',
    request,
    reason: plainMessage(toError(error)),
    namespace,
    socket,
    ctx,
    error,
  });
}

/** Publishes the connection of a client that Socket.IO has recovered without the connection chain. */
export function publishRecovered(state: SocketState): void {
  if (!isTraced(connections)) return;
  const { runtime, socket } = state;
  const ctx = runtime.contexts.forConnection(state);
  const message: ConnectionMessage = { ctx, socket, namespace: runtime.router.name, outcome: 'recovered' };
  void runtime.contexts.run(ctx, () => traceConnection(message, async () => {}));
}

/** The step of an admission that waits for its session to be loaded or saved. */
const SESSION = 'the session';

/** Admission of one client to one namespace. Released once the client is admitted or refused. */
class Admission implements PendingAdmission {
  disconnect: PendingAdmission['disconnect'] = undefined;
  stopWatching: (() => void) | undefined = undefined;
  step = SESSION;
  /** Set if somebody subscribes to the admission. */
  trace: ConnectionMessage | undefined = undefined;
  /** Whether the chain has called its innermost `next()`, returned or thrown. */
  #hasDecided = false;
  /** Resolve the promises of `end()`, and others that are called at the end. */
  #waiting: Array<() => void> | undefined = undefined;
  #decide: Decide | undefined;
  #isRefused = false;
  /** What the chain has thrown. */
  #failure: { thrown: unknown } | undefined = undefined;
  /** Continues the admission: the chain has called its innermost `next()`, or has ended. */
  #proceed: (() => void) | undefined = undefined;
  /** The promise of the innermost `next()`, with the functions that settle it. */
  #innermost: { promise: Promise<void>; resolve: () => void; reject: (reason: unknown) => void } | undefined =
    undefined;

  constructor(
    private readonly state: SocketState,
    readonly ctx: Context,
    decide: Decide,
  ) {
    this.#decide = decide;
  }

  end(): Promise<void> | undefined {
    if (!this.#hasDecided) return undefined;
    return new Promise((resolve) => this.onEnd(resolve));
  }

  onEnd(callback: () => void): void {
    this.#waiting ??= [];
    this.#waiting.push(callback);
  }

  ended(): void {
    for (const callback of this.#waiting ?? []) callback();
  }

  async run(): Promise<void> {
    const { state, ctx } = this;
    const { session, inFlight, slowConnections, router } = state.runtime;
    inFlight.chains.begin();
    const timer = slowConnections?.watch(router.name, this);
    try {
      try {
        // The session is saved before the client is connected. At the end of the chain, hours later, it would overwrite what HTTP
        // requests have saved meanwhile.
        await session.around(ctx, () => this.#identify());
        if (this.#failure) throw this.#failure.thrown;
        keepCookies(ctx, state);
      } catch (thrown) {
        this.#refuse(thrown);
        return;
      }
      this.#admit();
    } finally {
      clearTimeout(timer);
      inFlight.chains.end();
    }
  }

  /** Runs the connection chain up to its innermost `next()`, then finds the expiry and the user of the client. */
  async #identify(): Promise<void> {
    const { runtime, socket } = this.state;
    if (runtime.connectionChain !== undefined) await this.#runChain(runtime.connectionChain);
    if (runtime.expiry !== undefined) {
      this.step = 'config.io.expires';
      runtime.expiry.set(this.state, await runtime.expiry.find(this.ctx, socket));
    }
    if (runtime.users !== undefined) {
      this.step = 'config.io.user';
      this.state.userId = await runtime.users.join(this.ctx, socket, (thrown) =>
        logFailure(runtime, { socket }, thrown),
      );
    }
    this.step = SESSION;
  }

  /** Starts the chain. Resolves when it calls its innermost `next()` or returns, and rejects if it throws before. */
  async #runChain(chain: Onion): Promise<void> {
    const proceeding = new Promise<void>((resolve) => {
      this.#proceed = resolve;
    });
    this.state.runtime.inFlight.chains.begin();
    chain(this.ctx, () => this.#next()).then(
      () => this.#ended(),
      (thrown) => this.#failed(thrown),
    );
    await proceeding;
    this.#hasDecided = true;
    if (this.#failure) throw this.#failure.thrown;
  }

  /**
   * The innermost `next()`. Its promise resolves at the disconnect, and rejects if the client is refused after all. If the client
   * was already admitted or refused, the promise never settles.
   */
  #next(): Promise<void> {
    let resolve = () => {};
    let reject: (reason: unknown) => void = () => {};
    const promise = new Promise<void>((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    if (this.#decide !== undefined) this.#innermost = { promise, resolve, reject };
    this.#proceed?.();
    return promise;
  }

  #ended(): void {
    this.state.runtime.inFlight.chains.end();
    this.#proceed?.();
  }

  #failed(thrown: unknown): void {
    const { runtime, socket } = this.state;
    runtime.inFlight.chains.end();
    if (this.#decide !== undefined) {
      this.#failure = { thrown };
      this.#proceed?.();
    } else if (!this.#isRefused) {
      runtime.counts.of(socket).errors++;
      logFailure(runtime, { socket }, thrown);
    }
  }

  #admit(): void {
    const { state } = this;
    debug('admit %s to %s', state.socket.id, state.socket.nsp.name);
    state.leave = this.#innermost?.resolve;
    if (this.trace !== undefined) this.trace.outcome = this.#outcome();
    this.#innermost = undefined;
    try {
      // A later middleware of the namespace may throw. The chain then ends with the connection.
      this.#settle();
    } finally {
      // Most namespaces have no later middleware that takes its time: the client is connected by then.
      process.nextTick(watchConnection, state);
    }
  }

  #outcome(): ConnectionMessage['outcome'] {
    if (this.disconnect !== undefined) return 'refused';
    return hasClosed(this.state.socket.conn) ? 'left' : 'admitted';
  }

  #refuse(thrown: unknown): void {
    const { runtime, socket } = this.state;
    debug('refuse %s in %s: %s', socket.id, socket.nsp.name, thrown);
    if (this.#failure && this.#failure.thrown !== thrown) logFailure(runtime, { socket }, this.#failure.thrown);
    this.#isRefused = true;
    runtime.counts.of(socket).refused++;
    if (this.trace !== undefined) Object.assign(this.trace, { outcome: 'refused', error: thrownBy(thrown) });
    publishRefusal(this.state, thrownBy(thrown), this.ctx);
    this.#settle(connectError(runtime, socket, thrown, this.ctx));
    // After the client has received the error.
    if (this.disconnect?.close) process.nextTick(disconnectClient, socket);
    // A middleware that does not await next() does not handle its rejection.
    this.#innermost?.promise.catch(() => {});
    this.#innermost?.reject(thrown);
    this.#innermost = undefined;
  }

  #settle(err?: Error): void {
    const decide = this.#decide;
    this.#decide = undefined;
    this.#proceed = undefined;
    decide?.(err);
  }
}

/** Returns a middleware that names itself as the step of the admission. */
export function named(name: string, middleware: Middleware): Middleware {
  return (ctx, next) => {
    const state = stateOf(ctx.socket);
    const running = state?.admission ?? state?.reauthentications;
    if (running !== undefined) running.step = `the middleware ${name}`;
    return middleware(ctx, next);
  };
}

/** Ends the chain with the connection if a later middleware of the namespace does not decide before that. */
function watchConnection(state: SocketState): void {
  const { admission, socket } = state;
  if (admission === undefined) return;
  const closed = () => {
    socket.nsp.adapter.delAll(socket.id);
    state.leave?.();
  };
  if (hasClosed(socket.conn)) closed();
  else admission.stopWatching = onClose(socket.conn, closed);
}

/** Must be called as soon as Socket.IO has connected an admitted client, before listeners of `connection`. */
export function clientConnected(state: SocketState): void {
  const { admission, socket } = state;
  if (admission === undefined) return;
  admission.stopWatching?.();
  const { disconnect } = admission;
  if (disconnect === undefined) {
    endAdmission(state);
    return;
  }
  // In a later tick, before any packet: listeners of `connection` get a connected socket, and its `disconnect`.
  process.nextTick(() => {
    // The connection may be watched since.
    admission.stopWatching?.();
    endAdmission(state);
    socket.disconnect(disconnect.close);
  });
}

function endAdmission(state: SocketState): void {
  const { admission } = state;
  state.admission = undefined;
  admission?.ended();
}

/**
 * Replaces `socket.disconnect()` while the client is being admitted. Socket.IO 4 ignores calls made before the socket is connected,
 * so middleware that disconnects a client and returns would admit it. The call is remembered and made on connect.
 *
 * @returns whether the call was remembered
 */
export function deferDisconnect(socket: Socket, close: boolean): boolean {
  const admission = stateOf(socket)?.admission;
  // A connected socket may be disconnected together with another one of its connection, which happens once.
  if (admission === undefined || socket.connected) return false;
  admission.disconnect = { close: close || admission.disconnect?.close === true };
  return true;
}

/** Unwinds the connection chain of a socket that Socket.IO has released. */
export function releaseSocket(socket: Socket): void {
  // Undefined if a middleware that runs before the chain has refused the client.
  const state = stateOf(socket);
  if (state === undefined) return;
  debug('release %s of %s', socket.id, socket.nsp.name);
  state.runtime.expiry?.delete(state);
  state.presence?.release(socket);
  state.admission?.stopWatching?.();
  if (!socket.connected) endAdmission(state);
  state.leave?.();
}
