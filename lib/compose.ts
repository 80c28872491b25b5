// Middleware of app/io: from the names in the configuration to one koa-compose chain.
import type { Context } from 'egg';
import compose from 'koa-compose';
import { ConfigError } from './errors';
import type { Middleware } from './types/context';

/** A composed chain. `innermost` is what the `next()` of its last middleware calls. */
export type Onion = (ctx: Context, innermost?: () => unknown) => Promise<unknown>;

/** Middleware that decorated controllers add to the chains of a namespace, after that of the configuration. */
export interface AddedChains {
  readonly connection: readonly Middleware[];
  readonly packet: readonly Middleware[];
}

/**
 * Looks up middlewares by name.
 *
 * @param where - the configuration key that lists them, for messages
 * @param names - in the order in which they run
 * @param known - `app.io.middleware`
 * @throws {ConfigError} if a name is unknown, or is not a middleware function
 */
export function lookUp(where: string, names: string[], known: Record<string, unknown>): Middleware[] {
  return names.map((name) => {
    const middleware = Object.hasOwn(known, name) ? known[name] : undefined;
    if (middleware === undefined) {
      throw new ConfigError(
        where,
        names,
        `the files of app/io/middleware: ${Object.keys(known).sort().join(', ') || 'none'}`,
        `can't find middleware: ${name} !`,
      );
    }
    if (typeof middleware !== 'function' || isClass(middleware)) {
      throw new ConfigError(
        where,
        names,
        `functions: app/io/middleware/${name} must export app => async (ctx, next) => {}`,
        `middleware ${name} is not a function (ctx, next)`,
      );
    }
    return middleware as Middleware;
  });
}

/** Composes middlewares, or returns undefined if there are none. */
export function composeChain(middlewares: Middleware[]): Onion | undefined {
  if (middlewares.length === 0) return undefined;
  return compose(middlewares as compose.Middleware<Context>[]) as Onion;
}

/**
 * Composes middlewares around a handler: `await next()` returns what the handler has returned. A middleware that returns another value
 * replaces it, and one that returns nothing keeps it.
 */
export function composeAround(middlewares: readonly Middleware[]): Onion | undefined {
  return composeChain(middlewares.map(keepResult));
}

function keepResult(middleware: Middleware): Middleware {
  // Without async functions, which would create twice as many promises: that saves 0.5 µs an event for each middleware.
  return (ctx, next) => {
    let result: unknown;
    const keep = (value: unknown) => {
      result = value;
      return value;
    };
    const running = middleware(ctx, () => next().then(keep));
    return Promise.resolve(running).then((own) => (own === undefined ? result : own));
  };
}

/** Whether a function is a class: its `prototype` cannot be assigned, or has methods. */
export function isClass(value: unknown): value is new (...args: never[]) => object {
  if (typeof value !== 'function') return false;
  const prototype = Object.getOwnPropertyDescriptor(value, 'prototype');
  if (prototype === undefined || isGenerator(prototype.value)) return false;
  return prototype.writable === false || Object.getOwnPropertyNames(prototype.value ?? {}).length > 1;
}

/** The prototype of a generator function's generators has no constructor. */
function isGenerator(prototype: unknown): boolean {
  return typeof prototype === 'object' && prototype !== null && !Object.hasOwn(prototype, 'constructor');
}
