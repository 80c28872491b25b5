// Statistics of a worker: how many clients of which protocol are connected, and what they did in each namespace.
import type { Namespace, Socket } from 'socket.io';
import { connectionsOf, type Engine, queryOf, RefusalCode } from './internals/engineio';

/** The version of the Engine.IO protocol: 3 for clients of Socket.IO 1 and 2, 4 for clients of Socket.IO 3 and 4. */
export type Protocol = 3 | 4;

/** The connections of clients with one protocol. A client has one connection for all its namespaces. */
export interface ConnectionStats {
  /** How many are open. */
  now: number;
  /** How many of the open ones use this transport, after upgrades. */
  polling: number;
  websocket: number;
  webtransport: number;
  /** How many were opened since the worker has started. A client that reconnects is counted again. */
  total: number;
  /** When the last one was opened, as an ISO date. Null if there was none. */
  last: string | null;
}

/** What the clients with one protocol did in a namespace. */
export interface NamespaceStats {
  /** How many sockets are connected. */
  now: number;
  /** How many were connected since the worker has started. */
  total: number;
  /** How many clients the connection chain has refused, or disconnected before they were connected. */
  refused: number;
  /** How many events have reached the packet chain. */
  events: number;
  /** How many clients were disconnected since their authentication had ended: see `config.io.expires`. */
  expired: number;
  /** How many errors were logged, other than refusals: of packets, of system events, and of connection chains after the admission. */
  errors: number;
}

/** How often each limit has held back or refused something since the worker has started. */
export interface LimitedStats {
  /** CONNECTs that were refused. */
  namespaces: number;
  /** Connections that were closed since too much was unsent. */
  unsentBytes: number;
  /** Packets that have waited for a later turn of the event loop. */
  packetsPerTurn: number;
  /** Events that were refused by `config.io.limits.events`. */
  events: number;
  /** Events that were refused since too many others of their socket wait. */
  concurrency: number;
  /** Events that were refused since their arguments are too large. */
  argumentBytes: number;
  /** Connections that were refused. */
  connectionsPerAddress: number;
  connectionsPerUser: number;
  /** Events that were refused by a middleware of `app.io.limit()`. */
  routes: number;
}

/** The statistics of one worker: `app.io.stats()`. It can be encoded as JSON. */
export interface IoStats {
  /** The process id of the worker. */
  pid: number;
  /** When the worker has started to count, as an ISO date. */
  since: string;
  connections: Record<Protocol, ConnectionStats>;
  /**
   * How many handshakes of clients of Socket.IO 1 and 2 were refused, since `config.io.init.allowEIO3` is not set. A client tries again
   * every few seconds, and each attempt is counted.
   */
  refusedOld: number;
  /** What `config.io.limits` and `app.io.limit()` have held back or refused. */
  limited: LimitedStats;
  /**
   * By the name of the namespace. The children of a parent namespace are counted under the name of their parent. A namespace that is
   * neither configured nor routed has only `now`.
   */
  namespaces: Record<string, Record<Protocol, NamespaceStats>>;
  /** With `config.io.compat`: how often each name of Socket.IO 2's API was used, such as `nsp.connected`. */
  compat?: Record<string, number>;
}

/** Counts the clients of a worker. */
export class Stats {
  readonly #since = new Date();
  readonly #engines = new Set<Engine>();
  readonly #connections = { 3: { total: 0, last: 0 }, 4: { total: 0, last: 0 } };
  readonly #namespaces = new Map<string, Counts>();
  #refusedOld = 0;
  readonly limited: LimitedStats = {
    namespaces: 0,
    unsentBytes: 0,
    packetsPerTurn: 0,
    events: 0,
    concurrency: 0,
    argumentBytes: 0,
    connectionsPerAddress: 0,
    connectionsPerUser: 0,
    routes: 0,
  };

  /** How many connections are open. */
  get connectionCount(): number {
    let count = 0;
    for (const { clientsCount } of this.#engines) count += clientsCount;
    return count;
  }

  /** Counts the connections of an engine from now on. */
  watch(engine: Engine): void {
    this.#engines.add(engine);
    engine.on('connection', (conn) => {
      const counts = this.#connections[protocolOf(conn)];
      counts.total++;
      counts.last = Date.now();
    });
    engine.on('connection_error', ({ code, req }) => {
      if (code === RefusalCode.UNSUPPORTED_PROTOCOL && req !== undefined && queryOf(req).EIO === '3')
        this.#refusedOld++;
    });
  }

  /**
   * Returns the counters of a namespace.
   *
   * @param name - the name of the namespace, or what its parent stands for
   */
  countsOf(name: string): Counts {
    const counts = this.#namespaces.get(name) ?? new Counts();
    this.#namespaces.set(name, counts);
    return counts;
  }

  /**
   * Returns a copy of the statistics.
   *
   * @param namespaces - the namespaces that exist
   * @param nameOf - returns the name under which a namespace is counted
   */
  read(namespaces: Iterable<Namespace>, nameOf: (nsp: Namespace) => string): IoStats {
    const all = new Map(Array.from(this.#namespaces, ([name, counts]) => [name, counts.read()]));
    for (const nsp of namespaces) {
      const name = nameOf(nsp);
      const stats = all.get(name) ?? new Counts().read();
      all.set(name, stats);
      for (const { conn } of nsp.sockets.values()) stats[protocolOf(conn)].now++;
    }
    return {
      pid: process.pid,
      since: this.#since.toISOString(),
      connections: this.#readConnections(),
      refusedOld: this.#refusedOld,
      limited: { ...this.limited },
      namespaces: Object.fromEntries(all),
    };
  }

  #readConnections(): IoStats['connections'] {
    const read = (protocol: Protocol): ConnectionStats => {
      const { total, last } = this.#connections[protocol];
      const date = last === 0 ? null : new Date(last).toISOString();
      return { now: 0, polling: 0, websocket: 0, webtransport: 0, total, last: date };
    };
    const connections = { 3: read(3), 4: read(4) };
    for (const conn of Array.from(this.#engines, connectionsOf).flat()) {
      const stats = connections[protocolOf(conn)];
      stats.now++;
      stats[conn.transport.name as 'polling' | 'websocket' | 'webtransport']++;
    }
    return connections;
  }
}

type Counted = Omit<NamespaceStats, 'now'>;

/** The counters of one namespace. */
export class Counts {
  readonly #counts: Record<Protocol, Counted> = {
    3: { total: 0, refused: 0, events: 0, expired: 0, errors: 0 },
    4: { total: 0, refused: 0, events: 0, expired: 0, errors: 0 },
  };

  /** Returns the counters for the clients with the protocol of this socket. */
  of({ conn }: Socket): Counted {
    return this.#counts[protocolOf(conn)];
  }

  read(): Record<Protocol, NamespaceStats> {
    return { 3: { now: 0, ...this.#counts[3] }, 4: { now: 0, ...this.#counts[4] } };
  }
}

function protocolOf(conn: { readonly protocol: number }): Protocol {
  return conn.protocol === 3 ? 3 : 4;
}

const STATS = Symbol('egg-socket.io:stats');

/**
 * Returns the statistics of a server.
 *
 * @param io - `app.io`
 */
export function statsOf(io: object & { [STATS]?: Stats }): Stats {
  io[STATS] ??= new Stats();
  return io[STATS];
}
