// The connections to Redis, one to publish, one to subscribe and, with streams, one to read: whether they are up, and their
// end. Whatever happens to them is logged and never thrown. Made by lib/redis.ts.
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { IN_CLUSTER, OutageLog, type RedisLog } from './outage-log';
import { type Count, Publisher, type Reports } from './publisher';
import { Reader, type Stream } from './streams-reader';
import { Subscriber } from './subscriber';

/** What a link is made of. */
export interface Connections {
  /** Publishes. */
  pub: Redis;
  /** Subscribes, and is closed with the link. */
  sub: Redis;
  /** Reads a stream, and is closed with the link. */
  reader?: { client: Redis; stream: Stream };
  /** Whether `pub` is closed with the link as well; a client of egg-redis isn't. */
  ownsPub: boolean;
  /** For the log, such as `127.0.0.1:6379`. */
  name: string;
  /** What is never printed. */
  password?: string | null;
}

/** How long Redis may leave messages without any answer before they are given up, in ms. */
const PATIENCE = 10_000;
/** How long closing waits for Redis, in ms. */
const CLOSE_TIMEOUT = 1000;
/** After that many ms without another failure, connections that were up all the time are well again. */
const CALM = 5000;

/** Connections to Redis that come back by themselves. */
export class RedisLink {
  readonly name: string;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
  /** With streams. */
  readonly reader: Reader | undefined;
  /** Told of what goes wrong, by the sides of the link and by the adapters. */
  readonly reports: Reports;

  readonly #connections: Connections;
  readonly #log: OutageLog;
  readonly #off: Array<() => void> = [];
  readonly #settled: Promise<void>;
  readonly #calm: NodeJS.Timeout;
  readonly #end = new AbortController();
  #settle = () => {};
  #closing = false;

  /**
   * @param connections - the clients, connecting or connected
   * @param log - gets each outage once
   * @param patience - for tests
   */
  constructor(connections: Connections, log: RedisLog, patience = PATIENCE) {
    const { pub, sub, reader, ownsPub, name, password } = connections;
    this.#connections = connections;
    this.name = name;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#log = new OutageLog(log, name, password);
    this.#calm = setTimeout(() => this.#up(), CALM).unref();
    const reports: Reports = {
      unsendable: (what, err) => this.#log.unsendable(what, err),
      failed: (err) => this.#failed(err),
      lost: () => this.#log.lost(),
      unreadable: (err) => this.#log.unreadable(err),
      thrown: (err) => log.error(err),
      up: () => this.#up(),
    };
    this.reports = reports;
    this.publisher = new Publisher(pub, reports, patience, ownsPub);
    this.subscriber = new Subscriber(sub, reports);
    this.reader = reader && new Reader(reader.client, reader.stream, reports, patience);

    this.#listen(pub, 'ready', () => this.#up());
    this.#listen(sub, 'ready', () => this.subscriber.restore());
    // Of a Redis Cluster: its nodes are found anew.
    this.#listen(sub, 'subscribersReady', () => this.subscriber.restore());
    this.#listen(pub, 'close', () => this.publisher.reset());
    this.#listen(sub, 'close', () => this.subscriber.reset());
    if (!sub.isCluster) this.#listen(sub, 'moved', () => this.#failed(new Error(IN_CLUSTER), false));
    if (reader) {
      this.#listen(reader.client, 'ready', () => this.reader?.restore());
      this.#listen(reader.client, 'close', () => this.reader?.reset());
    }
    for (const client of [pub, sub, ...(reader ? [reader.client] : [])]) {
      this.#listen(client, 'error', (err: Error) => this.#failed(err));
      this.#listen(client, 'close', () => this.#failed());
      this.#listen(client, 'end', () => this.#failed(new Error('no connection, and no new attempt'), false));
      // An application's client may wait for its first command.
      if (client.status === 'wait') client.connect().catch(() => {});
    }
  }

  /** Whether messages go out and come in. */
  get up(): boolean {
    return this.publisher.up && this.subscriber.up && this.reader?.up !== false;
  }

  /** Aborted when the link is closed. */
  get closed(): AbortSignal {
    return this.#end.signal;
  }

  /** @throws {Error} where the other workers can't be asked */
  mustBeUp(): void {
    if (this.up) return;
    throw new Error(`[egg-socket.io] Redis ${this.name} is not connected: other workers can't be asked`);
  }

  /**
   * How many workers listen to a channel. Socket.IO doesn't catch: where nobody knows there are infinitely many, and who
   * waits for all of them hears of a timeout.
   *
   * @param timeout - how long Redis may take, in ms
   */
  async count(channel: string, timeout: number, command?: Count): Promise<number> {
    const unknown = Number.POSITIVE_INFINITY;
    // A namespace that was made this moment is one of those who listen.
    await undefined;
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

  /** Waits until the link is up or has failed, that many ms at most. */
  async settled(ms: number): Promise<void> {
    const timeout = delay(ms, 'timeout', { ref: false });
    if ((await Promise.race([this.#settled, timeout])) === 'timeout') this.#failed(new Error(`no answer for ${ms} ms`));
  }

  /** Closes what the link owns; by force where Redis doesn't answer. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#end.abort();
    clearTimeout(this.#calm);
    this.publisher.reset();
    this.reader?.close();
    const { pub, sub, ownsPub } = this.#connections;
    if (!ownsPub) for (const off of this.#off) off();
    await Promise.all((ownsPub ? [pub, sub] : [sub]).map(quit));
  }

  #failed(err?: Error, retries?: boolean): void {
    if (this.#closing) return;
    this.#settle();
    this.#calm.refresh();
    this.#log.failed(err, retries);
  }

  #up(): void {
    if (this.#closing || !this.up) return;
    this.#settle();
    this.#log.over();
  }

  #listen<T extends unknown[]>(client: Redis, event: string, listener: (...args: T) => void): void {
    client.on(event, listener as (...args: unknown[]) => void);
    if (client === this.#connections.pub) this.#off.push(() => client.off(event, listener as () => void));
  }
}

async function quit(client: Redis): Promise<void> {
  if (client.status === 'end') return;
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  const nodes = client.isCluster ? (client as unknown as Cluster).nodes() : [client];
  if (client.status === 'ready') client.quit().catch(() => {});
  else client.disconnect();
  const timeout = delay(CLOSE_TIMEOUT, 'timeout', { ref: false });
  if ((await Promise.race([ended, timeout])) !== 'timeout') return;
  client.disconnect();
  for (const node of nodes) node.stream?.destroy();
}
