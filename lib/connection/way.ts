// A client's way into a namespace, from the first middleware of the connection chain until it is in or refused. Called by
// connection.ts, and by ends.ts where the chain has ended.
import type { Context } from 'egg';
import { awaitOthers, disconnectClient, endWith } from '../admission';
import { connectionFailed, logFailure } from '../failures';
import type { SocketScope } from '../scope';
import { keepCookies } from '../session';

type Chain = NonNullable<SocketScope['nsp']['connection']>;

/** Socket.IO's callback of a namespace middleware: admits, or refuses with an error. */
export type Decide = (err?: Error) => void;

/** What goes on where the chain has reached its core, or has ended without. */
type Entered = (way: Way) => void;

const DONE = Promise.resolve();

/**
 * Not at once: what a middleware does right after a `next()` that it doesn't await is heard as well, and what later middlewares of the
 * namespace do is not within its `next()`.
 */
function soon(way: Way): void {
  DONE.then(() => way.arrive());
}

/** One client's way into one namespace. When that is decided nobody keeps it any more. */
export class Way {
  static readonly #saved: Entered = (way) => way.#save();

  #entered: Entered | undefined;
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

  /**
   * The session is saved when the chain has reached its core, before the client hears that it is in. If the session were saved
   * when the chain has ended, hours later, it would undo what HTTP requests have saved meanwhile.
   */
  run(): void {
    const { connection, session, users, work } = this.scope.nsp;
    work.chains.begin();
    // No promise is made for what most have nothing to wait for.
    if (users !== undefined || session.isStored()) void this.#runAwaiting();
    else if (connection !== undefined) this.#begin(connection, Way.#saved);
    else this.#save();
  }

  async #runAwaiting(): Promise<void> {
    const { ctx } = this;
    const { session } = this.scope.nsp;
    if (!session.isStored()) {
      let failed: { thrown: unknown } | undefined;
      await this.#enter().catch((thrown) => {
        failed = { thrown };
      });
      this.#save(failed);
      return;
    }
    try {
      await session.around(ctx, () => this.#enter());
    } catch (thrown) {
      this.#end({ thrown });
      return;
    }
    this.#end();
  }

  /** Starts the onion; done when it has reached its core or has ended without, and it is known who the client is. */
  async #enter(): Promise<void> {
    const { connection, users, log } = this.scope.nsp;
    if (connection !== undefined) await new Promise<unknown>((resolve) => this.#begin(connection, resolve));
    if (users !== undefined && !this.#failure) await users.join(this.ctx, this.scope.socket, log);
  }

  #begin(chain: Chain, entered: Entered): void {
    const { scope } = this;
    if (scope.entry !== undefined) scope.entry.chain = this;
    scope.nsp.work.chains.begin();
    scope.nsp.ends.follow(chain(this.ctx), scope);
    this.#entered = entered;
    // It has reached its core at once, and may have failed since: that comes first, by way of what follows its end.
    if (this.#inner !== undefined) soon(this);
  }

  /** Saves a session that somebody has asked for. */
  #save(failed?: { thrown: unknown }): void {
    let saving: Promise<void> | undefined;
    try {
      saving = this.scope.nsp.session.save(this.ctx);
    } catch (thrown) {
      this.#end({ thrown });
      return;
    }
    if (saving === undefined) this.#end(failed);
    else
      saving.then(
        () => this.#end(failed),
        (thrown) => this.#end({ thrown }),
      );
  }

  #end(failed = this.#failure): void {
    const { scope, ctx } = this;
    let failure = failed;
    try {
      if (failure === undefined) keepCookies(ctx, scope);
    } catch (thrown) {
      failure = { thrown };
    }
    try {
      if (failure === undefined) this.#letIn(scope);
      else this.#keepOut(failure.thrown);
    } finally {
      scope.nsp.work.chains.end();
    }
  }

  #letIn(scope: SocketScope): void {
    if (this.#leave || scope.nsp.users) endWith(scope, this.#leave);
    this.#leave = this.#refuse = this.#inner = undefined;
    try {
      // A later middleware may throw from here: nobody is told then, and the chain ends when the client has left.
      this.#say();
    } finally {
      // Behind the tick in which Socket.IO lets the client in: most have no later middleware that takes its time.
      process.nextTick(awaitOthers, scope);
    }
  }

  /** The middle of the onion: what middlewares wait for in `await next()`. */
  core(): Promise<void> {
    const inner = new Promise<void>((resolve, reject) => {
      this.#leave = resolve;
      this.#refuse = reject;
    });
    this.#inner = inner;
    // Where the chain has reached it at once, what is behind that call goes on.
    if (this.#entered === undefined) return inner;
    const { contexts } = this.scope.nsp;
    // In the context of the connection, whatever its middleware has made the current one.
    if (contexts.current === this.ctx) soon(this);
    else contexts.run(this.ctx, soon, this);
    return inner;
  }

  /** The onion has ended before it was decided. */
  over(failure?: { thrown: unknown }): void {
    this.#failure = failure;
    this.arrive();
  }

  /** The chain has reached its core, or has ended: what comes of that is decided once. */
  arrive(): void {
    const entered = this.#entered;
    this.#entered = undefined;
    entered?.(this);
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
    this.decide = undefined;
    const { entry } = this.scope;
    if (entry !== undefined) {
      entry.chain = undefined;
      entry.isRefused = err !== undefined;
    }
    decide?.(err);
  }
}
