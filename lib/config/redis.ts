// config.io.redis: its type, and the way from what an application wrote to what redis.ts works with. Called by lib/config.ts.
import type { ClusterOptions, RedisOptions } from 'ioredis';
import { ConfigError } from '../errors';

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

// One option of config.io.redis: what it may be, and what to write instead. Called by config.ts.

const MODES = ['static', 'dynamic', 'dynamic-private'];

type Check = [holds: (value: unknown) => boolean, allowed: string];

const text: Check = [(value) => typeof value === 'string' && value !== '', 'a string that is not empty'];
const PASSWORD: Check = [(value) => typeof value === 'string' || typeof value === 'number', 'a string'];
const CHECKS: Record<string, Check> = {
  host: text,
  path: text,
  clientName: text,
  key: text,
  auth_pass: PASSWORD,
  password: PASSWORD,
  port: [(value) => isCount(value) && Number(value) > 0 && Number(value) < 65_536, 'a port number, from 1 to 65535'],
  db: [isCount, 'the index of a database: 0, 1, …'],
  subscriptionMode: [(value) => MODES.includes(value as string), MODES.map((mode) => `'${mode}'`).join(', ')],
  maxLen: [isPositive, 'a whole number greater than 0'],
  readCount: [isPositive, 'a whole number greater than 0'],
  requestsTimeout: [(value) => typeof value === 'number' && value > 0, 'a number of ms greater than 0'],
};

/** What egg-socket.io 4 took, or one may expect, and what to write instead. */
const INSTEAD: Record<string, string> = {
  adapter: 'config.io.adapter',
  pubClient: 'config.io.redis.clientName, the name of a client of egg-redis, which is duplicated for subscribing',
  subClient: 'config.io.redis.clientName, the name of a client of egg-redis, which is duplicated for subscribing',
  url: 'host, port, auth_pass and db',
  uri: 'host, port, auth_pass and db',
};

/**
 * Checks one option. What it says of it contains no password.
 *
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function checkOption(key: string, value: unknown, warnings: string[]): void {
  const where = `config.io.redis.${key}`;
  if (Object.hasOwn(INSTEAD, key)) {
    throw new ConfigError(where, '***', `${INSTEAD[key]}`, `unknown option ${key}`);
  }
  const [holds, allowed] = (isChecked(key) && CHECKS[key]) || [() => true, ''];
  if (value !== undefined && value !== null && !holds(value)) {
    throw new ConfigError(where, holds === PASSWORD[0] ? '***' : value, allowed);
  }
  if (key.includes('_') && key !== 'auth_pass') {
    warnings.push(`${where} has no effect: it is an option of node_redis, look up its name in ioredis`);
  }
}

/** Whether it is an option that is checked here: the others are ioredis's. */
export function isChecked(key: string): boolean {
  return Object.hasOwn(CHECKS, key);
}

function isPositive(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0;
}

/** A whole number, which may come from the environment as a string. */
function isCount(value: unknown): boolean {
  return (typeof value === 'number' || typeof value === 'string') && /^\d+$/.test(String(value));
}

// config.io.redis.cluster and nodes: a Redis Cluster, written as for egg-redis or as for ioredis. Called by config.ts.

/** A node that is asked for the others. */
export interface RedisNode {
  host: string;
  port: number | string;
  username?: string;
  password?: string;
  /** A Redis Cluster has the database 0 only. */
  db?: 0;
}

/** A Redis Cluster, as ioredis takes it. */
export interface ResolvedCluster {
  nodes: Array<RedisNode & { port: number }>;
  options: ClusterOptions;
}

/** Options of ioredis that are the Cluster's; every other is one of the connections to its nodes. */
const OF_CLUSTER: readonly string[] = [
  'clusterRetryStrategy',
  'clusterNodeRetryStrategy',
  'enableReadyCheck',
  'scaleReads',
  'maxRedirections',
  'retryDelayOnFailover',
  'retryDelayOnClusterDown',
  'retryDelayOnTryAgain',
  'retryDelayOnMoved',
  'slotsRefreshTimeout',
  'slotsRefreshInterval',
  'useSRVRecords',
  'resolveSrv',
  'dnsLookup',
  'natMap',
  'enableAutoPipelining',
  'autoPipeliningIgnoredCommands',
  'keyPrefix',
  'scripts',
] satisfies Array<keyof ClusterOptions>;

/** Where a server is that is no Cluster. */
const OF_SERVER = ['host', 'port', 'path', 'db', 'sentinels', 'name'];

const NODES = "a list of one node or more: [{ host: '10.0.0.5', port: 6379 }]";

/**
 * Checks the nodes. Returns them with the options of the Cluster, or undefined where it is none.
 *
 * @throws {ConfigError} naming the key and what is allowed, without a password
 */
export function resolveCluster(
  cluster: unknown,
  nodes: unknown,
  options: RedisOptions & ClusterOptions,
): ResolvedCluster | undefined {
  const key = 'config.io.redis.cluster';
  if (cluster !== undefined && typeof cluster !== 'boolean') {
    throw new ConfigError(key, Array.isArray(cluster) ? '[…]' : cluster, 'true, and nodes beside it, or false');
  }
  if (!cluster) {
    if (nodes === undefined) return undefined;
    throw new ConfigError('config.io.redis.nodes', '[…]', 'nodes beside cluster: true: set it, or remove nodes');
  }
  const useless = OF_SERVER.filter((each) => (each === 'db' ? Number(options.db ?? 0) !== 0 : each in options));
  if (useless.length > 0) {
    throw new ConfigError(key, true, `nodes beside it, and no ${useless.join(', ')}: a Cluster is found by its nodes`);
  }
  const checked = checkNodes(nodes);
  const { redisOptions, db: _db, ...rest } = options;
  const ofCluster = Object.entries(rest).filter(([each]) => OF_CLUSTER.includes(each));
  const ofNodes = Object.entries(rest).filter(([each]) => !OF_CLUSTER.includes(each));
  // Nodes that are found by another have no entry in the list.
  const { username, password } = checked.find((node) => node.password) ?? {};
  const found = { ...(username && { username }), ...(password && { password }) };
  return {
    nodes: checked,
    options: {
      ...Object.fromEntries(ofCluster),
      redisOptions: { ...found, ...Object.fromEntries(ofNodes), ...redisOptions },
    },
  };
}

function checkNodes(nodes: unknown): ResolvedCluster['nodes'] {
  const key = 'config.io.redis.nodes';
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new ConfigError(key, nodes === undefined || Array.isArray(nodes) ? nodes : '…', NODES);
  }
  for (const [i, node] of nodes.entries()) {
    const { host, port, password, db } = (node ?? {}) as Record<string, unknown>;
    const where = `${key}[${i}]`;
    if (typeof host !== 'string' || host === '') throw new ConfigError(`${where}.host`, host, 'a string');
    if (!(Number(port) > 0 && Number(port) < 65_536)) throw new ConfigError(`${where}.port`, port, 'a port number');
    if (password !== undefined && password !== null && typeof password !== 'string') {
      throw new ConfigError(`${where}.password`, '***', 'a string');
    }
    if (Number(db ?? 0) !== 0) throw new ConfigError(`${where}.db`, db, '0, the only database of a Redis Cluster');
  }
  return nodes.map((node) => ({ ...node, port: Number(node.port) }));
}
