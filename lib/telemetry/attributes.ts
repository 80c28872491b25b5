// The attributes that spans and metrics of events have in common, by OpenTelemetry's semantic conventions for RPC. Their values are few, and
// none of them is chosen by a client.
import { kindForClients } from '../error-response';
import { AckTimeoutError, originalOf, toError } from '../errors';

/** The value of `rpc.system.name` and of `messaging.system`. */
export const SYSTEM = 'socket.io';
/** Stands for all values that are not known in advance. */
export const OTHER = '_OTHER';

/** A code such as `RATE_LIMITED`, a status such as 403, or the name of a class. */
const IDENTIFIER = /^[\w$.-]{1,64}$/;

/**
 * Returns the name of an event's span.
 *
 * @param namespace - the name of the namespace, or its pattern
 * @param route - undefined if the event has no route
 * @example
 * nameOf('/chat', 'say'); // '/chat/say'
 * nameOf('/', undefined); // '/_OTHER'
 */
export function nameOf(namespace: string, route: string = OTHER): string {
  return `${namespace === '/' ? '' : namespace}/${route}`;
}

/** Returns `rpc.method`: the name of the event's span. The conventions set it to `_OTHER` for a method that the server does not know. */
export function methodOf(namespace: string, route: string | undefined): string {
  return route === undefined ? OTHER : nameOf(namespace, route);
}

/** Why an event was not handled, or a client not admitted. */
export interface Failure {
  /** The code or the status of the error. */
  readonly code: string | undefined;
  /** The class of the error, if it is a fault of the application and not of the client. */
  readonly type: string | undefined;
}

/**
 * Returns why an operation has failed, or undefined if it has not. An application may have made a code of what a client has sent: metrics limit
 * the number of values.
 *
 * @param message - has `error` if something was thrown
 */
export function failureOf(message: { readonly outcome?: string; readonly error?: unknown }): Failure | undefined {
  if (message.outcome === 'no route') return { code: 'NO_ROUTE', type: undefined };
  if (!('error' in message)) return undefined;
  const thrown = toError(message.error);
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
