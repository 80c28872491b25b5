// config.io.redis → the connections of a link. Called by lib/redis.ts.

import { EventEmitter } from 'node:events';
import type { Application } from 'egg';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { type AdapterOptions, PREFIX, READ_COUNT, type RedisKind, type ResolvedRedis } from '../../config/redis';
import { ConfigError } from '../../errors';
import type { Connections } from './connection';
import type { Stream } from './streams-reader';

/** What the link sees to by itself: nothing is kept for later, and what is subscribed to again. */
const MANAGED: RedisOptions = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
};

/** After that many ms of silence TCP asks whether the other side is there: a subscriber may wait for hours. */
const KEEP_ALIVE = 10_000;

/** The longest wait between attempts to connect to a Redis Cluster, in ms. */
const MAX_RETRY = 2000;

const KEY = 'config.io.redis.clientName';

/** Where Redis is, and how to connect to it. */
interface Target {
  name: string;
  password: string | null | undefined;
  connect(): Redis;
  /** For sharded channels. */
  subscribe(): Redis;
}

/**
 * Opens the connections that an adapter needs.
 *
 * @throws {ConfigError} where `config.io.redis.clientName` is no client of egg-redis
 */
export function connect(app: Application, redis: ResolvedRedis, kind: RedisKind): Connections {
  const { clientName, options, cluster, adapter } = redis;
  const own = clientName ? eggRedisClient(app, clientName) : undefined;
  if (own && kind === 'redis') return shared(own);
  // ioredis would put a prefix before the name of a sharded channel, and not take it off again.
  const more = kind === 'redis-sharded' ? { keyPrefix: '' } : {};
  const target = own
    ? likeClient(own, more)
    : cluster
      ? many(cluster.nodes, cluster.options, more)
      : single(options, more);
  const { name, password } = target;
  const sub = kind === 'redis-sharded' ? target.subscribe() : target.connect();
  const connections: Connections = { pub: target.connect(), sub, ownsPub: true, name, password };
  // A connection that waits for what comes next serves nothing else.
  if (kind === 'redis-streams') connections.reader = { client: target.connect(), stream: streamOf(adapter) };
  return connections;
}

function single(options: RedisOptions, more: RedisOptions): Target {
  const connect = () => new Redis({ keepAlive: KEEP_ALIVE, ...options, ...MANAGED, ...more });
  return { name: nameOf(options), password: options.password, connect, subscribe: connect };
}

function many(nodes: RedisOptions[], options: ClusterOptions, more: RedisOptions): Target {
  const redisOptions = { keepAlive: KEEP_ALIVE, ...(options.redisOptions as RedisOptions), ...more };
  // Its status tells whether there is a connection; its queue is for nodes that are being connected to.
  const connect = (rest?: ClusterOptions) => new Cluster(nodes, { ...options, ...more, redisOptions, ...rest });
  const once = () => connect({ shardedSubscribers: true, clusterRetryStrategy: () => null });
  const { clusterRetryStrategy: retry = (times) => Math.min(100 * times, MAX_RETRY) } = options;
  return {
    name: nodes.map(nameOf).join(', '),
    password: redisOptions.password,
    connect: () => connect() as unknown as Redis,
    subscribe: () => new RenewedCluster(once, (times) => retry?.(times)) as unknown as Redis,
  };
}

/** The client of egg-redis, to publish; and a duplicate, since a client that subscribes can do nothing else. */
function shared(client: Redis): Connections {
  if (client.isCluster) {
    const all = client as unknown as Cluster;
    const sub = all.duplicate([], { enableOfflineQueue: false }) as unknown as Redis;
    const name = all.nodes().map((node) => nameOf(node.options));
    return { pub: client, sub, ownsPub: false, name: name.join(', '), password: all.options.redisOptions?.password };
  }
  const sub = client.duplicate({ keepAlive: client.options.keepAlive || KEEP_ALIVE, ...MANAGED });
  return { pub: client, sub, ownsPub: false, name: nameOf(client.options), password: client.options.password };
}

/** As a client of egg-redis, which on Egg 3 is one of ioredis 4 and doesn't know sharded channels. */
function likeClient(client: Redis, more: RedisOptions): Target {
  if (!client.isCluster) return single({ ...client.options, lazyConnect: false }, more);
  const { startupNodes, options } = client as unknown as { startupNodes: RedisOptions[]; options: ClusterOptions };
  const password = options.redisOptions?.password ?? startupNodes.find((node) => node.password)?.password;
  const redisOptions = { ...options.redisOptions, password };
  return many(startupNodes, { ...options, lazyConnect: false, redisOptions }, more);
}

function eggRedisClient(app: Application, clientName: string): Redis {
  // As egg-redis's singleton has it: one client is app.redis itself, whose get() is the command GET.
  const { redis, config } = app as unknown as {
    redis?: { get(name: string): unknown };
    config: { redis?: { client?: object; clients?: object } };
  };
  const { client, clients } = config.redis ?? {};
  const names = clients ? Object.keys(clients) : client ? ['default'] : [];
  if (redis && names.includes(clientName)) return (clients ? redis.get(clientName) : redis) as Redis;
  const known = names.map((name) => `'${name}'`).join(', ') || 'none';
  throw redis
    ? new ConfigError(KEY, clientName, `the clients of config.redis: ${known}`, `no client ${clientName} of egg-redis`)
    : new ConfigError(
        KEY,
        clientName,
        'host, port, auth_pass and db instead, where the application has no egg-redis',
        'the plugin redis is missing: install egg-redis (Egg 4: @eggjs/redis) and enable it in config/plugin',
      );
}

function streamOf({ key = PREFIX, readCount = READ_COUNT }: AdapterOptions): Stream {
  return { name: key, count: readCount };
}

function nameOf({ sentinels, path, host = 'localhost', port = 6379 }: RedisOptions): string {
  return sentinels?.map((sentinel) => `${sentinel.host}:${sentinel.port}`).join(', ') ?? path ?? `${host}:${port}`;
}

// The client of a Redis Cluster that subscribes to sharded channels. ioredis's own reconnects, too, but where it does so while
// it is connecting to a node it may wait for that node for ever: here each connection to the Cluster is a new client. Made by
// connect.ts.

const EVENTS = ['ready', 'close', 'error', 'subscribersReady', 'smessageBuffer'];

/** How long it waits before the next attempt, in ms; anything but a number: there is none. */
type RetryStrategy = (times: number) => unknown;

/** As much of a client as a link takes. */
export class RenewedCluster extends EventEmitter {
  readonly isCluster = true;

  #client: Cluster;
  #times = 0;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  /**
   * @param make - makes a client that does not reconnect
   * @param retry - as ioredis's `clusterRetryStrategy`
   */
  constructor(
    private readonly make: () => Cluster,
    private readonly retry: RetryStrategy,
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

  nodes(): ReturnType<Cluster['nodes']> {
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
    const client = this.make();
    client.once('ready', () => {
      this.#times = 0;
    });
    for (const event of EVENTS) client.on(event, (...args) => this.emit(event, ...args));
    client.once('end', () => this.#ended());
    return client;
  }

  #ended(): void {
    const delay = this.#closing ? undefined : this.retry(++this.#times);
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
