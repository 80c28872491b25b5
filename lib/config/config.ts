// config.io: its types, and the one way from what an application wrote to what the plugin works with.
// Called at boot: by app.ts and agent.ts for what is wrong, and by who needs a part of it.
import type { IncomingMessage } from 'node:http';
import { types } from 'node:util';
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { AckConfig } from '../ack';
import type { OnError } from '../error-response';
import { ConfigError } from '../errors';
import { isPattern, Pattern } from '../namespaces/path-pattern';
import type { FindUser, FoundUser } from '../users';
import { type RedisConfig, type ResolvedRedis, resolveRedis } from './redis';
import { type InitConfig, resolveInit } from './server-options';
import { list, object, onlyKeys } from './validate';

export type { InitConfig, RedisConfig };

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

const CONFIG = Symbol('egg-socket.io:config');

/**
 * Returns the resolved `config.io` of an application or of an agent. It is resolved on the first call, which the plugin makes in
 * `configDidLoad`: until then an application may change `app.config.io` in its own `configWillLoad`.
 *
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function configOf(app: { config: { io: IoConfig } }): ResolvedConfig {
  const host: { config: { io: IoConfig }; [CONFIG]?: ResolvedConfig } = app;
  host[CONFIG] ??= resolveConfig(host.config.io);
  return host[CONFIG];
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

// config.io.ack and config.io.ackTimeout, checked. Called by lib/config.ts.

/** The longest timer that Node has, in ms. */
const LONGEST = 2 ** 31 - 1;

/**
 * @param ack - `config.io.ack`
 * @param timeout - `config.io.ackTimeout`
 * @throws {ConfigError} for what they can't be
 */
export function resolveAck(ack: unknown, timeout: unknown): AckConfig {
  if (ack !== undefined && ack !== null && ack !== 'auto' && ack !== 'manual') {
    throw new ConfigError('config.io.ack', ack, "'auto' or 'manual'");
  }
  return { auto: ack === 'auto', timeout: resolveTimeout(timeout) };
}

function resolveTimeout(timeout: unknown): number | undefined {
  if (timeout === undefined || timeout === null || timeout === false) return undefined;
  if (typeof timeout === 'number' && timeout > 0 && timeout <= LONGEST) return timeout;
  throw new ConfigError(
    'config.io.ackTimeout',
    timeout,
    `a number of ms, more than 0 and at most ${LONGEST}, or false`,
  );
}

// config.io.drain: its type and its checks. Called by lib/config.ts; what is not set is for times.ts.

/** The type of `config.io.drain`. */
export interface DrainConfig {
  /** How long a worker that closes waits for what is running, in ms. Default: 80 % of the time that Egg gives it. */
  timeout?: number;
  /** Over how many ms at most the clients are told to come back by another way. Default: half of `timeout`. */
  spread?: number;
}

const KEY = 'config.io.drain';

/**
 * Checks `config.io.drain`.
 *
 * @returns undefined where connections are to be closed at once
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveDrain(raw: unknown): DrainConfig | undefined {
  if (raw === false) return undefined;
  const given = raw ?? {};
  if (typeof given !== 'object' || Array.isArray(given))
    throw new ConfigError(KEY, raw, '{ timeout, spread } or false');
  onlyKeys(KEY, given, ['timeout', 'spread']);
  const { timeout, spread } = given as Record<string, unknown>;
  return { timeout: milliseconds('timeout', timeout), spread: milliseconds('spread', spread) };
}

function milliseconds(key: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value < 2 ** 31)) {
    throw new ConfigError(`${KEY}.${key}`, value, 'milliseconds: a number that is not negative');
  }
  return value;
}

// config.io.namespace, config.io.maxNamespaces and the chains of all namespaces: their types and their checks. Called by
// lib/config.ts.

/** The two chains of a namespace: names of files of `app/io/middleware`, in the order in which they run. */
export interface NamespaceConfig {
  /** Run around each connection of a client to the namespace. */
  connectionMiddleware?: string[];
  /** Run around each event that a client sends to the namespace. */
  packetMiddleware?: string[];
}

/** A namespace's chains, checked and complete. */
export type Chains = Required<NamespaceConfig>;

/** An empty child takes about 3 KiB: 30 MiB at most. One with a client takes less than its client does. */
const MAX_NAMESPACES = 10_000;
const CHAIN_KEYS = ['connectionMiddleware', 'packetMiddleware'];

/** @throws {ConfigError} naming the namespace, and what is wrong with it */
export function resolveNamespaces(raw: Record<string, NamespaceConfig> | undefined): Map<string, Chains> {
  const namespaces = new Map<string, Chains>();
  for (const [key, value] of Object.entries(object('config.io.namespace', raw) ?? {})) {
    const where = `config.io.namespace['${key}']`;
    const chains = object(where, value) ?? {};
    onlyKeys(where, chains, CHAIN_KEYS);
    const name = key.startsWith('/') ? key : `/${key}`;
    if (namespaces.has(name)) {
      throw new ConfigError(where, key, `one entry for ${name}, but there are two: with and without the slash`);
    }
    if (isPattern(name)) new Pattern(name, where);
    namespaces.set(name, resolveChains(where, chains));
  }
  return namespaces;
}

export function resolveMaxNamespaces(value: unknown): number {
  if (value === undefined || value === null) return MAX_NAMESPACES;
  if (value === Infinity || (Number.isInteger(value) && (value as number) > 0)) return value as number;
  throw new ConfigError('config.io.maxNamespaces', value, 'a whole number of at least 1, or Infinity');
}

/** @param where - the key that has the chains, for messages */
export function resolveChains(where: string, raw: NamespaceConfig): Chains {
  return {
    connectionMiddleware: list(where, 'connectionMiddleware', raw.connectionMiddleware),
    packetMiddleware: list(where, 'packetMiddleware', raw.packetMiddleware),
  };
}

/** Makes the adapter of a namespace: what Socket.IO takes for its option `adapter`. */
export type AdapterConstructor = typeof Adapter | ((nsp: Namespace) => Adapter);

/** The adapters that the plugin brings along. */
export type AdapterName = 'memory' | 'cluster' | 'redis' | 'redis-sharded' | 'redis-streams';

/** The type of `config.io.adapter`. */
export type AdapterConfig = AdapterName | ((app: Application) => AdapterConstructor);

const ADAPTER_KEY = 'config.io.adapter';
const ADAPTERS: readonly string[] = [
  'memory',
  'cluster',
  'redis',
  'redis-sharded',
  'redis-streams',
] satisfies AdapterName[];
const ADAPTER_ALLOWED = `${ADAPTERS.map((name) => `'${name}'`).join(', ')}, or a function (app) => an adapter's constructor`;

/**
 * Checks `config.io.adapter`.
 *
 * @param hasRedis - whether `config.io.redis` is set
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveAdapter(
  raw: unknown,
  init: { adapter?: unknown },
  hasRedis: boolean,
  warnings: string[],
): AdapterConfig | undefined {
  if (raw === undefined || raw === null) return undefined;
  if (typeof raw !== 'function' && !(typeof raw === 'string' && ADAPTERS.includes(raw))) {
    throw new ConfigError(ADAPTER_KEY, raw, ADAPTER_ALLOWED);
  }
  if (init.adapter !== undefined) {
    throw new ConfigError('config.io.init.adapter', init.adapter, `nothing where ${ADAPTER_KEY} is set: remove one`);
  }
  const needsRedis = typeof raw === 'string' && raw.startsWith('redis');
  if (needsRedis && !hasRedis) {
    const problem = `${ADAPTER_KEY} needs Redis: set config.io.redis = { host, port } in config/config.default`;
    throw new ConfigError(ADAPTER_KEY, raw, "'memory' and 'cluster' without config.io.redis", problem);
  }
  if (hasRedis && !needsRedis) {
    const set = typeof raw === 'string' ? `'${raw}'` : 'a function';
    warnings.push(`config.io.redis has no effect: ${ADAPTER_KEY} is ${set}`);
  }
  return raw as AdapterConfig;
}

/** @throws {ConfigError} for what `config.io.user` can't be */
function resolveUser(
  value: unknown,
  { connectionStateRecovery: recovery }: InitConfig,
  warnings: string[],
): FindUser | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  if (typeof recovery === 'object' && recovery?.skipMiddlewares) {
    warnings.push(
      'config.io.user is not asked for a client that is recovered, since config.io.init.connectionStateRecovery has skipMiddlewares: the client stays whose it was, even if that user has lost access',
    );
  }
  // As Egg's own log line does.
  if (value === true) return (ctx) => (ctx as unknown as { userId: FoundUser }).userId;
  if (typeof value === 'function' && !/Generator/.test(Object.prototype.toString.call(value))) return value as FindUser;
  throw new ConfigError(
    'config.io.user',
    value,
    'a function (ctx) => the id of its user, true for ctx.userId, or false',
  );
}
