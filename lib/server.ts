// app.io: Socket.IO's server with routes. Made by app/extend/application.ts when it is first asked for.
import { Server, type ServerOptions } from 'socket.io';
import type { InitConfig } from './config';
import { controllerAt } from './controllers';
import type { ErrorLog } from './errors';
import type { Failures } from './failures';
import { type GenerateId, giveIds } from './ids';
import { passDefaultFirst } from './old-clients';
import { type Routed, type RouteLog, Router, type RouteTail, routerOf, setRouter } from './router';
import type { IoController, IoMiddleware, IoNamespace } from './typings';

type NamespaceName = Parameters<Server['of']>[0];

/** Socket.IO's parent namespace, whose children are made when a client asks for them. */
type Parent = IoNamespace & { children: Set<IoNamespace> };

interface ServerFailures extends Failures {
  readonly log: RouteLog & ErrorLog;
}

/** How boot.ts gives namespaces their chains. */
export interface Binding {
  /** Binds one namespace. */
  bind: (nsp: IoNamespace) => void;
  /** Whether namespaces that are neither configured nor routed are bound as well. */
  all: boolean;
}

/**
 * Socket.IO's server, with the middleware and the controllers of `app/io` and with routes.
 *
 * @example
 * // app/router.ts
 * app.io.route('chat', app.io.controller.chat.say);
 * app.io.of('/admin').route('kick', app.io.controller.admin.kick);
 */
export class IoServer extends Server {
  /** What `app/io/middleware` exports, by name. */
  middleware = {} as IoMiddleware;
  /** What `app/io/controller` exports, by name. */
  controller = {} as IoController;

  readonly #failures: ServerFailures;
  readonly #generateId: GenerateId | undefined;
  readonly #allowsOldClients: boolean;
  #binding: Binding | undefined;
  /** What parent namespaces go by, for messages. */
  readonly #patterns: string[] = [];
  readonly #bound = new WeakSet<IoNamespace>();
  /** The namespaces that were made before there was a binding. */
  readonly #waiting = new Set<IoNamespace>();

  /**
   * @param init - the checked `config.io.init`
   * @param failures - `app.coreLogger`, and `config.io.onerror`
   * @param generateId - `config.io.generateId`: makes one id a connection, which all its sockets have
   */
  constructor(init: InitConfig, failures: ServerFailures, generateId?: GenerateId) {
    super(init as Partial<ServerOptions>);
    this.#failures = failures;
    this.#generateId = generateId;
    this.#allowsOldClients = init.allowEIO3 === true;
    // Socket.IO's constructor made the default namespace before this class had a field.
    this.#adopt(this.sockets as IoNamespace);
  }

  /**
   * The namespace of that name, made if there is none yet.
   *
   * @param name - with or without its leading slash, or what Socket.IO takes for a parent namespace
   * @param onConnection - listens to the namespace's connections
   */
  // biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
  override of(name: NamespaceName, onConnection?: (socket: any) => void): IoNamespace {
    const nsp = super.of(name, onConnection) as IoNamespace;
    if (!(#waiting in this)) return nsp;
    if (typeof name !== 'string') this.#patterns.push(name instanceof RegExp ? String(name) : 'those of a function');
    this.#adopt(nsp);
    return nsp;
  }

  /**
   * Routes an event of the default namespace: `app.io.of('/').route`.
   *
   * @param event - the event's name; `disconnecting`, `disconnect` and `error` are Socket.IO's own, `'*'` is any that no route
   *   names
   * @param tail - middlewares of the route, if any, and a method of `app.io.controller` or its path, such as `'chat.say'`
   * @throws {ConfigError} where the event is no string, or the handler is none
   *
   * @example
   * app.io.route('chat', 'chat.say');
   * app.io.route('ban', app.io.middleware.admin, app.io.controller.chat.ban);
   */
  route(event: string, ...tail: RouteTail): void;
  /**
   * Routes several events of the default namespace.
   *
   * @param handlers - methods of `app.io.controller` or their paths, by event
   *
   * @example
   * app.io.route({ chat: 'chat.say', join: app.io.controller.room.join });
   */
  route(handlers: Record<string, Routed>): void;
  route(event: string | Record<string, Routed>, ...tail: unknown[]): void {
    (this.of('/').route as (...args: unknown[]) => void)(event, ...tail);
  }

  /** The names of the namespaces, and the patterns of parents. */
  names(): string[] {
    return [...this._nsps.keys(), ...this.#patterns];
  }

  /** From now on routed namespaces are bound, those that are here and those that come; the named ones at once. */
  startBinding(binding: Binding, names: Iterable<string>): void {
    this.#binding = binding;
    for (const name of names) {
      const nsp = this.of(name);
      this.#bindOnce(nsp);
      // A child of a parent namespace would go when it is empty (cleanupEmptyChildNamespaces), and come again without its chains.
      delete (nsp as { _remove?: unknown })._remove;
    }
    for (const nsp of this.#waiting) if (binding.all || routerOf(nsp)?.size) this.#bindOnce(nsp);
    this.#waiting.clear();
  }

  #adopt(nsp: IoNamespace): void {
    if (routerOf(nsp)) return;
    const parent = this.#parentOf(nsp);
    if (parent) {
      // A child runs what its parent is bound to, and has its routes.
      setRouter(nsp, routerOf(parent) as Router);
      nsp.route = parent.route;
      return;
    }
    if (this.#allowsOldClients) passDefaultFirst(nsp);
    if (this.#generateId) giveIds(nsp, this.#generateId, this.#failures);
    const find = (path: string, where: string) => controllerAt(path, this.controller, where);
    const router = setRouter(nsp, new Router(nsp.name, this.#failures.log, find));
    nsp.route = (event: string | Record<string, Routed>, ...tail: unknown[]) => {
      router.add(event, ...tail);
      this.#bindOnce(nsp);
    };
    if (this.#binding?.all) this.#bindOnce(nsp);
    if (this.#binding === undefined) this.#waiting.add(nsp);
  }

  #parentOf(nsp: IoNamespace): IoNamespace | undefined {
    const { parentNsps } = this as unknown as { parentNsps: Map<unknown, Parent> };
    return Array.from(parentNsps.values()).find((parent) => parent.children.has(nsp));
  }

  #bindOnce(nsp: IoNamespace): void {
    if (this.#binding === undefined || this.#bound.has(nsp)) return;
    this.#bound.add(nsp);
    this.#binding.bind(nsp);
    // A child copies what its parent has when it is made: those that are here already get it now.
    for (const child of (nsp as Partial<Parent> & IoNamespace).children ?? []) {
      this.#adopt(child);
      this.#bindOnce(child);
    }
  }
}
