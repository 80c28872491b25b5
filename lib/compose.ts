// From the names of a chain to one onion, checked at boot. Called by boot.ts.
import type { Context } from 'egg';
import compose from 'koa-compose';
import { ConfigError } from './errors';
import type { Middleware } from './types/context';

/** A composed chain. What it is called with last is its core. */
export type Onion = (ctx: Context, core?: Middleware) => Promise<void>;

/**
 * Looks up the middlewares of a chain.
 *
 * @param where - the configuration key that lists them, for messages
 * @param names - their names, in order
 * @param known - `app.io.middleware`
 * @throws {ConfigError} for a name that is none, or one that is no middleware function
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
    if (typeof middleware !== 'function' || /^class\b/.test(Function.prototype.toString.call(middleware))) {
      throw new ConfigError(
        where,
        names,
        `functions: app/io/middleware/${name} must export app => async (ctx, next) => {}`,
        `middleware ${name} is no function (ctx, next)`,
      );
    }
    return middleware as Middleware;
  });
}

/**
 * Composes middlewares into one onion.
 *
 * @param core - of all calls; without it each brings its own
 */
export function composeChain(middlewares: Middleware[], core?: Middleware): Onion {
  const [only, ...others] = middlewares;
  if (only !== undefined && others.length === 0) return single(only, core);
  return compose([...middlewares, ...(core ? [core] : [])] as compose.Middleware<Context>[]) as Onion;
}

/**
 * Composes middlewares into one onion of which many run at once, each for hours.
 *
 * @param core - of all calls, with the context as `this`; a second call of it for one context is its own to refuse
 */
export function composeLasting(middlewares: Middleware[], core: (this: Context) => Promise<void>): Onion {
  const [only, ...others] = middlewares;
  // Nothing is kept of it but `next`.
  if (only !== undefined && others.length === 0) return (ctx) => settled(only, ctx, core.bind(ctx));
  return composeChain(middlewares, (ctx) => core.call(ctx));
}

/** What koa-compose would make of one middleware, with less of it for each call. */
function single(middleware: Middleware, core: Middleware = nothing): Onion {
  // Without a default value of a parameter, which would have a scope of its own for each call.
  return (ctx, own) => {
    let inner: Middleware | undefined = own ?? core;
    const next = (): Promise<void> => {
      const called = inner;
      if (called === undefined) return Promise.reject(new Error('next() called multiple times'));
      inner = undefined;
      return settled(called, ctx, nothing);
    };
    return settled(middleware, ctx, next);
  };
}

/** A promise of what it returns or throws. */
function settled(middleware: Middleware, ctx: Context, next: () => Promise<void>): Promise<void> {
  try {
    return Promise.resolve(middleware(ctx, next)) as Promise<void>;
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

/** What is behind a core, and where there is none. */
const nothing = (): Promise<void> => Promise.resolve();
