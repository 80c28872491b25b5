// The connection of a worker to Redis: a client that publishes, one that subscribes and, with streams, one that reads. It is up if each
// of them works. Failures are logged and never thrown.
import { setTimeout as delay } from 'node:timers/promises';
import { debuglog } from 'node:util';
import type { Cluster, Redis } from 'ioredis';
import { IN_CLUSTER, OutageLog, type RedisLog } from './outage-log';
import { type Count, Publisher } from './publisher';
import { Subscriber } from './subscriber';

const debug = debuglog('egg-socket.io:redis');

/** The clients of a connection, connecting or connected. */
export interface Clients {
  /** Publishes. */
  pub: Redis;
  /** Subscribes. */
  sub: Redis;
  /** Whether `pub` is closed with the connection. A client of egg-redis is not. */
  ownsPub: boolean;
  /** For the log, such as `127.0.0.1:6379`. */
  name: string;
  /** Never logged. */
  password?: string | null;
}

/** One side of a connection: a client and its work. */
interface Side {
  /** Whether it works: its client is connected, and Redis has confirmed its subscriptions, say. */
  readonly up: boolean;
  /** Called when the client is connected. */
  restore(): void;
  /** Called when the connection of the client is lost. */
  reset(): void;
}

/** How long Redis may leave a command unanswered, in ms. */
export const PATIENCE = 10_000;
/** How long closing waits for Redis, in ms. */
const CLOSE_TIMEOUT = 1000;

/** A connection to Redis that is restored after each outage. */
export class RedisConnection {
  readonly log: OutageLog;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;

  readonly #clients: Clients;
  readonly #sides: Side[] = [];
  readonly #cleanups: Array<() => void> = [];
  readonly #closed = new AbortController();

  /**
   * @param log - gets each outage once
   * @param patience - for tests
   */
  constructor(clients: Clients, log: RedisLog, patience = PATIENCE) {
    const { pub, sub, ownsPub, name, password } = clients;
    this.#clients = clients;
    this.log = new OutageLog(log, name, password, () => this.up);
    this.publisher = new Publisher(pub, this.log, patience, ownsPub);
    this.subscriber = new Subscriber(sub, this.log);
    this.addSide('publisher', pub, this.publisher);
    this.addSide('subscriber', sub, this.subscriber);
    // The nodes of a Redis Cluster are found.
    this.#listen(sub, 'subscribersReady', () => this.subscriber.restore());
    if (!sub.isCluster) this.#listen(sub, 'moved', () => this.log.failed(new Error(IN_CLUSTER), false));
  }

  /** Whether messages are sent and received. */
  get up(): boolean {
    return this.#sides.every(({ up }) => up);
  }

  /** Aborted when the connection is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * Adds a side. The connection is up only if the side is.
   *
   * @param name - for debugging
   */
  addSide(name: string, client: Redis, side: Side): void {
    this.#sides.push(side);
    this.#listen(client, 'ready', () => {
      debug('%s connected', name);
      side.restore();
    });
    this.#listen(client, 'close', () => {
      debug('%s disconnected', name);
      side.reset();
      this.log.failed();
    });
    this.#listen(client, 'error', (err: Error) => this.log.failed(err));
    this.#listen(client, 'end', () => this.log.failed(new Error('no connection, and no new attempt'), false));
    // A client of the application may wait for its first command. Its errors are emitted as well.
    if (client.status === 'wait') client.connect().catch(() => {});
  }

  /** @throws {Error} if other workers cannot be asked */
  assertUp(): void {
    if (this.up) return;
    throw new Error(`[egg-socket.io] Redis ${this.#clients.name} is not connected: other workers can't be asked`);
  }

  /**
   * Returns how many workers subscribe to a channel. Socket.IO does not catch an error, so the count is infinite if Redis does not
   * answer: the request of the caller then ends by its timeout.
   *
   * @param timeout - how long Redis may take, in ms
   */
  async count(channel: string, timeout: number, command?: Count): Promise<number> {
    const unknown = Number.POSITIVE_INFINITY;
    // This worker subscribes as well.
    await this.subscriber.settled(timeout);
    if (!this.up) return unknown;
    const answered = new AbortController();
    const late = delay(timeout, unknown, { ref: false, signal: answered.signal });
    try {
      return await Promise.race([this.publisher.count(channel, command), late]);
    } catch {
      return unknown;
    } finally {
      answered.abort();
    }
  }

  /** Waits for the first connection or the first failure, that many ms at most. */
  async settled(ms: number): Promise<void> {
    const late = delay(ms, 'late', { ref: false });
    if ((await Promise.race([this.log.settled, late])) === 'late') this.log.failed(new Error(`no answer for ${ms} ms`));
  }

  /** Closes the clients, by force if Redis does not answer. */
  async close(): Promise<void> {
    this.log.close();
    this.#closed.abort();
    this.publisher.reset();
    const { pub, sub, ownsPub } = this.#clients;
    if (!ownsPub) for (const cleanup of this.#cleanups) cleanup();
    await Promise.all((ownsPub ? [pub, sub] : [sub]).map(quit));
  }

  #listen(client: Redis, event: string, listener: (...args: never[]) => void): void {
    client.on(event, listener as (...args: unknown[]) => void);
    if (client === this.#clients.pub) this.#cleanups.push(() => client.off(event, listener as () => void));
  }
}

async function quit(client: Redis): Promise<void> {
  if (client.status === 'end') return;
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  const nodes = client.isCluster ? (client as unknown as Cluster).nodes() : [client];
  if (client.status === 'ready') client.quit().catch(() => {});
  else client.disconnect();
  const late = delay(CLOSE_TIMEOUT, 'late', { ref: false });
  if ((await Promise.race([ended, late])) !== 'late') return;
  client.disconnect();
  for (const node of nodes) node.stream?.destroy();
}
