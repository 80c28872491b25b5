// The two connections to Redis, one to publish and one to subscribe: whether they are up, and their end. Whatever happens
// to them is logged and never thrown. Made by lib/redis.ts.
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { OutageLog, type RedisLog } from './outage';
import { Publisher, type Reports } from './publisher';
import { Subscriber } from './subscriber';

/** What a link is made of. */
export interface Connections {
  /** Publishes. */
  pub: Redis;
  /** Subscribes, and is closed with the link. */
  sub: Redis;
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

/** Two connections to Redis that come back by themselves. */
export class RedisLink {
  readonly name: string;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;

  readonly #connections: Connections;
  readonly #log: OutageLog;
  readonly #off: Array<() => void> = [];
  readonly #settled: Promise<void>;
  #settle = () => {};
  #closing = false;

  /**
   * @param connections - the clients, connecting or connected
   * @param log - gets each outage once
   * @param patience - for tests
   */
  constructor(connections: Connections, log: RedisLog, patience = PATIENCE) {
    const { pub, sub, ownsPub, name, password } = connections;
    this.#connections = connections;
    this.name = name;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#log = new OutageLog(log, name, password);
    const reports: Reports = {
      failed: (err) => this.#failed(err),
      lost: () => this.#log.lost(),
      unreadable: (err) => this.#log.unreadable(err),
      up: () => this.#up(),
    };
    this.publisher = new Publisher(pub, reports, patience, ownsPub);
    this.subscriber = new Subscriber(sub, reports);

    this.#listen(pub, 'ready', () => this.#up());
    this.#listen(sub, 'ready', () => this.subscriber.restore());
    this.#listen(pub, 'close', () => this.publisher.reset());
    this.#listen(sub, 'close', () => this.subscriber.reset());
    for (const client of [pub, sub]) {
      this.#listen(client, 'error', (err: Error) => this.#failed(err));
      this.#listen(client, 'close', () => this.#failed());
      this.#listen(client, 'end', () => this.#failed(new Error('no connection, and no new attempt'), false));
      // An application's client may wait for its first command.
      if (client.status === 'wait') client.connect().catch(() => {});
    }
  }

  /** Whether messages go out and come in. */
  get up(): boolean {
    return this.publisher.up && this.subscriber.up;
  }

  /** Waits until the link is up or has failed, that many ms at most. */
  async settled(ms: number): Promise<void> {
    const timeout = delay(ms, 'timeout', { ref: false });
    if ((await Promise.race([this.#settled, timeout])) === 'timeout') this.#failed(new Error(`no answer for ${ms} ms`));
  }

  /** Closes what the link owns; by force where Redis doesn't answer. */
  async close(): Promise<void> {
    this.#closing = true;
    this.publisher.reset();
    const { pub, sub, ownsPub } = this.#connections;
    if (!ownsPub) for (const off of this.#off) off();
    await Promise.all((ownsPub ? [pub, sub] : [sub]).map(quit));
  }

  #failed(err?: Error, retries?: boolean): void {
    if (this.#closing) return;
    this.#settle();
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
  if (client.status === 'ready') client.quit().catch(() => {});
  else client.disconnect();
  const timeout = delay(CLOSE_TIMEOUT, 'timeout', { ref: false });
  if ((await Promise.race([ended, timeout])) !== 'timeout') return;
  client.disconnect();
  client.stream?.destroy();
}
