// How many bytes may wait to be sent to one connection: `config.io.limits.unsentBytes`. A client that answers pings and does not read
// would otherwise hold every event that is sent to it.
import type { ServerResponse } from 'node:http';
import { bufferedBytesOf, type Connection, sizeOf, type UnsentPacket } from '../internals/engineio';

/** The packets of a connection that were counted. */
interface Counted {
  /** Engine.IO adds packets to it, and begins another one when it has passed them to the transport. */
  readonly buffer: readonly UnsentPacket[];
  readonly count: number;
  readonly bytes: number;
}

/** Looks at all connections from time to time, since a look at each packet would cost more. */
export class UnsentBytes {
  /** How many ms are between two looks. Each takes 4 ms of CPU time for 10,000 connections. */
  static interval = 2000;

  /** The connections to which packets waited at the last look: a packet is counted once. */
  #counted = new Map<Connection, Counted>();
  /**
   * The responses to requests of long-polling, by connection. Engine.IO forgets a response that it has ended, although the client may
   * not have read it: a client that polls and does not read would hold any number of them.
   */
  readonly #responses = new Map<Connection, ServerResponse[]>();
  /** Undefined if there is no connection. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param max - how many bytes may wait for one connection
   * @param connections - returns the open connections
   * @param exceeded - called for each connection for which more bytes wait
   */
  constructor(
    private readonly max: number,
    private readonly connections: () => Connection[],
    private readonly exceeded: (conn: Connection, bytes: number) => void,
  ) {}

  /** Must be called when a connection has opened. */
  start(): void {
    this.#timer ??= setInterval(() => this.check(), UnsentBytes.interval).unref();
  }

  /** Must be called with the response to a request by which the client of a connection polls. */
  responding(conn: Connection, res: ServerResponse): void {
    this.#responses.set(conn, [...this.#unfinished(conn), res]);
  }

  check(): void {
    const last = this.#counted;
    this.#counted = new Map();
    // A connection may have closed before its client has read the responses.
    const connections = new Set([...this.connections(), ...this.#responses.keys()]);
    if (connections.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const conn of connections) {
      const responses = this.#unfinished(conn);
      let bytes = this.#count(conn, last.get(conn)) + bufferedBytesOf(conn);
      for (const { writableLength } of responses) bytes += writableLength;
      if (bytes <= this.max) continue;
      this.#counted.delete(conn);
      this.exceeded(conn, bytes);
      for (const res of responses) res.destroy();
    }
  }

  /** Returns the responses of a connection that its client has not read, and forgets the others. */
  #unfinished(conn: Connection): ServerResponse[] {
    const all = this.#responses.get(conn);
    if (all === undefined) return [];
    const unfinished = all.filter(({ req, writableFinished }) => !writableFinished && !req.socket.destroyed);
    if (unfinished.length === 0) this.#responses.delete(conn);
    else this.#responses.set(conn, unfinished);
    return unfinished;
  }

  #count(conn: Connection, last: Counted | undefined): number {
    const { writeBuffer: buffer } = conn;
    if (buffer === undefined || buffer.length === 0) return 0;
    let { count, bytes } = last?.buffer === buffer ? last : { count: 0, bytes: 0 };
    for (; count < buffer.length; count++) bytes += sizeOf(buffer[count]);
    this.#counted.set(conn, { buffer, count, bytes });
    return bytes;
  }
}
