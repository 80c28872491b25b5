// A namespace's table of events. app/router.ts of an application fills it, packet.ts and system.ts read it.

import type { Context } from 'egg';
import type { Namespace, Socket } from 'socket.io';
import type { Ack } from './ack';
import { composeChain, type Onion } from './compose';
import { setArgs } from './context';
import { directly } from './direct';
import { ConfigError, controllerError, isPromise } from './errors';
import type { Handler, Middleware } from './types/context';

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

// A routed event: its handler, and the middlewares of its own. Made by router.ts, run by packet.ts and system.ts.

/** A routed event. */
export class Route {
  /** How often the handler is running right now. */
  running = 0;
  readonly #handle: Handler;
  readonly #around: Onion | undefined;

  /**
   * @param handler - what answers the event
   * @param middlewares - what runs around it
   */
  constructor(
    readonly handler: Handler,
    middlewares: Middleware[] = [],
  ) {
    this.#handle = directly(handler);
    if (middlewares.length > 0) this.#around = composeChain(middlewares);
  }

  /**
   * Runs the middlewares and the handler.
   *
   * @param packet - of a client's event: what the handler's arguments are taken from
   * @param ack - gets what the handler returns
   * @returns a promise, or undefined where all is done
   */
  run(ctx: Context, packet?: unknown[], ack?: Ack): Promise<void> | undefined {
    if (this.#around === undefined) return this.#call(ctx, packet, ack);
    return this.#around(ctx, () => this.#call(ctx, packet, ack));
  }

  #call(ctx: Context, packet: unknown[] | undefined, ack: Ack | undefined): Promise<void> | undefined {
    ack?.routed();
    if (packet !== undefined) setArgs(ctx, packet.slice(1));
    let result: unknown;
    try {
      result = this.#handle.call(ctx, ctx);
    } catch (thrown) {
      throw controllerError(thrown);
    }
    if (!isPromise(result)) {
      ack?.returned(result);
      return undefined;
    }
    this.running++;
    if (ack === undefined) return Promise.resolve(result).then(this.#done, this.#failed);
    return Promise.resolve(result).then(
      (value) => {
        this.running--;
        ack.returned(value);
      },
      (thrown) => {
        this.running--;
        const err = controllerError(thrown);
        if (!ack.failed(err)) throw err;
      },
    );
  }

  readonly #done = (): void => {
    this.running--;
  };

  readonly #failed = (thrown: unknown): never => {
    this.running--;
    throw controllerError(thrown);
  };
}

// What a route may name: the controllers, by function or by path ('chat.say' is app.io.controller.chat.say), and the middlewares.
// Made by server.ts for its routers.

/** How many names a message lists. */
const LISTED = 50;

/** `app.io`, as far as it is needed here. */
interface Loaded {
  readonly controller: object;
  readonly middleware: object;
}

/** Finds what routes name. */
export class Names {
  /** @param io - `app.io` */
  constructor(private readonly io: Loaded) {}

  /**
   * What answers an event.
   *
   * @param given - a function, or the path of a controller's method
   * @param where - the route, for messages
   * @throws {ConfigError} where it is neither, with the paths that there are
   */
  handler(given: unknown, where: string): Handler {
    if (typeof given === 'function') return given as Handler;
    const found = typeof given === 'string' ? given.split('.').reduce<unknown>(member, this.io.controller) : undefined;
    if (typeof found === 'function') return found as Handler;
    throw new ConfigError(
      `handler of ${where}`,
      given,
      `a function, or one of the methods of app/io/controller: ${list(pathsIn(this.io.controller))}`,
      typeof given === 'string'
        ? `can't find controller: ${given} !`
        : `handler must be function!${this.#handlerHint(given)}`,
    );
  }

  /** Whether a handler is a middleware of `app/io`: its controller has been forgotten. */
  isMiddleware(handler: unknown): boolean {
    return Object.values(this.io.middleware).includes(handler);
  }

  /**
   * A middleware of a route.
   *
   * @throws {ConfigError} where it is no function, with the names that there are
   */
  middleware(given: unknown, where: string): Middleware {
    if (typeof given === 'function') return given as Middleware;
    const names = Object.keys(this.io.middleware);
    throw new ConfigError(
      `middleware of ${where}`,
      given,
      `a function (ctx, next), such as those of app/io/middleware: ${list(names)}`,
      `middleware must be function!${middlewareHint(given, names)}`,
    );
  }

  #handlerHint(given: unknown): string {
    if (given === undefined) return ' It is undefined: is its name misspelt?';
    if (Array.isArray(given)) return ' For middlewares write route(event, middleware, handler)';
    const [first] = Object.values(this.io.controller).includes(given) ? pathsIn(given as object) : [];
    return first === undefined ? '' : ` It is a controller: name one of its methods, such as ${first}`;
  }
}

function middlewareHint(given: unknown, names: string[]): string {
  if (typeof given === 'string' && names.includes(given)) return ` Write app.io.middleware.${given}`;
  return given instanceof Promise ? ' It was called: leave out the ()' : '';
}

function list(names: string[]): string {
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : '';
  return `${names.sort().slice(0, LISTED).join(', ') || 'there are none'}${more}`;
}

function member(of: unknown, name: string): unknown {
  const has = typeof of === 'object' && of !== null && Object.hasOwn(of, name);
  return has ? (of as Record<string, unknown>)[name] : undefined;
}

/** The paths of all methods, those of nested folders among them. */
function pathsIn(controllers: object, prefix = '', above: object[] = []): string[] {
  return Object.entries(controllers).flatMap(([name, value]) => {
    if (typeof value === 'function') return [prefix + name];
    if (typeof value !== 'object' || value === null || above.includes(value)) return [];
    return pathsIn(value, `${prefix}${name}.`, [...above, controllers]);
  });
}

// The names of events that Socket.IO itself emits on a socket, and who listens to them. Asked by router.ts and packet.ts.

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

/** Whether anybody hears a client's packet named `error`. Socket.IO itself listens, with a function that does nothing. */
export function isErrorHeard(socket: Socket): boolean {
  return socket.listeners('error').some(({ name }) => name !== 'noop');
}
