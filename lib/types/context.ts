// The context of app/io as a type: the members that it has beside those of every Egg context, and the functions that get it.
import type { Socket as TcpSocket } from 'node:net';
import type { Application, Context } from 'egg';
import type { Namespace, Socket } from 'socket.io';

/** A middleware of `app/io/middleware`, around a connection or around a packet. */
export type Middleware = (ctx: Context, next: () => Promise<void>) => unknown;

/**
 * What answers an event: a method of `app.io.controller`, or any function. Called with the packet's context as `this` and as
 * its argument. With `config.io.ack: 'auto'` what it returns, or what its promise is fulfilled with, is the ack.
 */
// biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
export type Handler = (this: any, ctx: Context) => unknown;

/** `ctx.socket`: Socket.IO's socket, with the handshake's address. */
export type IoSocket = Socket & { readonly remoteAddress: string };

/**
 * `ctx.socket` as a type: in `app/io` it is the Socket.IO socket. For Egg, whose HTTP contexts have the TCP socket there,
 * the type has that one's members too.
 */
export type ContextSocket = IoSocket &
  Omit<RequestSocket, keyof IoSocket> & { write: TcpSocket['write']; timeout: number };

type RequestSocket = TcpSocket & { encrypted: boolean };

/** What a context of `app/io` has beside what every Egg context has. */
export interface IoContext {
  /** The Socket.IO socket. */
  socket: ContextSocket;
  /**
   * The packet, in packet middleware and controllers: `[event, ...args]`, the live array. What a middleware changes in it
   * is what the controller and native listeners get.
   */
  packet: [event: string, ...args: unknown[]];
  /** The event's arguments, the client's ack function last if it asked for one. Of a system event: `[reason]` or `[error]`. */
  // biome-ignore lint/suspicious/noExplicitAny: a client sends what it likes; the application knows what to expect
  args: any[];
  client: Socket['client'];
  server: Application['io'];
  adapter: Namespace['adapter'];
  /** The socket's id. */
  id: string;
  conn: Socket['conn'];
  /** The rooms that the socket is in, its own (the id) among them. */
  rooms: Set<string>;
  acks: Map<number, () => void>;
  /** No effect any more; the socket itself. */
  json: IoSocket;
  volatile: Socket;
  broadcast: Socket['broadcast'];
  connected: boolean;
  disconnected: boolean;
  handshake: Socket['handshake'];
  /** Whether the connection's state was recovered. */
  recovered: boolean;
  /** The socket's data, the same object in all contexts of the socket. */
  // biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
  data: any;
  /** Reaches sockets of this worker only. */
  local: Socket['local'];
  join: Socket['join'];
  leave: Socket['leave'];
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
