// The configuration `config.io`: its types, its checks, and the resolved form that the plugin works with.
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { types } from 'node:util';
import type { AccessLine } from '../access-log';
import type { AckConfig } from '../ack';
import type { Origins } from '../compat/origins';
import type { OnError } from '../error-response';
import { ConfigError } from '../errors';
import type { ExpiryConfig, FindExpiry } from '../expiry';
import { configFilesOf } from '../internals/egg';
import type { FindUser } from '../users';
import { type AdapterConfig, resolveAdapter } from './adapter';
import { type AdminConfig, type ResolvedAdmin, resolveAdmin } from './admin';
import { type DrainConfig, resolveDrain } from './drain-options';
import { type ExpiresConfig, resolveExpires, resolveGenerateId, resolveUser } from './identity';
import { type LimitsConfig, type ResolvedLimits, resolveLimits } from './limits';
import {
  type Chains,
  type NamespaceConfig,
  resolveChains,
  resolveMaxNamespaces,
  resolveNamespaces,
} from './namespaces';
import { type AllowedOrigins, resolveAllowedOrigins } from './origins';
import { type PresenceConfig, type ResolvedPresence, resolvePresence } from './presence';
import {
  type FindRedis,
  type LoadRedis,
  type RedisConfig,
  type ResolvedRedis,
  redisLoader,
  resolveRedis,
} from './redis';
import { INIT_KEYS, type InitConfig, resolveInit } from './server-options';
import { type MetricsConfig, type OtelConfig, type ResolvedOtel, resolveMetrics, resolveOtel } from './telemetry';
import { LONGEST_TIMER, milliseconds, object, onlyKeys } from './validate';

export type { AdapterConfig, AdapterConstructor, AdapterName } from './adapter';
export type {
  AdminConfig,
  AllowedOrigins,
  Chains,
  ExpiresConfig,
  InitConfig,
  LimitsConfig,
  MetricsConfig,
  NamespaceConfig,
  OtelConfig,
  PresenceConfig,
  RedisConfig,
};

/** The type of `config.io`. */
export interface IoConfig {
  /** Options of Socket.IO and Engine.IO. */
  init?: InitConfig;
  /**
   * Which origins may open a connection, besides that of the request's host, those of `init.cors.origin` and of
   * `config.security.domainWhiteList`: an origin, a RegExp, an array of them, `'*'`, or a function. false: all origins may. Requests without
   * the header `Origin` may always: apps and servers send none. The key sends no CORS headers: with it alone, a page of another origin can
   * connect by WebSocket, not by polling.
   *
   * @default 'same-host'
   * @example
   * allowedOrigins: ['https://example.com', /^https:\/\/[a-z-]+\.example\.org$/]
   */
  allowedOrigins?: AllowedOrigins;
  /** The namespaces and their chains. `/room/:id` configures all namespaces that match it, as in Egg's router; see `ctx.params`. */
  namespace?: Record<string, NamespaceConfig>;
  /**
   * How many child namespaces (of `/room/:id`, of a RegExp, of a function) clients may create on a worker. If all of them are in
   * use, a client that asks for another one is refused.
   *
   * @default 10000
   */
  maxNamespaces?: number;
  /** Middleware that runs first around each connection, in every namespace. */
  connectionMiddleware?: string[];
  /** Middleware that runs first around each event, in every namespace. */
  packetMiddleware?: string[];
  /**
   * The adapter, which sends broadcasts to the other workers: a name, or a function that returns the constructor of an adapter.
   * Default: `'redis'` with `config.io.redis`, else `'cluster'` with several workers, else `'memory'`.
   *
   * @example
   * adapter: (app) => createAdapter(app.redis, app.redis.duplicate())
   */
  adapter?: AdapterConfig;
  /**
   * How long `fetchSockets()`, `serverSideEmit()` with an acknowledgement and other requests wait for the responses of other workers, in
   * ms. With Redis, the first clients of a namespace wait that long at most until Redis has subscribed to its channels.
   * `config.io.redis.requestsTimeout` is the same option.
   *
   * @default 5000
   */
  requestsTimeout?: number;
  /**
   * Enables the Redis adapter. A function is called in each worker while it boots, and may return a promise: for addresses that a service
   * knows. false disables the adapter if another configuration file has enabled it.
   *
   * @example
   * redis: async (app) => ({ ...(await app.discovery.find('redis')), key: 'chat' })
   */
  redis?: RedisConfig | FindRedis | false;
  /**
   * Returns the id of a socket for a handshake request. The id must be unique and hard to guess, and not a promise.
   *
   * @example
   * generateId: () => crypto.randomUUID()
   */
  generateId?: (request: IncomingMessage) => string;
  /**
   * Returns the user id of a client, or a promise of it. Enables `app.io.user(id)`. Called once for each connection to a namespace,
   * after its connection middleware. The id is a string, a number or a bigint; undefined, null, false and '' mean that there is no
   * user. `true` stands for `(ctx) => ctx.userId`. Default: off.
   *
   * @example
   * user: (ctx) => ctx.session.userId
   */
  user?: FindUser | boolean;
  /**
   * Returns when the authentication of a client ends, or a promise of it: a Date, or a number of ms since 1970 as `Date.now()` has it. The `exp`
   * of a JWT is in seconds: multiply it by 1000. undefined, null and Infinity mean that it does not end. Called once for each connection to a
   * namespace, after its connection middleware, and again by `ctx.reauthenticate()`. At that time the client receives the event `expired` with
   * `{ grace }`. After the grace period it is disconnected from the namespace, with the reason `expired` on the server. An object sets the
   * grace period as well: see `ExpiresConfig`. Default: off.
   *
   * @example
   * expires: (ctx) => ctx.data.claims.exp * 1000
   */
  expires?: FindExpiry | ExpiresConfig | false;
  /**
   * Gives back Socket.IO 2's server API, which applications of egg-socket.io 4 use: `nsp.connected`, `adapter.clients()` and others. Each
   * name is logged when it is first used, and counted in `app.io.stats().compat`.
   *
   * @default false
   */
  compat?: boolean;
  /** Lets the admin UI of Socket.IO connect. It needs the package `@socket.io/admin-ui`. false or unset: it can't. */
  admin?: AdminConfig | false;
  /**
   * Whether an error of a listener that is added by hand (`socket.on()`, `nsp.on('connection')`, `nsp.use()` and others) is logged. If
   * false, it ends the worker with all its clients, as in Socket.IO itself.
   *
   * @default true
   */
  containListeners?: boolean;
  /** How a closing worker drains its connections. false: it closes them at once. */
  drain?: DrainConfig | false;
  /**
   * Who sends the acknowledgements of clients. `'manual'`: the controller calls the acknowledgement function. `'auto'`: what the
   * controller returns is the answer, and what it throws is answered as `{ error: { message, code?, data?, errors? } }`.
   *
   * @default 'manual'
   */
  ack?: 'manual' | 'auto';
  /** After how many ms an acknowledgement that was not sent is answered with an error. Default: never. */
  ackTimeout?: number | false;
  /**
   * After how many ms a connection chain that has neither admitted nor refused its client is logged as a warning, once a minute for each
   * middleware. false: never.
   *
   * @default 10000
   */
  slowConnection?: number | false;
  /**
   * Logs one line for each connection to a namespace, for each event and for each disconnect. A function returns the line of an entry; if it
   * returns no string, nothing is logged. The lines contain no arguments unless the function adds them. They go to the logger
   * `ioAccessLogger` of `config.customLogger`, or to `app.logger`.
   *
   * @default false
   * @example
   * accessLog: ({ kind, event, duration }) => kind === 'event' && duration > 100 && `slow event ${event}: ${duration} ms`
   */
  accessLog?: boolean | AccessLine;
  /**
   * The metrics for Prometheus, which need the package `prom-client`. true: they are measured from the boot on. `{ register }`: they are also
   * in that registry of the application. false: `app.io.metrics()` returns them, and durations are measured from its first call on.
   *
   * @default false
   */
  metrics?: boolean | MetricsConfig;
  /**
   * Spans of OpenTelemetry for connections, events and broadcasts. Default: on if the application has the package `@opentelemetry/api`. false:
   * off. true or options: the boot fails without the package.
   *
   * @example
   * otel: { parentFromEvents: true }
   */
  otel?: boolean | OtelConfig;
  /** How often presence is sent: to clients, and between workers. See `app.io.of(name).presence(topic)`. */
  presence?: PresenceConfig;
  /** What one client may take of a worker. false turns all limits off. */
  limits?: LimitsConfig | false;
  /**
   * Returns what a client receives of an error. Default: `err.data || err.message`.
   *
   * @example
   * onerror: (err) => (err instanceof UserError ? err.message : 'internal error')
   */
  onerror?: OnError;
}

/** `config.io`, checked and complete. */
export interface ResolvedConfig {
  init: InitConfig;
  allowedOrigins: AllowedOrigins;
  /** `init.cors` of the application. With `compat`, `init` may have another one. */
  cors: InitConfig['cors'];
  /** By the name of the namespace with its leading slash. */
  namespace: Map<string, Chains>;
  maxNamespaces: number;
  /** The middleware that runs first in every namespace. */
  everywhere: Chains;
  /** Undefined if the topology decides. */
  adapter: AdapterConfig | undefined;
  /** Undefined without Redis, and until `loadRedis` has been called. */
  redis: ResolvedRedis | undefined;
  /** In ms. */
  requestsTimeout: number;
  /** Set if `config.io.redis` is a function. */
  loadRedis: LoadRedis | undefined;
  generateId: ((request: IncomingMessage) => string) | undefined;
  user: FindUser | undefined;
  expires: ExpiryConfig | undefined;
  /** `init.origins` of Socket.IO 2. Undefined if `compat` is not set. */
  origins: Origins | undefined;
  /** Undefined if the admin UI cannot connect. */
  admin: ResolvedAdmin | undefined;
  containListeners: boolean;
  /** Undefined if connections are closed at once. */
  drain: DrainConfig | undefined;
  ack: AckConfig;
  /** In ms. Undefined: no warning. */
  slowConnection: number | undefined;
  /** Undefined if it is off. */
  accessLog: true | AccessLine | undefined;
  /** Undefined if durations are measured from the first call of `app.io.metrics()` on. */
  metrics: MetricsConfig | undefined;
  /** Undefined if it is off. */
  otel: ResolvedOtel | undefined;
  presence: ResolvedPresence;
  limits: ResolvedLimits;
  onerror: OnError | undefined;
  /** Warnings of settings that have no effect. */
  warnings: string[];
}

const CONFIG = Symbol('egg-socket.io:config');

/**
 * Returns the resolved `config.io` of an application or of an agent. It is resolved on the first call, which the plugin makes in
 * `configDidLoad`: until then an application may change `app.config.io` in its own `configWillLoad`.
 *
 * @throws {ConfigError} naming the key, its value and the allowed values
 */
export function configOf(app: { config: { io: IoConfig } }): ResolvedConfig {
  const holder: { config: { io: IoConfig }; [CONFIG]?: ResolvedConfig } = app;
  holder[CONFIG] ??= namingFile(app, () => resolveConfig(holder.config.io));
  return holder[CONFIG];
}

/** The configuration of this plugin. */
const OWN_FILE = path.join(__dirname, '../../config/config.default');

/** Calls a function. If it throws a ConfigError, adds the files that set the key to the message. */
export function namingFile<T>(app: object, fn: () => T): T {
  try {
    return fn();
  } catch (err) {
    if (!(err instanceof ConfigError) || err.key === 'config.io') throw err;
    const { baseDir = '' } = app as { baseDir?: string };
    const files = configFilesOf(app, err.key).filter((file) => !file.startsWith(OWN_FILE));
    // Egg names an environment variable in the place of a file.
    err.setIn(files.map((file) => (path.isAbsolute(file) ? path.relative(baseDir, file) : file)));
    throw err;
  }
}

/** The keys of `config.io`. */
export const KEYS = [
  'init',
  'namespace',
  'maxNamespaces',
  'connectionMiddleware',
  'packetMiddleware',
  'adapter',
  'redis',
  'requestsTimeout',
  'generateId',
  'user',
  'expires',
  'allowedOrigins',
  'compat',
  'admin',
  'containListeners',
  'drain',
  'ack',
  'ackTimeout',
  'slowConnection',
  'accessLog',
  'metrics',
  'otel',
  'presence',
  'limits',
  'onerror',
];

/** Checks `config.io` and completes it. */
export function resolveConfig(config: IoConfig | undefined): ResolvedConfig {
  const warnings: string[] = [];
  const raw = object('config.io', config) ?? {};
  onlyKeys('config.io', raw, KEYS, { section: 'config.io.init', keys: INIT_KEYS });
  const { init, cors, origins } = resolveInit(raw.init, raw.compat, warnings);
  const rest = { init, adapter: raw.adapter, requestsTimeout: raw.requestsTimeout };
  const loadRedis = typeof raw.redis === 'function' ? redisLoader(raw.redis, rest) : undefined;
  const redis = loadRedis ? undefined : resolveRedis(raw.redis, rest, warnings);
  const user = resolveUser(raw.user, init, warnings);
  const namespace = resolveNamespaces(raw.namespace);
  return {
    init,
    allowedOrigins: resolveAllowedOrigins(raw.allowedOrigins, warnings),
    cors,
    namespace,
    maxNamespaces: resolveMaxNamespaces(raw.maxNamespaces),
    everywhere: resolveChains('config.io', raw),
    adapter: resolveAdapter(raw.adapter, init, (loadRedis ?? redis) !== undefined, warnings),
    redis,
    requestsTimeout: resolveRequestsTimeout(raw.requestsTimeout, redis?.adapter.requestsTimeout),
    loadRedis,
    generateId: resolveGenerateId(raw.generateId, warnings),
    user,
    expires: resolveExpires(raw.expires, init, warnings),
    origins,
    admin: resolveAdmin(raw.admin, namespace.keys()),
    containListeners: resolveContainListeners(raw.containListeners),
    drain: resolveDrain(raw.drain),
    ack: resolveAck(raw.ack, raw.ackTimeout),
    slowConnection: timeoutOf('config.io.slowConnection', raw.slowConnection ?? SLOW_CONNECTION),
    accessLog: resolveAccessLog(raw.accessLog),
    metrics: resolveMetrics(raw.metrics),
    otel: resolveOtel(raw.otel),
    presence: resolvePresence(raw.presence),
    limits: resolveLimits(raw.limits, user !== undefined),
    onerror: resolveOnError(raw.onerror),
    warnings,
  };
}

const REQUESTS_TIMEOUT = 5000;

function resolveRequestsTimeout(value: unknown, ofRedis: number | undefined): number {
  const key = 'config.io.requestsTimeout';
  const ms = milliseconds(key, value) ?? ofRedis ?? REQUESTS_TIMEOUT;
  if (ms === 0) throw new ConfigError(key, value, 'a number of ms greater than 0');
  return ms;
}

function resolveAccessLog(value: unknown): ResolvedConfig['accessLog'] {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return true;
  const isPlain = typeof value === 'function' && !types.isAsyncFunction(value) && !types.isGeneratorFunction(value);
  if (isPlain) return value as AccessLine;
  throw new ConfigError('config.io.accessLog', value, 'true, false, or a plain function (entry) => string');
}

function resolveContainListeners(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === 'boolean') return value;
  throw new ConfigError('config.io.containListeners', value, 'true or false');
}

function resolveAck(ack: unknown, timeout: unknown): AckConfig {
  if (ack !== undefined && ack !== null && ack !== 'auto' && ack !== 'manual') {
    throw new ConfigError('config.io.ack', ack, "'auto' or 'manual'");
  }
  return { auto: ack === 'auto', timeout: timeoutOf('config.io.ackTimeout', timeout) };
}

const SLOW_CONNECTION = 10_000;

/** Returns a timeout in ms, or undefined if it is not set or false. */
function timeoutOf(key: string, timeout: unknown): number | undefined {
  if (timeout === undefined || timeout === null || timeout === false) return undefined;
  if (typeof timeout === 'number' && timeout > 0 && timeout <= LONGEST_TIMER) return timeout;
  const allowed = `a number of ms, more than 0 and at most ${LONGEST_TIMER}, or false`;
  throw new ConfigError(key, timeout, allowed);
}

function resolveOnError(value: unknown): OnError | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'function' && !types.isAsyncFunction(value) && !types.isGeneratorFunction(value)) {
    return value as OnError;
  }
  throw new ConfigError('config.io.onerror', value, 'a plain function (err, ctx) => what the client receives');
}
