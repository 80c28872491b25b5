// The attributes that telemetry gives to events, by OpenTelemetry's semantic conventions for RPC. Their values are few, and none of them
// is chosen by a client.
import type { EventMessage } from '../diagnostics';
import { kindForClients } from '../error-response';
import { AckTimeoutError, originalOf, toError } from '../errors';

export const RPC_SYSTEM = 'socket.io';
/** Stands for all values that are not known in advance. */
export const OTHER = '_OTHER';

/** A code such as `RATE_LIMITED`, a status such as 403, or the name of a class. */
const IDENTIFIER = /^[\w$.-]{1,64}$/;

/**
 * Returns the name of an event as a method.
 *
 * @param namespace - the name of the namespace, or its pattern
 * @param route - undefined if the event has no route
 * @example
 * methodOf('/chat', 'say'); // '/chat/say'
 * methodOf('/', 'say'); // '/say'
 */
export function methodOf(namespace: string, route: string | undefined): string {
  if (route === undefined) return OTHER;
  return namespace === '/' ? `/${route}` : `${namespace}/${route}`;
}

/** Why an event was not handled. */
export interface Failure {
  /** The code or the status of the error. */
  readonly code: string | undefined;
  /** The class of the error, if it is a fault of the application and not of the client. */
  readonly type: string | undefined;
}

/**
 * Returns why an event was not handled, or undefined if it was. An application may have made a code of what a client has sent: limit the number
 * of values.
 */
export function failureOf({ outcome, error }: Pick<EventMessage, 'outcome' | 'error'>): Failure | undefined {
  if (outcome === 'no route') return { code: 'NO_ROUTE', type: undefined };
  if (outcome !== 'error') return undefined;
  const thrown = toError(error);
  try {
    const original = originalOf(thrown) as { code?: unknown; status?: unknown; name?: unknown };
    const code = original.code ?? original.status;
    const isFault = original instanceof AckTimeoutError || kindForClients(original) === undefined;
    return {
      code: code === undefined ? undefined : identifierOf(code),
      type: isFault ? identifierOf(thrown.name) : undefined,
    };
  } catch {
    // A member of the error cannot be read.
    return { code: undefined, type: OTHER };
  }
}

function identifierOf(value: unknown): string {
  const text = String(value);
  return IDENTIFIER.test(text) ? text : OTHER;
}
