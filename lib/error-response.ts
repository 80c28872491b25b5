// What becomes of what app/io throws: a line in the log, and what its client is told, by config.io.onerror. Called by
// connection.ts, packet.ts and ids.ts with what they caught.
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { Ack } from './ack';
import { ConfigError, type ErrorLog, heard, isError, isPromise, NoRouteError, toError, withoutPrefix } from './errors';

/** An error as it was thrown, with what else it may have. */
export interface ThrownError extends Error {
  code?: unknown;
  data?: unknown;
  errors?: unknown;
  /** Whether clients may be told: of errors of `ctx.throw` with a status below 500. */
  expose?: boolean;
  status?: number;
  /** What was thrown, where that was no error. */
  thrown?: unknown;
}

/**
 * What a client is told of an error: `config.io.onerror`.
 *
 * @param err - what was thrown; where that is no error, an error of its text that has it as `thrown`
 * @param ctx - the context of the packet, or of the connection, where `ctx.packet` is undefined
 * @returns a text, or an object with `message` and, where the client shall hear more, `code`, `data` and `errors`; no promise
 */
export type OnError = (
  err: ThrownError,
  ctx: Context,
) => // biome-ignore lint/suspicious/noConfusingVoidType: a function that says nothing
string | (object & { then?: never }) | null | undefined | void;

/** Where errors go. */
export interface Failures {
  readonly log: ErrorLog & { warn(message: string): void };
  /** `config.io.onerror`; undefined where the client is told `err.data || err.message`. */
  readonly onerror?: OnError | undefined;
}

const INTERNAL = 'internal error';

/** The chain or the controller of a packet failed: its client gets the event `error`, the log one line. */
export function packetFailed(failures: Failures, socket: Socket, thrown: unknown, ctx?: Context): void {
  failures.log.error(toError(thrown));
  const [said, safe] = failures.onerror ? [decided(failures, thrown, ctx).said, INTERNAL] : heardOf(thrown);
  try {
    socket.emit('error', said);
  } catch (err) {
    // What the application put into it can't be sent (it refers to itself, say); the text always can.
    failures.log.error(toError(err));
    socket.emit('error', safe);
  }
}

/** The same, where the client's ack takes the place of the event. */
export function ackFailed(failures: Failures, ack: Ack, thrown: unknown, ctx: Context): void {
  // That one is the client's mistake.
  if (thrown instanceof NoRouteError) failures.log.warn(`[egg-socket.io] ${thrown.message}`);
  else failures.log.error(toError(thrown));
  const by = ack.isTooLate ? 'its time was up' : 'it failed';
  const error = failures.onerror ? decided(failures, thrown, ctx).told : toldOfThrown(thrown);
  try {
    ack.send([{ error }], by);
  } catch (err) {
    failures.log.error(toError(err));
    ack.send([{ error: { message: error.message } }], by);
  }
}

/** The chain of a connection failed: returns the error to hand to Socket.IO, which the client hears as `connect_error`. */
export function connectionFailed(failures: Failures, thrown: unknown, ctx?: Context): Error & { data?: unknown } {
  const { log } = failures;
  const error = toError(thrown);
  log.error(error);
  // A mistake in the configuration is for the log.
  if (thrown instanceof ConfigError) return new Error(INTERNAL);
  if (failures.onerror) return sendable(connectErrorOf(decided(failures, thrown, ctx).told, isOld(ctx)), log);
  const { message, data } = heard(thrown);
  if (message === error.message && data === undefined) return error;
  return sendable(Object.assign(new Error(message), { data }), log);
}

/** Something failed of which no client has to hear. */
export function logFailure(log: ErrorLog, thrown: unknown): void {
  log.error(toError(thrown));
}

/** The same, where it may be the log itself that has failed: there is nowhere left to say that. */
export function logLast(log: ErrorLog, thrown: unknown): void {
  try {
    logFailure(log, thrown);
  } catch {}
}

/** What `onerror` says, as it is and as an ack has it. */
interface Decision {
  readonly said: unknown;
  readonly told: AckError;
}

/** A text that tells nothing where `onerror` says nothing, fails itself, or has no context to go by. */
function decided({ log, onerror }: Failures, thrown: unknown, ctx: Context | undefined): Decision {
  try {
    const said: unknown = ctx && onerror?.(withoutPrefix(toError(thrown)), ctx);
    if (typeof said === 'function' || isPromise(said)) {
      Promise.resolve(said).catch((err) => logFailure(log, err));
      throw new ConfigError('config.io.onerror', said, 'a plain function that returns a text or an object');
    }
    if (said !== undefined && said !== null) {
      const told = toldOfSaid(said);
      // An error has more in it than was meant for clients.
      return { said: isError(said) ? told : said, told };
    }
  } catch (err) {
    log.error(toError(err));
  }
  return { said: INTERNAL, told: { message: INTERNAL } };
}

function heardOf(thrown: unknown): [said: unknown, safe: string] {
  const { message, data } = heard(thrown);
  return [data || message, message];
}

function isOld(ctx: Context | undefined): boolean {
  return ctx?.socket.conn.protocol === 3;
}

/** Socket.IO sends it from a callback of its own, where an error of the encoder would end the process. */
function sendable(err: Error & { data?: unknown }, log: ErrorLog): Error & { data?: unknown } {
  try {
    JSON.stringify(err.data);
    return err;
  } catch (failure) {
    log.error(toError(failure));
    return new Error(err.message);
  }
}

// What a client may be told of an error, in the one form that acks have. Called by failures.ts.

/** What a client's ack gets where its event failed: `{ error: AckError }`. */
export interface AckError {
  message: string;
  /** What programs tell errors by: `err.code`. */
  code?: string | number;
  /** `err.data` */
  data?: unknown;
  /** What is wrong with which parameter, of a failed validation: `err.errors`. */
  errors?: unknown;
}

/** Of whatever was thrown: its message, without the prefix of controllers, and what else an ack tells of it. */
export function toldOfThrown(thrown: unknown): AckError {
  const meant = isError(thrown) ? withoutPrefix(thrown) : thrown;
  const { message, data } = heard(meant);
  return complete(message, data, meant);
}

/** Of what `config.io.onerror` has said: a text, an error, an object with a message, or anything else, which becomes `data`. */
export function toldOfSaid(said: unknown): AckError {
  if (typeof said === 'string') return { message: said };
  const { message, data } = said as { message?: unknown; data?: unknown };
  if (isError(said)) return complete(message as string, data, said);
  return typeof message === 'string' ? { ...(said as AckError) } : { message: 'error', data: said };
}

/**
 * What `connect_error` tells, which has a message and `data` and nothing else.
 *
 * @param isOld - whether the client is one of Socket.IO 2, which is told `data || message`
 */
export function connectErrorOf(told: AckError, isOld: boolean): Error & { data?: unknown } {
  const { message, data, code, errors } = told;
  const rest = code === undefined && errors === undefined ? undefined : isOld ? told : { code, errors };
  const more = data ?? rest;
  return Object.assign(new Error(message), more === undefined ? {} : { data: more });
}

function complete(message: string, data: unknown, of: unknown): AckError {
  const told: AckError = { message };
  const { code, errors } = read(of);
  if (typeof code === 'string' || typeof code === 'number') told.code = code;
  if (data !== undefined) told.data = data;
  // Errors in a list (of an AggregateError, say) have more in them than was meant for clients.
  if (errors !== undefined && !(Array.isArray(errors) && errors.some(isError))) told.errors = errors;
  return told;
}

function read(of: unknown): { code?: unknown; errors?: unknown } {
  if (typeof of !== 'object' || of === null) return {};
  try {
    const { code, errors } = of as { code?: unknown; errors?: unknown };
    return { code, errors };
  } catch {
    // A getter that throws: there is nothing to tell.
    return {};
  }
}
