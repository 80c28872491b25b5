// What a route may name: the controllers, by function or by path ('chat.say' is app.io.controller.chat.say), and the middlewares.
// Made by server.ts for its routers.
import type { Middleware } from './chain';
import { ConfigError } from './errors';
import type { Handler } from './route';

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
