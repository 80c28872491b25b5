// config.io: its types, and the one way from what an application wrote to what the plugin works with.
// Called at boot: by app.ts and agent.ts for what is wrong, and by who needs a part of it.

import type { IncomingMessage } from 'node:http';
import { types } from 'node:util';
import { type AckConfig, resolveAck } from './ack/config';
import { type AdapterConfig, resolveAdapter } from './adapter/config';
import { object, onlyKeys } from './check';
import { type DrainConfig, resolveDrain } from './drain/config';
import { ConfigError } from './errors';
import type { OnError } from './failures';
import { type InitConfig, resolveInit } from './init';
import {
  type Chains,
  type NamespaceConfig,
  resolveChains,
  resolveMaxNamespaces,
  resolveNamespaces,
} from './namespace/config';
import { type RedisConfig, type ResolvedRedis, resolveRedis } from './redis/config';
import { type FindUser, resolveUser } from './users';

export type { AdapterConfig, Chains, DrainConfig, InitConfig, NamespaceConfig, RedisConfig };

/** The type of `config.io`. */
export interface IoConfig {
  /** Handed to Socket.IO and Engine.IO. */
  init?: InitConfig;
  /** The namespaces and their chains. `/room/:id` stands for all that match, as in Egg's router; see `ctx.params`. */
  namespace?: Record<string, NamespaceConfig>;
  /**
   * How many namespaces that clients ask for (children of `/room/:id`, of a RegExp, of a function) a worker has at most. When
   * all of them are in use, who asks for another one is refused. Default: 10000.
   */
  maxNamespaces?: number;
  /** Runs first around each connection, in every namespace. */
  connectionMiddleware?: string[];
  /** Runs first around each event, in every namespace. */
  packetMiddleware?: string[];
  /**
   * What carries broadcasts to the other workers: a name, or a function that gives an adapter's constructor. Unset: `'redis'`
   * with `config.io.redis`, else `'cluster'` with several workers, else `'memory'`.
   *
   * @example
   * adapter: (app) => createAdapter(app.redis, app.redis.duplicate())
   */
  adapter?: AdapterConfig;
  /** Turns on the Redis adapter; false turns it off where another configuration file has turned it on. */
  redis?: RedisConfig | false;
  /**
   * The id of the socket for a handshake request. It must be unique, hard to guess, and not a promise.
   *
   * @example
   * generateId: () => crypto.randomUUID()
   */
  generateId?: (request: IncomingMessage) => string;
  /**
   * Whose client it is, for `app.io.user(id)`: asked once for each connection to a namespace, after its connection middleware. The
   * id is a string, a number or a bigint; nobody is undefined, null, false or ''. `true` stands for `ctx.userId`.
   *
   * @example
   * user: (ctx) => ctx.session.userId
   */
  user?: FindUser | boolean;
  /** How a worker that closes lets go of its clients; false closes their connections at once. */
  drain?: DrainConfig | false;
  /**
   * Who answers a client's ack. `'manual'`, the default: the controller calls it. `'auto'`: what the controller returns is the
   * answer, and what it throws is answered as `{ error: { message, code?, data?, errors? } }`.
   */
  ack?: 'manual' | 'auto';
  /** After how many ms an ack that nobody has called is answered with an error. Unset: never. */
  ackTimeout?: number | false;
  /**
   * What a client is told of an error. Unset: `err.data || err.message`.
   *
   * @example
   * onerror: (err) => (err instanceof UserError ? err.message : 'internal error')
   */
  onerror?: OnError;
}

/** `config.io`, checked and complete. */
export interface ResolvedConfig {
  init: InitConfig;
  /** By the namespace's name with its leading slash. */
  namespace: Map<string, Chains>;
  maxNamespaces: number;
  /** What runs first in every namespace. */
  everywhere: Chains;
  /** Undefined where it is for adapter.ts to choose. */
  adapter: AdapterConfig | undefined;
  redis: ResolvedRedis | undefined;
  generateId: ((request: IncomingMessage) => string) | undefined;
  /** Undefined where clients are nobody's. */
  user: FindUser | undefined;
  /** Undefined where connections are closed at once. */
  drain: DrainConfig | undefined;
  ack: AckConfig;
  onerror: OnError | undefined;
  /** What is no error but looks like a mistake, for the log. */
  warnings: string[];
}

const KEYS = [
  'init',
  'namespace',
  'maxNamespaces',
  'connectionMiddleware',
  'packetMiddleware',
  'adapter',
  'redis',
  'generateId',
  'user',
  'drain',
  'ack',
  'ackTimeout',
  'onerror',
];
/**
 * Checks `config.io` and completes it.
 *
 * @param config - the merged `app.config.io`
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveConfig(config: IoConfig | undefined): ResolvedConfig {
  const warnings: string[] = [];
  const raw = object('config.io', config) ?? {};
  onlyKeys('config.io', raw, KEYS);
  const init = resolveInit(raw.init, warnings);
  const redis = resolveRedis(raw.redis, { init, adapter: raw.adapter }, warnings);
  return {
    init,
    namespace: resolveNamespaces(raw.namespace),
    maxNamespaces: resolveMaxNamespaces(raw.maxNamespaces),
    everywhere: resolveChains('config.io', raw),
    adapter: resolveAdapter(raw.adapter, init, redis !== undefined, warnings),
    redis,
    generateId: resolveGenerateId(raw.generateId, warnings),
    user: resolveUser(raw.user, init, warnings),
    drain: resolveDrain(raw.drain),
    ack: resolveAck(raw.ack, raw.ackTimeout),
    onerror: resolveOnError(raw.onerror),
    warnings,
  };
}

function resolveOnError(value: unknown): OnError | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'function' && !types.isAsyncFunction(value) && !types.isGeneratorFunction(value)) {
    return value as OnError;
  }
  throw new ConfigError('config.io.onerror', value, 'a plain function (err, ctx) => what the client is told');
}

function resolveGenerateId(value: unknown, warnings: string[]): ResolvedConfig['generateId'] {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'function') {
    throw new ConfigError('config.io.generateId', value, 'a function (request) => string');
  }
  if (types.isAsyncFunction(value) || types.isGeneratorFunction(value)) {
    warnings.push(
      'config.io.generateId is ignored: it must be a plain function (request) => string, not an async or generator function',
    );
    return undefined;
  }
  return (request) => {
    const id: unknown = value(request);
    if (typeof id === 'string' && id !== '') return id;
    throw new ConfigError(
      'config.io.generateId',
      value,
      'a function that returns a string',
      `it returned ${typeof id}`,
    );
  };
}
