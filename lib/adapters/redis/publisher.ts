// Sends commands to Redis; the adapters use it as their `pubClient`. It never queues: while Redis is unreachable, messages are dropped
// and counted, so an outage cannot exhaust memory.
import type { Cluster, Redis } from 'ioredis';
import type { OutageLog } from './outage-log';

/** The subcommand of PUBSUB that counts the subscribers of a channel, or of a sharded channel. */
export type Count = 'NUMSUB' | 'SHARDNUMSUB';

/** The publishing side of a connection. */
export class Publisher {
  readonly #pending = new Pending();
  /** The commands that Redis has not answered, oldest first. */
  readonly #unanswered = new Set<{ readonly sentAt: number }>();
  #timer: NodeJS.Timeout | undefined;
  /** Whether Redis has left a command unanswered for too long. */
  #isSilent = false;

  /**
   * @param patience - how long Redis may leave a command unanswered, in ms
   * @param owned - whether a silent connection is replaced by a new one
   */
  constructor(
    private readonly client: Redis,
    private readonly log: OutageLog,
    private readonly patience: number,
    private readonly owned: boolean,
  ) {}

  get up(): boolean {
    return this.client.status === 'ready' && !this.#isSilent;
  }

  publish(channel: string, message: string | Buffer): Promise<unknown> {
    return this.send((client) => client.publish(channel, message));
  }

  spublish(channel: string, message: string | Buffer): Promise<unknown> {
    return this.send((client) => client.spublish(channel, message));
  }

  xadd(args: [stream: string, ...rest: string[]]): Promise<unknown> {
    return this.send((client) => client.xadd(...args));
  }

  // The adapters would listen to `error`, to warn if nobody else does.
  on(): void {}
  off(): void {}

  /**
   * Sends a command. Failures are logged and not thrown, since the adapters catch nothing. If the connection is lost before the answer,
   * the promise never settles.
   */
  async send<T>(command: (client: Redis) => Promise<T>): Promise<T | undefined> {
    if (!this.up) {
      this.log.lost();
      return undefined;
    }
    try {
      return await this.#command(command);
    } catch (err) {
      this.log.lost();
      this.log.failed(err as Error);
      return undefined;
    }
  }

  /**
   * Sends a command and returns the answer.
   *
   * @throws {Error} if Redis refuses the command, or the connection is lost
   */
  ask<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    return this.#pending.wait(this.#command(command));
  }

  /** Returns how many workers subscribe to a channel. */
  async count(channel: string, command: Count = 'NUMSUB'): Promise<number> {
    const nodes = this.client.isCluster ? (this.client as unknown as Cluster).nodes() : [this.client];
    try {
      // The types of ioredis do not accept a union of the two.
      const ask = (node: Redis) => this.ask(() => node.pubsub(command as 'NUMSUB', channel));
      const counts = await Promise.all(nodes.map(ask));
      return counts.reduce((sum: number, [, count]) => sum + Number(count), 0);
    } catch (err) {
      this.log.failed(err as Error);
      throw err;
    }
  }

  /** Called when the client is connected. */
  restore(): void {
    this.log.recovered();
  }

  /** Called when the connection is lost, and with it the commands without an answer. */
  reset(): void {
    this.#pending.reset();
    this.#unanswered.clear();
    this.#isSilent = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #command<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    const sent = { sentAt: performance.now() };
    this.#unanswered.add(sent);
    if (this.#timer === undefined) this.#watch(this.patience);
    try {
      return await command(this.client);
    } finally {
      this.#answered(sent);
    }
  }

  #answered(sent: { sentAt: number }): void {
    if (!this.#unanswered.delete(sent) || !this.#isSilent) return;
    this.#isSilent = false;
    this.log.recovered();
  }

  /**
   * Finds a connection that is dead although it is open: without it, messages would pile up for the minutes until TCP gives up. The
   * oldest command decides, since one node of a Redis Cluster may be silent while the others answer.
   */
  #watch(ms: number): void {
    const timer = setTimeout(() => {
      // After the next poll phase: a worker that was busy reads the answers first.
      setImmediate(() => timer === this.#timer && this.#check());
    }, ms).unref();
    this.#timer = timer;
  }

  #check(): void {
    this.#timer = undefined;
    const [oldest] = this.#unanswered;
    if (oldest === undefined) return;
    const rest = oldest.sentAt + this.patience - performance.now();
    if (rest > 0) return this.#watch(rest);
    this.#isSilent = true;
    this.log.failed(new Error(`no answer for ${this.patience} ms`));
    if (this.owned) this.client.disconnect(true);
  }
}

/** Answers of one connection that somebody waits for. ioredis never rejects them if the connection is lost and it must not resend. */
export class Pending {
  readonly #rejects = new Set<(err: Error) => void>();

  /** Returns the answer. It is rejected when the connection is lost. */
  wait<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#rejects.add(reject);
      answer.then(resolve, reject).finally(() => this.#rejects.delete(reject));
    });
  }

  /** Called when the connection is lost. */
  reset(): void {
    for (const reject of this.#rejects) reject(new Error('Connection is closed.'));
    this.#rejects.clear();
  }
}
