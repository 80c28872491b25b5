// What the chains of a namespace count: by namespace.ts, connection.ts, ends.ts, packet.ts and system.ts. A leaf.
import type { Socket } from 'socket.io';

/** The protocol of Engine.IO: 3 is that of clients of Socket.IO 1 and 2, 4 that of clients of Socket.IO 3 and 4. */
export type Protocol = 3 | 4;

/** A namespace's clients that speak one protocol. */
export interface NamespaceStats {
  /** Those that are in. */
  now: number;
  /** How many were let in since the worker began. */
  total: number;
  /** How many the connection chain has refused, or disconnected before they were in. */
  refused: number;
  /** How many events have reached the packet chain. */
  events: number;
  /** How many failures the log has of them, other than refusals: of packets, system events, and the end of connection chains. */
  errors: number;
}

type Counted = Omit<NamespaceStats, 'now'>;

/** One for all sockets of a namespace, so that counting is an addition. */
export class Counts {
  readonly #old: Counted = { total: 0, refused: 0, events: 0, errors: 0 };
  readonly #recent: Counted = { total: 0, refused: 0, events: 0, errors: 0 };

  /** Where what a socket does is counted. */
  of(socket: Socket): Counted {
    return socket.conn.protocol === 3 ? this.#old : this.#recent;
  }

  read(): Record<Protocol, NamespaceStats> {
    return { 3: { now: 0, ...this.#old }, 4: { now: 0, ...this.#recent } };
  }
}
