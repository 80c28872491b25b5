// The side of the link that commands: what the adapters take for the client that publishes. It keeps nothing for later: while
// Redis is away a message is lost and counted, so that an outage takes no memory. Made by link.ts.
import type { Cluster, Redis } from 'ioredis';

/** What the sides tell the link. */
export interface Reports {
  /** Broadcasts don't flow, for this reason. */
  failed(err: Error): void;
  /** A message was not published. */
  lost(): void;
  /** Something came that is no message of an adapter. */
  unreadable(err: Error): void;
  /**
   * Something of the application can't be sent.
   *
   * @param what - a sentence, to which the reason is added
   */
  unsendable(what: string, err: Error): void;
  /** A listener of the application has failed. */
  thrown(err: unknown): void;
  /** A side is up. */
  up(): void;
}

/** What tells how many listen to a channel, and to a sharded one. */
export type Count = 'NUMSUB' | 'SHARDNUMSUB';

/** The commands of a time: how many of them have no answer. */
interface Batch {
  open: number;
}

/** Publishes, asks, and finds out that nobody answers. */
export class Publisher {
  #batch: Batch = { open: 0 };
  #before: Batch = { open: 0 };
  readonly #pending = new Pending();
  #silent = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param client - connecting or connected
   * @param reports - told of every failure
   * @param patience - how long Redis may leave a command without an answer, in ms
   * @param owned - whether a connection without answers is given up for a new one
   */
  constructor(
    private readonly client: Redis,
    private readonly reports: Reports,
    private readonly patience: number,
    private readonly owned: boolean,
  ) {}

  get up(): boolean {
    return this.client.status === 'ready' && !this.#silent;
  }

  publish(channel: string, message: string | Buffer): Promise<unknown> {
    return this.send((client) => client.publish(channel, message));
  }

  spublish(channel: string, message: string | Buffer): Promise<unknown> {
    return this.send((client) => client.spublish(channel, message));
  }

  /**
   * Gives a command, and neither throws nor rejects: the adapters catch nothing. Where the connection is lost meanwhile there
   * is no answer.
   */
  async send<T>(command: (client: Redis) => Promise<T>): Promise<T | undefined> {
    if (!this.up) {
      this.reports.lost();
      return undefined;
    }
    try {
      return await this.#command(command);
    } catch (err) {
      this.reports.lost();
      this.reports.failed(err as Error);
      return undefined;
    }
  }

  /**
   * Gives a command that somebody waits for.
   *
   * @throws {Error} what Redis says, or that there is no connection
   */
  ask<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    return this.#pending.wait(this.#command(command));
  }

  async #command<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    const batch = this.#batch;
    batch.open++;
    this.#watch();
    try {
      return await command(this.client);
    } finally {
      this.#answered(batch);
    }
  }

  /** How many workers listen to a channel. */
  async count(channel: string, command: Count = 'NUMSUB'): Promise<number> {
    const nodes = this.client.isCluster ? (this.client as unknown as Cluster).nodes() : [this.client];
    try {
      // The types of ioredis know the one only.
      const ask = (node: Redis) => this.ask(() => node.pubsub(command as 'NUMSUB', channel));
      const counts = await Promise.all(nodes.map(ask));
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    } catch (err) {
      this.reports.failed(err as Error);
      throw err;
    }
  }

  /** The connection is gone, and what was on its way with it. */
  reset(): void {
    this.#pending.reset();
    this.#batch = { open: 0 };
    this.#before = { open: 0 };
    this.#silent = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  // Only to remind of a missing listener would the adapters listen, to 'error'.
  on(): void {}
  off(): void {}

  #answered(batch: Batch): void {
    batch.open--;
    if (!this.#silent || (batch !== this.#batch && batch !== this.#before)) return;
    this.#silent = false;
    this.reports.up();
  }

  /**
   * A connection may be dead and not say so; then what is sent would pile up for the minutes that TCP takes to notice. Of a
   * Redis Cluster one node may be, while the others answer.
   */
  #watch(): void {
    if (this.#timer) return;
    const check = () => {
      this.#timer = undefined;
      if (this.#before.open > 0) return this.#stalled();
      this.#before = this.#batch;
      this.#batch = { open: 0 };
      if (this.#before.open > 0) this.#watch();
    };
    const timer = setTimeout(() => {
      // After a turn of the event loop: a worker that was busy finds the answers first.
      setImmediate(() => timer === this.#timer && check());
    }, this.patience).unref();
    this.#timer = timer;
  }

  #stalled(): void {
    this.#silent = true;
    this.reports.failed(new Error(`no answer for ${this.patience} ms`));
    if (this.owned) this.client.disconnect(true);
  }
}

// Who waits for an answer of Redis: where a connection is lost, ioredis, told to send nothing again, lets them wait for ever.
// Made by publisher.ts, subscriber.ts and streams/reader.ts.

/** The waits of one connection. */
export class Pending {
  readonly #give = new Set<(err: Error) => void>();

  /** The answer, or an error when the connection is lost. */
  wait<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#give.add(reject);
      answer.then(resolve, reject).finally(() => this.#give.delete(reject));
    });
  }

  /** The connection is lost. */
  reset(): void {
    for (const reject of this.#give) reject(new Error('Connection is closed.'));
    this.#give.clear();
  }
}
