// config.io.redis → connections → the adapter of every namespace. Called by lib/adapter.ts before the namespaces are bound,
// and by app.ts when their adapters are closed.
import type { Application } from 'egg';
import type { Socket } from 'socket.io';
import { configOf } from '../../config/config';
import { REQUESTS_TIMEOUT, type RedisKind, type ResolvedRedis } from '../../config/redis';
import { hasClosed, unlessClosed } from '../../on-close';
import { connect } from './clients';
import { RedisLink } from './connection';
import { LinkedRedisAdapter, type MakeAdapter } from './redis-adapter';
import { shardedAdapter } from './sharded-adapter';
import { streamsAdapter } from './streams-adapter';

/** How long the boot waits for Redis, in ms. Without it, it goes on. */
const BOOT_WAIT = 3000;

/** What runs the middlewares of a namespace, Socket.IO's own. */
interface Run {
  readonly name: string;
  run(socket: Socket, decide: (err: Error | null) => void): void;
}

const links = new WeakMap<Application, RedisLink>();

/**
 * Gives all namespaces an adapter of Redis, those that are here and those that come.
 *
 * @throws {ConfigError} where `config.io.redis.clientName` is no client of egg-redis
 */
export async function useRedis(app: Application, kind: RedisKind): Promise<void> {
  const config = configOf(app);
  const redis = config.redis as ResolvedRedis;
  const link = new RedisLink(connect(app, redis, kind), app.coreLogger);
  links.set(app, link);
  const options = redis.adapter;
  const longIds = config.generateId !== undefined || config.init.allowEIO3 === true;
  const makers: Record<RedisKind, () => MakeAdapter> = {
    redis: () => (nsp) => new LinkedRedisAdapter(nsp, link, options),
    'redis-sharded': () => shardedAdapter(link, options, longIds),
    'redis-streams': () => streamsAdapter(link, options, app.io.recoveryDuration),
  };
  const make = makers[kind]();
  give(app, (nsp) => {
    const adapter = make(nsp);
    holdClients(nsp as never, link, options.requestsTimeout);
    return adapter;
  });
  await link.settled(BOOT_WAIT);
}

/** Closes the connections that were made here. */
export async function closeRedis(app: Application): Promise<void> {
  await links.get(app)?.close();
}

function give(app: Application, make: MakeAdapter): void {
  // biome-ignore lint/complexity/useArrowFunction: Socket.IO calls it with new, which an arrow function doesn't take
  const Adapter: MakeAdapter = function (nsp) {
    guard(nsp as never, app);
    return make(nsp);
  };
  app.io.adapter(Adapter as never);
}

/** The adapters take what a listener throws for a message that they can't read. */
function guard(nsp: { _onServerSideEmit(args: unknown[]): void }, app: Application): void {
  const { _onServerSideEmit } = nsp;
  nsp._onServerSideEmit = (args) => {
    try {
      _onServerSideEmit.call(nsp, args);
    } catch (err) {
      app.coreLogger.error(err);
    }
  };
}

/**
 * Whoever is in hears the other workers: the first clients of a namespace wait until Redis has subscribed to its channels. For
 * those of `/` the boot has waited.
 */
function holdClients(nsp: Run, { subscriber }: RedisLink, timeout = REQUESTS_TIMEOUT): void {
  if (nsp.name === '/' || !subscriber.busy) return;
  let subscribed: Promise<void> | undefined = subscriber.settled(timeout);
  subscribed.then(() => {
    subscribed = undefined;
  });
  const { run } = nsp;
  nsp.run = (socket, decide) => {
    if (subscribed === undefined) {
      run.call(nsp, socket, decide);
      return;
    }
    unlessClosed(socket.conn as never, subscribed).then(() => {
      // Of one that has left Socket.IO only cleans up.
      if (hasClosed(socket.conn)) decide(null);
      else run.call(nsp, socket, decide);
    });
  };
}
