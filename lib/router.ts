// A namespace's table of events. app/router.ts of an application fills it, packet.ts and system.ts read it.
import type { Namespace } from 'socket.io';
import type { Middleware } from './chain';
import { ConfigError } from './errors';
import type { Names } from './names';
import { isReserved, isSystemEvent } from './reserved';
import { type Handler, Route } from './route';

/** What answers an event in a route: a function, or the path of a method of `app.io.controller`, such as `'chat.say'`. */
export type Routed = Handler | string;

/** What follows the event in a route: its own middlewares, and last what answers it. */
export type RouteTail = [...middlewares: Middleware[], handler: Routed];

/** The event of the route for events that no route names. */
export const CATCH_ALL = '*';

/** Where a router says what looks like a mistake: `app.coreLogger`. */
export interface RouteLog {
  warn(message: string): void;
}

/** The routes of one namespace. A client's event name is data: any string is looked up, and only routed ones are found. */
export class Router {
  readonly #routes = new Map<unknown, Route>();
  /** The route of whatever no other names. */
  #rest: Route | undefined;

  /**
   * @param name - the namespace's name, for messages
   * @param log - for the warning of a second route
   * @param names - finds what a route names
   */
  constructor(
    readonly name: string,
    private readonly log: RouteLog,
    private readonly names: Names,
  ) {}

  /**
   * Routes an event, or each event of an object, to a handler. The first route of an event stays.
   *
   * @param event - the event's name, `'*'` for all that no route names, or an object of handlers by event
   * @param tail - the middlewares of the route, and last its handler
   * @throws {ConfigError} where the event is no string, or what follows it is no function, or names no controller
   */
  add(event: string | Record<string, Routed>, ...tail: unknown[]): void {
    if (isTable(event) && tail.length === 0) {
      for (const [name, handler] of Object.entries(event)) this.add(name, handler);
      return;
    }
    if (typeof event !== 'string') {
      throw new ConfigError(`event of app.io.of('${this.name}').route()`, event, 'a string', 'event must be string!');
    }
    const where = `app.io.of('${this.name}').route('${event}', handler)`;
    const handler = this.names.handler(tail.at(-1), where);
    const middlewares = tail.slice(0, -1).map((middleware) => this.names.middleware(middleware, where));
    if (isReserved(event) && !isSystemEvent(event)) {
      this.log.warn(
        `[egg-socket.io] ${where} never runs: Socket.IO keeps that name for itself, and no client can send it`,
      );
    }
    if (event === 'connection') {
      this.log.warn(
        `[egg-socket.io] ${where} runs where a client sends an event of that name: for what belongs to a connection there is connectionMiddleware`,
      );
    }
    if (this.names.isMiddleware(handler)) {
      this.log.warn(
        `[egg-socket.io] ${where} ends with a middleware of app/io/middleware: name the controller behind it, route('${event}', middleware, handler)`,
      );
    }
    const first = this.#routes.get(event);
    if (first === undefined) {
      const route = new Route(handler, middlewares);
      this.#routes.set(event, route);
      if (event === CATCH_ALL) this.#rest = route;
    } else {
      this.log.warn(
        `[egg-socket.io] ${where} is ignored: the event has a route already. First: ${nameOf(first.handler)}, ignored: ${nameOf(handler)}`,
      );
    }
  }

  /** How many events are routed. */
  get size(): number {
    return this.#routes.size;
  }

  /** The route of an event of Socket.IO's own. */
  get(event: unknown): Route | undefined {
    return this.#routes.get(event);
  }

  /** The route of an event that a client has sent. */
  find(event: unknown): Route | undefined {
    if (isSystemEvent(event)) return undefined;
    // Some parsers let anything through for a name.
    return this.#routes.get(event) ?? (typeof event === 'string' ? this.#rest : undefined);
  }

  /** The routed events. */
  events(): string[] {
    return Array.from(this.#routes.keys(), String);
  }

  /** The events whose handlers are running, and how many are, for messages. */
  running(): string[] {
    return Array.from(this.#routes).flatMap(([event, { running }]) =>
      running > 0 ? [`${this.name} ${event}: ${running}`] : [],
    );
  }
}

const routers = new WeakMap<Namespace, Router>();

/** The router of a namespace that `app.io.of()` gave. */
export function routerOf(nsp: Namespace): Router | undefined {
  return routers.get(nsp);
}

/** Gives a namespace its router. */
export function setRouter(nsp: Namespace, router: Router): Router {
  routers.set(nsp, router);
  return router;
}

function isTable(value: unknown): value is Record<string, Routed> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Egg's loader writes a controller method's file and name under this symbol. */
function nameOf(handler: Handler): string {
  const symbol = Object.getOwnPropertySymbols(handler).find((key) => key.description === 'EGG_LOADER_ITEM_FULLPATH');
  const path = symbol && (handler as unknown as Record<symbol, unknown>)[symbol];
  return typeof path === 'string' ? path : handler.name || 'an anonymous function';
}
