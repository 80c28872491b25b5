// `config.io.limits`: its types and its checks.
import { ConfigError } from '../errors';
import type { RateLimit, RateLimitKey } from '../limits/rate-limit';
import { LONGEST_TIMER, object, onlyKeys } from './validate';

/** `config.io.limits`. Each limit is turned off by `false`. What a worker has limited is counted in `app.io.stats().limited`. */
export interface LimitsConfig {
  /**
   * How many namespaces one connection may be connected to, or connecting to. A further CONNECT is answered by `connect_error` with
   * `err.data.code === 'TOO_MANY_NAMESPACES'`.
   *
   * @default 100
   */
  namespaces?: number | false;
  /**
   * How many bytes may wait to be sent to one connection. Each packet counts 100 bytes more than its data. It is checked every two seconds:
   * the connection of a client that has stopped reading is closed, and the client reconnects.
   *
   * @default 16777216
   */
  unsentBytes?: number | false;
  /**
   * How many packets of one connection are handled in one turn of the event loop. The others wait for the next turn, in order, and
   * meanwhile nothing more is read from the connection. No packet is lost or refused.
   *
   * @default 50
   */
  packetsPerTurn?: number | false;
  /**
   * How many events clients may send: `{ points, duration, by }`. A further event fails with
   * `{ message, code: 'RATE_LIMITED', data: { retryAfter } }`, in ms. With `config.io.ack: 'auto'` it is the `error` of the
   * acknowledgement, otherwise the client receives it as the event `error`. It needs the package rate-limiter-flexible. With a Redis
   * adapter, Redis counts users and addresses for all workers.
   *
   * @default false
   *
   * @example
   * events: { points: 100, duration: 1000, by: 'user' }
   */
  events?: RateLimit | false;
  /**
   * How many events of one socket are handled at the same time. The others wait, in order; 1 keeps the events of a socket in order.
   * If 1,000 events wait, a further one fails with the code `'TOO_MANY_EVENTS'`.
   *
   * @default false
   */
  concurrency?: number | false;
  /**
   * How many bytes the arguments of an event may have: strings in UTF-8, binary data, 8 for any other value. A larger event
   * fails with the code `'ARGUMENTS_TOO_LARGE'`.
   *
   * @default false
   */
  argumentBytes?: number | false;
  /**
   * How many connections one address (`ctx.ip`; an IPv6 network of 64 bits) may have to a worker. A further handshake is answered by
   * HTTP 429. Behind a reverse proxy, it needs `config.proxy`.
   *
   * @default false
   */
  connectionsPerAddress?: number | false;
  /**
   * How many connections one user may have to a worker. A further one is answered by `connect_error` with
   * `err.data.code === 'TOO_MANY_CONNECTIONS'`. It needs `config.io.user`.
   *
   * @default false
   */
  connectionsPerUser?: number | false;
}

/** `config.io.limits`, checked and complete. Undefined: no limit. */
export interface ResolvedLimits {
  namespaces: number | undefined;
  unsentBytes: number | undefined;
  packetsPerTurn: number | undefined;
  events: Required<RateLimit> | undefined;
  concurrency: number | undefined;
  argumentBytes: number | undefined;
  connectionsPerAddress: number | undefined;
  connectionsPerUser: number | undefined;
}

const DEFAULTS = { namespaces: 100, unsentBytes: 16 * 1024 * 1024, packetsPerTurn: 50 };

const KEYS = [
  'namespaces',
  'unsentBytes',
  'packetsPerTurn',
  'events',
  'concurrency',
  'argumentBytes',
  'connectionsPerAddress',
  'connectionsPerUser',
] satisfies Array<keyof LimitsConfig>;

/** @param hasUser - whether `config.io.user` is set */
export function resolveLimits(raw: unknown, hasUser: boolean): ResolvedLimits {
  const where = 'config.io.limits';
  const limits = raw === false ? allOff() : (object(where, raw as LimitsConfig | undefined) ?? {});
  onlyKeys(where, limits, KEYS);
  const count = (key: keyof LimitsConfig): number | undefined => {
    const { [key]: own } = limits;
    const value = own ?? (DEFAULTS as LimitsConfig)[key] ?? false;
    if (value === false) return undefined;
    if (Number.isInteger(value) && (value as number) > 0) return value as number;
    throw new ConfigError(`${where}.${key}`, value, 'a whole number of at least 1, or false');
  };
  const { events } = limits;
  const connectionsPerUser = count('connectionsPerUser');
  if (connectionsPerUser !== undefined && !hasUser) throw needsUser(`${where}.connectionsPerUser`, connectionsPerUser);
  return {
    namespaces: count('namespaces'),
    unsentBytes: count('unsentBytes'),
    packetsPerTurn: count('packetsPerTurn'),
    events:
      events === undefined || events === null || events === false
        ? undefined
        : resolveRateLimit(`${where}.events`, events, hasUser),
    concurrency: count('concurrency'),
    argumentBytes: count('argumentBytes'),
    connectionsPerAddress: count('connectionsPerAddress'),
    connectionsPerUser,
  };
}

function allOff(): LimitsConfig {
  return Object.fromEntries(KEYS.map((key) => [key, false]));
}

const BY: readonly RateLimitKey[] = ['socket', 'user', 'address'];

/**
 * Checks `{ points, duration, by }`.
 *
 * @param where - the key or the call, for messages
 * @throws {ConfigError} naming the key, its value and the allowed values
 */
export function resolveRateLimit(where: string, raw: unknown, hasUser: boolean): Required<RateLimit> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new ConfigError(where, raw, '{ points, duration, by }');
  }
  onlyKeys(where, raw, ['points', 'duration', 'by']);
  const { points, duration = 1000, by = 'socket' } = raw as Partial<RateLimit>;
  if (!(Number.isInteger(points) && (points as number) > 0)) {
    throw new ConfigError(`${where}.points`, points, 'how many events: a whole number of at least 1');
  }
  if (!(typeof duration === 'number' && duration > 0 && duration <= LONGEST_TIMER)) {
    throw new ConfigError(`${where}.duration`, duration, `a number of ms, more than 0 and at most ${LONGEST_TIMER}`);
  }
  if (!BY.includes(by)) throw new ConfigError(`${where}.by`, by, BY.map((each) => `'${each}'`).join(', '));
  if (by === 'user' && !hasUser) throw needsUser(`${where}.by`, by);
  return { points: points as number, duration, by };
}

function needsUser(key: string, value: unknown): ConfigError {
  return new ConfigError(
    key,
    value,
    'this with config.io.user, which returns the user of a client',
    `${key} needs config.io.user`,
  );
}
