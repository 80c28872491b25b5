// How many connections a worker may have to the internal servers of other workers, and from other workers to its own.
import { readFileSync } from 'node:fs';

/**
 * The share of the file descriptors of a worker. A forwarded client takes three: two in the worker that forwards, one in the other. With
 * a quarter for each, a quarter remains for everything else. A worker of node:cluster without descriptors loses connections for good.
 */
const SHARE = 1 / 4;
/** The limit of open files if the system does not report one. */
const DEFAULT_OPEN_FILES = 10_240;
/** How many ms are between two log lines. */
const LOG_INTERVAL = 60_000;

/** `app.coreLogger`. */
export interface RefusalLog {
  warn(message: string): void;
}

export class ConnectionLimit {
  /** How many connections there may be. */
  readonly max: number;
  #refusedCount = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param refused - what is refused, for the log
   * @param openFiles - how many files this process may open
   */
  constructor(
    private readonly log: RefusalLog,
    private readonly refused: string,
    private readonly openFiles = openFilesLimit(),
  ) {
    this.max = Math.max(1, Math.floor(openFiles * SHARE));
  }

  /** Counts a refusal, and logs it unless the last log line is less than a minute old. */
  refuse(): void {
    this.#refusedCount++;
    const now = performance.now();
    if (now - this.#loggedAt < LOG_INTERVAL) return;
    this.log.warn(
      `[egg-socket.io] refused ${this.refused}: ${this.#refusedCount}. There are ${this.max} connections, the most for a limit of ${this.openFiles} open files. The clients try again. Raise the limit (ulimit -n), or let clients begin with WebSocket: see docs/cluster.md`,
    );
    this.#loggedAt = now;
    this.#refusedCount = 0;
  }
}

/** Returns how many files this process may open. */
function openFilesLimit(): number {
  try {
    // Node has raised the limit as far as it may.
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? DEFAULT_OPEN_FILES : Number(limit);
  } catch {
    // The system is not Linux.
    return DEFAULT_OPEN_FILES;
  }
}
