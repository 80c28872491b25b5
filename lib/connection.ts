// The connection onion: admits a client to a namespace or refuses it, once, and ends when the connection is over.
import type { Context } from 'egg';
import { awaitOthers, disconnectClient, endWith } from './admission';
import { ownerOf } from './context';
import { Entry } from './entry';
import { connectionFailed, logFailure } from './failures';
import type { SocketScope } from './scope';
import { keepCookies } from './session';
import type { Users } from './users';

type Chain = NonNullable<SocketScope['nsp']['connection']>;

/** Socket.IO's callback of a namespace middleware: admits, or refuses with an error. */
type Decide = (err?: Error) => void;

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
  contexts.run(ctx, () => void new Connection(scope, ctx, decide).run(), undefined);
}

/** One client's way into one namespace. When that is decided nobody keeps it any more. */
class Connection {
  /** Fulfils what waits for the chain to have reached its core or to have ended. */
  #entered: (() => void) | undefined;
  /** What the core waits for. */
  #inner: Promise<void> | undefined;
  /** Ends the core: the connection is over. */
  #leave: (() => void) | undefined;
  /** Ends the core: the client is refused after all. */
  #refuse: ((reason: unknown) => void) | undefined;
  #failure: { thrown: unknown } | undefined;

  constructor(
    readonly scope: SocketScope,
    readonly ctx: Context,
    private decide: Decide | undefined,
  ) {}

  async run(): Promise<void> {
    const { scope, ctx } = this;
    const { session, work } = scope.nsp;
    work.chains.begin();
    try {
      // The session is saved when the chain has reached its core, before the client hears that it is in. If the session
      // were saved when the chain has ended, hours later, it would undo what HTTP requests have saved meanwhile.
      if (session.isStored()) await session.around(ctx, () => this.#enter());
      else {
        try {
          await this.#enter();
        } finally {
          const saving = session.save(ctx);
          if (saving !== undefined) await saving;
        }
      }
      if (this.#failure) throw this.#failure.thrown;
    } catch (thrown) {
      this.#keepOut(thrown);
      return;
    } finally {
      work.chains.end();
    }
    keepCookies(ctx, scope);
    if (this.#leave || scope.nsp.users) endWith(scope, this.#leave);
    this.#leave = this.#refuse = this.#inner = undefined;
    // Most have no later middleware that takes its time: Socket.IO has let the client in by then.
    process.nextTick(awaitOthers, scope);
    // A later middleware may throw from here: nobody is told then, and the chain ends when the client has left.
    this.#say();
  }

  /** Starts the onion; done when it has reached its core or has ended without, and it is known who the client is. */
  #enter(): Promise<void> {
    const { connection, users } = this.scope.nsp;
    const entered = connection === undefined ? Promise.resolve() : this.#begin(connection);
    return users === undefined ? entered : entered.then(() => this.#join(users));
  }

  #begin(chain: Chain): Promise<void> {
    const entered = new Promise<void>((resolve) => {
      this.#entered = resolve;
    });
    const { scope } = this;
    if (scope.entry !== undefined) scope.entry.chain = this;
    scope.nsp.work.chains.begin();
    scope.nsp.ends.follow(chain(this.ctx), scope);
    return entered;
  }

  #join(users: Users): Promise<void> | undefined {
    const { nsp, socket } = this.scope;
    return this.#failure ? undefined : users.join(this.ctx, socket, nsp.log);
  }

  /** The middle of the onion: what middlewares wait for in `await next()`. */
  core(): Promise<void> {
    this.#inner = new Promise<void>((resolve, reject) => {
      this.#leave = resolve;
      this.#refuse = reject;
    });
    this.#entered?.();
    return this.#inner;
  }

  /** The onion has ended before it was decided. */
  over(failure?: { thrown: unknown }): void {
    this.#failure = failure;
    this.#entered?.();
  }

  #keepOut(thrown: unknown): void {
    const { scope } = this;
    // The chain has failed while it was asked whose client it is, and that has failed as well.
    if (this.#failure && this.#failure.thrown !== thrown) logFailure(scope.nsp.log, this.#failure.thrown);
    this.#failure ??= { thrown };
    scope.nsp.counts.of(scope.socket).refused++;
    this.#say(connectionFailed(scope.nsp, thrown, this.ctx));
    // Refused, and the connection with it where the chain has asked for that; after the client has been told.
    if (scope.entry?.dismissed?.close) process.nextTick(() => disconnectClient(scope.socket));
    // An onion that is still under way unwinds with the error; whether its middlewares wait for it is theirs to know.
    this.#inner?.catch(() => {});
    this.#refuse?.(thrown);
  }

  #say(err?: Error): void {
    const { decide } = this;
    this.decide = this.#entered = undefined;
    const { entry } = this.scope;
    if (entry !== undefined) {
      entry.chain = undefined;
      entry.isRefused = err !== undefined;
    }
    decide?.(err);
  }
}

/** The core of all connection chains. Whoever is in, or was refused, without it waits in vain. */
export function connectionCore(this: Context): Promise<void> {
  const { entry, leave } = ownerOf(this) as SocketScope;
  if (entry?.isReached || leave !== undefined) return Promise.reject(new Error('next() called multiple times'));
  if (entry?.chain === undefined) return new Promise<void>(() => {});
  entry.isReached = true;
  return entry.chain.core();
}
