// A namespace's table of events. app/router.ts of an application fills it, packet.ts and system.ts read it.
import type { Context } from 'egg';
import type { Namespace } from 'socket.io';
import { ConfigError, controllerError } from './errors';

/**
 * What answers an event: a method of `app.io.controller`, or any function.
 * Called with the packet's context as `this` and as its argument.
 */
// biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
export type Handler = (this: any, ctx: Context) => unknown;

/** Events that Socket.IO emits by itself. Its own parser refuses them from a client; other parsers let them through. */
const RESERVED: ReadonlySet<unknown> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** Whether no client may send an event of that name. */
export function isReserved(event: unknown): boolean {
  return RESERVED.has(event);
}

const SYSTEM_EVENTS: ReadonlySet<unknown> = new Set(['disconnecting', 'disconnect', 'error']);

/** Whether an event is one that Socket.IO itself emits on a socket, and that can be routed all the same. */
export function isSystemEvent(event: unknown): boolean {
  return SYSTEM_EVENTS.has(event);
}

/** Where a router says what looks like a mistake: `app.coreLogger`. */
export interface RouteLog {
  warn(message: string): void;
}

/** A routed event. */
export class Route {
  /** How often the handler is running right now. */
  running = 0;

  constructor(readonly handler: Handler) {}

  /** The handler has ended. */
  readonly done = (): void => {
    this.running--;
  };

  /** The handler has failed. */
  readonly failed = (thrown: unknown): never => {
    this.running--;
    throw controllerError(thrown);
  };
}

/** The routes of one namespace. A client's event name is data: any string is looked up, and only routed ones are found. */
export class Router {
  readonly #routes = new Map<unknown, Route>();

  /**
   * @param name - the namespace's name, for messages
   * @param log - for the warning of a second route
   */
  constructor(
    readonly name: string,
    private readonly log: RouteLog,
  ) {}

  /**
   * Routes an event to a handler. The first route of an event stays.
   *
   * @throws {ConfigError} where the event is no string or the handler no function
   */
  add(event: string, handler: Handler): void {
    if (typeof event !== 'string') {
      throw new ConfigError(`event of app.io.of('${this.name}').route()`, event, 'a string', 'event must be string!');
    }
    const where = `app.io.of('${this.name}').route('${event}', handler)`;
    if (typeof handler !== 'function') {
      throw new ConfigError(
        `handler of ${where}`,
        handler,
        'a function, such as a method of app.io.controller: see app/io/controller for its name',
        'handler must be function!',
      );
    }
    if (isReserved(event) && !isSystemEvent(event)) {
      this.log.warn(
        `[egg-socket.io] ${where} never runs: Socket.IO keeps that name for itself, and no client can send it`,
      );
    }
    const first = this.#routes.get(event);
    if (first === undefined) {
      this.#routes.set(event, new Route(handler));
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

  /** The route of an event. */
  get(event: unknown): Route | undefined {
    return this.#routes.get(event);
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

/** Egg's loader writes a controller method's file and name under this symbol. */
function nameOf(handler: Handler): string {
  const symbol = Object.getOwnPropertySymbols(handler).find((key) => key.description === 'EGG_LOADER_ITEM_FULLPATH');
  const path = symbol && (handler as unknown as Record<symbol, unknown>)[symbol];
  return typeof path === 'string' ? path : handler.name || 'an anonymous function';
}
