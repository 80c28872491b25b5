// What went wrong: the error classes, and whatever was thrown as an error. A leaf.
import { inspect, types } from 'node:util';

/** Where errors are written: `app.coreLogger`. */
export interface ErrorLog {
  error(err: unknown): void;
}

/** A mistake in the configuration or in the routes. It fails the boot and names the key, its value and what is allowed. */
export class ConfigError extends Error {
  override name = 'EggSocketIOConfigError';

  /**
   * @param key - the full key, such as `config.io.redis`
   * @param value - what it was set to
   * @param allowed - what it may be
   * @param problem - the sentence that comes first, where there is a better one than "is invalid"
   */
  constructor(key: string, value: unknown, allowed: string, problem = `${key} is invalid`) {
    super(
      `[egg-socket.io] ${problem} (${key} is ${inspect(value, { depth: 1, breakLength: Infinity })}; allowed: ${allowed})`,
    );
  }
}

/** No answer in `config.io.ackTimeout` ms. */
export class AckTimeoutError extends Error {
  override name = 'AckTimeoutError';
  readonly code = 'ACK_TIMEOUT';
  /** Clients may be told, as of the errors of `ctx.throw`. */
  readonly expose = true;
}

/** A client waits for an answer to an event that has neither a route nor a listener. */
export class NoRouteError extends Error {
  override name = 'NoRouteError';
  readonly code = 'NO_ROUTE';
  /** Clients may be told, as of the errors of `ctx.throw`. */
  readonly expose = true;
}

const CONTROLLER_PREFIX = '[egg-socket.io] controller execute error: ';

/** Gives the error of a controller the prefix that egg-socket.io 4 gave it; what is no error stays as it is. */
export function controllerError(thrown: unknown): unknown {
  if (!isError(thrown) || String(thrown.message).startsWith(CONTROLLER_PREFIX)) return thrown;
  try {
    thrown.message = CONTROLLER_PREFIX + thrown.message;
    return thrown;
  } catch {
    // A frozen error: the same one, said anew.
    const copy = new Error(CONTROLLER_PREFIX + thrown.message, { cause: thrown });
    return Object.assign(copy, { data: (thrown as { data?: unknown }).data });
  }
}

/**
 * The error as the controller threw it, without the prefix. Frozen ones were said anew, and are the cause of that.
 */
export function withoutPrefix(err: Error): Error {
  try {
    const { message, cause } = err;
    if (!message.startsWith(CONTROLLER_PREFIX)) return err;
    if (isError(cause) && CONTROLLER_PREFIX + cause.message === message) return cause;
    err.message = message.slice(CONTROLLER_PREFIX.length);
  } catch {
    // One whose message can't be read, or is no text, has no prefix.
  }
  return err;
}

/** Whatever was thrown, as an Error with a stack. */
export function toError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  const { message } = heard(thrown);
  return Object.assign(new Error(message), { name: 'NonErrorThrown', thrown });
}

/** What a client may hear of it: of an error or an object `message` and `data`, of anything else its text. */
export function heard(thrown: unknown): { message: string; data?: unknown } {
  try {
    return said(thrown);
  } catch (err) {
    return { message: `an error that can't be read: ${err}` };
  }
}

function said(thrown: unknown): { message: string; data?: unknown } {
  if (typeof thrown === 'object' && thrown !== null) {
    const { message, data } = thrown as { message?: unknown; data?: unknown };
    if (typeof message === 'string' || data !== undefined || isError(thrown))
      return { message: String(message ?? ''), data };
  }
  return { message: typeof thrown === 'string' ? thrown : `non-error thrown: ${inspect(thrown, { depth: 1 })}` };
}

export function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown);
}

/** Whether a value is a promise, of whatever kind. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}
