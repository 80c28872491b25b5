// A namespace as app.io.of() returns it: Socket.IO's, with route() and user().
import type { Namespace } from 'socket.io';
import type { Middleware } from './context';
import type { ControllerPath } from './controllers';
import type {
  ClientEventsOf,
  DataOf,
  HandlerOf,
  InterServerEventsOf,
  NamespaceOf,
  PlainHandlerOf,
  RoutableEvent,
  ServerEventsOf,
} from './events';

/** The id of a user, as the application has it. `42` and `'42'` are one. */
export type UserId = string | number | bigint;

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
