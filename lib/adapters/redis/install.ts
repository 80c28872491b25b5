// Installs an adapter that connects workers through Redis. This file is the only entry of the folder: it and its imports, ioredis among
// them, are loaded only if config.io.redis is set.
import type { Application } from 'egg';
import type { Redis } from 'ioredis';
import type { Namespace } from 'socket.io';
import { configOf } from '../../config/config';
import { adapterOptions, type RedisKind, type ResolvedRedis } from '../../config/redis';
import { type CreateAdapter, guardServerSideEmit } from '../../internals/redis-adapters';
import { hasClosed, unlessClosed } from '../../on-close';
import { createClients } from './clients';
import { shardedAdapter } from './cluster-adapter';
import { PATIENCE, RedisConnection } from './connection';
import { debug } from './outage-log';
import { SafeRedisAdapter } from './redis-adapter';
import { Reader, streamsAdapter } from './streams-adapter';
import { recoverable } from './streams-recovery';

/** How long the boot waits for Redis, in ms. After that it continues without Redis. */
const BOOT_WAIT = 3000;

const connections = new WeakMap<Application, RedisConnection>();

/**
 * Installs an adapter in all namespaces, and in those that are created later. Waits for Redis for a while.
 *
 * @returns closes the connection to Redis
 * @throws {ConfigError} if `config.io.redis.clientName` is no client of egg-redis
 */
export async function useRedis(app: Application, kind: RedisKind): Promise<() => Promise<void>> {
  const { requestsTimeout } = adapterOptions(configOf(app).redis as ResolvedRedis);
  const { connection, create } = connect(app, kind);
  connections.set(app, connection);
  // biome-ignore lint/complexity/useArrowFunction: Socket.IO calls it with new, and an arrow function is no constructor
  const Adapter = function (nsp: Namespace) {
    debug('namespace %s has the adapter %s', nsp.name, kind);
    guardServerSideEmit(nsp, (err) => connection.log.thrown(err));
    const adapter = create(nsp);
    delayClients(nsp, connection, requestsTimeout);
    return adapter;
  } as CreateAdapter;
  app.io.adapter(Adapter);
  await connection.settled(BOOT_WAIT);
  return () => connection.close();
}

/** Closes the connection of an application. */
export async function closeRedis(app: Application): Promise<void> {
  await connections.get(app)?.close();
}

function connect(app: Application, kind: RedisKind): { connection: RedisConnection; create: CreateAdapter } {
  const { redis, generateId, init } = configOf(app);
  const options = adapterOptions(redis as ResolvedRedis);
  const clients = createClients(app, redis as ResolvedRedis, kind);
  const connection = new RedisConnection(clients, app.coreLogger);
  switch (kind) {
    case 'redis':
      return { connection, create: (nsp) => new SafeRedisAdapter(nsp, connection, options) };
    case 'redis-sharded': {
      const customIds = generateId !== undefined || init.allowEIO3 === true;
      return { connection, create: shardedAdapter(connection, options, customIds) };
    }
    case 'redis-streams': {
      const client = clients.reader as Redis;
      const reader = new Reader(client, { name: options.key, count: options.readCount }, connection.log, PATIENCE);
      connection.add(reader, client);
      connection.onClose(() => reader.close());
      const Base = streamsAdapter(connection, reader, options);
      const Adapter = app.io.away === undefined ? Base : recoverable(Base, connection, reader, options, app.io.away);
      return { connection, create: (nsp) => new Adapter(nsp) };
    }
  }
}

/**
 * Delays the clients of a new namespace until Redis has subscribed to its channels: a client that is connected receives the messages of
 * all workers.
 */
function delayClients(nsp: Namespace, { subscriber }: RedisConnection, timeout: number): void {
  // At boot no client is connected yet, and the boot waits for Redis.
  if (!subscriber.isSubscribing) return;
  let subscribed: Promise<void> | undefined = subscriber.settled(timeout);
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
