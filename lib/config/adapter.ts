// `config.io.adapter`: the adapter by its name, or by a function.
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { ConfigError } from '../errors';

/** Creates the adapter of a namespace: the option `adapter` of Socket.IO. */
export type AdapterConstructor = typeof Adapter | ((nsp: Namespace) => Adapter);

/** The adapters of the plugin. */
export type AdapterName = 'memory' | 'cluster' | 'redis' | 'redis-sharded' | 'redis-streams';

/** `config.io.adapter`. */
export type AdapterConfig = AdapterName | ((app: Application) => AdapterConstructor);

const ADAPTERS = ['memory', 'cluster', 'redis', 'redis-sharded', 'redis-streams'] satisfies AdapterName[];

export function resolveAdapter(
  raw: unknown,
  init: { adapter?: unknown },
  hasRedis: boolean,
  warnings: string[],
): AdapterConfig | undefined {
  const key = 'config.io.adapter';
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== 'function' && !(ADAPTERS as unknown[]).includes(raw)) {
    const names = ADAPTERS.map((name) => `'${name}'`).join(', ');
    throw new ConfigError(key, raw, `${names}, or a function (app) => an adapter's constructor`);
  }
  if (init.adapter !== undefined) {
    throw new ConfigError('config.io.init.adapter', init.adapter, `nothing if ${key} is set: remove one`);
  }
  const needsRedis = typeof raw === 'string' && raw.startsWith('redis');
  if (needsRedis && !hasRedis) {
    const problem = `${key} needs Redis: set config.io.redis = { host, port } in config/config.default`;
    throw new ConfigError(key, raw, "'memory' and 'cluster' without config.io.redis", problem);
  }
  if (hasRedis && !needsRedis) {
    const value = typeof raw === 'string' ? `'${raw}'` : 'a function';
    warnings.push(`config.io.redis has no effect: ${key} is ${value}`);
  }
  return raw as AdapterConfig;
}
