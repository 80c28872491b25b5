// A namespace as app.io.of() returns it: Socket.IO's, with route(), user() and presence().
import type { Namespace } from 'socket.io';
import type {
  ClientEventsOf,
  ControllerPath,
  DataOf,
  HandlerOf,
  InterServerEventsOf,
  NamespaceOf,
  PlainHandlerOf,
  RoutableEvent,
  ServerEventsOf,
} from './events';
import type { Presence } from './presence';
import type { EmittedSchemas, PlainRoutedHandler, RoutedHandler, Steps } from './schema';

/** The id of a user. `42` and `'42'` are the same user. */
export type UserId = string | number | bigint;

/** The routes of a namespace, as `app.io.of(name).route` and, for `/`, `app.io.route`. */
export interface RouteOf<N extends string> {
  /**
   * Routes an event of this namespace. The first route of an event stays. The route runs from left to right.
   *
   * @param event - the name of the event. `connect`, `disconnecting`, `disconnect` and `error` are system events; `'*'` stands for
   *   all events without a route
   * @param tail - middleware of the route and at most one schema `{ args, ack }`, by which the arguments of the client are checked; then a
   *   method of `app.io.controller` or its path, such as `'chat.say'`. Middleware before the schema gets the arguments as the client has
   *   sent them, middleware after it the parsed ones
   * @throws {ConfigError} if the event is not a string, if the handler is not a function or the path of one, if the schema is wrong, or if a
   *   system event has one
   *
   * @example
   * app.io.of('/chat').route('say', app.io.controller.chat.say);
   * app.io.of('/chat').route('ban', app.io.middleware.admin, 'chat.ban');
   * app.io.of('/chat').route('say', { args: [z.string().max(500)], ack: z.object({ id: z.number() }) }, 'chat.say');
   */
  <E extends RoutableEvent<N>, T extends Steps>(
    event: E,
    ...tail: [...steps: T, handler: RoutedHandler<N, E, T>]
  ): void;
  <E extends RoutableEvent<N>, T extends Steps>(
    event: E,
    ...tail: [...steps: T, handler: PlainRoutedHandler<N, E, T> | ControllerPath]
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

/** Selects the sockets of a user: `app.io.of(name).user` and, for `/`, `app.io.user`. */
export type UserOf<N extends string> = (id: UserId) => ReturnType<NamespaceOf<N>['in']>;

/** What `app.io.of()` returns: a namespace of Socket.IO, with routes. */
export interface IoNamespace<N extends string = string>
  extends Namespace<ClientEventsOf<N>, ServerEventsOf<N>, InterServerEventsOf<N>, DataOf<N>> {
  route: RouteOf<N>;
  /**
   * Selects all sockets of a user in this namespace, on all workers, and with Redis on all hosts. `config.io.user` returns the user of
   * a client.
   *
   * @param id - the id that `config.io.user` returns for the user. `42` and `'42'` are the same user
   * @throws {ConfigError} if `config.io.user` is not set
   * @throws {TypeError} if the id is not a string, a number or a bigint, or if it is a parent namespace (`/room/:id`)
   *
   * @example
   * app.io.of('/chat').user(42).emit('news', 'for you');
   * app.io.of('/chat').user(42).disconnectSockets(true);
   */
  user: UserOf<N>;
  /**
   * Returns the presence of a topic of this namespace: which clients are tracked in it, on all workers, and with Redis on all hosts.
   *
   * @param topic - a name, such as that of a room, of 256 characters at most. Default: the namespace itself
   * @throws {TypeError} if the topic is not such a string, or if it is a parent namespace (`/room/:id`)
   *
   * @example
   * const here = app.io.of('/chat').presence('lobby');
   * await here.track(ctx, ctx.userId, { name: 'Ann' });
   * await here.list(); // { 42: [{ name: 'Ann' }] }
   */
  presence(topic?: string): Presence;
  /**
   * Declares which events this namespace emits to its clients, for `egg-socket.io describe`. Nothing is checked, and emitting other
   * events is allowed. Later calls add events.
   *
   * @param schemas - one schema for each argument, by event
   * @throws {ConfigError} if an element is no schema
   *
   * @example
   * app.io.of('/chat').emits({ said: [z.string(), z.string()] });
   */
  emits(schemas: EmittedSchemas): void;
}
