// How many connections a worker may have to the internal servers of other workers, and from other workers to its own.
import { readFileSync } from 'node:fs';
import type { ClientLog } from '../client-log';

/**
 * The share of the file descriptors of a worker. A forwarded client takes three: two in the worker that forwards, one in the other. With
 * a quarter for each, a quarter remains for everything else. A worker of node:cluster without descriptors loses connections for good.
 */
const SHARE = 1 / 4;
/** The limit of open files if the system does not report one. */
const DEFAULT_OPEN_FILES = 10_240;
export class ConnectionLimit {
  /** How many connections there may be. */
  readonly max: number;

  /**
   * @param refused - what is refused, for the log
   * @param openFiles - how many files this process may open
   */
  constructor(
    private readonly clientLog: ClientLog,
    private readonly refused: string,
    private readonly openFiles = openFilesLimit(),
  ) {
    this.max = Math.max(1, Math.floor(openFiles * SHARE));
  }

  /** Logs a refusal. */
  refuse(): void {
    this.clientLog.warn(
      `refused ${this.refused}`,
      `refused ${this.refused}: there are ${this.max} connections, the most for a limit of ${this.openFiles} open files. The clients try again. Raise the limit (ulimit -n), or let clients begin with WebSocket: see docs/en/deployment.md`,
    );
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
