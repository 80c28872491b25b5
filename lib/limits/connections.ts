// How many connections one client may have to a worker: `config.io.limits.connectionsPerAddress` and `connectionsPerUser`.
import type { EventEmitter } from 'node:events';
import type { Socket } from 'socket.io';
import { LimitError } from '../errors';
import { socketsOf } from '../internals/client';
import { onClose } from '../on-close';
import { userRoomOf } from '../users';
import type { LimitReport } from './report';

/** A connection of Engine.IO. */
type Conn = EventEmitter;

/** The open connections by a key, such as the address of their client. */
export class ConnectionsBy {
  /** With the functions that stop waiting for the end of a connection. */
  readonly #connections = new Map<string, Map<Conn, () => void>>();

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
    const connections = this.#connections.get(key) ?? new Map<Conn, () => void>();
    if (connections.has(conn)) return true;
    if (connections.size >= this.max) return false;
    const stop = onClose(conn, () => this.delete(key, conn));
    this.#connections.set(key, connections.set(conn, stop));
    return true;
  }

  delete(key: string, conn: Conn): void {
    const connections = this.#connections.get(key);
    connections?.get(conn)?.();
    connections?.delete(conn);
    if (connections?.size === 0) this.#connections.delete(key);
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
   * Counts the connection of a socket for its user. Must be called before the socket leaves the room of its former user, for whom the
   * connection is no more counted.
   *
   * @param room - that of the user, as `userRoomOf` returns it
   * @throws {LimitError} if the user has too many connections. Then nothing has changed
   */
  count(socket: Socket, room: string | undefined): void {
    const { client, conn } = socket;
    if (room !== undefined && !this.#connections.add(room, conn)) throw this.#refused(socket);
    const former = userRoomOf(socket.rooms);
    if (former === undefined || former === room) return;
    const others = Array.from(socketsOf(client).values()).filter((other) => other !== socket);
    if (!others.some((other) => userRoomOf(other.rooms) === former)) this.#connections.delete(former, conn);
  }

  #refused({ request }: Socket): LimitError {
    // The client receives the data alone.
    const code = 'TOO_MANY_CONNECTIONS';
    const err = new LimitError('too many connections', code, { code, limit: this.max }, 'connectionsPerUser');
    return this.report.refused('connectionsPerUser', err, request);
  }
}
