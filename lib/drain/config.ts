// config.io.drain: its type, its checks and its defaults. Called by lib/config.ts.
import { onlyKeys } from '../check';
import { ConfigError } from '../errors';

/** The type of `config.io.drain`; what is not set follows from `EGG_APP_CLOSE_TIMEOUT`. */
export interface DrainConfig {
  /** How long a worker that closes waits for what is running, in ms. Default: 80 % of `EGG_APP_CLOSE_TIMEOUT`. */
  timeout?: number;
  /** Over how many ms at most the clients are told to come back by another way. Default: half of `timeout`. */
  spread?: number;
}

/** Both in ms. */
export type ResolvedDrain = Required<DrainConfig>;

const KEY = 'config.io.drain';
/** How much of Egg's time is for draining; the rest is for adapters, for Redis and for whatever else the application closes. */
const SHARE = 0.8;
/** Egg's default, in ms. */
const EGG_CLOSE_TIMEOUT = 5000;

/**
 * Checks `config.io.drain` and completes it.
 *
 * @param env - where Egg's own limit is: its master kills a worker that has not ended by then
 * @returns undefined where connections are to be closed at once
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveDrain(raw: unknown, warnings: string[], env = process.env): ResolvedDrain | undefined {
  if (raw === false) return undefined;
  const given = raw ?? {};
  if (typeof given !== 'object' || Array.isArray(given))
    throw new ConfigError(KEY, raw, '{ timeout, spread } or false');
  onlyKeys(KEY, given, ['timeout', 'spread']);
  const { timeout, spread } = given as Record<string, unknown>;
  const limit = closeTimeout(env);
  const resolved = milliseconds('timeout', timeout) ?? Math.floor(limit * SHARE);
  if (resolved > limit * SHARE) {
    const needed = Math.ceil(resolved / SHARE);
    warnings.push(
      `${KEY}.timeout is ${resolved} ms, but Egg's master kills a worker ${limit} ms after it has asked it to end: set the environment variable EGG_APP_CLOSE_TIMEOUT to ${needed} or more`,
    );
  }
  return { timeout: resolved, spread: milliseconds('spread', spread) ?? Math.floor(resolved / 2) };
}

function milliseconds(key: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value < 2 ** 31)) {
    throw new ConfigError(`${KEY}.${key}`, value, 'milliseconds: a number that is not negative');
  }
  return value;
}

/** As Egg's master reads it, in ms. */
function closeTimeout(env: NodeJS.ProcessEnv): number {
  const set = Number.parseInt(env.EGG_APP_CLOSE_TIMEOUT || env.EGG_MASTER_CLOSE_TIMEOUT || '', 10);
  return set >= 0 ? set : EGG_CLOSE_TIMEOUT;
}
