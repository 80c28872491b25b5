// config.io.ack and config.io.ackTimeout, checked. Called by lib/config.ts.
import { ConfigError } from '../errors';

/** How acks are answered. */
export interface AckConfig {
  /** Whether what a controller returns or throws is the answer. */
  readonly auto: boolean;
  /** After how many ms an error is the answer; undefined: never. */
  readonly timeout: number | undefined;
}

/** The longest timer that Node has, in ms. */
const LONGEST = 2 ** 31 - 1;

/**
 * @param ack - `config.io.ack`
 * @param timeout - `config.io.ackTimeout`
 * @throws {ConfigError} for what they can't be
 */
export function resolveAck(ack: unknown, timeout: unknown): AckConfig {
  if (ack !== undefined && ack !== null && ack !== 'auto' && ack !== 'manual') {
    throw new ConfigError('config.io.ack', ack, "'auto' or 'manual'");
  }
  return { auto: ack === 'auto', timeout: resolveTimeout(timeout) };
}

function resolveTimeout(timeout: unknown): number | undefined {
  if (timeout === undefined || timeout === null || timeout === false) return undefined;
  if (typeof timeout === 'number' && timeout > 0 && timeout <= LONGEST) return timeout;
  throw new ConfigError(
    'config.io.ackTimeout',
    timeout,
    `a number of ms, more than 0 and at most ${LONGEST}, or false`,
  );
}
