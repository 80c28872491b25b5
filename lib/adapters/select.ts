// Installs the adapter that the topology of the host asks for. Modules are loaded with the adapter that needs them: ioredis and the Redis
// adapters only if Redis is used, the links only for the adapter 'cluster'.
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import { configOf, type ResolvedConfig } from '../config/config';
import type { RedisKind } from '../config/redis';
import { adapterOf, hostOf } from '../config/topology';
import { ConfigError } from '../errors';
import { alwaysUp, type HealthSource, healthOf } from '../health';
import type { AdapterConstructor } from '../internals/namespaces';
import type { CountingRedis } from '../limits/rate-limit';
import type { WorkerIdentity } from '../workers/run-directory';
import { memoryAdapter, recoveryAdapter } from './memory-adapter';

const debug = debuglog('egg-socket.io:adapter');

/** An adapter that is installed in all namespaces, and in those that are created later. */
export interface InstalledAdapter {
  /** Resolves when the adapter is ready for clients, or after a timeout. */
  readonly ready: Promise<unknown>;
  /** Connects to the other workers of the host. Called when the namespaces exist. */
  join(): Promise<void>;
  /** Releases connections. Called when the adapters of the namespaces are closed. */
  close(): Promise<void>;
  /** Called in place of `close` if the application installs an adapter. Links stay open, because a worker without links counts as dead. */
  release?(): Promise<void>;
}

/** An adapter of the plugin, and its health if that changes. */
interface Installation extends InstalledAdapter {
  readonly health?: HealthSource;
}

const NOTHING: InstalledAdapter = { ready: Promise.resolve(), join: async () => {}, close: async () => {} };

/** Makes `io.adapter(X)` throw if the configuration names an adapter, too. */
export function rejectOwnAdapter(
  io: Application['io'],
  { adapter, init }: Pick<ResolvedConfig, 'adapter' | 'init'>,
): void {
  const key = adapter === undefined ? 'config.io.init.adapter' : 'config.io.adapter';
  const value = adapter ?? init.adapter;
  if (value === undefined) return;
  io.beforeOwnAdapter(() => {
    const problem = `the application calls app.io.adapter(), although ${key} is set: remove one`;
    throw new ConfigError(key, value, 'nothing if the application calls app.io.adapter()', problem);
  });
}

/**
 * Calls the function `config.io.redis`, if it is one and the adapter needs it.
 *
 * @throws {ConfigError} if the function fails, or returns a wrong option
 */
export async function loadRedis(app: Application): Promise<void> {
  const config = configOf(app);
  if (config.loadRedis === undefined || app.io.hasOwnAdapter || !adapterOf(app).startsWith('redis')) return;
  config.redis = await config.loadRedis(app);
  debug('the function config.io.redis has returned its options');
}

/**
 * Creates the client of Redis that counts events for rate limits.
 *
 * @returns undefined if the adapter is not one of Redis
 */
export function connectCounter(app: Application): CountingRedis | undefined {
  const { redis } = configOf(app);
  if (redis === undefined || app.io.hasOwnAdapter || !adapterOf(app).startsWith('redis')) return undefined;
  const { createCounter } = require('./redis/clients') as typeof import('./redis/clients');
  return createCounter(app, redis);
}

/**
 * Installs the adapter of an application, unless the application has installed one. If it installs one later, that takes the place of the
 * plugin's, which is released.
 *
 * @param worker - this worker among those of its host
 * @throws {ConfigError} if the function `config.io.adapter` returns no adapter
 */
export function useAdapter(app: Application, worker: WorkerIdentity): InstalledAdapter {
  const { io, coreLogger } = app;
  const skipRedis = () => {
    debug('app.io.adapter() has installed an adapter of the application');
    const { redis, loadRedis } = configOf(app);
    if ((loadRedis ?? redis) === undefined) return;
    coreLogger.warn('[egg-socket.io] config.io.redis has no effect: the application has called app.io.adapter()');
  };
  if (io.hasOwnAdapter) {
    skipRedis();
    healthOf(io).useAdapter(alwaysUp('own'));
    return NOTHING;
  }
  const { ready, join, close, release, health } = install(app, worker);
  healthOf(io).useAdapter(health ?? alwaysUp(adapterOf(app)));
  let released: Promise<void> | undefined;
  const replaced = new Promise<void>((resolve) => {
    io.beforeOwnAdapter(() => {
      if (io.hasOwnAdapter) return;
      skipRedis();
      healthOf(io).useAdapter(alwaysUp('own'));
      released = release?.();
      released?.catch((err) => coreLogger.error(err));
      resolve();
    });
  });
  return {
    ready: Promise.race([ready, replaced]),
    join: async () => {
      if (!io.hasOwnAdapter) await join();
    },
    close: () => released ?? close(),
  };
}

function install(app: Application, worker: WorkerIdentity): Installation {
  const kind = adapterOf(app);
  const { adapter } = configOf(app);
  if (typeof adapter === 'function') {
    app.io.installAdapter(constructorOf(adapter(app)));
    return NOTHING;
  }
  switch (kind) {
    case 'own':
      return NOTHING;
    case 'memory':
      app.io.installAdapter(
        app.io.recoveryDuration === undefined ? memoryAdapter : recoveryAdapter(app.io.recoveryDuration),
      );
      return NOTHING;
    case 'cluster':
      return useLinks(app, worker);
    default:
      return useRedis(app, kind);
  }
}

function useLinks(app: Application, worker: WorkerIdentity): Installation {
  const { Links } = require('./links') as typeof import('./links');
  const { LinkedNamespaces, LinksAdapter } = require('./links-adapter') as typeof import('./links-adapter');
  const links = new Links(worker, app);
  const namespaces = new LinkedNamespaces(links, configOf(app).requestsTimeout, (id) => app.io.presences.remove(id));
  app.io.installAdapter(
    class extends LinksAdapter {
      constructor(nsp: Namespace) {
        super(nsp, namespaces);
      }
    },
  );
  const expected = hostOf(app).workers - 1;
  const health: HealthSource = {
    ...alwaysUp('cluster'),
    links: () => ({ expected, up: links.countAnswering() }),
    messages: () => ({ ...links.messages }),
  };
  return { ...NOTHING, join: () => links.join(namespaces), close: () => links.leave(), health };
}

function useRedis(app: Application, kind: RedisKind): Installation {
  const redis = require('./redis/install') as typeof import('./redis/install');
  const { ready, close, health } = redis.useRedis(app, kind);
  return { ...NOTHING, ready, close, release: close, health };
}

/**
 * Returns what `config.io.adapter` has returned as a constructor, which Socket.IO calls with `new`.
 *
 * @throws {ConfigError} if it is no function
 */
function constructorOf(adapter: unknown): AdapterConstructor {
  if (typeof adapter !== 'function') {
    const problem =
      'the function config.io.adapter must return an adapter or its constructor, such as createAdapter(…)';
    throw new ConfigError('config.io.adapter', adapter, "a function (app) => an adapter's constructor", problem);
  }
  if (adapter.prototype) return adapter as AdapterConstructor;
  // biome-ignore lint/complexity/useArrowFunction: an arrow function, such as the application's, is no constructor
  return function (nsp: Namespace) {
    return adapter(nsp);
  };
}
