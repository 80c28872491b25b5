// How many bytes may wait to be sent to one connection: `config.io.limits.unsentBytes`. A client that answers pings and does not read
// would otherwise hold every event that is sent to it.
import { bufferedBytesOf, type Connection, type UnsentPacket } from '../internals/engineio';

/** What a waiting packet takes beside its data, in bytes. */
const PACKET_SIZE = 100;

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

  check(): void {
    const last = this.#counted;
    this.#counted = new Map();
    const connections = this.connections();
    if (connections.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const conn of connections) {
      const bytes = this.#count(conn, last.get(conn)) + bufferedBytesOf(conn);
      if (bytes <= this.max) continue;
      this.#counted.delete(conn);
      this.exceeded(conn, bytes);
    }
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

function sizeOf(packet: UnsentPacket | undefined): number {
  const data = packet?.data;
  if (data === undefined) return PACKET_SIZE;
  return PACKET_SIZE + (typeof data === 'string' ? data.length : data.byteLength);
}
