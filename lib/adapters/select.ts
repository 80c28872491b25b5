// What carries broadcasts: given to app.io as config.io and the number of workers have it. Called by app.ts before the
// namespaces are bound.
import type { Application } from 'egg';
import { configOf } from '../config/config';
import { adapterOf } from '../config/topology';
import { ConfigError } from '../errors';
import { linkAdapter } from '../workers/workers';
import { recoveryAdapter } from './memory-adapter';
import { useRedis } from './redis/install';

/** Gives all namespaces their adapter, those that are here and those that come. */
export async function useAdapter(app: Application): Promise<void> {
  const kind = adapterOf(app);
  const { adapter } = configOf(app);
  if (typeof adapter === 'function') app.io.adapter(own(adapter(app)) as never);
  else if (kind === 'cluster') app.io.adapter(linkAdapter(app) as never);
  else if (kind === 'memory') recover(app);
  else if (kind !== 'own') await useRedis(app, kind);
}

function recover({ io }: Application): void {
  if (io.recoveryDuration !== undefined) io.adapter(recoveryAdapter(io.recoveryDuration) as never);
}

/** What an application's function has given, as Socket.IO calls it: with `new`. */
function own(adapter: unknown): unknown {
  if (typeof adapter !== 'function') {
    const problem =
      'the function config.io.adapter must return an adapter or its constructor, such as createAdapter(…)';
    throw new ConfigError('config.io.adapter', adapter, "a function (app) => an adapter's constructor", problem);
  }
  if (adapter.prototype) return adapter;
  // biome-ignore lint/complexity/useArrowFunction: an arrow function, such as the application's, is no constructor
  return function (nsp: unknown) {
    return adapter(nsp);
  };
}
