// config.io.drain: its type and its checks. Called by lib/config.ts; what is not set is for times.ts.
import { onlyKeys } from '../check';
import { ConfigError } from '../errors';

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
