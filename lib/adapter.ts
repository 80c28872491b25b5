// What carries broadcasts: chosen by config.io and by the number of workers, and given to app.io. Called by app.ts before the
// namespaces are bound, and by agent.ts for what is wrong.
import type { Agent, Application } from 'egg';
import { type AdapterKind, chooseAdapter, type Host } from './adapter/config';
import { resolveConfig } from './config';
import { useRedis } from './redis';

/**
 * Which adapter an application has.
 *
 * @throws {ConfigError} where config.io asks for what can't be
 */
export function adapterOf(app: Application | Agent): AdapterKind {
  return chooseAdapter(resolveConfig(app.config.io), hostOf(app));
}

/** What Egg's master was started with. */
export function hostOf(app: object): Host {
  const { workers, sticky } = (app as { options: { workers?: number; sticky?: boolean } }).options;
  return { workers: workers ?? 1, sticky: sticky === true };
}

/** Gives all namespaces their adapter, those that are here and those that come. */
export async function useAdapter(app: Application): Promise<void> {
  const kind = adapterOf(app);
  const { adapter } = resolveConfig(app.config.io);
  if (typeof adapter === 'function') app.io.adapter(adapter(app) as never);
  else if (kind.startsWith('redis')) await useRedis(app);
}
