// The health of a worker: app.io.health(), for readiness probes.
import type { AdapterName } from './config/config';

/** The adapter of a worker. */
export interface AdapterHealth {
  /** An adapter of the plugin, or `'own'`: an adapter of the application. */
  name: AdapterName | 'own';
  /**
   * Whether it exchanges messages with other workers. With Redis: whether Redis sends and receives messages. With the others it is true from
   * the boot on: the plugin cannot look into an adapter of the application, and `links` has the state of the links of `'cluster'`.
   */
  up: boolean;
  /** Since when it is up, or down, as an ISO date. */
  since: string;
}

/** The links of a worker to the other workers of its host, which the adapter `'cluster'` has. With other adapters both are 0. */
export interface LinksHealth {
  /** How many other workers the master of this host starts. */
  expected: number;
  /**
   * How many other workers are linked and answer. Each call of `health()` sends them a message. A worker that has not answered it for 5
   * seconds is not counted.
   */
  up: number;
}

/** The health of one worker: `app.io.health()`. It can be encoded as JSON. */
export interface IoHealth {
  /**
   * Whether new clients should connect to this worker: it has booted and is not draining, and its adapter is up. The links do not count: if
   * another worker is missing, this one still serves its clients.
   */
  ok: boolean;
  /** Whether the worker is closing: it refuses new clients, and disconnects those that it has. */
  draining: boolean;
  /** How many connections are open. A client has one connection for all its namespaces. */
  connections: number;
  adapter: AdapterHealth;
  links: LinksHealth;
}

/** Whether an adapter is up, and since when. */
export interface AdapterState {
  readonly up: boolean;
  /** As `Date.now()`. */
  readonly since: number;
}

/** How many messages a worker has exchanged with the others since it has started. */
export interface AdapterMessages {
  /** How many it has sent, with those that were lost. With links, a message to three workers is three messages. */
  sent: number;
  /** How many it has received. With Redis, its own messages come back and are counted as well. */
  received: number;
  /** How many could not be sent: Redis or a link was down. */
  lost: number;
}

/** An adapter whose health is read. */
export interface HealthSource {
  readonly name: AdapterHealth['name'];
  state(): AdapterState;
  links?(): LinksHealth;
  messages?(): AdapterMessages;
}

/** Returns the source of an adapter that is up from now on. */
export function alwaysUp(name: AdapterHealth['name']): HealthSource {
  const state = { up: true, since: Date.now() };
  return { name, state: () => state };
}

/** Reads the health of a worker. Nothing is computed for each socket. */
export class Health {
  draining = false;
  /** Until the boot has installed the adapter, none is up. */
  #adapter: HealthSource;

  constructor() {
    const state = { up: false, since: Date.now() };
    this.#adapter = { name: 'memory', state: () => state };
  }

  /** Sets the adapter that was installed. */
  useAdapter(adapter: HealthSource): void {
    this.#adapter = adapter;
  }

  /** @param connections - how many connections are open */
  read(connections: number): IoHealth {
    const { draining } = this;
    const { name } = this.#adapter;
    const { up, since } = this.#adapter.state();
    const adapter = { name, up, since: new Date(since).toISOString() };
    const links = this.#adapter.links?.() ?? { expected: 0, up: 0 };
    return { ok: up && !draining, draining, connections, adapter, links };
  }

  /** Returns the messages of the adapter that is installed now. */
  messages(): AdapterMessages {
    return this.#adapter.messages?.() ?? { sent: 0, received: 0, lost: 0 };
  }
}

const HEALTH = Symbol('egg-socket.io:health');

/**
 * Returns the health of a server.
 *
 * @param io - `app.io`
 */
export function healthOf(io: object & { [HEALTH]?: Health }): Health {
  io[HEALTH] ??= new Health();
  return io[HEALTH];
}
