// config.io.redis → clients → the adapter of every namespace. Called by app.ts: before the namespaces are bound, and when
// their adapters are closed.
import type { Application } from 'egg';
import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Namespace } from 'socket.io';
import { resolveConfig } from './config';
import { ConfigError } from './errors';
import { LinkedRedisAdapter } from './redis/adapter';
import type { ResolvedRedis } from './redis/config';
import { type Connections, RedisLink } from './redis/link';

/** How long the boot waits for Redis, in ms. Without it, it goes on. */
const BOOT_WAIT = 3000;

/** What the link sees to by itself: nothing is kept for later, and what is subscribed to again. */
const MANAGED: RedisOptions = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
};

/** After that many ms of silence TCP asks whether the other side is there: a subscriber may wait for hours. */
const KEEP_ALIVE = 10_000;

const KEY = 'config.io.redis.clientName';

const links = new WeakMap<Application, RedisLink>();

/**
 * Gives all namespaces the Redis adapter where `config.io.redis` is set, those that are here and those that come.
 *
 * @throws {ConfigError} where `config.io.redis.clientName` is no client of egg-redis
 */
export async function useRedis(app: Application): Promise<void> {
  const { redis } = resolveConfig(app.config.io);
  if (redis === undefined) return;
  const link = new RedisLink(redis.clientName ? shared(app, redis.clientName) : own(redis.options), app.coreLogger);
  links.set(app, link);
  class Adapter extends LinkedRedisAdapter {
    constructor(nsp: Namespace) {
      super(nsp, link, (redis as ResolvedRedis).adapter);
    }
  }
  app.io.adapter(Adapter);
  await link.settled(BOOT_WAIT);
}

/** Closes the connections that were made here. */
export async function closeRedis(app: Application): Promise<void> {
  await links.get(app)?.close();
}

function own(options: RedisOptions): Connections {
  const connect = () => new Redis({ keepAlive: KEEP_ALIVE, ...options, ...MANAGED });
  const pub = connect();
  return { pub, sub: connect(), ownsPub: true, name: nameOf(pub), password: options.password };
}

/** The client of egg-redis, to publish; and a duplicate, since a client that subscribes can do nothing else. */
function shared(app: Application, clientName: string): Connections {
  const client = eggRedisClient(app, clientName);
  if (client.isCluster) {
    const cluster = client as unknown as Cluster;
    const nodes = cluster.nodes().map(nameOf).join(', ');
    const sub = cluster.duplicate([], { enableOfflineQueue: false }) as unknown as Redis;
    return { pub: client, sub, ownsPub: false, name: nodes, password: cluster.options.redisOptions?.password };
  }
  const sub = client.duplicate({ keepAlive: client.options.keepAlive || KEEP_ALIVE, ...MANAGED });
  return { pub: client, sub, ownsPub: false, name: nameOf(client), password: client.options.password };
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

function nameOf({ options }: Redis): string {
  const { sentinels, path, host, port } = options;
  return sentinels?.map((sentinel) => `${sentinel.host}:${sentinel.port}`).join(', ') ?? path ?? `${host}:${port}`;
}
