// `config.io.presence`: how often presence is sent.
import { ConfigError } from '../errors';
import { milliseconds, object, onlyKeys } from './validate';

/** `config.io.presence`. */
export interface PresenceConfig {
  /**
   * Over how many ms the changes of a topic are collected before tracked clients receive them in one `presence_diff`.
   *
   * @default 100
   */
  interval?: number;
  /**
   * How often a worker sends a sign of life to the others, in ms. Set the same value on all hosts: within three intervals without one, the
   * entries of a worker are removed.
   *
   * @default 5000
   */
  heartbeat?: number;
}

/** `config.io.presence`, checked and complete. */
export type ResolvedPresence = Required<PresenceConfig>;

const KEY = 'config.io.presence';

/** @throws {ConfigError} if an option is wrong */
export function resolvePresence(raw: unknown): ResolvedPresence {
  const config: PresenceConfig = object(KEY, raw as PresenceConfig) ?? {};
  onlyKeys(KEY, config, ['interval', 'heartbeat']);
  const interval = milliseconds(`${KEY}.interval`, config.interval) ?? 100;
  const heartbeat = milliseconds(`${KEY}.heartbeat`, config.heartbeat) ?? 5000;
  if (heartbeat < 1) throw new ConfigError(`${KEY}.heartbeat`, heartbeat, 'a number of ms that is at least 1');
  return { interval, heartbeat };
}
