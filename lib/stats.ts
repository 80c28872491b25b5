// What a worker has counted of its clients, by the protocol that they speak: app.io.stats(). Called by server.ts, which reads it,
// by engine.ts for connections, and by boot.ts for namespaces.
import type { Namespace, Socket } from 'socket.io';

/** The connections of clients that speak one protocol. A client has one for all its namespaces. */
export interface ConnectionStats {
  /** Those that are open. */
  now: number;
  /** Of those, by what they go over now, after upgrades. */
  polling: number;
  websocket: number;
  webtransport: number;
  /** Since the worker began. A client that comes back counts again. */
  total: number;
  /** When the last one was opened, as an ISO date; null where none was. */
  last: string | null;
}

/** What `app.io.stats()` gives: numbers of one worker, which `JSON.stringify` takes as they are. */
export interface IoStats {
  /** The worker's process id. */
  pid: number;
  /** Since when it has counted, as an ISO date. */
  since: string;
  connections: Record<Protocol, ConnectionStats>;
  /**
   * How many handshakes were refused because the client is one of Socket.IO 1 or 2 and `config.io.init.allowEIO3` is off.
   * Attempts, not clients: a client tries again every few seconds.
   */
  refusedOld: number;
  /**
   * By name; those that are made when a client asks for them under the pattern that they match. Of a namespace that is neither
   * configured nor routed there is only `now`.
   */
  namespaces: Record<string, Record<Protocol, NamespaceStats>>;
}

/** Engine.IO's server, as far as it is used here. */
interface Engine {
  readonly clients: Record<string, Connection>;
  on(event: 'connection', listener: (conn: Connection) => void): void;
  on(event: 'connection_error', listener: (err: { code: number; req?: { _query?: { EIO?: string } } }) => void): void;
}

type Transport = 'polling' | 'websocket' | 'webtransport';

interface Connection {
  readonly protocol: number;
  readonly transport: { readonly name: string };
}

/** Engine.IO's code of a handshake in a protocol that it doesn't take. */
const UNSUPPORTED_PROTOCOL = 5;

/** What an `app.io` has counted. */
export class Stats {
  readonly #since = new Date();
  readonly #engines = new Set<Engine>();
  readonly #connections = { 3: { total: 0, last: 0 }, 4: { total: 0, last: 0 } };
  readonly #namespaces = new Map<string, Counts>();
  #refusedOld = 0;

  /** From now on the connections of an engine are counted. */
  watch(engine: Engine): void {
    this.#engines.add(engine);
    engine.on('connection', ({ protocol }) => {
      const counted = this.#connections[protocol === 3 ? 3 : 4];
      counted.total++;
      counted.last = Date.now();
    });
    engine.on('connection_error', ({ code, req }) => {
      if (code === UNSUPPORTED_PROTOCOL && req?._query?.EIO === '3') this.#refusedOld++;
    });
  }

  /** @param name - of a namespace, or the pattern of those that clients name */
  countsOf(name: string): Counts {
    const known = this.#namespaces.get(name);
    if (known) return known;
    const counts = new Counts();
    this.#namespaces.set(name, counts);
    return counts;
  }

  /**
   * @param namespaces - those that are there
   * @param nameOf - the name under which one is counted
   */
  read(namespaces: Iterable<Namespace>, nameOf: (nsp: Namespace) => string): IoStats {
    const counted = new Map(Array.from(this.#namespaces, ([name, counts]) => [name, counts.read()]));
    for (const nsp of namespaces) {
      const name = nameOf(nsp);
      const stats = counted.get(name) ?? new Counts().read();
      counted.set(name, stats);
      for (const { conn } of nsp.sockets.values()) stats[conn.protocol === 3 ? 3 : 4].now++;
    }
    return {
      pid: process.pid,
      since: this.#since.toISOString(),
      connections: this.#readConnections(),
      refusedOld: this.#refusedOld,
      namespaces: Object.fromEntries(counted),
    };
  }

  #readConnections(): IoStats['connections'] {
    const read = (protocol: Protocol): ConnectionStats => {
      const { total, last } = this.#connections[protocol];
      const iso = last === 0 ? null : new Date(last).toISOString();
      return { now: 0, polling: 0, websocket: 0, webtransport: 0, total, last: iso };
    };
    const stats = { 3: read(3), 4: read(4) };
    for (const { clients } of this.#engines) {
      for (const { protocol, transport } of Object.values(clients)) {
        const of = stats[protocol === 3 ? 3 : 4];
        of.now++;
        of[transport.name as Transport]++;
      }
    }
    return stats;
  }
}

const all = new WeakMap<object, Stats>();

/** @param io - `app.io` */
export function statsOf(io: object): Stats {
  let stats = all.get(io);
  if (stats === undefined) {
    stats = new Stats();
    all.set(io, stats);
  }
  return stats;
}

// What the chains of a namespace count: by namespace.ts, connection.ts, ends.ts, packet.ts and system.ts. A leaf.

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
