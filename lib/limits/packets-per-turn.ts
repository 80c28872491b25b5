// Fairness between connections: at most so many packets of one connection are handled in one turn of the event loop, which is
// `config.io.limits.packetsPerTurn`. One read of a socket, or one request of long-polling, may contain thousands of packets. Socket.IO
// handles all of them before it reads from any other connection.
import { debuglog } from 'node:util';
import {
  type Connection,
  canPauseReading,
  holdClose,
  pauseReading,
  type Receive,
  replaceReceiver,
} from '../internals/engineio';

const debug = debuglog('egg-socket.io:limits');

const RECEIVED = Symbol('egg-socket.io:received');

type WithReceived = Connection & { [RECEIVED]?: Received };

/** What was received on one connection. */
class Received {
  /** How many packets were handled since the count was reset. There may be several turns in between: a reset costs something. */
  count = 0;
  /** Undefined if no packet waits. */
  backlog: Backlog | undefined = undefined;

  constructor(
    readonly turns: PacketsPerTurn,
    readonly handle: Receive,
  ) {}
}

/** The packets of one connection that wait for a later turn. Meanwhile nothing is read from it, and it does not emit `close`. */
class Backlog {
  readonly packets: unknown[] = [];
  #next = 0;
  #resume: (() => void) | undefined = undefined;
  readonly #release: () => void;
  /** Continues the request of long-polling that waits. */
  #continue: (() => void) | undefined = undefined;

  constructor(private readonly conn: Connection) {
    this.#release = holdClose(conn, (isHeld) => {
      if (!isHeld) this.#drop();
    });
  }

  add(data: unknown): void {
    this.packets.push(data);
    // The transport may be another one since the last packet.
    this.#resume ??= pauseReading(this.conn);
  }

  /** Calls a function when no packet waits any more. Returns false if another one is to be called then. */
  onceEmpty(callback: () => void): boolean {
    if (this.#continue !== undefined) return false;
    this.#continue = callback;
    return true;
  }

  /** Handles up to so many packets. */
  handle(max: number, handle: Receive): void {
    // The server is closing the connection.
    if (this.conn.readyState === 'closing') this.#drop();
    const end = this.#next + max;
    // A packet that cannot be decoded closes the connection.
    while (this.#next < end && !this.isEmpty) handle.call(this.conn, this.packets[this.#next++]);
  }

  get isEmpty(): boolean {
    return this.#next >= this.packets.length;
  }

  end(): void {
    this.#release();
    this.#resume?.();
    this.#continue?.();
  }

  #drop(): void {
    this.packets.length = 0;
  }
}

/** The limit of one application. */
export class PacketsPerTurn {
  /** The count at which it is reset in the next turn. With the half of the limit, a connection reaches the limit in one turn only. */
  readonly resetAt: number;

  /**
   * @param max - how many packets of one connection are handled in one turn
   * @param waits - called for each packet that has to wait
   */
  constructor(
    readonly max: number,
    private readonly waits: () => void,
  ) {
    this.resetAt = Math.ceil(max / 2);
  }

  /** Limits the packets of a connection. Must be called when Socket.IO has begun to listen to it. */
  limit(conn: Connection): void {
    const own = replaceReceiver(conn, receive);
    if (own !== undefined) (conn as WithReceived)[RECEIVED] = new Received(this, own);
  }

  /** Resets the count of a connection in the next turn, and handles packets that wait. */
  reset(conn: Connection, received: Received): void {
    setImmediate(() => this.#nextTurn(conn, received));
  }

  /** Keeps a packet for a later turn. */
  hold(conn: Connection, received: Received, data: unknown): void {
    this.waits();
    if (received.backlog === undefined) debug('%s has sent more than %d packets in one turn', conn.id, this.max);
    received.backlog ??= new Backlog(conn);
    received.backlog.add(data);
  }

  #nextTurn(conn: Connection, received: Received): void {
    const { backlog } = received;
    received.count = 0;
    if (backlog === undefined) return;
    if (backlog.isEmpty) {
      received.backlog = undefined;
      backlog.end();
      return;
    }
    // Socket.IO handles packets in a later tick: the backlog ends in a later turn.
    backlog.handle(this.max, received.handle);
    this.reset(conn, received);
  }
}

/** The listener of all connections: there is no function for each of them. */
function receive(this: WithReceived, data: unknown): void {
  const received = this[RECEIVED] as Received;
  const { turns } = received;
  if (received.backlog !== undefined || (received.count >= turns.max && canPauseReading(this))) {
    turns.hold(this, received, data);
    return;
  }
  if (++received.count === turns.resetAt) turns.reset(this, received);
  received.handle.call(this, data);
}

/**
 * Calls a function at once, or when the packets of a connection that wait for a later turn are handled. A request of long-polling with
 * further packets waits for that.
 *
 * @returns false if another request waits already. Then the function is not called
 */
export function afterBacklog(conn: Connection, callback: () => void): boolean {
  const backlog = (conn as WithReceived)[RECEIVED]?.backlog;
  if (backlog !== undefined) return backlog.onceEmpty(callback);
  callback();
  return true;
}
