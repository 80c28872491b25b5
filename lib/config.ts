// config.io: its types, and the one way from what an application wrote to what the plugin works with.
// Called at boot: by app.ts and agent.ts for what is wrong, and by who needs a part of it.

import type { IncomingMessage } from 'node:http';
import { types } from 'node:util';
import type { ServerOptions } from 'socket.io';
import { ConfigError } from './errors';
import { type RedisConfig, type ResolvedRedis, resolveRedis } from './redis/config';

export type { RedisConfig };

/** The two chains of a namespace: names of files of `app/io/middleware`, in the order in which they run. */
export interface NamespaceConfig {
  /** Run around each connection of a client to the namespace. */
  connectionMiddleware?: string[];
  /** Run around each event that a client sends to the namespace. */
  packetMiddleware?: string[];
}

/** What `config.io.init` takes: the options of Socket.IO and Engine.IO. */
export interface InitConfig extends Omit<Partial<ServerOptions>, 'wsEngine'> {
  /** A WebSocket server's constructor, or the name of a package whose `Server` is one. Default: ws. */
  wsEngine?: string | (new (...args: never[]) => unknown);
}

/** The type of `config.io`. */
export interface IoConfig {
  /** Handed to Socket.IO and Engine.IO. */
  init?: InitConfig;
  /** The namespaces and their chains. */
  namespace?: Record<string, NamespaceConfig>;
  /** Runs first around each connection, in every namespace. */
  connectionMiddleware?: string[];
  /** Runs first around each event, in every namespace. */
  packetMiddleware?: string[];
  /** Turns on the Redis adapter; false turns it off where another configuration file has turned it on. */
  redis?: RedisConfig | false;
  /**
   * The id of the socket for a handshake request. It must be unique, hard to guess, and not a promise.
   *
   * @example
   * generateId: () => crypto.randomUUID()
   */
  generateId?: (request: IncomingMessage) => string;
}

/** A namespace's chains, checked and complete. */
export type Chains = Required<NamespaceConfig>;

/** `config.io`, checked and complete. */
export interface ResolvedConfig {
  init: InitConfig;
  /** By the namespace's name with its leading slash. */
  namespace: Map<string, Chains>;
  /** What runs first in every namespace. */
  everywhere: Chains;
  redis: ResolvedRedis | undefined;
  generateId: ((request: IncomingMessage) => string) | undefined;
  /** What is no error but looks like a mistake, for the log. */
  warnings: string[];
}

const KEYS = ['init', 'namespace', 'connectionMiddleware', 'packetMiddleware', 'redis', 'generateId'];
/** Options of Socket.IO 2, and what to write instead. */
const DROPPED: Record<string, string> = {
  origins: "config.io.init.cors = { origin: ['https://example.com'] }, and allowRequest for WebSocket",
  cookiePath: 'config.io.init.cookie = { name, path }',
  cookieHttpOnly: 'config.io.init.cookie = { name, httpOnly }',
};
const CHAIN_KEYS = ['connectionMiddleware', 'packetMiddleware'];

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
  return {
    init,
    namespace: resolveNamespaces(raw.namespace),
    everywhere: resolveChains('config.io', raw),
    redis: resolveRedis(raw.redis, init, warnings),
    generateId: resolveGenerateId(raw.generateId, warnings),
    warnings,
  };
}

function resolveInit(raw: InitConfig | undefined, warnings: string[]): InitConfig {
  const init = { ...object('config.io.init', raw) };
  if (init.adapter !== undefined && typeof init.adapter !== 'function') {
    throw new ConfigError('config.io.init.adapter', init.adapter, 'an adapter constructor, as Socket.IO takes it');
  }
  // The package that reads it takes anything else for "every origin".
  if (init.cors && typeof init.cors !== 'function' && !(typeof init.cors === 'object' && 'origin' in init.cors)) {
    throw new ConfigError(
      'config.io.init.cors',
      init.cors,
      "an object with an origin: { origin: 'https://example.com' }",
    );
  }
  for (const [key, instead] of Object.entries(DROPPED)) {
    if (key in init) warnings.push(`config.io.init.${key} has no effect since Socket.IO 3: set ${instead}`);
  }
  if (typeof init.cookie === 'string') {
    warnings.push(`config.io.init.cookie has no effect as a string since Socket.IO 3: set { name: '${init.cookie}' }`);
  }
  // Socket.IO serves its client bundle unless told otherwise; an Egg application has its own static files.
  init.serveClient ??= false;
  const recovery = init.connectionStateRecovery;
  // A middleware that keeps somebody out has to see who comes back, too; Socket.IO's own default skips it.
  if (recovery) init.connectionStateRecovery = { skipMiddlewares: false, ...recovery };
  return init;
}

function resolveNamespaces(raw: IoConfig['namespace']): Map<string, Chains> {
  const namespaces = new Map<string, Chains>();
  for (const [key, value] of Object.entries(object('config.io.namespace', raw) ?? {})) {
    const where = `config.io.namespace['${key}']`;
    const chains = object(where, value) ?? {};
    onlyKeys(where, chains, CHAIN_KEYS);
    const name = key.startsWith('/') ? key : `/${key}`;
    if (namespaces.has(name)) {
      throw new ConfigError(where, key, `one entry for ${name}, but there are two: with and without the slash`);
    }
    namespaces.set(name, resolveChains(where, chains));
  }
  return namespaces;
}

function resolveChains(where: string, raw: NamespaceConfig): Chains {
  return {
    connectionMiddleware: list(where, 'connectionMiddleware', raw.connectionMiddleware),
    packetMiddleware: list(where, 'packetMiddleware', raw.packetMiddleware),
  };
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

function list(where: string, key: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  // The wording up to the "!" is that of egg-socket.io 4.
  if (!Array.isArray(value)) {
    throw new ConfigError(`${where}.${key}`, value, 'an array of names', `config.${key} must be Array!`);
  }
  for (const name of value) {
    if (typeof name !== 'string') throw new ConfigError(`${where}.${key}`, name, 'an array of names (strings)');
  }
  return value;
}

function object<T>(where: string, value: T): T {
  if (value === undefined || value === null) return undefined as T;
  if (typeof value !== 'object' || Array.isArray(value)) throw new ConfigError(where, value, 'an object');
  return value;
}

function onlyKeys(where: string, value: object, allowed: string[]): void {
  for (const key of Object.keys(value)) {
    if (allowed.includes(key)) continue;
    const found = (value as Record<string, unknown>)[key];
    // A misspelt section may hold a password.
    const shown = typeof found === 'object' && found !== null ? '{…}' : found;
    throw new ConfigError(`${where}.${key}`, shown, `one of: ${allowed.join(', ')}`, `unknown option ${key}`);
  }
}
