// What is made once: for an application's namespace at boot, for a socket at its connection.
import type { IncomingMessage } from 'node:http';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { Acks } from './ack';
import type { Onion } from './chain';
import type { ContextFactory } from './context';
import type { Ends } from './ends';
import type { Entry } from './entry';
import type { Failures } from './failures';
import type { Router } from './router';
import type { Session } from './session';
import type { Counts } from './stats/counts';
import type { Users } from './users';
import type { ConnectionWork, Work } from './work';

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
