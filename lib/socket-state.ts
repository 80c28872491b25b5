// What is made once: for an application's namespace at boot, for a socket at its connection.
import type { IncomingMessage } from 'node:http';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { Acks } from './ack';
import type { Onion } from './compose';
import type { Ends } from './connection-handler';
import type { ContextFactory } from './context';
import type { Failures } from './error-response';
import type { ConnectionWork, Work } from './in-flight';
import type { Router } from './router';
import type { Session } from './session';
import type { Counts } from './stats';
import type { Users } from './users';

/** A namespace with its chains, as connection.ts, packet.ts and system.ts need it. */
export interface NamespaceScope extends Failures {
  /** Undefined where acks are Socket.IO's own. */
  readonly acks: Acks | undefined;
  readonly contexts: ContextFactory;
  /** What becomes of connection chains that have ended. */
  readonly ends: Ends;
  /** What is under way in the application. */
  readonly work: Work;
  readonly router: Router;
  readonly counts: Counts;
  /** Egg's session. */
  readonly session: Session;
  /** Undefined where clients are nobody's. */
  readonly users: Users | undefined;
  /** The connection chain, without the session; undefined where it is empty. */
  readonly connection: Onion | undefined;
  /** Whether there is anything that decides about a connection: a chain, or config.io.user. */
  readonly decides: boolean;
  /** The packet chain from the first middleware to the controller. What it returns is a promise, or undefined when it is done. */
  readonly packet: (ctx: Context) => unknown;
}

/** What a class extends that puts its private field on something that is there already: a socket. */
const Given = function given(socket: Socket) {
  return socket;
} as unknown as new (
  socket: Socket,
) => object;

/**
 * Keeps the scope of a socket in a private field of the socket: nobody who lists its properties finds it. A WeakMap's entry would
 * cost an idle socket as much again as the scope.
 */
class Kept extends Given {
  readonly #scope: SocketScope;

  constructor(socket: Socket, scope: SocketScope) {
    super(socket);
    this.#scope = scope;
  }

  static scopeOf(socket: Socket): SocketScope | undefined {
    return #scope in socket ? (socket as unknown as Kept).#scope : undefined;
  }
}

/** What belongs to a socket; undefined where its namespace isn't bound. */
export function scopeOf(socket: Socket): SocketScope | undefined {
  return Kept.scopeOf(socket);
}

/** A socket in its namespace. */
export class SocketScope {
  /** Undefined when the client is in, unless its chain has disconnected it, and where nothing decides about it. */
  entry: Entry | undefined = undefined;
  /** Ends the core of the connection chain. */
  leave: (() => void) | undefined = undefined;
  #request: IncomingMessage | undefined = undefined;

  /**
   * @param nsp - the namespace's
   * @param socket - the socket
   */
  constructor(
    readonly nsp: NamespaceScope,
    readonly socket: Socket,
  ) {
    new Kept(socket, this);
  }

  /** The handshake request as this socket's contexts see it: its `socket` is the Socket.IO socket. */
  get request(): IncomingMessage {
    this.#request ??= this.nsp.contexts.requestOf(this.socket);
    return this.#request;
  }

  /** What is under way for its connection: of many that only listen it is never asked. */
  get work(): ConnectionWork {
    return this.nsp.work.of(this.socket.conn);
  }
}

// A socket's way into its namespace, from the first middleware of its connection chain until it is in. A leaf.

/** What a connection chain tells of itself. */
export interface Entering {
  /** The middle of the onion: what middlewares wait for in `await next()`. */
  core(): Promise<void>;
  /** The onion has ended before it was decided. */
  over(failure?: { thrown: unknown }): void;
}

/** What is kept of a socket that isn't in: one that is in has none, unless its chain has disconnected it. */
export class Entry {
  /** Its connection chain, until that is decided. */
  chain: Entering | undefined = undefined;
  /** Whether the chain has got to its core. */
  isReached = false;
  /** Whether the chain has kept the client out. */
  isRefused = false;
  /** Set where the connection chain has disconnected the socket; `close`: and the connection below. */
  dismissed: { close: boolean } | undefined = undefined;
  /** Whether later middlewares of the namespace may still decide. */
  isPending = false;
  /** Set while that takes time: to be called when it is decided. */
  #decided: (() => void) | undefined = undefined;

  /** Calls `decided` when the client is in, or it never will be. */
  onDecided(decided: () => void): void {
    this.#decided = decided;
  }

  /** The client is in, or it never will be. */
  decided(): void {
    this.isPending = false;
    this.#decided?.();
    this.#decided = undefined;
  }
}
