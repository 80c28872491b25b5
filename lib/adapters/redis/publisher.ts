// Sends commands to Redis; the adapters use it as their `pubClient`. It never queues: while Redis is unreachable, messages are dropped
// and counted, so an outage cannot exhaust memory.
import type { Cluster, Redis } from 'ioredis';
import { untraced } from '../../diagnostics';
import { debug, type OutageLog } from './outage-log';

/** The subcommand of PUBSUB that counts the subscribers of a channel, or of a sharded channel. */
export type Count = 'NUMSUB' | 'SHARDNUMSUB';

type Message = string | Buffer;

/** The publishing side of a connection. */
export class Publisher {
  readonly #commands: Commands;
  /** The node of a Redis Cluster that publishes, and the one that did before it. */
  #node: Redis | undefined;
  #lastNode = '';
  /** How many messages the adapters have sent, with those that were lost. */
  sent = 0;
  /** How many of them were not sent to Redis. */
  lost = 0;

  /**
   * @param patience - how long Redis may leave a command unanswered, in ms
   * @param silent - called if it does
   */
  constructor(
    private readonly client: Redis,
    private readonly log: OutageLog,
    patience: number,
    silent: () => void,
  ) {
    this.#commands = new Commands(patience, (isSilent) => (isSilent ? silent() : log.recovered()));
  }

  get up(): boolean {
    return this.client.status === 'ready' && !this.#commands.isSilent;
  }

  // The commands of the adapters.
  readonly publish = (channel: string, message: Message) => this.send(() => this.#publish(channel, message));
  readonly spublish = (channel: string, message: Message) => this.send((client) => client.spublish(channel, message));
  readonly xadd = (args: [stream: string, ...rest: string[]]) => this.send((client) => client.xadd(...args));

  // They listen to `error`, only to warn if nobody else does.
  on(): void {}
  off(): void {}

  /** Sends a command. A failure is logged and not thrown, since the adapters catch nothing. */
  async send<T>(command: (client: Redis) => Promise<T>): Promise<T | undefined> {
    this.sent++;
    try {
      if (this.up) return await this.#commands.wait(untraced(() => command(this.client)));
    } catch (err) {
      // Redis may have executed the command.
      if (err === CONNECTION_LOST) return undefined;
      this.log.failed(err as Error);
    }
    debug('a message was dropped');
    this.lost++;
    this.log.lost++;
    return undefined;
  }

  /** Sends a command. Throws if Redis refuses it, or the connection is lost. */
  async ask<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    return this.#commands.wait(untraced(() => command(this.client)));
  }

  /** Publishes an empty message. Throws as `ask` does. */
  async probe(channel: string, sharded = false): Promise<unknown> {
    return this.ask((client) => (sharded ? client.spublish(channel, '') : this.#publish(channel, '')));
  }

  /** Returns how many workers subscribe to a channel. Throws as `ask` does. */
  async count(channel: string, command: Count = 'NUMSUB'): Promise<number> {
    // The types of ioredis do not accept a union of the two.
    const ask = (node: Redis) => untraced(() => node.pubsub(command as 'NUMSUB', channel));
    // Each node of a Redis Cluster counts its own. One that hangs is no reason to give up the others.
    const counts = this.client.isCluster
      ? await Promise.all((this.client as unknown as Cluster).nodes().map(ask))
      : [await this.ask(ask)];
    return counts.reduce((sum: number, [, count]) => sum + Number(count), 0);
  }

  /** Called when the connection is lost or is given up. */
  reset(): void {
    this.#commands.reset();
    this.#node = undefined;
  }

  /**
   * All nodes of a Redis Cluster publish on channels that are not sharded. ioredis takes another one each time, so that messages overtake
   * each other, and some are lost while one node hangs. This takes one until it fails, and then another one.
   */
  async #publish(channel: string, message: Message): Promise<number> {
    const { client } = this;
    if (!client.isCluster) return client.publish(channel, message);
    const nodes = (client as unknown as Cluster).nodes('master');
    if (this.#node === undefined || !nodes.includes(this.#node)) {
      const others = nodes.filter((node) => nameOf(node) !== this.#lastNode);
      const choice = others.length > 0 ? others : nodes;
      this.#node = choice[Math.floor(Math.random() * choice.length)];
      if (this.#node === undefined) return client.publish(channel, message);
      this.#lastNode = nameOf(this.#node);
    }
    return this.#node.publish(channel, message);
  }
}

function nameOf({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}

const CONNECTION_LOST = new Error('Connection is closed.');

/** Into how many steps the timeout of a command is divided. */
const STEPS = 3;

/** The commands of one client that Redis has not answered, oldest first. */
export class Commands {
  /** Whether the oldest was not answered in time, and no other since. */
  isSilent = false;
  readonly #open = new Set<{ sentAt: number; reject: (err: Error) => void }>();
  /** Counts steps. However long the worker itself was blocked or stopped, that is one step, and the answers are read in the next. */
  #step = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param changed - called when `isSilent` changes: Redis has left a command unanswered for `patience` ms, or answers again */
  constructor(
    private readonly patience: number,
    private readonly changed: (isSilent: boolean) => void,
  ) {}

  /** Returns the answer. It is rejected if the connection is lost: ioredis does not do that if it must not send commands again. */
  wait<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const command = { sentAt: this.#step, reject };
      this.#open.add(command);
      if (this.#timer === undefined) this.#watch();
      const answered = () => {
        if (!this.#open.delete(command) || !this.isSilent) return;
        this.isSilent = false;
        if (this.#timer === undefined && this.#open.size > 0) this.#watch();
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
  #watch(): void {
    const check = () => {
      this.#timer = undefined;
      this.#step++;
      const [oldest] = this.#open;
      if (oldest === undefined) return;
      // The first step of a command was shorter.
      if (this.#step - oldest.sentAt <= STEPS) return this.#watch();
      this.isSilent = true;
      this.changed(true);
    };
    // After the next poll phase, which reads what has arrived.
    const timer = setTimeout(() => setImmediate(() => timer === this.#timer && check()), this.patience / STEPS).unref();
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
