// What `egg` gains by the plugin: app.io, ctx.socket and what else a context has in app/io, config.io.
import type { Socket as TcpSocket } from 'node:net';
import type { Namespace, Socket } from 'socket.io';
import type { AgentIo } from './agent/io';
import type { Middleware } from './chain';
import type { IoConfig } from './config';
import type { IoServer } from './server';
import type { ControllerPath } from './typings/controllers';
import type { DECLARED } from './typings/declared';
import type {
  ClientEventsOf,
  DataOf,
  HandlerOf,
  InterServerEventsOf,
  NamespaceOf,
  PlainHandlerOf,
  RoutableEvent,
  ServerEventsOf,
} from './typings/events';
import type { UserId } from './users';

export type { IoController, IoMiddleware } from './typings/controllers';

/** `ctx.socket`: Socket.IO's socket, with the handshake's address. */
export type IoSocket = Socket & { readonly remoteAddress: string };

/**
 * `ctx.socket` as a type: in `app/io` it is the Socket.IO socket. For Egg, whose HTTP contexts have the TCP socket there,
 * the type has that one's members too.
 */
export type ContextSocket = IoSocket &
  Omit<RequestSocket, keyof IoSocket> & { write: TcpSocket['write']; timeout: number };

type RequestSocket = TcpSocket & { encrypted: boolean };

/** The routes of a namespace, as `app.io.of(name).route` and, for `/`, `app.io.route`. */
export interface RouteOf<N extends string> {
  /**
   * Routes an event of this namespace. The first route of an event stays.
   *
   * @param event - the event's name; `disconnecting`, `disconnect` and `error` are Socket.IO's own, `'*'` is any that no route
   *   names
   * @param tail - middlewares of the route, if any, and a method of `app.io.controller` or its path, such as `'chat.say'`
   * @throws {ConfigError} where the event is no string, or the handler is none
   *
   * @example
   * app.io.of('/chat').route('say', app.io.controller.chat.say);
   * app.io.of('/chat').route('ban', app.io.middleware.admin, 'chat.ban');
   */
  <E extends RoutableEvent<N>>(event: E, ...tail: [...middlewares: Middleware[], handler: HandlerOf<N, E>]): void;
  <E extends RoutableEvent<N>>(
    event: E,
    ...tail: [...middlewares: Middleware[], handler: PlainHandlerOf<N, E> | ControllerPath]
  ): void;
  /**
   * Routes several events of this namespace.
   *
   * @param handlers - methods of `app.io.controller` or their paths, by event
   *
   * @example
   * app.io.of('/chat').route({ say: 'chat.say', join: app.io.controller.room.join });
   */
  (handlers: { [E in RoutableEvent<N>]?: HandlerOf<N, E> | PlainHandlerOf<N, E> | ControllerPath }): void;
}

/** How to reach a user: `app.io.of(name).user` and, for `/`, `app.io.user`. */
export type UserOf<N extends string> = (id: UserId) => ReturnType<NamespaceOf<N>['in']>;

/** What `app.io.of()` gives: Socket.IO's namespace, with routes. */
export interface IoNamespace<N extends string = string>
  extends Namespace<ClientEventsOf<N>, ServerEventsOf<N>, InterServerEventsOf<N>, DataOf<N>> {
  route: RouteOf<N>;
  /**
   * All sockets of a user in this namespace, on all workers, and on all hosts with Redis. `config.io.user` says who a client is.
   *
   * @param id - as `config.io.user` gives it; `42` and `'42'` are one
   * @throws {ConfigError} where `config.io.user` is not set
   * @throws {TypeError} where the id is no string, number or bigint, or the namespace stands for many (`/room/:id`)
   *
   * @example
   * app.io.of('/chat').user(42).emit('news', 'for you');
   * app.io.of('/chat').user(42).disconnectSockets(true);
   */
  user: UserOf<N>;
}

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
  server: IoServer;
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

declare module 'egg' {
  interface Application {
    /** Socket.IO's server of this worker, with routes. */
    io: IoServer;
    /** For the compiler alone. */
    [DECLARED]?: { namespaces: IoNamespaces; controllers: CustomController; middlewares: CustomMiddleware };
  }

  interface Agent {
    /**
     * Emits to the clients of all workers; that is all that it does. For Egg 4 an agent has by type what an application has,
     * so the type says more.
     */
    io: AgentIo & IoServer;
  }

  // On Egg 4 this is what `this.app` is in a controller or a service.
  interface EggApplicationCore {
    io: IoServer;
  }

  interface Context extends Omit<IoContext, 'socket'> {
    /** In `app/io` the Socket.IO socket. */
    socket: ContextSocket;
    /** The session. Egg 3 declares it, Egg 4 does not. */
    // biome-ignore lint/suspicious/noExplicitAny: as Egg 3 declares it
    session: any;
  }

  interface EggAppConfig {
    /** The configuration of egg-socket.io. */
    io: IoConfig;
  }

  /** The events of the application's namespaces, by name: see `NamespaceTypes` of egg-socket.io. */
  interface IoNamespaces {}

  interface CustomMiddleware {}

  interface CustomController {}
}
