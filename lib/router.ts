// The routes of a namespace: which handler answers which event. app/router of the application adds them.
import type { Context } from 'egg';
import type { Namespace } from 'socket.io';
import type { Ack } from './ack';
import { composeAround, type Onion } from './compose';
import { setArgs } from './context';
import { ConfigError, controllerError, isPromise } from './errors';
import { assertArguments, isMeantAsSchema, Validator } from './event-schema';
import { memberAt, pathOfPlaceholder } from './placeholder';
import type { Handler, Middleware } from './types/context';
import type { EmittedSchemas, EventSchema } from './types/schema';

/** The handler of a route: a function, or the path of a method of `app.io.controller`, such as `'chat.say'`. */
export type Routed = Handler | string;

/** What follows the event in a route: middleware of the route and at most one schema, then its handler. */
export type RouteTail = [...steps: (Middleware | EventSchema)[], handler: Routed];

/** What runs before the handler of a route. */
type Step = Middleware | Validator;

/** The event of the route for all events that have no route. */
const CATCH_ALL = '*';

/** The property of a controller's method that has its file and name, for messages. */
export const HANDLER_PATH = Symbol('egg-socket.io:handler-path');

/** Events that Socket.IO emits itself. Its own parser refuses them from a client; other parsers may let them through. */
const RESERVED: ReadonlySet<unknown> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** Events that no client sends and that can be routed. */
const SYSTEM_EVENTS: ReadonlySet<unknown> = new Set(['connect', 'disconnecting', 'disconnect', 'error']);

/** Whether clients cannot send an event of that name. */
export function isReserved(event: unknown): boolean {
  return RESERVED.has(event);
}

/** Whether an event is one that no client sends and that can be routed. */
export function isSystemEvent(event: unknown): boolean {
  return SYSTEM_EVENTS.has(event);
}

/** The routes of one namespace. A client's event name is data: any string is looked up, and only routed ones are found. */
export class Router {
  readonly #routes = new Map<unknown, Route>();
  /** The schemas of the events that the namespace emits. */
  readonly emitted = new Map<string, EmittedSchemas[string]>();
  /** The route of `'*'`. */
  #catchAll: Route | undefined;

  /**
   * @param name - the name of the namespace, for messages
   * @param log - for warnings
   * @param lookup - finds the handlers and middleware that routes name
   * @param config - `env` decides whether answers are checked
   */
  constructor(
    readonly name: string,
    private readonly log: { warn(message: string): void },
    private readonly lookup: RouteLookup,
    private readonly config: { readonly env: string },
  ) {}

  /**
   * Routes an event, or each event of an object, to a handler. The first route of an event stays.
   *
   * @param event - the name of the event, `'*'` for all events without a route, or an object of handlers by event
   * @param tail - the middleware and the schema of the route, then its handler
   * @throws {ConfigError} if the event is not a string, if the handler is not a function, if no controller has its path, or if the
   *   schema is wrong
   */
  add(event: string | Record<string, Routed>, ...tail: unknown[]): void {
    if (this.lookup.postpone(() => this.add(event, ...tail))) return;
    if (isPlainObject(event) && tail.length === 0) {
      for (const [name, handler] of Object.entries(event)) this.add(name, handler);
      return;
    }
    if (typeof event !== 'string') {
      throw new ConfigError(`event of app.io.of('${this.name}').route()`, event, 'a string', 'event must be string!');
    }
    const where = `app.io.of('${this.name}').route('${event}', handler)`;
    const handler = this.lookup.handler(tail.at(-1), where);
    const steps = tail.slice(0, -1).map((step) => this.#step(step, event, where));
    assertOneSchema(steps, where);
    this.#warnOfMistakes(event, handler, where);
    const first = this.#routes.get(event);
    if (first !== undefined) {
      this.log.warn(
        `[egg-socket.io] ${where} is ignored: the event has a route already. First: ${pathOf(first.handler)}, ignored: ${pathOf(handler)}`,
      );
      return;
    }
    const route = new Route(handler, steps);
    this.#routes.set(event, route);
    if (event === CATCH_ALL) this.#catchAll = route;
  }

  /**
   * Declares what the namespace emits.
   *
   * @throws {ConfigError} if it is no object, or if an element is no schema
   */
  declare(schemas: EmittedSchemas): void {
    if (typeof schemas !== 'object' || schemas === null) {
      const key = `app.io.of('${this.name}').emits()`;
      throw new ConfigError(key, schemas, 'an object of arrays of schemas by event, such as { said: [schema] }');
    }
    for (const [event, args] of Object.entries(schemas)) {
      assertArguments(args, `'${event}' of app.io.of('${this.name}').emits()`);
      this.emitted.set(event, args);
    }
  }

  /** The routes by event, in the order in which they were added. */
  get routes(): ReadonlyMap<unknown, Route> {
    return this.#routes;
  }

  /** How many events have a route. */
  get size(): number {
    return this.#routes.size;
  }

  /** Returns the route of a system event. */
  get(event: unknown): Route | undefined {
    return this.#routes.get(event);
  }

  /** Returns the route of an event that a client has sent. With some parsers the name may be any value. */
  find(event: unknown): Route | undefined {
    if (SYSTEM_EVENTS.has(event)) return undefined;
    return this.#routes.get(event) ?? (typeof event === 'string' ? this.#catchAll : undefined);
  }

  /** Returns the name of the route that `find` returns: that of the event, or `'*'`. */
  nameOf(event: unknown): string | undefined {
    if (this.find(event) === undefined) return undefined;
    return this.#routes.has(event) ? (event as string) : CATCH_ALL;
  }

  /** Returns the routed events. */
  events(): string[] {
    return Array.from(this.#routes.keys(), String);
  }

  /** Returns the events whose handlers are running, each with their number, for messages. */
  running(): string[] {
    return Array.from(this.#routes).flatMap(([event, { running }]) =>
      running > 0 ? [`${this.name} ${event}: ${running}`] : [],
    );
  }

  #step(given: unknown, event: string, where: string): Step {
    if (pathOfPlaceholder(given) !== undefined || !isMeantAsSchema(given)) return this.lookup.middleware(given, where);
    if (SYSTEM_EVENTS.has(event)) {
      throw new ConfigError(`schema of ${where}`, given, 'none', `${event} is a system event, which no client sends`);
    }
    const { env } = this.config;
    return new Validator(given, where, env === 'local' || env === 'unittest');
  }

  #warnOfMistakes(event: string, handler: Handler, where: string): void {
    if (isReserved(event) && !SYSTEM_EVENTS.has(event)) {
      this.log.warn(`[egg-socket.io] ${where} never runs: Socket.IO reserves the name, and no client can send it`);
    }
    if (event === 'connection') {
      this.log.warn(
        `[egg-socket.io] ${where} runs only if a client sends an event of that name. Code that runs once a client is connected belongs into route('connect', handler), and code that admits or refuses it into connectionMiddleware`,
      );
    }
    if (this.lookup.isMiddleware(handler)) {
      this.log.warn(
        `[egg-socket.io] ${where} ends with a middleware of app/io/middleware: add the controller after it, route('${event}', middleware, handler)`,
      );
    }
  }
}

function assertOneSchema(steps: Step[], where: string): void {
  const count = steps.filter((step) => step instanceof Validator).length;
  if (count > 1) throw new ConfigError(`schema of ${where}`, count, 'one schema', `${where} has ${count} schemas`);
}

/** The route of one event: its handler, and the middleware around it. */
export class Route {
  /** How many calls of the handler are running. */
  running = 0;
  readonly middlewares: readonly Middleware[];
  /** Undefined if the route has no schema. */
  readonly validator: Validator | undefined;
  readonly #chain: Onion | undefined;

  /** @param steps - what runs before the handler, in this order */
  constructor(
    readonly handler: Handler,
    steps: readonly Step[],
  ) {
    this.middlewares = steps.filter((step): step is Middleware => !(step instanceof Validator));
    this.validator = steps.find((step) => step instanceof Validator);
    this.#chain = composeAround(steps.map((step) => (step instanceof Validator ? step.middleware : step)));
  }

  /**
   * Runs the middleware and the handler. Returns what the handler has returned, or what a middleware has returned in its place.
   *
   * @param packet - `[event, ...args]` of a client. Undefined for a system event, whose `ctx.args` are set already
   * @param ack - the acknowledgement that the handler's result settles
   */
  run(ctx: Context, packet?: unknown[], ack?: Ack): Promise<unknown> {
    if (this.#chain === undefined) return this.#handle(ctx, packet, ack);
    return this.#chain(ctx, () => this.#handle(ctx, packet, ack));
  }

  async #handle(ctx: Context, packet: unknown[] | undefined, ack: Ack | undefined): Promise<unknown> {
    ack?.routed();
    const { validator } = this;
    if (packet !== undefined && validator === undefined) setArgs(ctx, packet.slice(1));
    this.running++;
    let result: unknown;
    try {
      result = this.handler.call(ctx, ctx);
      // The handler may be synchronous: an `await` costs it two promises.
      if (isPromise(result)) result = await result;
      if (validator?.checksAnswers && ack?.isOpen) await validator.checkAnswer(result);
    } catch (thrown) {
      const err = controllerError(thrown);
      if (ack?.failed(err)) return undefined;
      throw err;
    } finally {
      this.running--;
    }
    ack?.returned(result);
    return result;
  }
}

const ROUTER = Symbol('egg-socket.io:router');

type WithRouter = Namespace & { [ROUTER]?: Router };

/** Returns the router of a namespace, or undefined if `app.io.of()` has not returned the namespace. */
export function routerOf(nsp: Namespace): Router | undefined {
  return (nsp as WithRouter)[ROUTER];
}

/** Sets the router of a namespace. A child namespace has that of its parent. */
export function setRouter(nsp: Namespace, router: Router): Router {
  (nsp as WithRouter)[ROUTER] = router;
  return router;
}

function isPlainObject(value: unknown): value is Record<string, Routed> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function pathOf(handler: Handler & { [HANDLER_PATH]?: string }): string {
  return handler[HANDLER_PATH] ?? (handler.name || 'an anonymous function');
}

/** How many names a message lists. */
const MAX_LISTED = 50;

/** `app.io`, as far as routes look it up. */
interface LoadedFiles {
  readonly controller: object;
  readonly middleware: object;
}

/** Looks up what routes name: controllers by function or by path (`'chat.say'` is `app.io.controller.chat.say`), and middleware. */
export class RouteLookup {
  /** The routes that were added before the files were loaded. Undefined after that. */
  #early: Array<() => void> | undefined = [];

  /** @param io - `app.io` */
  constructor(private readonly io: LoadedFiles) {}

  /** Postpones the addition of a route until the files are loaded. Returns whether they are not loaded yet. */
  postpone(add: () => void): boolean {
    this.#early?.push(add);
    return this.#early !== undefined;
  }

  /** Must be called when the files are loaded. Adds the routes that were added before. */
  loaded(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const add of early) add();
  }

  /**
   * Returns the handler of a route.
   *
   * @param given - a function, or the path of a controller's method
   * @param where - the route, for messages
   * @throws {ConfigError} if it is neither, with the paths of all methods
   */
  handler(given: unknown, where: string): Handler {
    const path = pathOfPlaceholder(given) ?? given;
    if (typeof path === 'function') return path as Handler;
    const found = typeof path === 'string' ? memberAt(this.io.controller, path.split('.')) : undefined;
    if (typeof found === 'function') return found as Handler;
    throw new ConfigError(
      `handler of ${where}`,
      path,
      `a function, or one of the methods of app/io/controller: ${list(methodPaths(this.io.controller))}`,
      typeof path === 'string' ? `can't find controller: ${path} !` : `handler must be function!${this.#hint(path)}`,
    );
  }

  /** Whether a handler is a middleware of `app/io`: its controller is missing. */
  isMiddleware(handler: unknown): boolean {
    return Object.values(this.io.middleware).includes(handler);
  }

  /**
   * Returns a middleware of a route.
   *
   * @throws {ConfigError} if it is not a function, with the names of all middleware
   */
  middleware(given: unknown, where: string): Middleware {
    const name = pathOfPlaceholder(given);
    const found = name === undefined ? given : memberAt(this.io.middleware, [name]);
    if (typeof found === 'function') return found as Middleware;
    const names = Object.keys(this.io.middleware);
    throw new ConfigError(
      `middleware of ${where}`,
      name ?? given,
      `a schema { args, ack }, or a function (ctx, next), such as those of app/io/middleware: ${list(names)}`,
      name === undefined
        ? `middleware must be function!${middlewareHint(given, names)}`
        : `can't find middleware: ${name} !`,
    );
  }

  #hint(given: unknown): string {
    if (given === undefined) return ' It is undefined: is its name misspelt?';
    if (Array.isArray(given)) return ' For middlewares write route(event, middleware, handler)';
    if (isMeantAsSchema(given) && ('args' in given || 'ack' in given))
      return ' It is a schema: add the handler after it';
    const [first] = Object.values(this.io.controller).includes(given) ? methodPaths(given as object) : [];
    return first === undefined ? '' : ` It is a controller: name one of its methods, such as ${first}`;
  }
}

function middlewareHint(given: unknown, names: string[]): string {
  if (typeof given === 'string' && names.includes(given)) return ` Write app.io.middleware.${given}`;
  return given instanceof Promise ? ' It was called: leave out the ()' : '';
}

function list(names: string[]): string {
  const more = names.length > MAX_LISTED ? `, and ${names.length - MAX_LISTED} more` : '';
  return `${names.sort().slice(0, MAX_LISTED).join(', ') || 'there are none'}${more}`;
}

/** Returns the paths of all methods, including those of nested folders. */
function methodPaths(controllers: object, prefix = '', above: object[] = []): string[] {
  return Object.entries(controllers).flatMap(([name, value]) => {
    if (typeof value === 'function') return [prefix + name];
    if (typeof value !== 'object' || value === null || above.includes(value)) return [];
    return methodPaths(value, `${prefix}${name}.`, [...above, controllers]);
  });
}
