// One option of config.io.redis: what it may be, and what to write instead. Called by config.ts.
import { ConfigError } from '../errors';

const MODES = ['static', 'dynamic', 'dynamic-private'];

type Check = [holds: (value: unknown) => boolean, allowed: string];

const text: Check = [(value) => typeof value === 'string' && value !== '', 'a string that is not empty'];
const PASSWORD: Check = [(value) => typeof value === 'string' || typeof value === 'number', 'a string'];
const CHECKS: Record<string, Check> = {
  host: text,
  path: text,
  clientName: text,
  key: text,
  auth_pass: PASSWORD,
  password: PASSWORD,
  port: [(value) => isCount(value) && Number(value) > 0 && Number(value) < 65_536, 'a port number, from 1 to 65535'],
  db: [isCount, 'the index of a database: 0, 1, …'],
  subscriptionMode: [(value) => MODES.includes(value as string), MODES.map((mode) => `'${mode}'`).join(', ')],
  maxLen: [isPositive, 'a whole number greater than 0'],
  readCount: [isPositive, 'a whole number greater than 0'],
  requestsTimeout: [(value) => typeof value === 'number' && value > 0, 'a number of ms greater than 0'],
};

/** What egg-socket.io 4 took, or one may expect, and what to write instead. */
const INSTEAD: Record<string, string> = {
  adapter: 'config.io.adapter',
  pubClient: 'config.io.redis.clientName, the name of a client of egg-redis, which is duplicated for subscribing',
  subClient: 'config.io.redis.clientName, the name of a client of egg-redis, which is duplicated for subscribing',
  url: 'host, port, auth_pass and db',
  uri: 'host, port, auth_pass and db',
};

/**
 * Checks one option. What it says of it contains no password.
 *
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function checkOption(key: string, value: unknown, warnings: string[]): void {
  const where = `config.io.redis.${key}`;
  if (Object.hasOwn(INSTEAD, key)) {
    throw new ConfigError(where, '***', `${INSTEAD[key]}`, `unknown option ${key}`);
  }
  const [holds, allowed] = (isChecked(key) && CHECKS[key]) || [() => true, ''];
  if (value !== undefined && value !== null && !holds(value)) {
    throw new ConfigError(where, holds === PASSWORD[0] ? '***' : value, allowed);
  }
  if (key.includes('_') && key !== 'auth_pass') {
    warnings.push(`${where} has no effect: it is an option of node_redis, look up its name in ioredis`);
  }
}

/** Whether it is an option that is checked here: the others are ioredis's. */
export function isChecked(key: string): boolean {
  return Object.hasOwn(CHECKS, key);
}

function isPositive(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0;
}

/** A whole number, which may come from the environment as a string. */
function isCount(value: unknown): boolean {
  return (typeof value === 'number' || typeof value === 'string') && /^\d+$/.test(String(value));
}
