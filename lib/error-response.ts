// Turns what app/io has thrown into a log line and into the response for its client: the event `error`, `connect_error`, or an
// acknowledgement. `config.io.onerror` decides what the client receives.
import type { IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import type { Application, Context } from 'egg';
import type { Server, Socket } from 'socket.io';
import type { Ack } from './ack';
import { clientAddress } from './client-address';
import { type ClientLog, clientLogOf, MAX_NAME, MAX_TEXT, shown } from './client-log';
import { refusals } from './diagnostics';
import {
  type AckError,
  AckTimeoutError,
  ConfigError,
  type ErrorLog,
  InvalidArgumentsError,
  isError,
  isPromise,
  LimitError,
  messageOf,
  NoRouteError,
  originalOf,
  plainMessage,
  toError,
  withoutPrefix,
} from './errors';
import { emitToClient } from './internals/socketio';
import { routerOf } from './router';

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
  readonly app: Application;
  readonly log: ErrorLog & { warn(message: string): void };
  readonly clientLog: ClientLog;
  /** Returns the address of the client that has sent a request. */
  readonly addressOf: (req: IncomingMessage, peer?: string) => string;
  /** `config.io.onerror`. If it is undefined, clients receive `err.data || err.message`. */
  readonly onerror?: OnError | undefined;
}

/** Returns where the errors of an application are reported. */
export function reportingOf(app: Application, onerror: OnError | undefined): ErrorReporting {
  return {
    app,
    log: app.coreLogger,
    clientLog: clientLogOf(app),
    addressOf: (req, peer) => clientAddress(app, req, peer),
    onerror,
  };
}

/** Where an error comes from, for its log line: an event of a socket, or the connection of the socket to its namespace. */
export interface ErrorSource {
  readonly socket: Socket;
  /** The name of the event, which the client may have chosen. Undefined for a connection. */
  readonly event?: unknown;
}

/** How the errors of a validation are logged. */
const BRIEF = { depth: 2, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 100, customInspect: false };

const INTERNAL_ERROR = 'internal error';

/** Reports an error of a packet chain or of a controller: the client receives the event `error`. */
export function packetError(reporting: ErrorReporting, source: ErrorSource, thrown: unknown, ctx?: Context): void {
  const { socket } = source;
  const { onerror } = reporting;
  logFailure(reporting, source, thrown);
  const { message, data } = messageOf(thrown);
  const payload = onerror
    ? decide(reporting, source, thrown, ctx).payload
    : (errorWithCode(thrown) ?? (data || message));
  try {
    emitToClient(socket, 'error', payload);
  } catch (err) {
    // The payload cannot be encoded: it contains itself, for example.
    logFailure(reporting, source, err);
    emitToClient(socket, 'error', onerror ? INTERNAL_ERROR : message);
  }
}

/** Reports an error of a packet whose client waits for an acknowledgement: the client receives `{ error }` as the answer. */
export function ackError(
  reporting: ErrorReporting,
  source: ErrorSource,
  ack: Ack,
  thrown: unknown,
  ctx: Context,
): void {
  logFailure(reporting, source, thrown);
  const cause = ack.isTooLate ? 'it timed out' : 'it failed';
  const error = reporting.onerror ? decide(reporting, source, thrown, ctx).error : ackErrorOf(thrown);
  try {
    ack.send([{ error }], cause);
  } catch (err) {
    logFailure(reporting, source, err);
    ack.send([{ error: { message: error.message } }], cause);
  }
}

/** The payload of the event `error` for an exceeded limit and for invalid arguments: as the content of an acknowledgement, with the code. */
function errorWithCode(thrown: unknown): AckError | undefined {
  return thrown instanceof LimitError || thrown instanceof InvalidArgumentsError ? ackErrorOf(thrown) : undefined;
}

/** Reports an error of a connection chain. Returns the error for Socket.IO, which the client receives as `connect_error`. */
export function connectError(
  reporting: ErrorReporting,
  socket: Socket,
  thrown: unknown,
  ctx?: Context,
): Error & { data?: unknown } {
  const source: ErrorSource = { socket };
  const error = toError(thrown);
  logFailure(reporting, source, thrown);
  if (thrown instanceof ConfigError) return new Error(INTERNAL_ERROR);
  if (reporting.onerror) {
    const decided = connectErrorOf(decide(reporting, source, thrown, ctx).error, socket.conn.protocol === 3);
    return encodable(reporting, source, decided);
  }
  const { message, data } = messageOf(thrown);
  if (message === error.message && data === undefined) return error;
  return encodable(reporting, source, Object.assign(new Error(message), { data }));
}

/**
 * Logs an error. One that is meant for clients is a line without a stack. The others are faults of the application, and are logged with
 * their stacks.
 */
export function logFailure({ clientLog, addressOf }: ErrorReporting, source: ErrorSource, thrown: unknown): void {
  const { socket, event } = source;
  const address = addressOf(socket.request, socket.handshake.address);
  const router = routerOf(socket.nsp);
  const name = socket.nsp.name.slice(0, MAX_NAME);
  const subject = event === undefined ? 'connection' : 'event';
  // The name of an event that has no route is one that the client has chosen.
  const cause = `${subject} ${router?.get(event) === undefined ? '' : event} ${router?.name ?? name}`;
  if (thrown instanceof NoRouteError || thrown instanceof AckTimeoutError) {
    clientLog.warn(`${thrown.code} ${cause}`, `${thrown.message} (client ${address})`);
    return;
  }
  const err = toError(thrown);
  const where = `${event === undefined ? 'connection to' : `event ${shown(event)} in`} ${name}, client ${address}`;
  if (thrown instanceof LimitError && thrown.key !== undefined) {
    const advice = `config.io.limits.${thrown.key} sets the limit`;
    clientLog.warn(`limit ${thrown.key} ${cause}`, `${plainMessage(thrown)} (${where}). ${advice}`);
    return;
  }
  const kind = kindForClients(originalOf(err));
  if (kind === undefined) clientLog.error(cause, err, where);
  else
    clientLog.info(
      `${cause} ${kind}`,
      `${kind}: ${(plainMessage(err) + invalidOf(err)).slice(0, MAX_TEXT)} (${where})`,
    );
}

/** Returns status, code or name of an error that is meant for clients. Undefined for any other error, which is a fault of the application. */
export function kindForClients(thrown: object): string | undefined {
  const { expose, status, code, name } = readDetails(thrown);
  const isForClients =
    typeof expose === 'boolean' ? expose : typeof status === 'number' && status >= 400 && status < 500;
  if (!isForClients) return undefined;
  const parts = [status, code].filter((part) => typeof part === 'string' || typeof part === 'number');
  return String(parts.length > 0 ? parts.join(' ') : name).slice(0, MAX_NAME);
}

/** Returns what a failed validation has found, for a log line. */
function invalidOf(err: Error): string {
  const { errors } = readDetails(err);
  return errors === undefined ? '' : ` ${inspect(errors, BRIEF)}`;
}

/**
 * Logs that a client is refused in a namespace that does not exist.
 *
 * @param cause - fixed words, which are part of the message
 * @param by - the parent namespace, if there is one
 */
export function reportRefused(
  { app, clientLog, addressOf }: ErrorReporting,
  client: Socket['client'],
  name: string,
  cause: string,
  by?: string,
): void {
  const { request } = client;
  if (refusals.hasSubscribers) {
    refusals.publish({ app, stage: 'namespace', request, reason: cause, namespace: by, requested: name });
  }
  const address = addressOf(request, client.conn.remoteAddress);
  clientLog.warn(`refused ${by} ${cause}`, `refused: ${cause} (namespace ${shown(name)}, client ${address})`);
}

/** Logs that a client has sent a message longer than `config.io.init.maxHttpBufferSize`. */
export function reportTooLong(clientLog: ClientLog, { engine }: Server, address: string): void {
  clientLog.warn(
    'maxHttpBufferSize',
    `refused: a message is longer than ${engine.opts.maxHttpBufferSize} bytes (from ${address}). config.io.init.maxHttpBufferSize sets the limit`,
  );
}

/** The same, after an error that the log itself may have thrown. */
export function logLastFailure(reporting: ErrorReporting, source: ErrorSource, thrown: unknown): void {
  try {
    logFailure(reporting, source, thrown);
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
function decide(reporting: ErrorReporting, source: ErrorSource, thrown: unknown, ctx: Context | undefined): Decision {
  try {
    const returned: unknown = ctx && reporting.onerror?.(withoutPrefix(toError(thrown)), ctx);
    if (typeof returned === 'function' || isPromise(returned)) {
      Promise.resolve(returned).catch((err) => logFailure(reporting, source, err));
      throw new ConfigError('config.io.onerror', returned, 'a plain function that returns a text or an object');
    }
    if (returned !== undefined && returned !== null) {
      const error = ackErrorOfReturned(returned);
      // Members of an error that are not listed in AckError are not for clients.
      return { payload: isError(returned) ? error : returned, error };
    }
  } catch (err) {
    logFailure(reporting, source, err);
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

type Details = Partial<Pick<ThrownError, 'code' | 'errors' | 'expose' | 'name' | 'status'>>;

function readDetails(thrown: unknown): Details {
  if (typeof thrown !== 'object' || thrown === null) return {};
  try {
    const { code, errors, expose, name, status } = thrown as Details;
    return { code, errors, expose, name, status };
  } catch {
    // A getter throws.
    return {};
  }
}

/** Removes `data` that cannot be encoded. Socket.IO encodes it in a callback of its own: an exception there ends the process. */
export function encodable(
  reporting: ErrorReporting,
  source: ErrorSource,
  err: Error & { data?: unknown },
): Error & { data?: unknown } {
  try {
    JSON.stringify(err.data);
    return err;
  } catch (failure) {
    logFailure(reporting, source, failure);
    return new Error(err.message);
  }
}
