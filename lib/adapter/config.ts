// config.io.adapter: its type, and its checks. Called by lib/config.ts for what is wrong in itself, and by lib/adapter.ts for
// what it is on this host.
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { ConfigError } from '../errors';

/** Makes the adapter of a namespace: what Socket.IO takes for its option `adapter`. */
export type AdapterConstructor = typeof Adapter | ((nsp: Namespace) => Adapter);

/** The adapters that the plugin brings along. */
export type AdapterName = 'memory' | 'cluster' | 'redis' | 'redis-sharded' | 'redis-streams';

/** The type of `config.io.adapter`. */
export type AdapterConfig = AdapterName | ((app: Application) => AdapterConstructor);

/** `'own'` is one that the application brings along. */
export type AdapterKind = AdapterName | 'own';

/** What of `config.io.init` matters here. */
interface Init {
  adapter?: unknown;
  connectionStateRecovery?: unknown;
}

/** What else the choice depends on. */
export interface Host {
  /** How many workers this host's master starts. */
  workers: number;
  /** Whether the master gives all connections of an address to one worker. */
  sticky: boolean;
}

const KEY = 'config.io.adapter';
const NAMES: readonly string[] = [
  'memory',
  'cluster',
  'redis',
  'redis-sharded',
  'redis-streams',
] satisfies AdapterName[];
const ALLOWED = `${NAMES.map((name) => `'${name}'`).join(', ')}, or a function (app) => an adapter's constructor`;

/**
 * Checks `config.io.adapter`.
 *
 * @param hasRedis - whether `config.io.redis` is set
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveAdapter(
  raw: unknown,
  init: Init,
  hasRedis: boolean,
  warnings: string[],
): AdapterConfig | undefined {
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== 'function' && !(typeof raw === 'string' && NAMES.includes(raw))) {
    throw new ConfigError(KEY, raw, ALLOWED);
  }
  if (init.adapter !== undefined) {
    throw new ConfigError('config.io.init.adapter', init.adapter, `nothing where ${KEY} is set: remove one`);
  }
  const needsRedis = typeof raw === 'string' && raw.startsWith('redis');
  if (needsRedis && !hasRedis) {
    const problem = `${KEY} needs Redis: set config.io.redis = { host, port } in config/config.default`;
    throw new ConfigError(KEY, raw, "'memory' and 'cluster' without config.io.redis", problem);
  }
  if (hasRedis && !needsRedis) {
    const set = typeof raw === 'string' ? `'${raw}'` : 'a function';
    warnings.push(`config.io.redis has no effect: ${KEY} is ${set}`);
  }
  return raw as AdapterConfig;
}

/**
 * Which adapter this application has on this host.
 *
 * @throws {ConfigError} where it can't do what `config.io.init` asks for
 */
export function chooseAdapter(
  { init, adapter, redis }: { init: Init; adapter: AdapterConfig | undefined; redis: unknown },
  host: Host,
): AdapterKind {
  const kind = kindOf(adapter, init, redis !== undefined, host);
  if (init.connectionStateRecovery) mustRecover(kind, host);
  return kind;
}

function kindOf(adapter: AdapterConfig | undefined, init: Init, hasRedis: boolean, { workers }: Host): AdapterKind {
  if (typeof adapter === 'function' || init.adapter !== undefined) return 'own';
  if (adapter === undefined) return hasRedis ? 'redis' : workers > 1 ? 'cluster' : 'memory';
  // One worker has nobody to talk to.
  return adapter === 'cluster' && workers === 1 ? 'memory' : adapter;
}

/** A client that comes back gets what it has missed only where the adapter keeps it, and wherever the client comes back to. */
function mustRecover(kind: AdapterKind, { workers, sticky }: Host): void {
  if (kind === 'own' || kind === 'redis-streams' || (kind === 'memory' && (workers === 1 || sticky))) return;
  const recovers = "config.io.adapter 'redis-streams', or 'memory' with one worker or with --sticky";
  throw new ConfigError(
    'config.io.init.connectionStateRecovery',
    true,
    'nothing, with this adapter',
    `connectionStateRecovery does not work with the adapter '${kind}' and ${workers} worker${workers === 1 ? '' : 's'}, which keeps no messages. What can carry it: ${recovers}`,
  );
}
