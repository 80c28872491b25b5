// The error classes of the plugin, and the conversion of any thrown value to an Error.
import { inspect, types } from 'node:util';

/** The log of errors: `app.coreLogger`. */
export interface ErrorLog {
  error(err: unknown): void;
}

/** What an acknowledgement contains if its event has failed: `{ error: AckError }`. */
export interface AckError {
  message: string;
  /** `err.code`, by which programs distinguish errors. */
  code?: string | number;
  /** `err.data` */
  data?: unknown;
  /** `err.errors` of a failed validation: which parameter is wrong, and why. */
  errors?: unknown;
}

/** A mistake in the configuration or in the routes. It fails the boot, and names the key, its value and the allowed values. */
export class ConfigError extends Error {
  override name = 'EggSocketIOConfigError';

  /**
   * @param key - the full key, such as `config.io.redis`
   * @param value - the value that is set
   * @param allowed - the values that are allowed
   * @param problem - the first sentence of the message
   */
  constructor(
    readonly key: string,
    value: unknown,
    allowed: string,
    problem = `${key} is invalid`,
  ) {
    super(
      `[egg-socket.io] ${problem} (${key} is ${inspect(value, { depth: 1, breakLength: Infinity })}; allowed: ${allowed})`,
    );
    // Egg logs the members of an error.
    Object.defineProperty(this, 'key', { enumerable: false });
  }

  /** Adds the files that set the key to the message. */
  setIn(files: readonly string[]): void {
    const { message, stack = '' } = this;
    if (files.length === 0 || message.includes('; set in ')) return;
    this.message = `${message.slice(0, -1)}; set in ${files.join(' and ')})`;
    this.stack = stack.replace(message, () => this.message);
  }
}

/** An acknowledgement was not sent within `config.io.ackTimeout` ms. */
export class AckTimeoutError extends Error {
  override name = 'AckTimeoutError';
  readonly code = 'ACK_TIMEOUT';
  /** Clients may read the message, as that of an error of `ctx.throw` with a status below 500. */
  readonly expose = true;
}

/** A client waits for the acknowledgement of an event that has neither a route nor a listener. */
export class NoRouteError extends Error {
  override name = 'NoRouteError';
  readonly code = 'NO_ROUTE';
  /** Clients may read the message, as that of an error of `ctx.throw` with a status below 500. */
  readonly expose = true;
}

/** The codes of `LimitError`. */
export type LimitCode =
  | 'ARGUMENTS_TOO_LARGE'
  | 'RATE_LIMITED'
  | 'TOO_MANY_CONNECTIONS'
  | 'TOO_MANY_EVENTS'
  | 'TOO_MANY_NAMESPACES';

/** A client has exceeded a limit of `config.io.limits` or of `app.io.limit()`. */
export class LimitError extends Error {
  override name = 'LimitError';
  /** Clients may read the message, as that of an error of `ctx.throw` with a status below 500. */
  readonly expose = true;

  /**
   * @param data - `retryAfter` in ms, or the `limit`
   * @param key - the key of `config.io.limits`. Undefined for `app.io.limit()`
   */
  constructor(
    message: string,
    readonly code: LimitCode,
    readonly data: { readonly [key: string]: unknown },
    readonly key?: string,
  ) {
    super(message);
  }
}

/** What is wrong with an argument of an event. */
export interface ArgumentIssue {
  /** The index of the argument, then the keys to the member that is wrong: `[0, 'text']`. */
  path: (string | number)[];
  message: string;
}

/** The arguments of an event are not what the schema of its route describes. */
export class InvalidArgumentsError extends Error {
  override name = 'InvalidArgumentsError';
  readonly code = 'INVALID_ARGUMENTS';
  /** Clients may read the message, as that of an error of `ctx.throw` with a status below 500. */
  readonly expose = true;

  /** @param errors - the first issues, shortened */
  constructor(
    message: string,
    readonly errors: readonly ArgumentIssue[],
  ) {
    super(message);
  }
}

/** The authentication of a client has ended: it was refused, or `ctx.reauthenticate()` has failed. See `config.io.expires`. */
export class ExpiredError extends Error {
  override name = 'ExpiredError';
  readonly code = 'EXPIRED';
  /** `connect_error` has only `message` and `data`. */
  readonly data = { code: 'EXPIRED' };
  /** Clients may read the message, as that of an error of `ctx.throw` with a status below 500. */
  readonly expose = true;
}

/** The client has disconnected before `ctx.reauthenticate()` has ended. */
export class DisconnectedError extends Error {
  override name = 'DisconnectedError';
  readonly code = 'DISCONNECTED';
  /** It is no failure of the application, as an error of `ctx.throw` with a status below 500. */
  readonly expose = true;
}

const CONTROLLER_PREFIX = '[egg-socket.io] controller execute error: ';

/** Adds the prefix of egg-socket.io 4 to the message of a controller's error. A value that is no error stays as it is. */
export function controllerError(thrown: unknown): unknown {
  if (!isError(thrown) || String(thrown.message).startsWith(CONTROLLER_PREFIX)) return thrown;
  try {
    thrown.message = CONTROLLER_PREFIX + thrown.message;
    return thrown;
  } catch {
    // The error is frozen.
    const copy = new Error(CONTROLLER_PREFIX + thrown.message, { cause: thrown });
    return Object.assign(copy, { data: (thrown as { data?: unknown }).data });
  }
}

/** Returns the error as the controller has thrown it, without the prefix. A frozen one is the cause of its copy. */
export function withoutPrefix(err: Error): Error {
  try {
    const { message, cause } = err;
    if (!message.startsWith(CONTROLLER_PREFIX)) return err;
    if (isError(cause) && CONTROLLER_PREFIX + cause.message === message) return cause;
    err.message = message.slice(CONTROLLER_PREFIX.length);
  } catch {
    // A message that cannot be read, or is not a string, has no prefix.
  }
  return err;
}

/** Returns what a controller has thrown: the cause, if the error is the copy of a frozen one, or the thrown object, if that was no error. */
export function originalOf(err: Error): object {
  try {
    const { cause, thrown } = err as { cause?: unknown; thrown?: unknown };
    if (typeof thrown === 'object' && thrown !== null) return thrown;
    return isError(cause) && CONTROLLER_PREFIX + cause.message === err.message ? cause : err;
  } catch {
    // A member that cannot be read.
    return err;
  }
}

/** Returns a thrown value as the application has thrown it. The error of a controller keeps its prefix. */
export function thrownBy(thrown: unknown): unknown {
  return isError(thrown) ? originalOf(thrown) : thrown;
}

/** Returns the message of an error without the prefix that `controllerError` has added. The error stays as it is. */
export function plainMessage(err: Error): string {
  const { message } = messageOf(err);
  return message.startsWith(CONTROLLER_PREFIX) ? message.slice(CONTROLLER_PREFIX.length) : message;
}

/** Returns a thrown value as an Error with a stack. */
export function toError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  const { message } = messageOf(thrown);
  return Object.assign(new Error(message), { name: 'NonErrorThrown', thrown });
}

/** Returns what a client may receive of a thrown value: `message` and `data` of an error or an object, else its text. */
export function messageOf(thrown: unknown): { message: string; data?: unknown } {
  try {
    return readMessage(thrown);
  } catch (err) {
    return { message: `an error that can't be read: ${err}` };
  }
}

function readMessage(thrown: unknown): { message: string; data?: unknown } {
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

/** Whether a value is a promise of any kind. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}
