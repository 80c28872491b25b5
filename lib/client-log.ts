// Log lines that clients cause. A client may cause thousands of them a second: a cause is logged once, and its repeats are counted and
// summed up in one line a minute. Errors of the application that clients cause are logged with their stacks, up to a number in a minute.
import { AsyncResource } from 'node:async_hooks';
import { inspect } from 'node:util';
import type { Application } from 'egg';
import { plainMessage } from './errors';

/** How many ms the repeats of a cause are counted before they are summed up. */
const PERIOD = 60_000;
/** How many causes have lines of their own. The others share one. */
const MAX_CAUSES = 1_000;
const OTHER_CAUSES = 'other causes';
const OTHER_ERRORS = 'other errors';
/** How many errors of one place are logged with their stacks before the period ends. */
const MAX_STACKS = 20;
/** How many characters of a message are logged. */
const MAX_MESSAGE = 1_000;
/** How many characters of a name that a client has chosen are logged. */
export const MAX_NAME = 100;
/** How many characters of the message of an error are logged in a line without a stack. The line ends with the address of the client. */
export const MAX_TEXT = 500;
/** How long a stack with its message may be to be logged as it is, in characters. */
const MAX_STACK = 10_000;
/** The property of a logged error that says where it comes from. Egg's logger prints it below the stack. */
const WHERE = 'egg-socket.io';
/** A line break would begin a line of the log that the client has written. */
const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029]+/gu;

type Level = 'info' | 'warn' | 'error';

/** `app.coreLogger`. */
interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(err: unknown): void;
}

/** What has been caused since the last line about it. */
interface Repeats {
  /** How many were counted and not logged. */
  count: number;
  /** How many are logged before the others are counted. */
  left: number;
  level: Level;
  /** The message of the last repeat. */
  message: string;
}

/** The lines that the clients of a worker cause. */
export class ClientLog {
  readonly #repeats = new Map<string, Repeats>();
  #timer: NodeJS.Timeout | undefined;
  /**
   * Where lines without a stack are written: Egg's logger begins a line with the URL of the current context, whose query may contain a
   * secret. The timer would also keep the context of a client.
   */
  readonly #noContext = new AsyncResource('egg-socket.io:client-log');

  /** @param period - how many ms repeats are counted before they are summed up */
  constructor(
    private readonly log: Log,
    private readonly period = PERIOD,
  ) {}

  /**
   * Logs a message, unless the same cause was logged within the last minute. Then it is counted.
   *
   * @param cause - recognizes repeats. It consists of fixed words and of names that the application has chosen, such as a namespace or a
   *   pattern of namespaces: a client that chose a part of it would get a line for each of its choices
   * @param message - one sentence, with the address of the client
   *
   * @example
   * clientLog.warn('unknown session id', `refused: Session ID unknown (client ${address})`);
   */
  warn(cause: string, message: string): void {
    this.#write('warn', cause, message);
  }

  /** The same for what is no reason to worry, such as an error that is meant for the client. */
  info(cause: string, message: string): void {
    this.#write('info', cause, message);
  }

  /**
   * Logs an error of the application with its stack. Of errors with the same stack and cause, the first 20 of a minute are logged. The
   * others are counted.
   *
   * @param where - where the error comes from. It is printed below the stack
   */
  error(cause: string, err: Error, where: string): void {
    if (this.#isDue('error', cause + framesOf(err), `${textOf(err)} (${where})`, MAX_STACKS)) {
      logWith(this.log, shortened(err), oneLine(where));
    }
  }

  /** Sums up what was counted, and forgets all causes. Must be called when the application closes. */
  close(): void {
    this.#sumUp();
    this.#repeats.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #write(level: 'info' | 'warn', cause: string, message: string): void {
    if (!this.#isDue(level, cause, message, 1)) return;
    this.#noContext.runInAsyncScope(() => this.log[level](`[egg-socket.io] ${oneLine(message)}`));
  }

  /** Whether a message is logged now. Otherwise it is counted. */
  #isDue(level: Level, cause: string, message: string, limit: number): boolean {
    const others = level === 'error' ? OTHER_ERRORS : OTHER_CAUSES;
    const key = this.#repeats.has(cause) || this.#repeats.size < MAX_CAUSES ? cause : others;
    const repeats = this.#repeats.get(key);
    if (repeats === undefined) {
      this.#repeats.set(key, { count: 0, left: limit - 1, level, message });
      if (this.#timer === undefined) this.#noContext.runInAsyncScope(() => this.#start());
      return true;
    }
    if (repeats.left > 0) {
      repeats.left--;
      return true;
    }
    repeats.count++;
    repeats.level = level;
    repeats.message = message;
    return false;
  }

  #start(): void {
    this.#timer = setInterval(() => this.#sumUp(), this.period).unref();
  }

  /** Logs how often each cause was repeated, and forgets those that were not. Stacks are logged again in the next minute. */
  #sumUp(): void {
    for (const [cause, { count, level, message }] of this.#repeats) {
      if (count === 0 || level === 'error') this.#repeats.delete(cause);
      else this.#repeats.set(cause, { count: 0, left: 0, level, message });
      if (count === 0) continue;
      this.log[level](`[egg-socket.io] ${count} more in the last ${this.period / 1_000} s of: ${oneLine(message)}`);
    }
    if (this.#repeats.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Returns a name that a client has chosen, such as that of an event, as a short text in quotes. With some parsers it may be any value. */
export function shown(name: unknown): string {
  return typeof name === 'string' ? inspect(name.slice(0, MAX_NAME)) : `no string (${typeof name})`;
}

/** Logs an error that has the property `where` during the call: `config.io.onerror` passes errors on to clients without it. */
function logWith(log: Log, err: Error, where: string): void {
  if (!Object.isExtensible(err)) {
    log.error(Object.assign(new Error(textOf(err), { cause: err }), { [WHERE]: where }));
    return;
  }
  Object.assign(err, { [WHERE]: where });
  try {
    log.error(err);
  } finally {
    delete (err as { [WHERE]?: string })[WHERE];
  }
}

/**
 * Returns the frames of a stack, without the message and what the application has added below the frames: a client may have chosen both.
 * Empty if the message was changed since, so that the stack has another one.
 */
function framesOf(err: Error): string {
  try {
    const stack = err.stack as string;
    const message = plainMessage(err);
    const start = stack.indexOf(`${message}\n    at `);
    return start < 0 ? '' : (/^(?:\n {4}at .*)+/.exec(stack.slice(start + message.length))?.[0] ?? '');
  } catch {
    // The stack cannot be read.
    return '';
  }
}

/** Returns an error to log: the error itself, or a copy if its message is too long, which a client may have chosen. */
function shortened(err: Error): Error {
  try {
    const { message, name, stack = '' } = err;
    if (message.length + stack.length <= MAX_STACK) return err;
    const copy = Object.assign(new Error(message.slice(0, MAX_MESSAGE)), err);
    const frames = framesOf(err).slice(0, MAX_STACK) || `\n${stack.slice(-MAX_MESSAGE)}`;
    Object.defineProperties(copy, { name: { value: name }, stack: { value: `${name}${frames}` } });
    return copy;
  } catch {
    // A member cannot be read.
    return err;
  }
}

function textOf(err: Error): string {
  try {
    return String(err).slice(0, MAX_TEXT);
  } catch {
    return "an error that can't be read";
  }
}

/** Returns a text on one line, of at most 1,000 characters. */
export function oneLine(message: string): string {
  return message.slice(0, MAX_MESSAGE).replace(CONTROL_CHARACTERS, ' ');
}

const CLIENT_LOG = Symbol('egg-socket.io:client-log');

/** Returns the log for lines that clients cause. */
export function clientLogOf(app: Pick<Application, 'coreLogger'>): ClientLog {
  const holder: typeof app & { [CLIENT_LOG]?: ClientLog } = app;
  holder[CLIENT_LOG] ??= new ClientLog(app.coreLogger);
  return holder[CLIENT_LOG];
}
