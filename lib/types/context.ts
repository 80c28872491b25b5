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
