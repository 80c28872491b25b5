// Creates the clients of ioredis for config.io.redis.
import type { Application } from 'egg';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { RedisKind, ResolvedRedis } from '../../config/redis';
import { ConfigError } from '../../errors';
import type { Clients } from './connection';

/** Commands are not queued, and `Subscriber` subscribes anew. */
const MANAGED = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, autoResubscribe: false };
/** After that many ms of silence TCP probes the connection. That of a subscriber may be silent for hours. */
const KEEP_ALIVE = 10_000;
/** The longest wait between two attempts to connect to a Redis Cluster, in ms. */
const MAX_RETRY = 2000;

/** ioredis adds a prefix to the names of streams and of sharded channels, but not to other channels: it is a part of the key. */
const NO_PREFIX = { keyPrefix: '' };

type ClusterTarget = { nodes: Array<RedisOptions & { host: string }>; options: ClusterOptions };

/** The clients of an adapter, and the prefix of its key. */
export type AdapterClients = Clients & { reader?: Redis; keyPrefix: string };

/**
 * Creates the clients of an adapter. They connect at once.
 *
 * @param sentinelCommandTimeout - in ms. By default, ioredis waits for the answer of a Sentinel forever, and asks no other one
 * @throws {ConfigError} if `config.io.redis.clientName` is no client of egg-redis
 */
export function createClients(
  app: Application,
  config: ResolvedRedis,
  kind: RedisKind,
  sentinelCommandTimeout: number,
): AdapterClients {
  const found = config.clientName ? findEggClient(app, config.clientName) : undefined;
  if (found && kind === 'redis') return shareClient(found.client);
  const { options, cluster }: { options: RedisOptions; cluster?: ClusterTarget } = found ? optionsOf(found) : config;
  const connect = cluster
    ? () => connectCluster(cluster)
    : () => new Redis({ keepAlive: KEEP_ALIVE, sentinelCommandTimeout, ...options, ...MANAGED, ...NO_PREFIX });
  const next = cluster && kind === 'redis-sharded' ? nextSharded(cluster) : undefined;
  return {
    pub: connect(),
    sub: next ? next.sub() : connect(),
    next,
    // While a client waits for an entry of the stream, it executes no other command.
    reader: kind === 'redis-streams' ? connect() : undefined,
    ownsPub: true,
    name: cluster ? cluster.nodes.map(nameOf).join(', ') : nameOf(options),
    password: cluster ? cluster.options.redisOptions?.password : options.password,
    keyPrefix: prefixOf(cluster ? cluster.options : options),
  };
}

/** How long the client of rate limits waits for an answer, in ms: events wait for it. */
const COUNT_TIMEOUT = 1000;

/**
 * Creates the client that counts for rate limits. Its commands fail at once while Redis is unreachable, and after a second if Redis hangs.
 *
 * @throws {ConfigError} if `config.io.redis.clientName` is no client of egg-redis
 */
export function createCounter(app: Application, config: ResolvedRedis): { client: Redis; prefix: string } {
  const found = config.clientName ? findEggClient(app, config.clientName) : undefined;
  const { options, cluster }: { options: RedisOptions; cluster?: ClusterTarget } = found ? optionsOf(found) : config;
  const prefix = prefixOf(cluster ? cluster.options : options) + (config.adapter.key ?? 'socket.io');
  const timeouts = { commandTimeout: COUNT_TIMEOUT, sentinelCommandTimeout: COUNT_TIMEOUT };
  if (cluster === undefined) {
    return { client: new Redis({ keepAlive: KEEP_ALIVE, ...options, ...MANAGED, ...NO_PREFIX, ...timeouts }), prefix };
  }
  const redisOptions = { ...cluster.options.redisOptions, ...timeouts };
  const client = connectCluster({ nodes: cluster.nodes, options: { ...cluster.options, redisOptions } });
  return { client, prefix };
}

/** Commands are queued: the queue is for nodes that are being connected. */
function connectCluster({ nodes, options }: ClusterTarget, rest?: ClusterOptions): Redis {
  const redisOptions = { keepAlive: KEEP_ALIVE, ...options.redisOptions, ...NO_PREFIX };
  return asRedis(new Cluster(nodes, { ...options, ...NO_PREFIX, redisOptions, ...rest }));
}

/** For sharded channels, each client connects once: if ioredis reconnects while it connects to a node, it may wait for that node forever. */
function nextSharded(cluster: ClusterTarget): Clients['next'] {
  const once = { shardedSubscribers: true, clusterRetryStrategy: () => null };
  const { clusterRetryStrategy: retry = (times) => Math.min(100 * times, MAX_RETRY) } = cluster.options;
  return { sub: () => connectCluster(cluster, once), delay: (attempt) => retry?.(attempt) };
}

/** Publishes with the client of egg-redis. Subscribes with a duplicate, since a client that subscribes executes nothing else. */
function shareClient(client: Redis | Cluster): AdapterClients {
  const keyPrefix = prefixOf(client.options);
  if (isCluster(client)) {
    const sub = asRedis(client.duplicate([], { enableOfflineQueue: false }));
    const name = client.nodes().map((node) => nameOf(node.options));
    const { password } = client.options.redisOptions ?? {};
    return { pub: asRedis(client), sub, ownsPub: false, name: name.join(', '), password, keyPrefix };
  }
  const { options } = client;
  const sub = client.duplicate({ keepAlive: options.keepAlive || KEEP_ALIVE, ...MANAGED });
  return { pub: client, sub, ownsPub: false, name: nameOf(options), password: options.password, keyPrefix };
}

/** Returns the options of a client of egg-redis, which on Egg 3 is one of ioredis 4 and has no sharded channels. */
function optionsOf({ client, nodes = [] }: EggClient): { options: RedisOptions; cluster?: ClusterTarget } {
  if (!isCluster(client)) return { options: { ...client.options, lazyConnect: false } };
  const { redisOptions } = client.options;
  const password = redisOptions?.password ?? nodes.find((node) => node.password)?.password;
  const options = { ...client.options, lazyConnect: false, redisOptions: { ...redisOptions, password } };
  return { options: {}, cluster: { nodes, options } };
}

/** Returns the `keyPrefix` of a client, or of a Cluster. */
function prefixOf({ keyPrefix, redisOptions }: Pick<ClusterOptions, 'keyPrefix' | 'redisOptions'>): string {
  return keyPrefix || redisOptions?.keyPrefix || '';
}

/** The configuration of a client of egg-redis, as far as it is used. A Cluster has nodes. */
type EggConfig = Partial<Pick<ClusterTarget, 'nodes'>>;
type EggClient = EggConfig & { client: Redis | Cluster };

function findEggClient(app: Application, clientName: string): EggClient {
  const { redis, config } = app as {
    redis?: unknown;
    config: { redis?: { client?: EggConfig; clients?: Record<string, EggConfig>; default?: EggConfig } };
  };
  const { client: single, clients, default: defaults } = config.redis ?? {};
  const configs = clients ?? (single ? { default: single } : {});
  const names = Object.keys(configs);
  if (redis && names.includes(clientName)) {
    // If egg-redis has one client, that is app.redis, whose get() is the command GET.
    const client = (clients ? (redis as Map<string, unknown>).get(clientName) : redis) as Redis | Cluster;
    return { ...defaults, ...configs[clientName], client };
  }
  let allowed = `the clients of config.redis: ${names.map((name) => `'${name}'`).join(', ') || 'none'}`;
  let problem = `no client ${clientName} of egg-redis`;
  if (!redis) {
    allowed = 'host, port, auth_pass and db instead, if the application has no egg-redis';
    problem = 'the plugin redis is missing: install egg-redis (Egg 4: @eggjs/redis) and enable it in config/plugin';
  }
  throw new ConfigError('config.io.redis.clientName', clientName, allowed, problem);
}

/** Not by instanceof: egg-redis may have loaded another ioredis. */
function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster;
}

/** A client of a Redis Cluster has the commands and the events of a client of one server. */
function asRedis(client: Cluster): Redis {
  return client as unknown as Redis;
}

function nameOf({ sentinels, path, host = 'localhost', port = 6379 }: RedisOptions): string {
  return sentinels?.map((sentinel) => `${sentinel.host}:${sentinel.port}`).join(', ') ?? path ?? `${host}:${port}`;
}
