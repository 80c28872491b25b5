// The connection onion: admits a client to a namespace or refuses it, once, and ends when the connection is over.
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import { connectionFailed, logFailure } from './errors';
import type { SocketScope } from './scope';
import { keepCookies } from './session';

/** Socket.IO's callback of a namespace middleware: admits, or refuses with an error. */
type Decide = (err?: Error) => void;

/** Runs the connection chain of a socket. */
export function connect(scope: SocketScope, decide: Decide): void {
  const { contexts } = scope.nsp;
  // The socket's own request, not one of this context: what a middleware notes on ctx.req is there in all that follow.
  let ctx: Context;
  try {
    ctx = contexts.ofConnection(scope.request);
  } catch (thrown) {
    // An application may have its own createContext. Socket.IO catches nothing here.
    decide(connectionFailed(scope.nsp.log, thrown));
    return;
  }
  if (scope.nsp.connection) holdDisconnect(scope);
  contexts.run(ctx, () => void new Connection(scope, ctx, decide).run(), undefined);
}

/**
 * Socket.IO ignores `disconnect()` until the client is in, so a middleware that throws a client out and returns would have
 * let it in. (Up to Socket.IO 2.4 the client was out.) It is kept, and done when the client is in: so the client hears what
 * the middleware has told it, and `disconnect`.
 */
function holdDisconnect(scope: SocketScope): void {
  const { socket } = scope;
  socket.disconnect = (close = false) => {
    scope.dismissed = { close: close || scope.dismissed?.close === true };
    return socket;
  };
}

/** The client is in: it goes again at once where the chain has disconnected it. Called before anybody else hears of it. */
export function releaseDisconnect({ socket, nsp, dismissed }: SocketScope): void {
  if (nsp.connection === undefined) return;
  // Not by `delete`, which would make every later access to the socket slow.
  socket.disconnect = Object.getPrototypeOf(socket).disconnect;
  // In a later tick, before any packet: listeners of `connection` put on by hand hear of a socket that is in, and of its end.
  if (dismissed) process.nextTick(() => socket.disconnect(dismissed.close));
}

function disconnectClient({ client }: Socket): void {
  (client as unknown as { _disconnect: () => void })._disconnect();
}

/** One client's way into one namespace, and its end. */
class Connection {
  /** Fulfilled when the chain has reached its core: whoever wanted to refuse has had the chance. */
  readonly #reached = deferred();
  /** Fulfilled when the client is in; rejected when it is refused after all. */
  readonly #admitted = deferred();
  #over: Promise<void> | undefined;
  #onion: Promise<void> | undefined;
  #failure: { thrown: unknown } | undefined;

  constructor(
    private readonly scope: SocketScope,
    private readonly ctx: Context,
    private readonly decide: Decide,
  ) {}

  async run(): Promise<void> {
    const { chains } = this.scope.nsp.work;
    chains.begin();
    try {
      await this.#run();
    } finally {
      chains.end();
    }
  }

  async #run(): Promise<void> {
    const { scope, ctx } = this;
    const { log, session } = scope.nsp;
    try {
      // The session is saved when the chain has reached its core, before the client hears that it is in. If the session
      // were saved when the chain has ended, hours later, it would undo what HTTP requests have saved meanwhile.
      await session.around(ctx, () => this.#enter());
      if (this.#failure) throw this.#failure.thrown;
    } catch (thrown) {
      this.decide(connectionFailed(log, thrown));
      // Refused, and the connection with it where the chain has asked for that; after the client has been told.
      if (scope.dismissed?.close) process.nextTick(() => disconnectClient(scope.socket));
      // An onion that is still under way unwinds with the error; one that has thrown it is over.
      if (this.#failure) this.#admitted.resolve();
      else this.#admitted.reject(thrown);
      return;
    }
    keepCookies(ctx, scope.request);
    if (this.#onion === undefined) return this.decide();
    this.#over = whenOver(scope.socket);
    this.decide();
    this.#admitted.resolve();
    await this.#onion.catch((thrown) => logFailure(log, thrown));
  }

  /** Starts the onion; done when it has reached its core or has ended without. */
  async #enter(): Promise<void> {
    const { connection } = this.scope.nsp;
    if (connection === undefined) return;
    this.#onion = connection(this.ctx, () => this.#core());
    this.#onion.catch((thrown) => {
      this.#failure = { thrown };
    });
    await Promise.race([this.#reached.promise, this.#onion]);
  }

  /** The middle of the onion: what middlewares wait for in `await next()`. */
  async #core(): Promise<void> {
    this.#reached.resolve();
    await this.#admitted.promise;
    await this.#over;
  }
}

/** Per Engine.IO connection, what waits for its close: one listener, however many namespaces are joined over it. */
const waiting = new WeakMap<Socket['conn'], Set<() => void>>();

/**
 * Fulfilled when the socket has disconnected. Socket.IO emits no `disconnect` for a client that left before it was in, so
 * the end of the connection below counts as well; nor for one that a later middleware of the namespace has refused, which
 * it only cleans up.
 */
function whenOver(socket: Socket): Promise<void> {
  const { conn } = socket;
  if (conn.readyState === 'closed') return Promise.resolve();
  let callbacks = waiting.get(conn);
  if (callbacks === undefined) {
    const all = new Set<() => void>();
    waiting.set(conn, all);
    conn.once('close', () => {
      for (const callback of all) callback();
    });
    callbacks = all;
  }
  const set = callbacks;
  return new Promise((resolve) => {
    const over = () => {
      set.delete(over);
      socket.off('disconnect', over);
      resolve();
    };
    set.add(over);
    socket.on('disconnect', over);
    const cleaned = socket as unknown as { _cleanup?: () => void };
    const cleanUp = cleaned._cleanup;
    if (cleanUp === undefined) return;
    cleaned._cleanup = () => {
      cleanUp.call(socket);
      over();
    };
  });
}

interface Deferred {
  promise: Promise<void>;
  resolve: () => void;
  reject: (reason: unknown) => void;
}

function deferred(): Deferred {
  const made = {} as Deferred;
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  // Nobody may be waiting for it; whoever is hears of it all the same.
  made.promise.catch(() => {});
  return made;
}
