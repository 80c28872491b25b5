// Turns what app/io has thrown into a log line and into the response for its client: the event `error`, `connect_error`, or an
// acknowledgement. `config.io.onerror` decides what the client receives.
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { Ack } from './ack';
import {
  ConfigError,
  type ErrorLog,
  isError,
  isPromise,
  LimitError,
  messageOf,
  NoRouteError,
  toError,
  withoutPrefix,
} from './errors';
import { emitToClient } from './internals/socketio';

/** An error that app/io has thrown. */
export interface ThrownError extends Error {
  code?: unknown;
  data?: unknown;
  errors?: unknown;
  /** Whether clients may read the message. True for errors of `ctx.throw` with a status below 500. */
  expose?: boolean;
  status?: number;
  /** The thrown value, if it is no error. */
  thrown?: unknown;
}

/**
 * Decides what a client receives of an error: `config.io.onerror`.
 *
 * @param err - the thrown error. If the thrown value is no error, an error with its text that has the value as `thrown`
 * @param ctx - the context of the packet or of the connection; `ctx.packet` of a connection's is undefined
 * @returns a string, or an object with `message` and optionally `code`, `data` and `errors`. Not a promise
 *
 * @example
 * onerror: (err) => (err.expose ? err.message : 'internal error')
 */
export type OnError = (
  err: ThrownError,
  ctx: Context,
) => // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing
string | (object & { then?: never }) | null | undefined | void;

/** Where errors are reported. */
export interface ErrorReporting {
  readonly log: ErrorLog & { warn(message: string): void };
  /** `config.io.onerror`. If it is undefined, clients receive `err.data || err.message`. */
  readonly onerror?: OnError | undefined;
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

const INTERNAL_ERROR = 'internal error';

/** Reports an error of a packet chain or of a controller: the client receives the event `error`. */
export function packetError(reporting: ErrorReporting, socket: Socket, thrown: unknown, ctx?: Context): void {
  const { log, onerror } = reporting;
  log.error(toError(thrown));
  const { message, data } = messageOf(thrown);
  const payload = onerror ? decide(reporting, thrown, ctx).payload : (limitErrorOf(thrown) ?? (data || message));
  try {
    emitToClient(socket, 'error', payload);
  } catch (err) {
    // The payload cannot be encoded: it contains itself, for example.
    log.error(toError(err));
    emitToClient(socket, 'error', onerror ? INTERNAL_ERROR : message);
  }
}

/** Reports an error of a packet whose client waits for an acknowledgement: the client receives `{ error }` as the answer. */
export function ackError(reporting: ErrorReporting, ack: Ack, thrown: unknown, ctx: Context): void {
  const { log, onerror } = reporting;
  // A missing route is the client's mistake.
  if (thrown instanceof NoRouteError) log.warn(`[egg-socket.io] ${thrown.message}`);
  else log.error(toError(thrown));
  const cause = ack.isTooLate ? 'it timed out' : 'it failed';
  const error = onerror ? decide(reporting, thrown, ctx).error : ackErrorOf(thrown);
  try {
    ack.send([{ error }], cause);
  } catch (err) {
    log.error(toError(err));
    ack.send([{ error: { message: error.message } }], cause);
  }
}

/** The payload of the event `error` for an exceeded limit: as the content of an acknowledgement, with the code. */
function limitErrorOf(thrown: unknown): AckError | undefined {
  return thrown instanceof LimitError ? ackErrorOf(thrown) : undefined;
}

/** Reports an error of a connection chain. Returns the error for Socket.IO, which the client receives as `connect_error`. */
export function connectError(reporting: ErrorReporting, thrown: unknown, ctx?: Context): Error & { data?: unknown } {
  const { log, onerror } = reporting;
  const error = toError(thrown);
  log.error(error);
  if (thrown instanceof ConfigError) return new Error(INTERNAL_ERROR);
  if (onerror) {
    const isEio3 = ctx?.socket.conn.protocol === 3;
    return encodable(connectErrorOf(decide(reporting, thrown, ctx).error, isEio3), log);
  }
  const { message, data } = messageOf(thrown);
  if (message === error.message && data === undefined) return error;
  return encodable(Object.assign(new Error(message), { data }), log);
}

/** Logs an error of which no client is informed. */
export function logFailure(log: ErrorLog, thrown: unknown): void {
  log.error(toError(thrown));
}

/** The same, after an error that the log itself may have thrown. */
export function logLastFailure(log: ErrorLog, thrown: unknown): void {
  try {
    logFailure(log, thrown);
  } catch {
    // There is nowhere left to report it.
  }
}

/** What `onerror` has returned: as the payload of the event `error`, and as the content of an acknowledgement. */
interface Decision {
  readonly payload: unknown;
  readonly error: AckError;
}

/** Calls `onerror`. If it returns nothing, throws, or there is no context, the client receives `internal error`. */
function decide({ log, onerror }: ErrorReporting, thrown: unknown, ctx: Context | undefined): Decision {
  try {
    const returned: unknown = ctx && onerror?.(withoutPrefix(toError(thrown)), ctx);
    if (typeof returned === 'function' || isPromise(returned)) {
      Promise.resolve(returned).catch((err) => logFailure(log, err));
      throw new ConfigError('config.io.onerror', returned, 'a plain function that returns a text or an object');
    }
    if (returned !== undefined && returned !== null) {
      const error = ackErrorOfReturned(returned);
      // Members of an error that are not listed in AckError are not for clients.
      return { payload: isError(returned) ? error : returned, error };
    }
  } catch (err) {
    log.error(toError(err));
  }
  return { payload: INTERNAL_ERROR, error: { message: INTERNAL_ERROR } };
}

/** The content of an acknowledgement for a thrown value. The message is without the prefix of controllers. */
function ackErrorOf(thrown: unknown): AckError {
  const original = isError(thrown) ? withoutPrefix(thrown) : thrown;
  const { message, data } = messageOf(original);
  return withDetails(message, data, original);
}

/** The content of an acknowledgement for what `onerror` has returned. An object without a message becomes `data`. */
function ackErrorOfReturned(returned: unknown): AckError {
  if (typeof returned === 'string') return { message: returned };
  const { message, data } = returned as { message?: unknown; data?: unknown };
  if (isError(returned)) return withDetails(message as string, data, returned);
  return typeof message === 'string' ? { ...(returned as AckError) } : { message: 'error', data: returned };
}

/**
 * The error for `connect_error`, which has only `message` and `data`.
 *
 * @param isEio3 - whether it is a client of Socket.IO 2, which receives `data || message`
 */
function connectErrorOf(error: AckError, isEio3: boolean): Error & { data?: unknown } {
  const { message, data, code, errors } = error;
  const details = code === undefined && errors === undefined ? undefined : isEio3 ? error : { code, errors };
  const content = data ?? details;
  return Object.assign(new Error(message), content === undefined ? {} : { data: content });
}

function withDetails(message: string, data: unknown, thrown: unknown): AckError {
  const error: AckError = { message };
  const { code, errors } = readDetails(thrown);
  if (typeof code === 'string' || typeof code === 'number') error.code = code;
  if (data !== undefined) error.data = data;
  // A list of errors, as an AggregateError has it, contains more than is meant for clients.
  if (errors !== undefined && !(Array.isArray(errors) && errors.some(isError))) error.errors = errors;
  return error;
}

function readDetails(thrown: unknown): { code?: unknown; errors?: unknown } {
  if (typeof thrown !== 'object' || thrown === null) return {};
  try {
    const { code, errors } = thrown as { code?: unknown; errors?: unknown };
    return { code, errors };
  } catch {
    // A getter throws.
    return {};
  }
}

/** Removes `data` that cannot be encoded. Socket.IO encodes it in a callback of its own: an exception there ends the process. */
function encodable(err: Error & { data?: unknown }, log: ErrorLog): Error & { data?: unknown } {
  try {
    JSON.stringify(err.data);
    return err;
  } catch (failure) {
    log.error(toError(failure));
    return new Error(err.message);
  }
}
