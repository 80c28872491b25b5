// What a namespace and a socket need at each packet, made once: at boot for a namespace, at the connection for a socket.
import type { IncomingMessage } from 'node:http';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { AckOptions } from './ack';
import type { Onion } from './compose';
import type { ContextFactory, ContextOwner } from './context';
import type { ErrorReporting } from './error-response';
import type { Expiry } from './expiry';
import type { ConnectionInFlight, ServerInFlight } from './in-flight';
import type { EventLimits, EventQueue } from './limits/event-limits';
import type { ModuleScope } from './module-scope';
import type { Router } from './router';
import type { Session } from './session';
import type { SlowConnections } from './slow-connections';
import type { Counts } from './stats';
import type { UserId } from './types/namespace';
import type { Users } from './users';

/** A namespace that is bound to its chains and routes. */
export interface NamespaceRuntime extends ErrorReporting {
  /** Undefined if acks are Socket.IO's own. */
  readonly acks: AckOptions | undefined;
  readonly contexts: ContextFactory;
  /** Undefined if `config.io.expires` is unset. */
  readonly expiry: Expiry | undefined;
  /** The chains and handlers of the application that are running. */
  readonly inFlight: ServerInFlight;
  readonly router: Router;
  readonly counts: Counts;
  /** Undefined without tegg. The chains run in it already. */
  readonly scope: ModuleScope | undefined;
  readonly session: Session;
  /** Undefined if `config.io.slowConnection` is false. */
  readonly slowConnections: SlowConnections | undefined;
  /** Undefined if `config.io.user` is unset. */
  readonly users: Users | undefined;
  /** Undefined if `config.io.limits` limits no events. */
  readonly eventLimits: EventLimits | undefined;
  /** How many listeners of `onAny()` a socket has that watch its events and never answer: that of the admin UI. */
  readonly watchers: number;
  /** Undefined if the namespace has no connection middleware. */
  readonly connectionChain: Onion | undefined;
  /** Undefined if the namespace has no packet middleware. */
  readonly packetChain: Onion | undefined;
}

/** A client that is being admitted to a namespace. */
export interface PendingAdmission {
  /** The call of `socket.disconnect()` to be made once the client is connected. `close`: whether to close the connection. */
  disconnect: { close: boolean } | undefined;
  /** Stops to wait for the close of the connection. */
  stopWatching: (() => void) | undefined;
  /** The step that has begun last, for messages. */
  step: string;
  /** Undefined while the chain decides. After that, resolves when the client is connected or its socket is released. */
  end(): Promise<void> | undefined;
  /** Calls a function when the client is connected or its socket is released. */
  onEnd(callback: () => void): void;
  /** The client is connected, or its socket was released. */
  ended(): void;
}

/** The calls of `ctx.reauthenticate()` for one socket. They run one after the other. */
export interface Reauthentications {
  /** The step of the running one that has begun last, for messages. */
  step: string;
  /** Resolves when the last one has ended. */
  last: Promise<void>;
  /** The context of the running one. Undefined if none is running. */
  ctx: Context | undefined;
  /** Called when the running one has succeeded. */
  onSuccess: Array<() => void>;
}

/** What a socket is tracked in by presence. */
export interface Tracked {
  /** Ends its entries. May be called twice. */
  release(socket: Socket): void;
  /** The client has another user, or none. */
  userChanged(socket: Socket, before: UserId | undefined, after: UserId | undefined): void;
}

const STATE = Symbol('egg-socket.io:state');

/** The state of a socket in a bound namespace. */
export class SocketState implements ContextOwner {
  /**
   * Set while the client is being admitted. Cleared once it is connected. Never set if the namespace has no connection middleware
   * and neither `config.io.user` nor `config.io.expires` is set.
   */
  admission: PendingAdmission | undefined = undefined;
  /** Resolves the innermost `next()` of the connection chain. Undefined if the chain did not call it. */
  leave: (() => void) | undefined = undefined;
  /** The id of the user that `config.io.user` has found. */
  userId: UserId | undefined = undefined;
  /** Undefined without `config.io.limits.concurrency`, and until the first event. */
  queue: EventQueue | undefined = undefined;
  /** Undefined until the first call of `ctx.reauthenticate()`. */
  reauthentications: Reauthentications | undefined = undefined;
  /** Undefined until presence tracks the socket. */
  presence: Tracked | undefined = undefined;
  #request: IncomingMessage | undefined = undefined;

  constructor(
    readonly runtime: NamespaceRuntime,
    readonly socket: Socket,
  ) {
    (socket as WithState)[STATE] = this;
  }

  /** The handshake request with the Socket.IO socket as its `socket`; all contexts of the socket share it. */
  get request(): IncomingMessage {
    this.#request ??= this.runtime.contexts.requestOf(this.socket);
    return this.#request;
  }

  /** The packets of the connection that are being handled. */
  get inFlight(): ConnectionInFlight {
    return this.runtime.inFlight.of(this.socket.conn);
  }
}

type WithState = Socket & { [STATE]?: SocketState };

/** Returns the state of a socket, or undefined if its namespace is not bound. */
export function stateOf(socket: Socket): SocketState | undefined {
  return (socket as WithState)[STATE];
}
