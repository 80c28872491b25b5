// The trace context of W3C that clients send: `traceparent` and `tracestate`, in the handshake or as the last argument of an event.
import type { Context, ContextAPI, PropagationAPI } from '@opentelemetry/api';
import type { Socket } from 'socket.io';

/** The part of the API that reads a context. */
interface Reader {
  readonly ROOT_CONTEXT: Context;
  readonly context: ContextAPI;
  readonly propagation: PropagationAPI;
}

/** A trace context as a client has sent it. */
interface SentContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** How long `traceparent` may be. It has 55 characters; a later version of the standard may have more. */
const MAX_TRACEPARENT = 128;
/** How long `tracestate` may be. A longer one is ignored, which the standard allows. */
const MAX_TRACESTATE = 512;

/**
 * Returns the context that a client has sent, or an empty one. The propagator of the application checks its form. Baggage of clients is not
 * read: it would be sent to the services that the application calls.
 */
export function contextOf({ ROOT_CONTEXT, propagation }: Reader, sent: SentContext | undefined): Context {
  if (sent === undefined || sent.traceparent.length > MAX_TRACEPARENT) return ROOT_CONTEXT;
  const { traceparent, tracestate = '' } = sent;
  const isStateUsable = tracestate !== '' && tracestate.length <= MAX_TRACESTATE;
  return propagation.extract(ROOT_CONTEXT, { traceparent, ...(isStateUsable && { tracestate }) });
}

/** Returns what the handshake of a socket has: in `auth`, else in its headers. */
export function sentInHandshake({ handshake: { auth, headers } }: Socket): SentContext | undefined {
  for (const source of [auth, headers] as Array<Partial<Record<keyof SentContext, unknown>> | undefined>) {
    const traceparent = source?.traceparent;
    const tracestate = source?.tracestate;
    if (typeof traceparent !== 'string') continue;
    return typeof tracestate === 'string' ? { traceparent, tracestate } : { traceparent };
  }
  return undefined;
}

/**
 * Removes the last argument of a packet if it is a trace context, and returns it. An acknowledgement stays the last element.
 *
 * @param packet - the event, its arguments and perhaps the acknowledgement
 */
export function takeFromPacket(packet: unknown[]): SentContext | undefined {
  const index = packet.length - (typeof packet.at(-1) === 'function' ? 2 : 1);
  const last = packet[index];
  if (index < 1 || !isSentContext(last)) return undefined;
  packet.splice(index, 1);
  return last;
}

function isSentContext(value: unknown): value is SentContext {
  if (typeof value !== 'object' || value === null) return false;
  const { traceparent, tracestate, ...rest } = value as Record<string, unknown>;
  if (typeof traceparent !== 'string' || Object.keys(rest).length > 0) return false;
  return tracestate === undefined || typeof tracestate === 'string';
}
