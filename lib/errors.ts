// What went wrong: the error classes, and the funnel that everything thrown in app/io goes through.
// A leaf: connection.ts, packet.ts and system.ts bring what they caught.
import { inspect, types } from 'node:util';
import type { Socket } from 'socket.io';

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

/** The chain or the controller of a packet failed: its client gets the event `error`, the log one line. */
export function packetFailed(log: ErrorLog, socket: Socket, thrown: unknown): void {
  log.error(toError(thrown));
  const { message, data } = heard(thrown);
  try {
    socket.emit('error', data || message);
  } catch (err) {
    // What the application put into `data` can't be sent (it refers to itself, say); the message always can.
    log.error(toError(err));
    socket.emit('error', message);
  }
}

/** The chain of a connection failed: returns the error to hand to Socket.IO, which the client hears as `connect_error`. */
export function connectionFailed(log: ErrorLog, thrown: unknown): Error & { data?: unknown } {
  const error = toError(thrown);
  log.error(error);
  const { message, data } = heard(thrown);
  if (message === error.message && data === undefined) return error;
  // Socket.IO sends it from a callback of its own, where an error of the encoder would end the process.
  return Object.assign(new Error(message), sendable(data, log) ? { data } : {});
}

/** Something failed of which no client has to hear. */
export function logFailure(log: ErrorLog, thrown: unknown): void {
  log.error(toError(thrown));
}

/** Whatever was thrown, as an Error with a stack. */
function toError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  const { message } = heard(thrown);
  return Object.assign(new Error(message), { name: 'NonErrorThrown', thrown });
}

/** What a client may hear of it: of an error or an object `message` and `data`, of anything else its text. */
function heard(thrown: unknown): { message: string; data?: unknown } {
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

function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown);
}

function sendable(data: unknown, log: ErrorLog): boolean {
  try {
    JSON.stringify(data);
    return true;
  } catch (err) {
    log.error(toError(err));
    return false;
  }
}
