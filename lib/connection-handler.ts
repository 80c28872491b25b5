// A client's way into a namespace, from the first middleware of the connection chain until it is in or refused. Called by
// connection.ts, and by ends.ts where the chain has ended.
import type { Context } from 'egg';
import { Socket } from 'socket.io';
import { type ContextFactory, ownerOf } from './context';
import { connectionFailed, logFailure } from './error-response';
import { hasClosed, onClose } from './on-close';
import { keepCookies } from './session';
import { Entry, type SocketScope, scopeOf } from './socket-state';

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

// The connection onion: admits a client to a namespace or refuses it, once, and ends when the connection is over.

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

// A socket between its connection chain and its end: whether it is in yet, what waits for that, and what ends with it. Called
// by connection/way.ts and namespace.ts; by way of socket.ts disconnect by the application, and cleanUp by Socket.IO.

/** What of a socket Socket.IO keeps private. */
interface Inner {
  leaveAll(): void;
  _cleanup(): void;
  readonly client: { _disconnect(): void };
}

const theirs = Socket.prototype as unknown as Inner;

/**
 * Takes the place of a socket's own `disconnect`, which Socket.IO ignores until the client is in, so that a middleware that throws
 * a client out and returns would have let it in. (Up to Socket.IO 2.4 the client was out.) It is kept, and done when the client is
 * in: so the client hears what the middleware has told it, and `disconnect`.
 */
export function disconnect(this: Socket, close = false): Socket {
  const entry = scopeOf(this)?.entry;
  // One that is in may have to go with another socket of its connection: Socket.IO asks only once.
  if (entry === undefined || this.connected) return Socket.prototype.disconnect.call(this, close);
  entry.dismissed ??= { close };
  entry.dismissed.close ||= close;
  return this;
}

/** The client is in: it goes again at once where the chain has disconnected it. Called before anybody else hears of it. */
export function admitted(scope: SocketScope): void {
  const { socket, entry } = scope;
  if (entry === undefined) return;
  entry.decided();
  const { dismissed } = entry;
  if (dismissed === undefined) {
    scope.entry = undefined;
    return;
  }
  // In a later tick, before any packet: listeners of `connection` put on by hand hear of a socket that is in, and of its end.
  process.nextTick(() => {
    scope.entry = undefined;
    socket.disconnect(dismissed.close);
  });
}

/** Closes the connection below, which ends its sockets in all namespaces. */
export function disconnectClient(socket: Socket): void {
  (socket as unknown as Inner).client._disconnect();
}

/**
 * Ends the core of a chain when its socket has disconnected. Socket.IO cleans a socket up whatever becomes of it: it has
 * disconnected, its client has left before it was in, a later middleware of the namespace has refused it.
 */
export function endWith(scope: SocketScope, leave: (() => void) | undefined): void {
  scope.leave = leave;
  if (scope.entry !== undefined) scope.entry.isPending = true;
}

/** Takes the place of a socket's own `_cleanup`. */
export function cleanUp(this: Socket): void {
  theirs._cleanup.call(this as unknown as Inner);
  // It has none where a middleware that was put on before the chain has refused it.
  const scope = scopeOf(this);
  scope?.entry?.decided();
  scope?.leave?.();
}

/** A client that waits for a later middleware for ever leaves with its connection. */
export function awaitOthers({ socket, entry, leave }: SocketScope): void {
  if (!entry?.isPending) return;
  const gone = () => {
    // Socket.IO would have it do that when that middleware has decided.
    (socket as unknown as Inner).leaveAll();
    leave?.();
  };
  if (hasClosed(socket.conn)) gone();
  else entry.onDecided(onClose(socket.conn as never, gone));
}

// What becomes of a connection chain that has ended, before its client is in or hours later. Called by connection.ts; made once
// for an application, by boot.ts.

export class Ends {
  readonly #ended: () => void;
  readonly #failed: (thrown: unknown) => void;

  constructor(private readonly contexts: ContextFactory) {
    this.#ended = () => ended(this.#scope as SocketScope);
    this.#failed = (thrown) => failed(this.#scope as SocketScope, thrown);
  }

  /** Notices the end of the chain of a socket. */
  follow(running: Promise<void>, scope: SocketScope): void {
    // Two functions that know the socket would be kept for hours; the context knows it as well, where Egg keeps that.
    if (this.#scope === scope) running.then(this.#ended, this.#failed);
    else
      running.then(
        () => ended(scope),
        (thrown) => failed(scope, thrown),
      );
  }

  /** Of the socket in whose context this is called. */
  get #scope(): SocketScope | undefined {
    const { current } = this.contexts;
    return current && (ownerOf(current) as SocketScope | undefined);
  }
}

function ended({ nsp, entry }: SocketScope): void {
  nsp.work.chains.end();
  entry?.chain?.over();
}

function failed({ nsp, socket, entry }: SocketScope, thrown: unknown): void {
  nsp.work.chains.end();
  if (entry?.chain) entry.chain.over({ thrown });
  // A client that was kept out has heard why.
  else if (!entry?.isRefused) {
    nsp.counts.of(socket).errors++;
    logFailure(nsp.log, thrown);
  }
}
