// What becomes of what app/io throws: a line in the log, and what its client is told, by config.io.onerror. Called by
// connection.ts, packet.ts and ids.ts with what they caught.
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { Ack } from './ack';
import { type ErrorLog, heard, toError, withoutPrefix } from './errors';
import { connectErrorOf, toldOfSaid, toldOfThrown } from './told';

/**
 * What a client is told of an error: `config.io.onerror`.
 *
 * @param err - what was thrown; where that is no error, an error of its text that has it as `thrown`
 * @param ctx - the context of the packet, or of the connection, where `ctx.packet` is undefined
 * @returns a text, or an object with `message` and, where the client shall hear more, `code`, `data` and `errors`
 */
export type OnError = (err: Error, ctx: Context) => unknown;

/** Where errors go. */
export interface Failures {
  readonly log: ErrorLog;
  /** `config.io.onerror`; undefined where the client is told `err.data || err.message`. */
  readonly onerror?: OnError | undefined;
}

const INTERNAL = 'internal error';

/** The chain or the controller of a packet failed: its client gets the event `error`, the log one line. */
export function packetFailed(failures: Failures, socket: Socket, thrown: unknown, ctx?: Context): void {
  failures.log.error(toError(thrown));
  const { message, data } = heard(thrown);
  const [said, safe] = failures.onerror ? [decided(failures, thrown, ctx), INTERNAL] : [data || message, message];
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
  failures.log.error(toError(thrown));
  const by = ack.isTooLate ? 'its time was up' : 'it failed';
  const error = failures.onerror ? toldOfSaid(decided(failures, thrown, ctx)) : toldOfThrown(thrown);
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
  if (failures.onerror) return sendable(connectErrorOf(toldOfSaid(decided(failures, thrown, ctx))), log);
  const { message, data } = heard(thrown);
  if (message === error.message && data === undefined) return error;
  return sendable(Object.assign(new Error(message), { data }), log);
}

/** Something failed of which no client has to hear. */
export function logFailure(log: ErrorLog, thrown: unknown): void {
  log.error(toError(thrown));
}

/** What `onerror` says; a text that tells nothing where it says nothing, fails itself, or has no context to go by. */
function decided({ log, onerror }: Failures, thrown: unknown, ctx: Context | undefined): unknown {
  if (ctx === undefined) return INTERNAL;
  try {
    return onerror?.(withoutPrefix(toError(thrown)), ctx) ?? INTERNAL;
  } catch (err) {
    log.error(toError(err));
    return INTERNAL;
  }
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
