// Subscribes to channels and dispatches their messages; the adapters use it as their `subClient`. It subscribes anew on each connection:
// the `autoResubscribe` of ioredis forgets channels that were requested while Redis refused the password.
import type { Redis } from 'ioredis';
import { IN_CLUSTER, type OutageLog } from './outage-log';
import { Commands, waitFor } from './publisher';

export type Listener = (...args: unknown[]) => unknown;
type Command = 'subscribe' | 'psubscribe' | 'ssubscribe';

const UNDO = { subscribe: 'unsubscribe', psubscribe: 'punsubscribe', ssubscribe: 'sunsubscribe' } as const;
/** If unsubscribing fails, the connection is lost, and the subscription with it. */
const ignore = () => {};
/** The events of ioredis for messages. */
const EVENTS = ['messageBuffer', 'pmessageBuffer', 'smessageBuffer'];
/** If Redis refuses a channel, it is asked again after that many ms. */
const RETRY = 1000;

/** The subscribing side of a connection. */
export class Subscriber {
  #client!: Redis;
  readonly #channels = { subscribe: new Set<string>(), psubscribe: new Set<string>(), ssubscribe: new Set<string>() };
  readonly #listeners: Record<string, Set<Listener>> = Object.fromEntries(EVENTS.map((event) => [event, new Set()]));
  readonly #commands: Commands;
  /** The subscriptions of the current connection that Redis has not confirmed. */
  readonly #unconfirmed = new Set<Promise<void>>();
  #isSubscribed = false;
  #retry: NodeJS.Timeout | undefined;

  /**
   * @param patience - how long Redis may leave a subscription unconfirmed, in ms
   * @param silent - called if it does
   */
  constructor(
    private readonly log: OutageLog,
    patience: number,
    silent: () => void,
  ) {
    this.#commands = new Commands(patience, (isSilent) => (isSilent ? silent() : log.recovered()));
  }

  get up(): boolean {
    return this.#client.status === 'ready' && this.#isSubscribed && !this.#commands.isSilent;
  }

  get isCluster(): boolean {
    return this.#client.isCluster;
  }

  /** The sharded channels that are subscribed to. */
  get sharded(): Iterable<string> {
    return this.#channels.ssubscribe;
  }

  get isSubscribing(): boolean {
    return this.#unconfirmed.size > 0;
  }

  /** Waits until Redis has confirmed all subscriptions or has refused them, that many ms at most. */
  async settled(ms: number): Promise<void> {
    if (this.isSubscribing) await waitFor(Promise.all(this.#unconfirmed), ms);
  }

  // The commands of the adapters.
  readonly subscribe = (channels: string[]) => this.#add('subscribe', channels);
  readonly psubscribe = (pattern: string) => this.#add('psubscribe', [literal(pattern)]);
  readonly ssubscribe = (channel: string) => this.#add('ssubscribe', [channel]);
  readonly unsubscribe = (channels: string[]) => this.#remove('subscribe', channels);
  readonly punsubscribe = (pattern: string) => this.#remove('psubscribe', [literal(pattern)]);
  readonly sunsubscribe = (channel: string) => this.#remove('ssubscribe', [channel]);

  /** Adds a listener for messages. The adapters listen to `error` as well, only to warn if nobody else does. */
  on(event: string, listener: Listener): void {
    this.#listeners[event]?.add(listener);
  }

  off(event: string, listener: Listener): void {
    this.#listeners[event]?.delete(listener);
  }

  /** Uses a client that is used for nothing else. */
  use(client: Redis): void {
    this.#client = client;
    for (const [event, listeners] of Object.entries(this.#listeners)) {
      client.on(event, (...args: unknown[]) => this.#dispatch(listeners, args));
    }
    // A Redis Cluster has new nodes.
    client.on('subscribersReady', () => this.restore());
    if (!client.isCluster) client.on('moved', () => this.log.failed(new Error(IN_CLUSTER), false));
  }

  async restore(): Promise<void> {
    if (this.#client.status !== 'ready') return;
    try {
      const commands = Object.keys(this.#channels) as Command[];
      const sent = commands.map((command) => this.#send(command, [...this.#channels[command]]));
      await this.#commands.wait(Promise.all(sent));
      this.#isSubscribed = true;
      this.log.recovered();
    } catch (err) {
      this.#refused(err as Error);
    }
  }

  reset(): void {
    this.#commands.reset();
    this.#isSubscribed = false;
  }

  #add(command: Command, channels: string[]): void {
    for (const channel of channels) this.#channels[command].add(channel);
    // Without a connection, `restore` subscribes later.
    if (this.#client.status !== 'ready') return;
    const confirmed = this.#commands
      .wait(this.#send(command, channels))
      .catch((err) => this.#refused(err))
      .finally(() => this.#unconfirmed.delete(confirmed));
    this.#unconfirmed.add(confirmed);
  }

  /** The connection stays: the rights of the user may change, and a node of a Redis Cluster may see later that the others are back. */
  #refused(err: Error): void {
    this.log.failed(err);
    this.#isSubscribed = false;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.restore(), RETRY).unref();
  }

  #remove(command: Command, channels: string[]): void {
    for (const channel of channels) this.#channels[command].delete(channel);
    if (this.#client.status === 'ready') this.#undo(command, channels).catch(ignore);
  }

  async #undo(command: Command, channels: string[]): Promise<unknown> {
    return this.#client[UNDO[command]](...channels);
  }

  async #send(command: Command, channels: string[]): Promise<void> {
    const client = this.#client;
    if (command !== 'ssubscribe' || !client.isCluster) {
      if (channels.length > 0) await client[command](...channels);
      return;
    }
    // Each sharded channel has its node. If a node comes back, ioredis subscribes once and does not report that the node refuses, so we do
    // it as well. It keeps a channel twice that it gets twice, so we unsubscribe before.
    for (const channel of channels) this.#undo('ssubscribe', [channel]).catch(ignore);
    await Promise.all(channels.map((channel) => client.ssubscribe(channel)));
  }

  /** Anybody can publish anything on the channels. A message that an adapter cannot read must not end the process. */
  #dispatch(listeners: Set<Listener>, args: unknown[]): void {
    for (const listener of listeners) {
      try {
        const result = listener(...args);
        if (result instanceof Promise) result.catch((err) => this.log.unreadable(err));
      } catch (err) {
        this.log.unreadable(err as Error);
      }
    }
  }
}

/** Escapes the name in the pattern of an adapter, which is a name and a star. */
function literal(pattern: string): string {
  return `${pattern.slice(0, -1).replace(/[\\*?[\]]/g, '\\$&')}*`;
}
