// Validators of configuration values. Each throws a ConfigError that names the key, its value and the allowed values.
import { inspect } from 'node:util';
import { ConfigError } from '../errors';

/** The longest timer of Node, in ms. */
export const LONGEST_TIMER = 2 ** 31 - 1;

const HIDDEN = { [inspect.custom]: () => '{…}' };

/** Returns a list of names, which is empty if it is not set. */
export function list(where: string, key: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  // Up to the "!", the message is that of egg-socket.io 4.
  if (!Array.isArray(value)) {
    throw new ConfigError(`${where}.${key}`, value, 'an array of names', `config.${key} must be Array!`);
  }
  for (const [index, name] of value.entries()) {
    if (typeof name !== 'string') throw new ConfigError(`${where}.${key}[${index}]`, name, 'a name (a string)');
  }
  return value;
}

/** Returns an object, or undefined if it is not set. */
export function object<T>(where: string, value: T): T {
  if (value === undefined || value === null) return undefined as T;
  if (typeof value !== 'object' || Array.isArray(value)) throw new ConfigError(where, value, 'an object');
  return value;
}

/**
 * Throws if an object has an unknown key.
 *
 * @param elsewhere - the section in which some of the unknown keys are known, and those keys
 */
export function onlyKeys(
  where: string,
  value: object,
  allowed: string[],
  elsewhere?: { readonly section: string; readonly keys: readonly string[] },
): void {
  for (const key of Object.keys(value)) {
    if (allowed.includes(key)) continue;
    const found = (value as Record<string, unknown>)[key];
    // A misspelt section may contain a password.
    const shown = typeof found === 'object' && found !== null && !Array.isArray(found) ? HIDDEN : found;
    const expected = elsewhere?.keys.includes(key) ? `${elsewhere.section}.${key}` : `one of: ${allowed.join(', ')}`;
    throw new ConfigError(`${where}.${key}`, shown, expected, `unknown option ${key}`);
  }
}

/** Returns a number of ms, or undefined if it is not set. */
export function milliseconds(key: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value <= LONGEST_TIMER)) {
    throw new ConfigError(key, value, 'milliseconds: a number that is not negative');
  }
  return value;
}
