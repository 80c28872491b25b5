// Installs an adapter that connects workers through Redis. It is the entry of this folder, which is loaded only if config.io.redis is set.
import type { Application } from 'egg';
import type { Redis } from 'ioredis';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { configOf } from '../../config/config';
import { adapterOptions, type RedisKind, type ResolvedRedis } from '../../config/redis';
import type { HealthSource } from '../../health';
import { assertRedisAdapters, type CreateAdapter, guardServerSideEmit } from '../../internals/redis-adapters';
import { hasClosed, unlessClosed } from '../../on-close';
import { SendableSockets } from '../sendable';
import { createClients } from './clients';
import { shardedAdapter } from './cluster-adapter';
import { RedisConnection } from './connection';
import { debug } from './outage-log';
import { SafeRedisAdapter } from './redis-adapter';
import { Reader, streamsAdapter } from './streams-adapter';
import { recoverable } from './streams-recovery';
import type { Subscription } from './subscriber';

/** How long the boot waits for Redis, in ms. After that it continues without Redis. */
const BOOT_WAIT = 3000;

/**
 * Installs an adapter in all namespaces, and in those that are created later.
 *
 * @returns `ready` resolves at the first connection or the first failure, after 3 s at the latest
 * @throws {ConfigError} if `config.io.redis.clientName` is no client of egg-redis
 */
export function useRedis(
  app: Application,
  kind: RedisKind,
): { ready: Promise<void>; close(): Promise<void>; health: HealthSource } {
  assertRedisAdapters();
  const { redis, generateId, init, requestsTimeout } = configOf(app);
  const set = adapterOptions(redis as ResolvedRedis, requestsTimeout);
  const { readCount, healthTimeout } = set;
  const clients = createClients(app, redis as ResolvedRedis, kind, healthTimeout);
  const key = clients.keyPrefix + set.key;
  const options = { ...set, key };
  const connection = new RedisConnection(clients, app, {
    key,
    healthTimeout,
    sharded: kind === 'redis-sharded',
  });
  const creators: Record<RedisKind, () => (nsp: Namespace, subscription: Subscription) => Adapter> = {
    redis: () => {
      const sendable = new SendableSockets(app.coreLogger);
      return (nsp, subscription) => new SafeRedisAdapter(nsp, subscription, connection, options, sendable);
    },
    'redis-sharded': () => shardedAdapter(connection, options, generateId !== undefined || init.allowEIO3 === true),
    'redis-streams': () => {
      const client = clients.reader as Redis;
      const reader = new Reader(client, { name: key, count: readCount }, connection.log, healthTimeout);
      connection.add(reader, client);
      connection.cleanups.push(() => reader.close());
      const Base = streamsAdapter(connection, reader, options);
      const { recoveryDuration: ms } = app.io;
      const StreamsAdapter = ms === undefined ? Base : recoverable(Base, connection, reader, options, ms);
      return (nsp, subscription) => new StreamsAdapter(nsp, subscription);
    },
  };
  const create = creators[kind]();
  // biome-ignore lint/complexity/useArrowFunction: Socket.IO calls it with new, and an arrow function is no constructor
  const AnyAdapter = function (nsp: Namespace) {
    debug('namespace %s has the adapter %s', nsp.name, kind);
    guardServerSideEmit(nsp, (err) => app.coreLogger.error(err));
    const subscription = connection.subscriber.open();
    const adapter = create(nsp, subscription);
    delayClients(nsp, subscription, options.requestsTimeout);
    return adapter;
  } as CreateAdapter;
  app.io.installAdapter(AnyAdapter);
  const health = { name: kind, state: () => connection.state, messages: () => connection.messages };
  return { ready: connection.settled(BOOT_WAIT), close: () => connection.close(), health };
}

/** Delays the clients of a new namespace until Redis has subscribed to its channels, so that they miss no message of other workers. */
function delayClients(nsp: Namespace, subscription: Subscription, timeout: number): void {
  if (!subscription.isSubscribing) return;
  let subscribed: Promise<unknown> | undefined = subscription.settled(timeout);
  void subscribed.then(() => {
    subscribed = undefined;
  });
  // The namespace is being created: this is its first middleware.
  nsp.use((socket, next) => {
    if (subscribed === undefined) return next();
    debug('%s waits for the subscription of %s', socket.id, nsp.name);
    unlessClosed(socket.conn, subscribed).then(() => {
      // After an error Socket.IO runs no other middleware and releases the socket.
      next(hasClosed(socket.conn) ? new Error('the connection is closed') : undefined);
    });
  });
}
