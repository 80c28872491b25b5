// Sends commands to Redis; the adapters use it as their `pubClient`. It never queues: while Redis is unreachable, messages are dropped
// and counted, so an outage cannot exhaust memory.
import type { Cluster, Redis } from 'ioredis';
import { debug, type OutageLog } from './outage-log';

/** The subcommand of PUBSUB that counts the subscribers of a channel, or of a sharded channel. */
export type Count = 'NUMSUB' | 'SHARDNUMSUB';

type Message = string | Buffer;

/** The publishing side of a connection. */
export class Publisher {
  readonly #commands: Commands;

  /** @param owned - whether a silent connection is replaced by a new one */
  constructor(
    private readonly client: Redis,
    private readonly log: OutageLog,
    patience: number,
    owned: boolean,
  ) {
    this.#commands = new Commands(patience, (isSilent) => {
      if (!isSilent) return log.recovered();
      log.failed(new Error(`no answer for ${patience} ms`));
      if (owned) client.disconnect(true);
    });
  }

  get up(): boolean {
    return this.client.status === 'ready' && !this.#commands.isSilent;
  }

  // The commands of the adapters.
  readonly publish = (channel: string, message: Message) => this.send((client) => client.publish(channel, message));
  readonly spublish = (channel: string, message: Message) => this.send((client) => client.spublish(channel, message));
  readonly xadd = (args: [stream: string, ...rest: string[]]) => this.send((client) => client.xadd(...args));

  // They listen to `error`, only to warn if nobody else does.
  on(): void {}
  off(): void {}

  /** Sends a command. A failure is logged and not thrown, since the adapters catch nothing. */
  async send<T>(command: (client: Redis) => Promise<T>): Promise<T | undefined> {
    try {
      if (this.up) return await this.#commands.wait(command(this.client));
    } catch (err) {
      // Redis may have executed the command.
      if (err === CONNECTION_LOST) return undefined;
      this.log.failed(err as Error);
    }
    debug('a message was dropped');
    this.log.lost++;
    return undefined;
  }

  /** Sends a command. Throws if Redis refuses it, or the connection is lost. */
  async ask<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    return this.#commands.wait(command(this.client));
  }

  /** Returns how many workers subscribe to a channel. Throws as `ask` does. */
  async count(channel: string, command: Count = 'NUMSUB'): Promise<number> {
    const nodes = this.client.isCluster ? (this.client as unknown as Cluster).nodes() : [this.client];
    // The types of ioredis do not accept a union of the two.
    const ask = (node: Redis) => this.ask(() => node.pubsub(command as 'NUMSUB', channel));
    const counts = await Promise.all(nodes.map(ask));
    return counts.reduce((sum: number, [, count]) => sum + Number(count), 0);
  }

  reset(): void {
    this.#commands.reset();
  }
}

const CONNECTION_LOST = new Error('Connection is closed.');

/** The commands of one client that Redis has not answered, oldest first. */
export class Commands {
  /** Whether the oldest was not answered in time, and no other since. */
  isSilent = false;
  readonly #open = new Set<{ sentAt: number; reject: (err: Error) => void }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param changed - called when `isSilent` changes: Redis has left a command unanswered for `patience` ms, or answers again */
  constructor(
    private readonly patience?: number,
    private readonly changed = (_isSilent: boolean) => {},
  ) {}

  /** Returns the answer. It is rejected if the connection is lost: ioredis does not do that if it must not send commands again. */
  wait<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const command = { sentAt: performance.now(), reject };
      this.#open.add(command);
      if (this.patience !== undefined && this.#timer === undefined) this.#watch(this.patience);
      const answered = () => {
        if (!this.#open.delete(command) || !this.isSilent) return;
        this.isSilent = false;
        this.changed(false);
      };
      answer.finally(answered).then(resolve, reject);
    });
  }

  /** Called when the connection is lost. */
  reset(): void {
    for (const { reject } of this.#open) reject(CONNECTION_LOST);
    this.#open.clear();
    this.isSilent = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Finds a connection that is dead although it is open: commands would pile up for the minutes until TCP gives up. The oldest command
   * decides, since one node of a Redis Cluster may be silent while the others answer.
   */
  #watch(patience: number, ms = patience): void {
    const check = () => {
      this.#timer = undefined;
      const [oldest] = this.#open;
      if (oldest === undefined) return;
      const rest = oldest.sentAt + patience - performance.now();
      if (rest > 0) return this.#watch(patience, rest);
      this.isSilent = true;
      this.changed(true);
    };
    // After the next poll phase: a worker that was busy reads the answers first.
    const timer = setTimeout(() => setImmediate(() => timer === this.#timer && check()), ms).unref();
    this.#timer = timer;
  }
}

/** Returns what a promise resolves to, or undefined after that many ms. */
export function waitFor<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, undefined).unref();
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
