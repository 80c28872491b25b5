// Reauthentication: `ctx.reauthenticate()` runs the connection chain of a connected client again, and replaces its user and its expiry.
import { AsyncLocalStorage } from 'node:async_hooks';
import { debuglog } from 'node:util';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { Onion } from './compose';
import { logFailure } from './error-response';
import { DisconnectedError, ExpiredError } from './errors';
import { disconnectExpired } from './expiry';
import { inScope } from './module-scope';
import { keepCookies } from './session';
import { type Reauthentications, type SocketState, stateOf } from './socket-state';
import type { ReauthenticateOptions } from './types/context';
import { NOBODY, type User } from './users';

const debug = debuglog('egg-socket.io:connection');

const DISCONNECTED = 'the client has disconnected';

/** The members of contexts for reauthentication. An application that has a member of that name keeps its own. */
export function reauthenticationMembers(base: object): PropertyDescriptorMap {
  const members: PropertyDescriptorMap = {
    reauthenticate: { value: reauthenticate, writable: true, configurable: true },
    reauthenticating: { value: false, writable: true, configurable: true },
  };
  return Object.fromEntries(Object.entries(members).filter(([name]) => !(name in base)));
}

/** `ctx.reauthenticate()` */
async function reauthenticate(this: Context, { auth }: ReauthenticateOptions = {}): Promise<void> {
  if (auth !== undefined && !isObject(auth)) throw invalidAuth();
  const state = stateOf(this.socket);
  if (state === undefined) {
    throw new Error(
      "[egg-socket.io] ctx.reauthenticate(): the client of this context has no connection. A test mocks the function: mm(ctx, 'reauthenticate', async () => {})",
    );
  }
  // It would wait for itself.
  if (state.admission !== undefined || this.reauthenticating) {
    throw new Error(
      '[egg-socket.io] ctx.reauthenticate() was called in connection middleware, which is about to admit or refuse the client. Call it in the handler of an event',
    );
  }
  state.reauthentications ??= { step: '', last: Promise.resolve(), ctx: undefined, onSuccess: [] };
  const all = state.reauthentications;
  const running = all.last.then(() => new Reauthentication(state, all, auth).run());
  all.last = running.catch(() => {});
  return running;
}

function isObject(auth: unknown): boolean {
  return typeof auth === 'object' && auth !== null && !Array.isArray(auth);
}

/** A handler may pass what its client has sent. */
function invalidAuth(): Error {
  const err = new TypeError('ctx.reauthenticate(): auth must be an object, such as { token }');
  return Object.assign(err, { code: 'INVALID_AUTH', expose: true });
}

/** The handshake that a reauthentication sees at its socket. Other code sees the one whose `auth` was checked before. */
const HANDSHAKE = new AsyncLocalStorage<{ readonly socket: Socket; readonly handshake: Socket['handshake'] }>();

/** One call of `ctx.reauthenticate()`. */
class Reauthentication {
  readonly ctx: Context;
  readonly isReauthentication = true;
  #hasSucceeded = false;
  /** What the chain has thrown. */
  #failure: { thrown: unknown } | undefined;
  /** Rejects the promise of the innermost `next()`. */
  #refuse: ((thrown: unknown) => void) | undefined;

  constructor(
    private readonly state: SocketState,
    private readonly all: Reauthentications,
    private readonly auth: Record<string, unknown> | undefined,
  ) {
    assertConnected(state.socket);
    this.ctx = state.runtime.contexts.forConnection(state);
    this.ctx.reauthenticating = true;
  }

  get step(): string {
    return this.all.step;
  }

  async run(): Promise<void> {
    const { state, all, ctx, auth } = this;
    const { runtime, socket } = state;
    const { contexts, expiry, inFlight, router, scope, slowConnections, users } = runtime;
    const timer = slowConnections?.watch(router.name, this);
    inFlight.chains.begin();
    all.ctx = ctx;
    let stopListening = () => {};
    const disconnected = new Promise<never>((_resolve, reject) => {
      const listener = () => reject(new DisconnectedError(DISCONNECTED));
      socket.once('disconnect', listener);
      stopListening = () => socket.off('disconnect', listener);
    });
    const identify = () => contexts.run(ctx, () => inScope(scope, ctx, () => this.#identify()));
    try {
      const identified = auth === undefined ? identify() : this.#withAuth(auth, identify);
      const { expiresAt, user } = await Promise.race([identified, disconnected]);
      // The session has been saved: nothing refuses the client any more, except the limit of its new user.
      assertConnected(socket);
      if (users !== undefined) await Promise.race([users.move(socket, user), disconnected]);
      const { userId } = state;
      state.userId = user.id;
      if (userId !== user.id) state.presence?.userChanged(socket, userId, user.id);
      // The client may have disconnected in the same turn. A released socket must not be put into the timer wheel.
      assertConnected(socket);
      expiry?.set(state, expiresAt);
      this.#hasSucceeded = true;
      if (auth !== undefined) socket.handshake.auth = auth;
      for (const callback of all.onSuccess) callback();
      debug('reauthenticated %s in %s', socket.id, socket.nsp.name);
    } catch (thrown) {
      debug('reauthentication of %s in %s failed: %s', socket.id, socket.nsp.name, thrown);
      this.#refuse?.(thrown);
      throw thrown;
    } finally {
      all.ctx = undefined;
      all.onSuccess = [];
      stopListening();
      clearTimeout(timer);
      inFlight.chains.end();
    }
  }

  /**
   * Runs a function to which the handshake has another `auth`. Events of the client that are handled meanwhile must not see it, since it is
   * not checked yet.
   */
  async #withAuth<T>(auth: Record<string, unknown>, run: () => Promise<T>): Promise<T> {
    const { socket } = this.state;
    const { handshake: checked } = socket;
    const handshake = { ...checked, auth };
    this.ctx.handshake = handshake;
    const get = () => {
      const own = HANDSHAKE.getStore();
      return own?.socket === socket ? own.handshake : checked;
    };
    Object.defineProperty(socket, 'handshake', { get, enumerable: true, configurable: true });
    try {
      return await HANDSHAKE.run({ socket, handshake }, run);
    } finally {
      Object.defineProperty(socket, 'handshake', {
        value: checked,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
  }

  /** Runs the connection chain up to its innermost `next()`, then finds the expiry and the user of the client. */
  async #identify(): Promise<{ expiresAt: number; user: User }> {
    const { all, ctx, state } = this;
    const { runtime, socket } = state;
    const { connectionChain, expiry, session, users } = runtime;
    let expiresAt = Infinity;
    let user: User = NOBODY;
    all.step = 'the session';
    await session.around(ctx, async () => {
      if (connectionChain !== undefined) await this.#runChain(connectionChain);
      assertConnected(socket);
      if (expiry !== undefined) {
        all.step = 'config.io.expires';
        expiresAt = await expiry.find(ctx, socket);
      }
      if (users !== undefined) {
        all.step = 'config.io.user';
        user = await users.userOf(ctx, socket, (thrown) => logFailure(runtime, { socket }, thrown));
      }
      if (this.#failure) throw this.#failure.thrown;
      all.step = 'the session';
    });
    keepCookies(ctx, state);
    return { expiresAt, user };
  }

  /**
   * Starts the chain. Resolves when it calls its innermost `next()` or returns, and rejects if it throws before. The promise of that `next()`
   * rejects if the client is refused after all, and never settles otherwise: the code after it is for the disconnect, and that of the
   * connection runs then.
   */
  #runChain(chain: Onion): Promise<void> {
    return new Promise((resolve, reject) => {
      const innermost = (): Promise<never> => {
        const promise = new Promise<never>((_resolve, refuse) => {
          this.#refuse = refuse;
        });
        // A middleware that does not await next() does not handle its rejection.
        promise.catch(() => {});
        resolve();
        return promise;
      };
      const failed = (thrown: unknown) => {
        if (this.#hasSucceeded) this.#failLate(thrown);
        this.#failure ??= { thrown };
        reject(thrown);
      };
      chain(this.ctx, innermost).then(() => resolve(), failed);
    });
  }

  /** Logs what a middleware has thrown that does not await next(). */
  #failLate(thrown: unknown): void {
    const { runtime, socket } = this.state;
    runtime.counts.of(socket).errors++;
    logFailure(runtime, { socket }, thrown);
  }
}

function assertConnected(socket: Socket): void {
  if (!socket.connected) throw new DisconnectedError(DISCONNECTED);
}

/**
 * Counts the connection of a recovered client whose connection chain was skipped, and finds its expiry: `skipMiddlewares` of
 * `connectionStateRecovery`. If that fails, the client is disconnected.
 */
export function handleRecovered(state: SocketState): void {
  const { runtime, socket } = state;
  const { contexts, expiry, scope, session, users } = runtime;
  if (expiry === undefined && users === undefined) return;
  const find = async () => {
    users?.recovered(socket);
    if (expiry === undefined) return;
    const ctx = contexts.forConnection(state);
    const find = () => inScope(scope, ctx, () => expiry.find(ctx, socket));
    const at = await contexts.run(ctx, () => session.around(ctx, find));
    if (socket.connected) expiry.set(state, at);
  };
  find().catch((thrown) => {
    if (thrown instanceof ExpiredError) {
      disconnectExpired(state);
      return;
    }
    runtime.counts.of(socket).errors++;
    logFailure(runtime, { socket }, thrown);
    socket.disconnect();
  });
}
