// Installs the adapter that the topology of the host asks for. Modules are loaded with the adapter that needs them: ioredis and the Redis
// adapters only if Redis is used, the links only for the adapter 'cluster'.
import type { Application } from 'egg';
import type { Namespace, Server } from 'socket.io';
import { configOf } from '../config/config';
import type { RedisKind } from '../config/redis';
import { adapterOf } from '../config/topology';
import { ConfigError } from '../errors';
import type { WorkerIdentity } from '../workers/run-directory';
import { recoveryAdapter } from './memory-adapter';

/** An adapter that is installed in all namespaces, and in those that are created later. */
export interface InstalledAdapter {
  /** Resolves when the adapter is ready for clients, or after a timeout. */
  readonly ready: Promise<unknown>;
  /** Connects to the other workers of the host. Called when the namespaces exist. */
  join(): Promise<void>;
  /** Releases connections. Called when the adapters of the namespaces are closed. */
  close(): Promise<void>;
}

type AdapterConstructor = NonNullable<Parameters<Server['adapter']>[0]>;

const NOTHING: InstalledAdapter = { ready: Promise.resolve(), join: async () => {}, close: async () => {} };

/**
 * Installs the adapter of an application.
 *
 * @param worker - this worker among those of its host
 * @throws {ConfigError} if the function `config.io.adapter` returns no adapter
 */
export function useAdapter(app: Application, worker: WorkerIdentity): InstalledAdapter {
  const kind = adapterOf(app);
  const { adapter } = configOf(app);
  if (typeof adapter === 'function') {
    app.io.adapter(constructorOf(adapter(app)));
    return NOTHING;
  }
  switch (kind) {
    case 'own':
      return NOTHING;
    case 'memory':
      if (app.io.recoveryDuration !== undefined) app.io.adapter(recoveryAdapter(app.io.recoveryDuration));
      return NOTHING;
    case 'cluster':
      return useLinks(app, worker);
    default:
      return useRedis(app, kind);
  }
}

function useLinks(app: Application, worker: WorkerIdentity): InstalledAdapter {
  const { Links } = require('./links') as typeof import('./links');
  const { LinkedNamespaces, LinksAdapter } = require('./links-adapter') as typeof import('./links-adapter');
  const links = new Links(worker, app.coreLogger);
  const namespaces = new LinkedNamespaces(links, configOf(app).requestsTimeout);
  app.io.adapter(
    class extends LinksAdapter {
      constructor(nsp: Namespace) {
        super(nsp, namespaces);
      }
    },
  );
  return { ...NOTHING, join: () => links.join(namespaces), close: () => links.leave() };
}

function useRedis(app: Application, kind: RedisKind): InstalledAdapter {
  const redis = require('./redis/install') as typeof import('./redis/install');
  return { ...NOTHING, ...redis.useRedis(app, kind) };
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
