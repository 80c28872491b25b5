// The statistics of a worker by protocol: app.io.stats().
import type { Namespace, Socket } from 'socket.io';
import { connectionsOf, type Engine, queryOf } from './internals/engineio';

/** The connections of one protocol. A client has one connection for all its namespaces. */
export interface ConnectionStats {
  /** How many are open. */
  now: number;
  /** How many of them use this transport, after upgrades. */
  polling: number;
  websocket: number;
  webtransport: number;
  /** How many were opened since the worker started. A client that reconnects counts again. */
  total: number;
  /** When the last one was opened, as an ISO date; null if none was. */
  last: string | null;
}

/** The result of `app.io.stats()`: the figures of one worker, as plain JSON. */
export interface IoStats {
  /** The process id of the worker. */
  pid: number;
  /** The start of the counting, as an ISO date. */
  since: string;
  connections: Record<Protocol, ConnectionStats>;
  /**
   * How many handshakes of Socket.IO 1 and 2 were refused since `config.io.init.allowEIO3` is off. These are attempts, not clients: a
   * client tries again every few seconds.
   */
  refusedOld: number;
  /**
   * By name; child namespaces by the name of their parent. A namespace that is neither configured nor routed has only `now`.
   */
  namespaces: Record<string, Record<Protocol, NamespaceStats>>;
}

type Transport = 'polling' | 'websocket' | 'webtransport';

/** Engine.IO's error code of a handshake in a protocol that it does not support. */
const UNSUPPORTED_PROTOCOL = 5;

/** The counters of one server. */
export class Stats {
  readonly #since = new Date();
  readonly #engines = new Set<Engine>();
  readonly #connections = { 3: { total: 0, last: 0 }, 4: { total: 0, last: 0 } };
  readonly #namespaces = new Map<string, Counts>();
  #refusedOld = 0;

  /** Starts to count the connections of an engine. */
  watch(engine: Engine): void {
    this.#engines.add(engine);
    engine.on('connection', ({ protocol }) => {
      const counted = this.#connections[protocol === 3 ? 3 : 4];
      counted.total++;
      counted.last = Date.now();
    });
    engine.on('connection_error', ({ code, req }) => {
      if (code === UNSUPPORTED_PROTOCOL && req && queryOf(req).EIO === '3') this.#refusedOld++;
    });
  }

  /** Returns the counters of a namespace. @param name - its name; of a child namespace, that of its parent */
  countsOf(name: string): Counts {
    const known = this.#namespaces.get(name);
    if (known) return known;
    const counts = new Counts();
    this.#namespaces.set(name, counts);
    return counts;
  }

  /**
   * Reads all counters.
   *
   * @param namespaces - the existing namespaces
   * @param nameOf - returns the name under which a namespace is counted
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
    for (const engine of this.#engines) {
      for (const { protocol, transport } of connectionsOf(engine)) {
        const of = stats[protocol === 3 ? 3 : 4];
        of.now++;
        of[transport.name as Transport]++;
      }
    }
    return stats;
  }
}

const STATS = Symbol('egg-socket.io:stats');

/** Returns the counters of a server. @param io - `app.io` */
export function statsOf(io: object): Stats {
  const holder = io as { [STATS]?: Stats };
  holder[STATS] ??= new Stats();
  return holder[STATS];
}

/** The version of the Engine.IO protocol: 3 for clients of Socket.IO 1 and 2, 4 for clients of Socket.IO 3 and 4. */
export type Protocol = 3 | 4;

/** The clients of a namespace that use one protocol. */
export interface NamespaceStats {
  /** How many are connected. */
  now: number;
  /** How many were admitted since the worker started. */
  total: number;
  /** How many the connection chain has refused, or disconnected before they were connected. */
  refused: number;
  /** How many events have reached the packet chain. */
  events: number;
  /** How many errors were logged, without refusals: of packets, of system events, and of the end of connection chains. */
  errors: number;
}

type Counted = Omit<NamespaceStats, 'now'>;

/** The counters of a namespace, which its sockets share. */
export class Counts {
  readonly #old: Counted = { total: 0, refused: 0, events: 0, errors: 0 };
  readonly #recent: Counted = { total: 0, refused: 0, events: 0, errors: 0 };

  /** Returns the counters of a socket's protocol. */
  of(socket: Socket): Counted {
    return socket.conn.protocol === 3 ? this.#old : this.#recent;
  }

  read(): Record<Protocol, NamespaceStats> {
    return { 3: { now: 0, ...this.#old }, 4: { now: 0, ...this.#recent } };
  }
}
