// What a client may be told of an error, in the one form that acks have. Called by failures.ts.
import { heard, isError, withoutPrefix } from './errors';

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
