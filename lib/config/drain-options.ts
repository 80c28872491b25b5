// `config.io.drain`: how a closing worker disconnects its clients.
import { ConfigError } from '../errors';
import { milliseconds, onlyKeys } from './validate';

/** `config.io.drain`. */
export interface DrainConfig {
  /** How long a closing worker waits for running handlers, in ms. Default: 80 % of the time that Egg gives it. */
  timeout?: number;
  /** Over how many ms at most the connections are closed. Default: half of `timeout`. */
  spread?: number;
}

/** Checks `config.io.drain`. Returns undefined if it is off. */
export function resolveDrain(raw: unknown): DrainConfig | undefined {
  const key = 'config.io.drain';
  if (raw === false) return undefined;
  const given = raw ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) {
    throw new ConfigError(key, raw, '{ timeout, spread } or false');
  }
  onlyKeys(key, given, ['timeout', 'spread']);
  const { timeout, spread } = given as Record<string, unknown>;
  return { timeout: milliseconds(`${key}.timeout`, timeout), spread: milliseconds(`${key}.spread`, spread) };
}
