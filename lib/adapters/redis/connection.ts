// The connection of a worker to Redis: a client that publishes, one that subscribes and, with streams, one that reads. It is up if each
// of them works. Failures are logged and never thrown.
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { debug, IN_CLUSTER, type Logger, OutageLog } from './outage-log';
import { type Count, Publisher } from './publisher';
import { Subscriber } from './subscriber';

/** The clients of a connection, connecting or connected. */
export interface Clients {
  /** Publishes. */
  pub: Redis;
  /** Subscribes. */
  sub: Redis;
  /** If `sub` does not reconnect by itself: creates the next one. */
  next?: { sub: () => Redis; delay: RetryDelay };
  /** Whether `pub` is closed with the connection. A client of egg-redis is not. */
  ownsPub: boolean;
  /** For the log, such as `127.0.0.1:6379`. */
  name: string;
  /** Never logged. */
  password?: string | null;
}

/** Returns after how many ms the n-th attempt to connect follows, or anything but a number if there is none. */
export type RetryDelay = (attempt: number) => unknown;

/** One side of a connection: the work of one client. */
interface Side {
  /** Whether it works: the client is connected and answers, and Redis has confirmed its subscriptions, say. */
  readonly up: boolean;
  /** Called when the client is connected. */
  restore?(): void;
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
  readonly #close = new AbortController();
  /** Since the subscribing client was connected. */
  #attempts = 0;

  /**
   * @param logger - gets each outage once
   * @param patience - for tests
   */
  constructor(clients: Clients, logger: Logger, patience = PATIENCE) {
    const { pub, sub, ownsPub, name, password } = clients;
    this.#clients = clients;
    this.log = new OutageLog(logger, name, password, () => this.up);
    this.publisher = new Publisher(pub, this.log, patience, ownsPub);
    this.subscriber = new Subscriber(this.log);
    this.add(this.publisher, pub);
    this.add(this.subscriber, sub);
  }

  /** Whether messages are sent and received. */
  get up(): boolean {
    return this.#sides.every(({ up }) => up);
  }

  /** Aborted when the connection is closed. */
  get closed(): AbortSignal {
    return this.#close.signal;
  }

  /** @throws {Error} if other workers cannot be asked */
  assertUp(): void {
    if (this.up) return;
    throw new Error(`[egg-socket.io] Redis ${this.#clients.name} is not connected: other workers can't be asked`);
  }

  /** Adds a side. From now on the connection is up only if the side is. */
  add(side: Side, client: Redis): void {
    this.#sides.push(side);
    this.#listen(client, side);
  }

  /**
   * Returns how many workers subscribe to a channel. Socket.IO does not catch an error, so the count is infinite if Redis does not
   * answer, and the request of the caller ends by its timeout.
   *
   * @param timeout - how long Redis may take, in ms
   */
  async count(channel: string, timeout: number, command?: Count): Promise<number> {
    const unknown = Number.POSITIVE_INFINITY;
    // This worker is counted as well.
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
    this.#close.abort();
    this.publisher.reset();
    const { pub, sub, ownsPub } = this.#clients;
    await Promise.all((ownsPub ? [pub, sub] : [sub]).map(quit));
  }

  #listen(client: Redis, side: Side): void {
    const { pub, ownsPub } = this.#clients;
    const listeners: Record<string, (err: Error) => void> = {
      ready: () => {
        debug('%s connected', side.constructor.name);
        if (side === this.subscriber) this.#attempts = 0;
        side.restore?.();
        this.log.recovered();
      },
      close: () => {
        debug('%s disconnected', side.constructor.name);
        side.reset();
        this.log.failed();
      },
      error: (err) => this.log.failed(err),
      end: () => this.#ended(client),
    };
    if (side === this.subscriber) {
      this.subscriber.use(client);
      listeners.subscribersReady = () => this.subscriber.restore();
      if (!client.isCluster) listeners.moved = () => this.log.failed(new Error(IN_CLUSTER), false);
    }
    for (const [event, listener] of Object.entries(listeners)) {
      client.on(event, listener);
      if (client === pub && !ownsPub) this.closed.addEventListener('abort', () => client.off(event, listener));
    }
    // A client of the application may wait for its first command. Its errors are emitted as well.
    if (client.status === 'wait') client.connect().catch(() => {});
  }

  #ended(client: Redis): void {
    const { sub, next } = this.#clients;
    const ms = client === sub ? next?.delay(++this.#attempts) : undefined;
    if (next === undefined || typeof ms !== 'number') {
      this.log.failed(new Error('no connection, and no new attempt'), false);
      return;
    }
    setTimeout(() => {
      if (this.closed.aborted) return;
      this.#clients.sub = next.sub();
      this.#listen(this.#clients.sub, this.subscriber);
    }, ms).unref();
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
