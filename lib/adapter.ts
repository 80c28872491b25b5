// What carries broadcasts: given to app.io as config.io and the number of workers have it. Called by app.ts before the
// namespaces are bound.
import type { Application } from 'egg';
import { linkAdapter } from './cluster';
import { resolveConfig } from './config';
import { adapterOf } from './host';
import { useRedis } from './redis';

/** Gives all namespaces their adapter, those that are here and those that come. */
export async function useAdapter(app: Application): Promise<void> {
  const kind = adapterOf(app);
  const { adapter } = resolveConfig(app.config.io);
  if (typeof adapter === 'function') app.io.adapter(adapter(app) as never);
  else if (kind === 'cluster') app.io.adapter(linkAdapter(app) as never);
  else if (kind.startsWith('redis')) await useRedis(app);
}
