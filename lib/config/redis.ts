// config.io.redis: its type, and its resolution into what lib/adapters/redis uses. This file loads no Redis package.
import type { Application } from 'egg';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import { ConfigError, toError } from '../errors';
import { withoutPassword } from './redis-password';
import { LONGEST_TIMER } from './validate';

/** The adapters that connect workers through Redis. */
export type RedisKind = 'redis' | 'redis-sharded' | 'redis-streams';

/**
 * How to reach Redis: any option of ioredis, or the name of a client of egg-redis.
 *
 * @example
 * config.io = { redis: { host: '10.0.0.5', port: 6379, auth_pass: process.env.REDIS_PASSWORD, db: 0 } };
 * // a Redis Cluster
 * config.io = { redis: { cluster: true, nodes: [{ host: '10.0.0.5', port: 6379 }] } };
 * // with egg-redis
 * config.io = { redis: { clientName: 'default' } };
 */
export interface RedisConfig extends RedisOptions, Omit<ClusterOptions, keyof RedisOptions> {
  /** The password, under its name in egg-socket.io 4. `password` works as well. */
  auth_pass?: string;
  /** A client of egg-redis: its name in `config.redis.clients`, or `'default'` for `config.redis.client`. */
  clientName?: string;
  /** Whether Redis is a Redis Cluster, which is found by `nodes`. */
  cluster?: boolean;
  /** Some nodes of the Cluster. They know the others. */
  nodes?: RedisNode[];
  /**
   * The prefix of the channels, and the name of the stream. All workers that share rooms need the same. Applications that share a Redis
   * server and no rooms need different ones, since channels have no `db`. With `keyPrefix`, it is `keyPrefix + key`.
   *
   * @default 'socket.io'
   */
  key?: string;
  /** Is put before `key`. With `clientName`, it is that of the client of egg-redis. */
  keyPrefix?: string;
  /** `config.io.requestsTimeout`, under its name in earlier versions. In ms. */
  requestsTimeout?: number;
  /**
   * How long Redis may leave a command unanswered or deliver no message, in ms, 100 at least. If it takes longer, the connections are
   * replaced. Each worker sends a message to itself three times in that time.
   *
   * @default 10000
   */
  healthTimeout?: number;
  /**
   * For `'redis-sharded'`: which rooms have a channel of their own, and with it a node of the Cluster. `'static'`: none; all events of a
   * namespace have one channel. `'dynamic'`: the rooms that sockets have joined. `'dynamic-private'`: these, and the room of each socket.
   * All workers need the same. Only `'static'` keeps the order of events across rooms and reaches a socket in a room that it has just
   * joined.
   *
   * @default 'static'
   */
  subscriptionMode?: 'static' | 'dynamic' | 'dynamic-private';
  /**
   * For `'redis-streams'`: how many messages Redis keeps, approximately.
   *
   * @default 10000
   */
  maxLen?: number;
  /**
   * For `'redis-streams'`: how many messages are read at once.
   *
   * @default 100
   */
  readCount?: number;
}

/** Returns `config.io.redis`, for addresses that are not known before the boot. Called once in each worker. */
export type FindRedis = (app: Application) => RedisConfig | Promise<RedisConfig>;

/** Calls the function `config.io.redis`, and checks what it returns. */
export type LoadRedis = (app: Application) => Promise<ResolvedRedis>;

/** A node that is asked for the others. */
interface RedisNode {
  host: string;
  port: number | string;
  username?: string;
  password?: string;
  /** A Redis Cluster has only the database 0. */
  db?: 0;
}

/** The options of the adapters. */
export type AdapterOptions = Required<
  Pick<RedisConfig, 'key' | 'requestsTimeout' | 'healthTimeout' | 'subscriptionMode' | 'maxLen' | 'readCount'>
>;

const DEFAULTS = {
  key: 'socket.io',
  healthTimeout: 10_000,
  subscriptionMode: 'static' as const,
  maxLen: 10_000,
  readCount: 100,
};

/** `config.io.redis`, checked. */
export interface ResolvedRedis {
  clientName: string | undefined;
  /** For ioredis. Empty if there is a `clientName` or a `cluster`. */
  options: RedisOptions;
  cluster?: ResolvedCluster;
  /** Those that are set. */
  adapter: Partial<AdapterOptions>;
}

/** A Redis Cluster, as ioredis takes it. */
interface ResolvedCluster {
  nodes: Array<RedisNode & { port: number }>;
  options: ClusterOptions;
}

/** The adapter of an option that others ignore. */
const ONLY: Array<[key: 'subscriptionMode' | 'maxLen' | 'readCount', kind: RedisKind]> = [
  ['subscriptionMode', 'redis-sharded'],
  ['maxLen', 'redis-streams'],
  ['readCount', 'redis-streams'],
];

/**
 * Returns the options of the adapter, complete.
 *
 * @param requestsTimeout - `config.io.requestsTimeout`
 */
export function adapterOptions({ adapter }: ResolvedRedis, requestsTimeout: number): AdapterOptions {
  const set = Object.entries(adapter).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, requestsTimeout, ...Object.fromEntries(set) };
}

/** What depends on `config.io.redis`. */
interface RestOfConfig {
  init: { adapter?: unknown };
  adapter?: unknown;
  requestsTimeout?: unknown;
}

/**
 * Checks `config.io.redis` and separates the options of ioredis from those of the adapter. No message contains a password.
 *
 * @param rest - the rest of `config.io`
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveRedis(raw: unknown, rest: RestOfConfig, warnings: string[]): ResolvedRedis | undefined {
  // With `redis: false` a configuration file turns off what config.default.ts has turned on.
  if (raw === undefined || raw === null || raw === false) return undefined;
  if (typeof raw !== 'object' || Array.isArray(raw)) {
    const options = Array.isArray(raw) && raw.length > 0 ? '[…]' : raw;
    const shown = typeof options === 'string' ? withoutPassword(options) : options;
    throw new ConfigError('config.io.redis', shown, 'an object: { host, port, auth_pass, db } or { clientName }');
  }
  rejectInitAdapter(rest);
  for (const [key, value] of Object.entries(raw)) checkOption(key, value, warnings);
  // Undefined and null, from the environment say, are as unset. Some options of ioredis may be null.
  const set = Object.entries(raw).filter(([key, value]) => value !== undefined && (value !== null || !isChecked(key)));
  const all = Object.fromEntries(set) as RedisConfig;
  const { clientName, key, requestsTimeout, healthTimeout, auth_pass, cluster, nodes, ...options } = all;
  rejectOtherTimeout(requestsTimeout, rest);
  const adapter: Partial<AdapterOptions> = { key, requestsTimeout, healthTimeout };
  for (const [name, kind] of ONLY) {
    if (options[name] === undefined) continue;
    Object.assign(adapter, { [name]: options[name] });
    delete options[name];
    if (rest.adapter !== kind) {
      warnings.push(`config.io.redis.${name} has no effect: it is for config.io.adapter '${kind}'`);
    }
  }
  const password = options.password ?? auth_pass;
  if (password !== undefined) options.password = String(password);
  const others = [...Object.keys(options), ...['cluster', 'nodes'].filter((name) => name in all)];
  if (clientName && others.length > 0) {
    throw new ConfigError(
      'config.io.redis.clientName',
      clientName,
      `either clientName, beside it only key, requestsTimeout and healthTimeout, or the options of a connection: remove clientName or ${others.join(', ')}`,
    );
  }
  const resolved = resolveCluster(cluster, nodes, options);
  return { clientName, adapter, ...(resolved ? { options: {}, cluster: resolved } : { options }) };
}

/**
 * Returns a function that calls the function `config.io.redis` and checks what it returns. It rejects with a ConfigError if that function
 * fails, or if an option is wrong. No message contains a password.
 *
 * @param rest - the rest of `config.io`
 */
export function redisLoader(find: FindRedis, rest: RestOfConfig): LoadRedis {
  rejectInitAdapter(rest);
  const key = 'config.io.redis';
  const allowed = 'a function (app) => { host, port, auth_pass, db }, or a promise of it';
  return async (app) => {
    let found: unknown;
    try {
      found = await find(app);
    } catch (err) {
      const { message, stack = '' } = toError(err);
      const failed = new ConfigError(key, find, allowed, `the function ${key} has failed: ${withoutPassword(message)}`);
      // The frames show which line of the function has failed.
      failed.stack = [
        `${failed.name}: ${failed.message}`,
        ...stack.split('\n').filter((line) => FRAME.test(line)),
      ].join('\n');
      throw failed;
    }
    const warnings: string[] = [];
    const resolved = resolveRedis(found, rest, warnings);
    if (resolved === undefined) {
      throw new ConfigError(key, found, allowed, `the function ${key} has returned no options`);
    }
    for (const warning of warnings) app.coreLogger.warn(`[egg-socket.io] ${warning}`);
    return resolved;
  };
}

/** A line of a stack that is no part of the message. */
const FRAME = /^ {4}at /;

/** @throws {ConfigError} if `config.io.init.adapter` is set */
function rejectInitAdapter({ init }: RestOfConfig): void {
  if (init.adapter === undefined) return;
  throw new ConfigError('config.io.init.adapter', init.adapter, 'nothing if config.io.redis is set: remove one');
}

/** @throws {ConfigError} if `config.io.requestsTimeout` has another value */
function rejectOtherTimeout(ofRedis: number | undefined, { requestsTimeout }: RestOfConfig): void {
  if (ofRedis === undefined || (requestsTimeout ?? ofRedis) === ofRedis) return;
  const allowed = `the same as config.io.redis.requestsTimeout, which is ${ofRedis}: remove one of them`;
  throw new ConfigError('config.io.requestsTimeout', requestsTimeout, allowed);
}

const MODES = ['static', 'dynamic', 'dynamic-private'];

type Check = [isValid: (value: unknown) => boolean, allowed: string];

const text: Check = [(value) => typeof value === 'string' && value !== '', 'a string that is not empty'];
const PASSWORD: Check = [(value) => typeof value === 'string' || typeof value === 'number', 'a string'];
const CHECKS: Record<string, Check> = {
  host: text,
  path: text,
  clientName: text,
  key: text,
  keyPrefix: [(value) => typeof value === 'string', 'a string'],
  auth_pass: PASSWORD,
  password: PASSWORD,
  port: [(value) => isCount(value) && Number(value) > 0 && Number(value) < 65_536, 'a port number, from 1 to 65535'],
  db: [isCount, 'the index of a database: 0, 1, …'],
  subscriptionMode: [(value) => MODES.includes(value as string), MODES.map((mode) => `'${mode}'`).join(', ')],
  maxLen: [isPositive, 'a whole number greater than 0'],
  readCount: [isPositive, 'a whole number greater than 0'],
  requestsTimeout: [
    (value) => typeof value === 'number' && value > 0 && value <= LONGEST_TIMER,
    'a number of ms greater than 0',
  ],
  healthTimeout: [isHealthTimeout, `a number of ms from 100 to ${LONGEST_TIMER}`],
};

/** Options of egg-socket.io 4 and of other libraries, and what to write instead. */
const INSTEAD: Record<string, string> = {
  adapter: 'config.io.adapter',
  pubClient: 'config.io.redis.clientName, the name of a client of egg-redis, which is duplicated for subscribing',
  subClient: 'config.io.redis.clientName, the name of a client of egg-redis, which is duplicated for subscribing',
  url: 'host, port, auth_pass and db',
  uri: 'host, port, auth_pass and db',
};

/** @throws {ConfigError} if an option has a value that is not allowed */
function checkOption(key: string, value: unknown, warnings: string[]): void {
  const where = `config.io.redis.${key}`;
  if (Object.hasOwn(INSTEAD, key)) {
    throw new ConfigError(where, '***', `${INSTEAD[key]}`, `unknown option ${key}`);
  }
  const check = isChecked(key) ? CHECKS[key] : undefined;
  if (check && value !== undefined && value !== null && !check[0](value)) {
    throw new ConfigError(where, check === PASSWORD ? '***' : value, check[1]);
  }
  if (key.includes('_') && key !== 'auth_pass') {
    warnings.push(`${where} has no effect: it is an option of node_redis, look up its name in ioredis`);
  }
}

/** Whether an option is checked here. ioredis checks the others. */
function isChecked(key: string): boolean {
  return Object.hasOwn(CHECKS, key);
}

function isHealthTimeout(value: unknown): boolean {
  return typeof value === 'number' && value >= 100 && value <= LONGEST_TIMER;
}

function isPositive(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0;
}

/** Whether a value is a whole number. From the environment it is a string. */
function isCount(value: unknown): boolean {
  return (typeof value === 'number' || typeof value === 'string') && /^\d+$/.test(String(value));
}

/** The options of ioredis for a Cluster. All others are for the connections to its nodes. */
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

/** The options of ioredis for the address of a single server. */
const OF_SERVER = ['host', 'port', 'path', 'db', 'sentinels', 'name'];

/**
 * Returns the nodes and the options of the Cluster, or undefined if `cluster` is not set.
 *
 * @throws {ConfigError} naming the key and what is allowed, without a password
 */
function resolveCluster(
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
  // The nodes that are not in the list have the same password.
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
    const allowed = "a list of one node or more: [{ host: '10.0.0.5', port: 6379 }]";
    throw new ConfigError(key, nodes === undefined || Array.isArray(nodes) ? nodes : '…', allowed);
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
