// Checks of what a configuration holds: what is wrong is a ConfigError. Called by config.ts and init.ts.
import { inspect } from 'node:util';
import { ConfigError } from '../errors';

const HIDDEN = { [inspect.custom]: () => '{…}' };

/** A list of names, empty where it is not set. */
export function list(where: string, key: string, value: unknown): string[] {
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

/** An object, or undefined where it is not set. */
export function object<T>(where: string, value: T): T {
  if (value === undefined || value === null) return undefined as T;
  if (typeof value !== 'object' || Array.isArray(value)) throw new ConfigError(where, value, 'an object');
  return value;
}

/** Fails for a key that there isn't. */
export function onlyKeys(where: string, value: object, allowed: string[]): void {
  for (const key of Object.keys(value)) {
    if (allowed.includes(key)) continue;
    const found = (value as Record<string, unknown>)[key];
    // A misspelt section may hold a password.
    const shown = typeof found === 'object' && found !== null && !Array.isArray(found) ? HIDDEN : found;
    throw new ConfigError(`${where}.${key}`, shown, `one of: ${allowed.join(', ')}`, `unknown option ${key}`);
  }
}
