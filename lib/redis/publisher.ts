// The side of the link that publishes: what the adapter takes for its `pubClient`. It keeps nothing for later: while
// Redis is away a message is lost and counted, so that an outage takes no memory. Made by link.ts.
import type { Cluster, Redis } from 'ioredis';

/** What the two sides tell the link. */
export interface Reports {
  /** Broadcasts don't flow, for this reason. */
  failed(err: Error): void;
  /** A message was not published. */
  lost(): void;
  /** Something came that is no message of an adapter. */
  unreadable(err: Error): void;
  /** A side is up. */
  up(): void;
}

/** Publishes, and asks how many workers listen. */
export class Publisher {
  /** The messages on the way: sent over the connection of this epoch, and not answered. */
  #inFlight = 0;
  #answers = 0;
  #epoch = 0;
  #silent = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param client - connecting or connected
   * @param reports - told of every failure
   * @param patience - how long Redis may leave messages without any answer, in ms
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

  /** Publishes, and neither throws nor rejects: the adapter catches nothing. */
  publish(channel: string, message: string | Buffer): void {
    if (!this.up) {
      this.reports.lost();
      return;
    }
    const epoch = this.#epoch;
    this.#inFlight++;
    this.#watch();
    this.client.publish(channel, message).then(
      () => this.#answered(epoch),
      (err) => {
        this.#answered(epoch);
        this.reports.lost();
        this.reports.failed(err);
      },
    );
  }

  /** How many workers listen to a channel. */
  async count(channel: string): Promise<number> {
    const nodes = this.client.isCluster ? (this.client as unknown as Cluster).nodes() : [this.client];
    try {
      const counts = await Promise.all(nodes.map(async (node) => Number((await node.pubsub('NUMSUB', channel))[1])));
      return counts.reduce((sum, each) => sum + each, 0);
    } catch (err) {
      this.reports.failed(err as Error);
      throw err;
    }
  }

  /** The connection is gone, and what was on its way with it. */
  reset(): void {
    this.#epoch++;
    this.#inFlight = 0;
    this.#silent = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  // Only to remind of a missing listener would the adapter listen, to 'error'.
  on(): void {}
  off(): void {}

  #answered(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#inFlight--;
    this.#answers++;
    if (!this.#silent) return;
    this.#silent = false;
    this.reports.up();
  }

  /** A connection may be dead and not say so; then what is sent would pile up for the minutes that TCP takes to notice. */
  #watch(): void {
    if (this.#timer) return;
    const [epoch, answers] = [this.#epoch, this.#answers];
    const check = () => {
      if (epoch !== this.#epoch) return;
      this.#timer = undefined;
      if (this.#inFlight === 0) return;
      if (answers === this.#answers) this.#stalled();
      else this.#watch();
    };
    // After a turn of the event loop: a worker that was busy finds the answers first.
    this.#timer = setTimeout(() => setImmediate(check), this.patience).unref();
  }

  #stalled(): void {
    this.#silent = true;
    this.reports.failed(new Error(`no answer for ${this.patience} ms`));
    if (this.owned) this.client.disconnect(true);
  }
}
