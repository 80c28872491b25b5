// How many connections one client may have to a worker: `config.io.limits.connectionsPerAddress` and `connectionsPerUser`.
import type { EventEmitter } from 'node:events';
import type { Socket } from 'socket.io';
import { LimitError } from '../errors';
import { onClose } from '../on-close';
import { userRoomOf } from '../users';
import type { LimitReport } from './report';

/** A connection of Engine.IO. */
type Conn = EventEmitter;

/** The open connections by a key, such as the address of their client. */
export class ConnectionsBy {
  readonly #connections = new Map<string, Set<Conn>>();

  /** @param max - how many connections one key may have */
  constructor(readonly max: number) {}

  /** Whether a key has as many connections as it may have. */
  isFull(key: string): boolean {
    return (this.#connections.get(key)?.size ?? 0) >= this.max;
  }

  /**
   * Adds a connection until it closes.
   *
   * @returns false if there are too many. Then it is not added
   */
  add(key: string, conn: Conn): boolean {
    const connections = this.#connections.get(key) ?? new Set();
    if (connections.has(conn)) return true;
    if (connections.size >= this.max) return false;
    this.#connections.set(key, connections.add(conn));
    onClose(conn, () => {
      connections.delete(conn);
      if (connections.size === 0) this.#connections.delete(key);
    });
    return true;
  }
}

/** The connections of users. */
export class UserConnections {
  readonly #connections: ConnectionsBy;

  /** @param max - `config.io.limits.connectionsPerUser` */
  constructor(
    private readonly max: number,
    private readonly report: LimitReport,
  ) {
    this.#connections = new ConnectionsBy(max);
  }

  /**
   * Adds the connection of a socket.
   *
   * @param rooms - the rooms of its user are among them
   * @throws {LimitError} if the user has too many connections
   */
  add(socket: Socket, rooms: Iterable<string> = socket.rooms): void {
    const user = userRoomOf(rooms);
    if (user === undefined || this.#connections.add(user, socket.conn)) return;
    this.report.limited('connectionsPerUser', socket.request, `${this.max} connections of one user`);
    // The client receives the data alone.
    const code = 'TOO_MANY_CONNECTIONS';
    throw new LimitError('too many connections', code, { code, limit: this.max });
  }
}
