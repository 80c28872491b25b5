// The context of app/io as a type: the members that it has beside those of every Egg context, and the functions that get it.
import type { Socket as TcpSocket } from 'node:net';
import type { Application, Context } from 'egg';
import type { Namespace, Socket } from 'socket.io';

/**
 * A middleware of `app/io/middleware`. It runs around a connection or around a packet. Around a packet, `next()` resolves with what the
 * controller has returned.
 */
// biome-ignore lint/suspicious/noExplicitAny: a controller may return anything, and a middleware may declare any result
export type Middleware = (ctx: Context, next: () => Promise<any>) => unknown;

/**
 * The handler of an event: a method of `app.io.controller`, or any function. It is called with the context of the packet as `this`
 * and as its argument. With `config.io.ack: 'auto'` its result is the acknowledgement.
 */
// biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
export type Handler = (this: any, ctx: Context) => unknown;

/** Joins or leaves rooms. The callback is that of Socket.IO 2: it is called in a later tick, with null or with an error. */
type ChangeRooms<Rooms> = (rooms: Rooms, callback?: (err: unknown) => void) => Promise<void> | void;

/** `ctx.socket`: the Socket.IO socket, with the address of the handshake. */
export type IoSocket = Socket & {
  readonly remoteAddress: string;
  join: ChangeRooms<string | string[]>;
  leave: ChangeRooms<string>;
};

/**
 * The type of `ctx.socket`. In `app/io` it is the Socket.IO socket. Contexts of HTTP requests have the TCP socket there, so the type
 * has the members of both.
 */
export type ContextSocket = IoSocket &
  Omit<RequestSocket, keyof IoSocket> & { write: TcpSocket['write']; timeout: number };

type RequestSocket = TcpSocket & { encrypted: boolean };

/** The options of `ctx.reauthenticate()`. */
export interface ReauthenticateOptions {
  /** Replaces `ctx.handshake.auth`: for the connection middleware at once, for all contexts of the socket if it does not refuse the client. */
  // biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
  auth?: Record<string, any>;
}

/**
 * The event that the server sends to a client whose authentication ends: see `config.io.expires`. An application adds it to the events of
 * its namespaces.
 *
 * @example
 * interface ServerEvents extends ExpiryEvents {
 *   said: (text: string) => void;
 * }
 */
export interface ExpiryEvents {
  /**
   * The authentication of the client has ended.
   *
   * @param notice - `grace`: in how many ms the client is disconnected, unless it is reauthenticated. 0: it is disconnected now
   */
  expired: (notice: { grace: number }) => void;
}

/** The members of a context of `app/io` beside those of every Egg context. */
export interface IoContext {
  /** The Socket.IO socket. */
  socket: ContextSocket;
  /**
   * The packet in packet middleware and controllers: `[event, ...args]`. If middleware changes the array, the controller and
   * listeners of the socket receive the change.
   */
  packet: [event: string, ...args: unknown[]];
  /** The arguments of the event; the last one is the acknowledgement function, if the client asked for one. Of a system event: `[reason]`, `[error]` or `[]`. */
  // biome-ignore lint/suspicious/noExplicitAny: a client may send anything
  args: any[];
  client: Socket['client'];
  server: Application['io'];
  adapter: Namespace['adapter'];
  /** The socket's id. */
  id: string;
  conn: Socket['conn'];
  /** The rooms of the socket. One of them has the id of the socket as its name. */
  rooms: Set<string>;
  acks: Map<number, () => void>;
  /** The socket itself. The flag has no effect since Socket.IO 1. */
  json: IoSocket;
  volatile: Socket;
  broadcast: Socket['broadcast'];
  connected: boolean;
  disconnected: boolean;
  handshake: Socket['handshake'];
  /** Whether the state of the connection was recovered. */
  recovered: boolean;
  /** The data of the socket: the same object in all contexts of the socket. */
  // biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
  data: any;
  /**
   * Runs the connection middleware of the namespace again for this client, up to its innermost `next()`, in a context of its own. Then
   * calls `config.io.expires` and `config.io.user` again, whose results replace the earlier ones. Calls for one socket run one after the other.
   *
   * @throws what the connection middleware, `config.io.expires` or `config.io.user` has thrown. The client then stays connected as it was,
   *   until its grace period ends
   * @throws {DisconnectedError} if the client disconnects, or the middleware disconnects it
   *
   * @example
   * // the event `renew` of a client that has a new token
   * await ctx.reauthenticate({ auth: { token: ctx.args[0] } });
   */
  reauthenticate(options?: ReauthenticateOptions): Promise<void>;
  /** Whether connection middleware runs for `ctx.reauthenticate()`, not for a new connection. The code after its `await next()` then does not run. */
  reauthenticating: boolean;
  /** Emits to sockets of this worker only. */
  local: Socket['local'];
  join: IoSocket['join'];
  leave: IoSocket['leave'];
  emit: Socket['emit'];
  to: Socket['to'];
  in: Socket['in'];
  send: Socket['send'];
  write: Socket['write'];
  disconnect: Socket['disconnect'];
  except: Socket['except'];
  timeout: Socket['timeout'];
  emitWithAck: Socket['emitWithAck'];
}
