// The counters of a worker: how many clients of which protocol are connected, what they did in each namespace, and how long that took.
import type { Namespace, Socket } from 'socket.io';
import { connectionsOf, type Engine, queryOf, RefusalCode, unsentBytesOf } from './internals/engineio';

/** The version of the Engine.IO protocol: 3 for clients of Socket.IO 1 and 2, 4 for clients of Socket.IO 3 and 4. */
export type Protocol = 3 | 4;

/** Connections. A client has one connection for all its namespaces. */
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

/** What clients did in a namespace. */
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

/** Which of the handshakes and requests of clients Engine.IO has accepted, or has refused. */
export interface HandshakeStats {
  /** Connections that were opened. */
  accepted: number;
  /** Refused by `config.io.allowedOrigins` or by `init.allowRequest`. */
  forbidden: number;
  /** Requests for a session that does not exist, or does no longer. */
  unknownSession: number;
  unknownTransport: number;
  badMethod: number;
  badRequest: number;
  /** Clients of Socket.IO 1 and 2, since `config.io.init.allowEIO3` is not set, and requests that are not from a client. */
  unsupportedProtocol: number;
}

const REFUSED: Record<number, keyof HandshakeStats> = {
  [RefusalCode.UNKNOWN_TRANSPORT]: 'unknownTransport',
  [RefusalCode.UNKNOWN_SESSION]: 'unknownSession',
  [RefusalCode.BAD_METHOD]: 'badMethod',
  [RefusalCode.BAD_REQUEST]: 'badRequest',
  [RefusalCode.FORBIDDEN]: 'forbidden',
  [RefusalCode.UNSUPPORTED_PROTOCOL]: 'unsupportedProtocol',
};

/** How long events have taken, from their first middleware to the end of their chain. */
export interface DurationStats {
  /** In ms, of all events. */
  sum: number;
  /** The upper bounds of the buckets, in ms. */
  bounds: number[];
  /** How many events are in each bucket. The last one has those that are above all bounds. */
  counts: number[];
}

const BOUNDS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/** A histogram with fixed bounds. */
export class Durations {
  #sum = 0;
  readonly #counts = new Float64Array(BOUNDS.length + 1);

  /** @param ms - a duration. Called with each event: it allocates nothing */
  add(ms: number): void {
    let i = 0;
    while (i < BOUNDS.length && ms > (BOUNDS[i] as number)) i++;
    (this.#counts[i] as number)++;
    this.#sum += ms;
  }

  read(): DurationStats {
    return { sum: this.#sum, bounds: [...BOUNDS], counts: [...this.#counts] };
  }
}

/** What a worker has counted. */
export interface CountedStats {
  since: Date;
  /** How many bytes wait to be sent. */
  unsentBytes: number;
  connections: Record<Protocol, ConnectionStats>;
  handshakes: HandshakeStats;
  refusedOld: number;
  forwarded: number;
  limited: LimitedStats;
  durations: DurationStats;
  namespaces: Map<string, NamespaceCounts>;
}

/** What was counted in a namespace. */
export interface NamespaceCounts {
  /** How many rooms have sockets, without those that have the name of a socket. */
  rooms: number;
  protocols: Record<Protocol, NamespaceStats>;
}

/** Counts the clients of a worker. */
export class Stats {
  readonly #since = new Date();
  readonly #engines = new Set<Engine>();
  readonly #connections = { 3: { total: 0, last: 0 }, 4: { total: 0, last: 0 } };
  readonly #namespaces = new Map<string, Counts>();
  readonly #handshakes: HandshakeStats = {
    accepted: 0,
    forbidden: 0,
    unknownSession: 0,
    unknownTransport: 0,
    badMethod: 0,
    badRequest: 0,
    unsupportedProtocol: 0,
  };
  readonly #durations = new Durations();
  #refusedOld = 0;
  /** How many requests and upgrades were forwarded to other workers. */
  forwarded = 0;
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
      this.#handshakes.accepted++;
    });
    engine.on('connection_error', ({ code, req }) => {
      const outcome = REFUSED[code];
      if (outcome !== undefined) this.#handshakes[outcome]++;
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
    const counts = this.#namespaces.get(name) ?? new Counts(this.#durations);
    this.#namespaces.set(name, counts);
    return counts;
  }

  /**
   * Returns a copy of the counters.
   *
   * @param namespaces - the namespaces that exist
   * @param nameOf - returns the name under which a namespace is counted
   */
  read(namespaces: Iterable<Namespace>, nameOf: (nsp: Namespace) => string): CountedStats {
    const all = new Map(Array.from(this.#namespaces, ([name, counts]) => [name, counts.read()]));
    for (const nsp of namespaces) {
      const name = nameOf(nsp);
      const stats = all.get(name) ?? new Counts(this.#durations).read();
      all.set(name, stats);
      stats.rooms += roomCountOf(nsp);
      for (const { conn } of nsp.sockets.values()) stats.protocols[protocolOf(conn)].now++;
    }
    return {
      since: this.#since,
      ...this.#readConnections(),
      handshakes: { ...this.#handshakes },
      refusedOld: this.#refusedOld,
      forwarded: this.forwarded,
      limited: { ...this.limited },
      durations: this.#durations.read(),
      namespaces: all,
    };
  }

  #readConnections(): Pick<CountedStats, 'connections' | 'unsentBytes'> {
    const read = (protocol: Protocol): ConnectionStats => {
      const { total, last } = this.#connections[protocol];
      const date = last === 0 ? null : new Date(last).toISOString();
      return { now: 0, polling: 0, websocket: 0, webtransport: 0, total, last: date };
    };
    const connections = { 3: read(3), 4: read(4) };
    let unsentBytes = 0;
    for (const conn of Array.from(this.#engines, connectionsOf).flat()) {
      const stats = connections[protocolOf(conn)];
      stats.now++;
      stats[conn.transport.name as 'polling' | 'websocket' | 'webtransport']++;
      unsentBytes += unsentBytesOf(conn);
    }
    return { connections, unsentBytes };
  }
}

/** Each socket is in a room that has its id. */
function roomCountOf({ adapter: { rooms, sids } }: Namespace): number {
  let count = rooms.size;
  for (const id of sids.keys()) if (rooms.has(id)) count--;
  return count;
}

type Counted = Omit<NamespaceStats, 'now'>;

/** The counters of one namespace. */
export class Counts {
  /** @param durations - those of the events of all namespaces */
  constructor(readonly durations: Durations) {}

  readonly #counts: Record<Protocol, Counted> = {
    3: { total: 0, refused: 0, events: 0, expired: 0, errors: 0 },
    4: { total: 0, refused: 0, events: 0, expired: 0, errors: 0 },
  };

  /** Returns the counters for the clients with the protocol of this socket. */
  of({ conn }: Socket): Counted {
    return this.#counts[protocolOf(conn)];
  }

  read(): NamespaceCounts {
    return { rooms: 0, protocols: { 3: { now: 0, ...this.#counts[3] }, 4: { now: 0, ...this.#counts[4] } } };
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
