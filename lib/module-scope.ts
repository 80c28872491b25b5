// tegg's module scope: within it the objects of `@ContextProto` exist for one context. It ends with the event, and the objects with it.
import type { Application, Context } from 'egg';
import type { Onion } from './compose';

/** What tegg's plugin adds to contexts. It does not return what the function has returned. */
type ScopedContext = Context & { beginModuleScope(fn: () => Promise<void>): Promise<void> };

/** Runs a function in a module scope of its context, which ends when the promise of the function has settled. Returns its result. */
export type ModuleScope = <T>(ctx: Context, fn: () => Promise<T>) => Promise<T>;

/** Returns undefined if the application does not enable tegg. */
export function moduleScopeOf(app: Application): ModuleScope | undefined {
  if (!('beginModuleScope' in app.context)) return undefined;
  return async <T>(ctx: Context, fn: () => Promise<T>): Promise<T> => {
    let result: T | undefined;
    await (ctx as ScopedContext).beginModuleScope(async () => {
      result = await fn();
    });
    return result as T;
  };
}

/** Runs a function in a module scope. Without tegg, just runs it. */
export function inScope<T>(scope: ModuleScope | undefined, ctx: Context, fn: () => Promise<T>): Promise<T> {
  return scope === undefined ? fn() : scope(ctx, fn);
}

/** Returns a chain that runs in a module scope, with all that its innermost `next()` runs. */
export function scopedChain(scope: ModuleScope, chain: Onion = justInnermost): Onion {
  return (ctx, innermost) => scope(ctx, () => chain(ctx, innermost));
}

const justInnermost: Onion = async (_ctx, innermost) => innermost?.();
