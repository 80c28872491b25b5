// The statistics of a worker: app.io.stats(). What an operator looks for is first.
import { type AdapterHealth, type AdapterMessages, healthOf, type LinksHealth } from './health';
import { inFlightOf } from './in-flight';
import {
  type ConnectionStats,
  type DurationStats,
  type HandshakeStats,
  type LimitedStats,
  type NamespaceCounts,
  type NamespaceStats,
  type Protocol,
  type Stats,
  statsOf,
} from './stats';

/** Events of clients, since the worker has started. */
export interface EventStats {
  /** How many have reached a packet chain. */
  total: number;
  /** How many packet chains and handlers of system events are running. */
  inFlight: number;
  /** How many errors were logged, other than refusals. */
  errors: number;
  durations: DurationStats;
}

/** A namespace, with what the clients of each protocol did in it. */
export interface NamespaceWithProtocols extends NamespaceStats {
  /** How many rooms of this worker have sockets. The room that each socket has for itself is not counted. */
  rooms: number;
  protocols: Record<Protocol, NamespaceStats>;
}

/** The statistics of one worker: `app.io.stats()`. It can be encoded as JSON. */
export interface IoStats {
  /** The process id of the worker. */
  pid: number;
  /** When the worker has started to count, as an ISO date. */
  since: string;
  /** Whether the worker is closing. */
  draining: boolean;
  /** The connections of all clients. `unsentBytes`: how many bytes wait to be sent to them, in the memory of the worker. */
  connections: ConnectionStats & { unsentBytes: number };
  handshakes: HandshakeStats;
  events: EventStats;
  /** The adapter, and the messages that it has exchanged with other workers. */
  adapter: AdapterHealth & AdapterMessages;
  links: LinksHealth;
  /** How many requests and upgrades of clients were forwarded to the worker that has their session. */
  forwarded: number;
  /** What `config.io.limits` and `app.io.limit()` have held back or refused. */
  limited: LimitedStats;
  /**
   * By the name of the namespace. The children of a parent namespace are counted under the name of their parent. A namespace that is
   * neither configured nor routed has only `now` and `rooms`.
   */
  namespaces: Record<string, NamespaceWithProtocols>;
  /** The connections by the protocol of their clients. */
  protocols: Record<Protocol, ConnectionStats>;
  /**
   * How many handshakes of clients of Socket.IO 1 and 2 were refused, since `config.io.init.allowEIO3` is not set. A client tries again
   * every few seconds, and each attempt is counted.
   */
  refusedOld: number;
  /** With `config.io.compat`: how often each name of Socket.IO 2's API was used, such as `nsp.connected`. */
  compat?: Record<string, number>;
}

/**
 * Reads the statistics of a worker. Looks at each connection and at each socket.
 *
 * @param io - `app.io`
 * @param args - what `Stats.read` needs
 */
export function readStats(io: object, ...args: Parameters<Stats['read']>): IoStats {
  const counted = statsOf(io).read(...args);
  const { since, unsentBytes, connections: protocols, handshakes, durations, forwarded, limited, refusedOld } = counted;
  const health = healthOf(io).read(protocols[3].now + protocols[4].now);
  const all = Array.from(counted.namespaces, ([name, counts]) => [name, withProtocols(counts)] as const);
  const total = sum(all.map(([, { events }]) => events));
  const errors = sum(all.map(([, each]) => each.errors));
  return {
    pid: process.pid,
    since: since.toISOString(),
    draining: health.draining,
    connections: { ...connectionsOf(protocols), unsentBytes },
    handshakes,
    events: { total, inFlight: inFlightOf(io).handlers.running, errors, durations },
    adapter: { ...health.adapter, ...healthOf(io).messages() },
    links: health.links,
    forwarded,
    limited,
    namespaces: Object.fromEntries(all),
    protocols,
    refusedOld,
  };
}

function connectionsOf({ 3: three, 4: four }: Record<Protocol, ConnectionStats>): ConnectionStats {
  const last = [three.last, four.last].filter((date) => date !== null).sort();
  return {
    now: three.now + four.now,
    polling: three.polling + four.polling,
    websocket: three.websocket + four.websocket,
    webtransport: three.webtransport + four.webtransport,
    total: three.total + four.total,
    last: last.at(-1) ?? null,
  };
}

function withProtocols({ rooms, protocols }: NamespaceCounts): NamespaceWithProtocols {
  const { 3: three, 4: four } = protocols;
  return {
    now: three.now + four.now,
    total: three.total + four.total,
    refused: three.refused + four.refused,
    events: three.events + four.events,
    expired: three.expired + four.expired,
    errors: three.errors + four.errors,
    rooms,
    protocols,
  };
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
