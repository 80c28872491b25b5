// config.io.redis: its type, and the way from what an application wrote to what redis.ts works with. Called by lib/config.ts.
import type { ClusterOptions, RedisOptions } from 'ioredis';
import { ConfigError } from '../errors';
import { type RedisNode, type ResolvedCluster, resolveCluster } from './cluster';
import { checkOption, isChecked } from './option';

/** The adapters that work by way of Redis. */
export type RedisKind = 'redis' | 'redis-sharded' | 'redis-streams';

/**
 * How to reach Redis: any option of ioredis, or the name of a client that egg-redis keeps.
 *
 * @example
 * config.io = { redis: { host: '10.0.0.5', port: 6379, auth_pass: process.env.REDIS_PASSWORD, db: 0 } };
 * // a Redis Cluster
 * config.io = { redis: { cluster: true, nodes: [{ host: '10.0.0.5', port: 6379 }] } };
 * // with egg-redis
 * config.io = { redis: { clientName: 'default' } };
 */
export interface RedisConfig extends RedisOptions, Omit<ClusterOptions, keyof RedisOptions> {
  /** The password, under the name it had in egg-socket.io 4. `password` works as well. */
  auth_pass?: string;
  /** The client of egg-redis to use: its name in `config.redis.clients`, or `'default'` for `config.redis.client`. */
  clientName?: string;
  /** Whether it is a Redis Cluster, which is found by `nodes`. */
  cluster?: boolean;
  /** Some nodes of the Cluster; they know the others. */
  nodes?: RedisNode[];
  /**
   * What the names of the channels begin with, and the name of the stream. All workers that share rooms have the same; applications that share a
   * Redis server and no rooms have different ones, since channels know no `db`. Default: `'socket.io'`.
   */
  key?: string;
  /**
   * How long `fetchSockets()` and the like wait for the answers of other workers, and the first clients of a namespace for
   * Redis to subscribe to its channels, in ms. Default: 5000.
   */
  requestsTimeout?: number;
  /**
   * Of `'redis-sharded'`: which rooms have a channel of their own, and so a node of the Cluster. None, all events of a
   * namespace have one (`'static'`); those that sockets have joined (`'dynamic'`); each socket's own room as well
   * (`'dynamic-private'`). All workers have the same. Default: `'static'`, which alone keeps the order among rooms, and
   * reaches a socket in a room that it has joined this moment.
   */
  subscriptionMode?: 'static' | 'dynamic' | 'dynamic-private';
  /** Of `'redis-streams'`: how many messages Redis keeps, about. Default: 10000. */
  maxLen?: number;
  /** Of `'redis-streams'`: how many messages are read at once. Default: 100. */
  readCount?: number;
}

/** What the adapters take. */
export type AdapterOptions = Pick<RedisConfig, 'key' | 'requestsTimeout' | 'subscriptionMode' | 'maxLen' | 'readCount'>;

export const PREFIX = 'socket.io';
/** In ms. */
export const REQUESTS_TIMEOUT = 5000;
export const MAX_LENGTH = 10_000;
export const READ_COUNT = 100;

/** `config.io.redis`, checked. */
export interface ResolvedRedis {
  clientName: string | undefined;
  /** For ioredis; empty where there is a `clientName` or a `cluster`. */
  options: RedisOptions;
  cluster?: ResolvedCluster;
  adapter: AdapterOptions;
}

/** What of the rest of `config.io` matters here. */
interface Rest {
  init: { adapter?: unknown };
  adapter?: unknown;
}

/** Options that one adapter alone takes. */
const ONLY: Array<[key: 'subscriptionMode' | 'maxLen' | 'readCount', kind: RedisKind]> = [
  ['subscriptionMode', 'redis-sharded'],
  ['maxLen', 'redis-streams'],
  ['readCount', 'redis-streams'],
];

/**
 * Checks `config.io.redis` and sorts its keys by who reads them. No message contains a password.
 *
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveRedis(raw: unknown, { init, adapter }: Rest, warnings: string[]): ResolvedRedis | undefined {
  // `redis: false` turns it off where config.default.ts has turned it on.
  if (raw === undefined || raw === null || raw === false) return undefined;
  if (typeof raw !== 'object' || Array.isArray(raw)) {
    const shown = typeof raw === 'string' ? raw.replace(/:[^:@/]*@/, ':***@') : raw;
    throw new ConfigError('config.io.redis', shown, 'an object: { host, port, auth_pass, db } or { clientName }');
  }
  if (init.adapter !== undefined) {
    throw new ConfigError('config.io.init.adapter', init.adapter, 'nothing where config.io.redis is set: remove one');
  }
  for (const [key, value] of Object.entries(raw)) checkOption(key, value, warnings);
  // What isn't set, in the environment say, leaves its default. Some of ioredis's options may be null.
  const set = Object.entries(raw).filter(([key, value]) => value !== undefined && (value !== null || !isChecked(key)));
  const all = Object.fromEntries(set) as RedisConfig;
  const { clientName, key, requestsTimeout, auth_pass, cluster, nodes, ...options } = all;
  const own: AdapterOptions = { key, requestsTimeout };
  for (const [name, kind] of ONLY) {
    if (options[name] === undefined) continue;
    Object.assign(own, { [name]: options[name] });
    delete options[name];
    if (adapter !== kind) warnings.push(`config.io.redis.${name} has no effect: it is for config.io.adapter '${kind}'`);
  }
  const password = options.password ?? auth_pass;
  if (password !== undefined) options.password = String(password);
  const others = [...Object.keys(options), ...['cluster', 'nodes'].filter((name) => name in all)];
  if (clientName && others.length > 0) {
    throw new ConfigError(
      'config.io.redis.clientName',
      clientName,
      `either clientName, beside it only key and requestsTimeout, or the options of a connection: remove clientName or ${others.join(', ')}`,
    );
  }
  const resolved = resolveCluster(cluster, nodes, options);
  return { clientName, adapter: own, ...(resolved ? { options: {}, cluster: resolved } : { options }) };
}

/** Keeps `auth_pass` out of the configuration that Egg writes to run/, as Egg does it with `password`. */
export function hidePassword(config: object): void {
  const { dump } = config as { dump?: { ignore?: unknown } };
  if (dump?.ignore instanceof Set) dump.ignore.add('auth_pass');
}
