// `config.io.generateId`, `user` and `expires`: who a client is, and for how long.
import type { IncomingMessage } from 'node:http';
import { types } from 'node:util';
import type { Context } from 'egg';
import { ConfigError } from '../errors';
import type { ExpiryConfig, FindExpiry } from '../expiry';
import type { FindUser, FoundUser } from '../users';
import type { InitConfig } from './server-options';
import { milliseconds, onlyKeys } from './validate';

/** `config.io.expires` with a grace period. */
export interface ExpiresConfig {
  /** Returns when the authentication of a client ends. */
  at: FindExpiry;
  /**
   * How long a client stays connected after that, in ms: time to renew its authentication by an event whose handler calls
   * `ctx.reauthenticate()`. 0: it is disconnected at once.
   *
   * @default 30000
   */
  grace?: number;
}

export function resolveGenerateId(
  value: unknown,
  warnings: string[],
): ((request: IncomingMessage) => string) | undefined {
  const key = 'config.io.generateId';
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'function') throw new ConfigError(key, value, 'a function (request) => string');
  if (types.isAsyncFunction(value) || types.isGeneratorFunction(value)) {
    warnings.push(
      `${key} is ignored: it must be a plain function (request) => string, not an async or generator function`,
    );
    return undefined;
  }
  return (request) => {
    const id: unknown = value(request);
    if (typeof id === 'string' && id !== '') return id;
    throw new ConfigError(key, value, 'a function that returns a string', `it returned ${typeof id}`);
  };
}

export function resolveUser(
  value: unknown,
  { connectionStateRecovery: recovery }: InitConfig,
  warnings: string[],
): FindUser | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  if (typeof recovery === 'object' && recovery?.skipMiddlewares) {
    warnings.push(
      'config.io.user is not called for a recovered client, since config.io.init.connectionStateRecovery has skipMiddlewares: the client keeps its user, even if that user has lost access',
    );
  }
  // Egg's log lines contain ctx.userId.
  if (value === true) return (ctx: Context & { userId?: FoundUser }) => ctx.userId;
  if (typeof value === 'function' && !types.isGeneratorFunction(value)) return value as FindUser;
  throw new ConfigError(
    'config.io.user',
    value,
    'a function (ctx) => the id of its user, true for ctx.userId, or false',
  );
}

const EXPIRES_GRACE = 30_000;

export function resolveExpires(
  value: unknown,
  { connectionStateRecovery: recovery }: InitConfig,
  warnings: string[],
): ExpiryConfig | undefined {
  const key = 'config.io.expires';
  if (value === undefined || value === null || value === false) return undefined;
  const given = typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : { at: value };
  onlyKeys(key, given, ['at', 'grace']);
  const { at, grace } = given;
  if (typeof at !== 'function' || types.isGeneratorFunction(at)) {
    throw new ConfigError(
      given === value ? `${key}.at` : key,
      at,
      'a function (ctx) => the time at which the authentication of its client ends; { at, grace } with such a function; or false',
    );
  }
  if (typeof recovery === 'object' && recovery?.skipMiddlewares) {
    warnings.push(
      'config.io.expires is called for a recovered client although its connection middleware is not, since config.io.init.connectionStateRecovery has skipMiddlewares: it must read ctx.data, which is recovered, or the handshake',
    );
  }
  return { at: at as FindExpiry, grace: milliseconds(`${key}.grace`, grace) ?? EXPIRES_GRACE };
}
