// Log lines that clients cause. A client may cause thousands of them a second: a cause is logged once, and its repeats are counted and
// summed up in one line a minute.
import type { Application } from 'egg';

/** How many ms the repeats of a cause are counted before they are summed up. */
const PERIOD = 60_000;
/** How many causes have lines of their own. The others share one. */
const MAX_CAUSES = 1_000;
const OTHER_CAUSES = 'other causes';
/** How many characters of a message are logged. */
const MAX_MESSAGE = 1_000;
/** A line break would begin a line of the log that the client has written. */
const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029]+/gu;

type Level = 'info' | 'warn';

/** `app.coreLogger`. */
type Log = Record<Level, (message: string) => void>;

/** What has been caused since the last line about it. */
interface Repeats {
  count: number;
  level: Level;
  /** The message of the last repeat. */
  message: string;
}

/** The lines that the clients of a worker cause. */
export class ClientLog {
  readonly #repeats = new Map<string, Repeats>();
  #timer: NodeJS.Timeout | undefined;

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

  /** Sums up what was counted. Must be called when the application closes. */
  close(): void {
    this.#sumUp();
    this.#repeats.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #write(level: Level, cause: string, message: string): void {
    const key = this.#repeats.has(cause) || this.#repeats.size < MAX_CAUSES ? cause : OTHER_CAUSES;
    const repeats = this.#repeats.get(key);
    if (repeats !== undefined) {
      repeats.count++;
      repeats.level = level;
      repeats.message = message;
      return;
    }
    this.#repeats.set(key, { count: 0, level, message });
    this.#timer ??= setInterval(() => this.#sumUp(), this.period).unref();
    this.log[level](`[egg-socket.io] ${oneLine(message)}`);
  }

  /** Logs how often each cause was repeated, and forgets those that were not. */
  #sumUp(): void {
    for (const [cause, { count, level, message }] of this.#repeats) {
      if (count === 0) {
        this.#repeats.delete(cause);
        continue;
      }
      this.#repeats.set(cause, { count: 0, level, message });
      this.log[level](`[egg-socket.io] ${count} more in the last ${this.period / 1_000} s of: ${oneLine(message)}`);
    }
    if (this.#repeats.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function oneLine(message: string): string {
  return message.slice(0, MAX_MESSAGE).replace(CONTROL_CHARACTERS, ' ');
}

const CLIENT_LOG = Symbol('egg-socket.io:client-log');

/** Returns the log for lines that clients cause. */
export function clientLogOf(app: Pick<Application, 'coreLogger'>): ClientLog {
  const holder: typeof app & { [CLIENT_LOG]?: ClientLog } = app;
  holder[CLIENT_LOG] ??= new ClientLog(app.coreLogger);
  return holder[CLIENT_LOG];
}
