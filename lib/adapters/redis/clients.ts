// Creates the clients of ioredis for config.io.redis.
import { EventEmitter } from 'node:events';
import type { Application } from 'egg';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { RedisKind, ResolvedRedis } from '../../config/redis';
import { ConfigError } from '../../errors';
import type { Clients } from './connection';

/** Commands are not queued, and `Subscriber` subscribes anew. */
const MANAGED: RedisOptions = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
};

/** After that many ms of silence TCP probes the connection. That of a subscriber may be silent for hours. */
const KEEP_ALIVE = 10_000;

/** The longest wait between two attempts to connect to a Redis Cluster, in ms. */
const MAX_RETRY = 2000;

const KEY = 'config.io.redis.clientName';

/** A Redis server or a Redis Cluster. */
interface Target {
  /** For the log. */
  name: string;
  password: string | null | undefined;
  connect(): Redis;
  /** Creates a client that subscribes to sharded channels. */
  connectSharded(): Redis;
}

type Nodes = Array<RedisOptions & { host: string }>;

/**
 * Creates the clients of an adapter. They connect at once.
 *
 * @throws {ConfigError} if `config.io.redis.clientName` is no client of egg-redis
 */
export function createClients(app: Application, config: ResolvedRedis, kind: RedisKind): Clients & { reader?: Redis } {
  const { clientName, options, cluster } = config;
  const found = clientName ? findEggClient(app, clientName) : undefined;
  if (found && kind === 'redis') return shareClient(found.client);
  // ioredis adds a prefix to the name of a sharded channel, and does not remove it from the channel of a message.
  const more: RedisOptions = kind === 'redis-sharded' ? { keyPrefix: '' } : {};
  const target = found
    ? targetLike(found, more)
    : cluster
      ? clusterTarget(cluster.nodes, cluster.options, more)
      : serverTarget(options, more);
  const { name, password } = target;
  const pub = target.connect();
  const sub = kind === 'redis-sharded' ? target.connectSharded() : target.connect();
  // While a client waits for an entry of the stream, it executes no other command.
  const reader = kind === 'redis-streams' ? target.connect() : undefined;
  return { pub, sub, reader, ownsPub: true, name, password };
}

function serverTarget(options: RedisOptions, more: RedisOptions): Target {
  const connect = () => new Redis({ keepAlive: KEEP_ALIVE, ...options, ...MANAGED, ...more });
  return { name: nameOf(options), password: options.password, connect, connectSharded: connect };
}

function clusterTarget(nodes: Nodes, options: ClusterOptions, more: RedisOptions): Target {
  const redisOptions: RedisOptions = { keepAlive: KEEP_ALIVE, ...options.redisOptions, ...more };
  // Not MANAGED: the queue of a Cluster is for nodes that are being connected.
  const connect = (rest?: ClusterOptions) => new Cluster(nodes, { ...options, ...more, redisOptions, ...rest });
  const connectOnce = () => connect({ shardedSubscribers: true, clusterRetryStrategy: () => null });
  const { clusterRetryStrategy: retry = (times) => Math.min(100 * times, MAX_RETRY) } = options;
  return {
    name: nodes.map(nameOf).join(', '),
    password: redisOptions.password,
    connect: () => asRedis(connect()),
    connectSharded: () => asRedis(new ReplacedCluster(connectOnce, (times) => retry?.(times))),
  };
}

/** Publishes with the client of egg-redis. Subscribes with a duplicate, since a client that subscribes executes nothing else. */
function shareClient(client: Redis | Cluster): Clients {
  if (isCluster(client)) {
    const sub = asRedis(client.duplicate([], { enableOfflineQueue: false }));
    const name = client.nodes().map((node) => nameOf(node.options));
    const { password } = client.options.redisOptions ?? {};
    return { pub: asRedis(client), sub, ownsPub: false, name: name.join(', '), password };
  }
  const { options } = client;
  const sub = client.duplicate({ keepAlive: options.keepAlive || KEEP_ALIVE, ...MANAGED });
  return { pub: client, sub, ownsPub: false, name: nameOf(options), password: options.password };
}

/** The target of a client of egg-redis. On Egg 3 that is a client of ioredis 4, which has no sharded channels. */
function targetLike({ client, nodes }: EggClient, more: RedisOptions): Target {
  if (!isCluster(client)) return serverTarget({ ...client.options, lazyConnect: false }, more);
  const { options } = client;
  const password = options.redisOptions?.password ?? nodes.find((node) => node.password)?.password;
  return clusterTarget(
    nodes,
    { ...options, lazyConnect: false, redisOptions: { ...options.redisOptions, password } },
    more,
  );
}

interface EggClient {
  client: Redis | Cluster;
  /** The nodes of a Cluster in its configuration. */
  nodes: Nodes;
}

/** The configuration of egg-redis. */
interface EggRedisConfig {
  client?: { nodes?: Nodes };
  clients?: Record<string, { nodes?: Nodes }>;
  default?: { nodes?: Nodes };
}

function findEggClient(app: Application, clientName: string): EggClient {
  const { redis, config } = app as { redis?: unknown; config: { redis?: EggRedisConfig } };
  const { client: single, clients, default: defaults } = config.redis ?? {};
  const configs = clients ?? (single ? { default: single } : {});
  const names = Object.keys(configs);
  if (redis && names.includes(clientName)) {
    // If egg-redis has one client, that is app.redis, whose get() is the command GET.
    const client = clients ? (redis as Map<string, unknown>).get(clientName) : redis;
    return { client: client as Redis | Cluster, nodes: configs[clientName]?.nodes ?? defaults?.nodes ?? [] };
  }
  const known = names.map((name) => `'${name}'`).join(', ') || 'none';
  throw redis
    ? new ConfigError(KEY, clientName, `the clients of config.redis: ${known}`, `no client ${clientName} of egg-redis`)
    : new ConfigError(
        KEY,
        clientName,
        'host, port, auth_pass and db instead, if the application has no egg-redis',
        'the plugin redis is missing: install egg-redis (Egg 4: @eggjs/redis) and enable it in config/plugin',
      );
}

function isCluster(client: Redis | Cluster): client is Cluster {
  // Not by instanceof: egg-redis may have loaded another ioredis.
  return client.isCluster;
}

/** A client of a Redis Cluster has the commands and the events of a client of one server. */
function asRedis(client: Cluster | ReplacedCluster): Redis {
  return client as unknown as Redis;
}

function nameOf({ sentinels, path, host = 'localhost', port = 6379 }: RedisOptions): string {
  return sentinels?.map((sentinel) => `${sentinel.host}:${sentinel.port}`).join(', ') ?? path ?? `${host}:${port}`;
}

const EVENTS = ['ready', 'close', 'error', 'subscribersReady', 'smessageBuffer'];

/**
 * Subscribes to the sharded channels of a Redis Cluster with a new client after each outage. The client of ioredis would reconnect by
 * itself, but if it does while it connects to a node, it may wait for that node forever.
 */
class ReplacedCluster extends EventEmitter {
  readonly isCluster = true;
  #client: Cluster;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  /**
   * @param create - creates a client that does not reconnect
   * @param retry - as `clusterRetryStrategy` of ioredis: after how many ms the next client is created
   */
  constructor(
    private readonly create: () => Cluster,
    private readonly retry: (times: number) => unknown,
  ) {
    super();
    this.#client = this.#open();
  }

  get status(): string {
    return this.#timer ? 'reconnecting' : this.#client.status;
  }

  ssubscribe(channel: string): Promise<unknown> {
    return this.#client.ssubscribe(channel);
  }

  sunsubscribe(channel: string): Promise<unknown> {
    return this.#client.sunsubscribe(channel);
  }

  nodes(): Redis[] {
    return this.#client.nodes();
  }

  quit(): Promise<unknown> {
    this.#closing = true;
    return this.#client.quit();
  }

  disconnect(): void {
    this.#closing = true;
    clearTimeout(this.#timer);
    this.#client.disconnect();
    if (this.#timer) this.emit('end');
    this.#timer = undefined;
  }

  #open(): Cluster {
    const client = this.create();
    client.once('ready', () => {
      this.#attempts = 0;
    });
    for (const event of EVENTS) client.on(event, (...args) => this.emit(event, ...args));
    client.once('end', () => this.#reopen());
    return client;
  }

  #reopen(): void {
    const delay = this.#closing ? undefined : this.retry(++this.#attempts);
    if (typeof delay !== 'number') {
      this.emit('end');
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#client = this.#open();
    }, delay);
  }
}
