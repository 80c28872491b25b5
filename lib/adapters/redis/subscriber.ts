// Subscribes to channels and dispatches their messages, each to the adapters that have subscribed to its channel. It subscribes anew on
// each connection: the `autoResubscribe` of ioredis forgets channels that were requested while Redis refused the password.
import type { Redis } from 'ioredis';
import { untraced } from '../../diagnostics';
import { IN_CLUSTER, type OutageLog } from './outage-log';
import { Commands, waitFor } from './publisher';

export type Listener = (...args: unknown[]) => unknown;
type Command = 'subscribe' | 'psubscribe' | 'ssubscribe';

const UNDO = { subscribe: 'unsubscribe', psubscribe: 'punsubscribe', ssubscribe: 'sunsubscribe' } as const;
/** The events of ioredis for messages. The first argument is the channel, or the pattern. */
const EVENTS = { subscribe: 'messageBuffer', psubscribe: 'pmessageBuffer', ssubscribe: 'smessageBuffer' } as const;
const COMMANDS = Object.keys(EVENTS) as Command[];
/** If unsubscribing fails, the connection is lost, and the subscription with it. */
const ignore = () => {};
/** If Redis refuses a channel, it is asked again after that many ms. */
const RETRY = 1000;
/** How many channels one command has at most: the worker handles the clients of other namespaces between two answers. */
const MAX_CHANNELS = 1000;

/** Channels that are subscribed to together. */
class Batch {
  readonly channels: Record<Command, string[]> = { subscribe: [], psubscribe: [], ssubscribe: [] };
  size = 0;
  /** Called when Redis has confirmed or refused them. */
  settle!: () => void;
  readonly confirmed = new Promise<void>((resolve) => {
    this.settle = resolve;
  });

  add(command: Command, channels: string[]): void {
    this.channels[command].push(...channels);
    this.size += channels.length;
  }
}

/** The subscribing side of a connection. */
export class Subscriber {
  /** How many messages were received, with those of this worker. */
  received = 0;
  #client!: Redis;
  /** By channel or pattern. Two adapters can have the same one: the channel of /a#b is also that of the room b of /a. */
  readonly #subscriptions = {
    subscribe: new Map<string, Subscription[]>(),
    psubscribe: new Map<string, Subscription[]>(),
    ssubscribe: new Map<string, Subscription[]>(),
  };
  readonly #commands: Commands;
  /** The batches that are not sent yet. */
  readonly #batches: Batch[] = [];
  #isSending = false;
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
    return this.#subscriptions.ssubscribe.keys();
  }

  /** Returns a subscription without channels. */
  open(): Subscription {
    return new Subscription(this);
  }

  /**
   * Adds channels of a subscription.
   *
   * @returns resolves when Redis has confirmed or refused them. Undefined without a connection: `restore` subscribes later
   */
  add(command: Command, channels: string[], subscription: Subscription): Promise<void> | undefined {
    const all = this.#subscriptions[command];
    for (const channel of channels) {
      const others = all.get(channel) ?? [];
      if (!others.includes(subscription)) all.set(channel, [...others, subscription]);
    }
    if (this.#client.status !== 'ready') return undefined;
    const batch = this.#openBatch();
    batch.add(command, channels);
    return batch.confirmed;
  }

  remove(command: Command, channels: string[], subscription: Subscription): void {
    const all = this.#subscriptions[command];
    const unused = channels.filter((channel) => {
      const others = all.get(channel)?.filter((each) => each !== subscription) ?? [];
      if (others.length > 0) all.set(channel, others);
      return others.length === 0 && all.delete(channel);
    });
    if (unused.length > 0 && this.#client.status === 'ready') {
      untraced(() => this.#undo(command, unused)).catch(ignore);
    }
  }

  /** Uses a client that is used for nothing else. */
  use(client: Redis): void {
    this.#client = client;
    for (const command of COMMANDS) client.on(EVENTS[command], (...args: unknown[]) => this.#dispatch(command, args));
    // A Redis Cluster has new nodes.
    client.on('subscribersReady', () => this.restore());
    if (!client.isCluster) client.on('moved', () => this.log.failed(new Error(IN_CLUSTER), false));
  }

  async restore(): Promise<void> {
    if (this.#client.status !== 'ready') return;
    try {
      const sent = COMMANDS.map((command) => this.#send(command, [...this.#subscriptions[command].keys()]));
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

  /** Returns the batch to which channels are added. It is sent after this turn of the event loop. */
  #openBatch(): Batch {
    let batch = this.#batches.at(-1);
    if (batch === undefined || batch.size >= MAX_CHANNELS) {
      batch = new Batch();
      this.#batches.push(batch);
    }
    if (!this.#isSending) {
      this.#isSending = true;
      setImmediate(() => this.#sendBatches());
    }
    return batch;
  }

  /** Sends one batch after the other: if Redis answered many at once, the clients of their namespaces would be admitted in one turn. */
  async #sendBatches(): Promise<void> {
    for (let batch = this.#batches.shift(); batch; batch = this.#batches.shift()) {
      const sent = COMMANDS.map((command) => this.#sendBatch(command, batch.channels[command]));
      const settled = Promise.all(sent).then(batch.settle);
      // One node of a Redis Cluster may be silent while the others answer.
      if (!this.#client.isCluster) await settled;
    }
    this.#isSending = false;
  }

  async #sendBatch(command: Command, added: string[]): Promise<void> {
    // Some may have been removed since. Without a connection, `restore` subscribes later.
    const channels = added.filter((channel) => this.#subscriptions[command].has(channel));
    if (channels.length === 0 || this.#client.status !== 'ready') return;
    await this.#commands.wait(untraced(() => this.#send(command, channels))).catch((err) => this.#refused(err));
  }

  /** The connection stays: the rights of the user may change, and a node of a Redis Cluster may see later that the others are back. */
  #refused(err: Error): void {
    this.log.failed(err);
    this.#isSubscribed = false;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.restore(), RETRY).unref();
  }

  async #undo(command: Command, channels: string[]): Promise<unknown> {
    return this.#client[UNDO[command]](...channels);
  }

  async #send(command: Command, channels: string[]): Promise<void> {
    const client = this.#client;
    if (command !== 'ssubscribe' || !client.isCluster) {
      const sent: Array<Promise<void>> = [];
      for (let n = 0; n < channels.length; n += MAX_CHANNELS) {
        sent.push(this.#sendTogether(command, channels.slice(n, n + MAX_CHANNELS)));
      }
      await Promise.all(sent);
      return;
    }
    // Each sharded channel has its node. If a node comes back, ioredis subscribes once and does not report that the node refuses, so we do
    // it as well. It keeps a channel twice that it gets twice, so we unsubscribe before.
    for (const channel of channels) this.#undo('ssubscribe', [channel]).catch(ignore);
    await Promise.all(channels.map((channel) => client.ssubscribe(channel)));
  }

  async #sendTogether(command: Command, channels: string[]): Promise<void> {
    const client = this.#client;
    try {
      await client[command](...channels);
    } catch (err) {
      // Redis refuses the whole command although it refuses one channel.
      if ((err as Error).name === 'ReplyError' && channels.length > 1) {
        await Promise.all(channels.map((channel) => client[command](channel).catch(ignore)));
      }
      throw err;
    }
  }

  /** Anybody can publish anything on the channels. A message that an adapter cannot read must not end the process. */
  #dispatch(command: Command, args: unknown[]): void {
    // Those of the probe are empty.
    if ((args.at(-1) as Buffer | undefined)?.length) this.received++;
    for (const { listeners } of this.#subscriptions[command].get(String(args[0])) ?? []) {
      try {
        const result = listeners[EVENTS[command]]?.(...args);
        if (result instanceof Promise) result.catch((err) => this.log.unreadable(err));
      } catch (err) {
        this.log.unreadable(err as Error);
      }
    }
  }
}

/** The channels of one adapter, which uses it as its `subClient`. Its listeners are called with the messages of these channels only. */
export class Subscription {
  /** By event. The adapters listen to `error` as well, only to warn if nobody else does. */
  readonly listeners: Record<string, Listener | undefined> = {};
  /** Set while Redis has not confirmed all channels. */
  #confirmed: Promise<unknown> | undefined;

  constructor(private readonly subscriber: Subscriber) {}

  get isSubscribing(): boolean {
    return this.#confirmed !== undefined;
  }

  /** Waits until Redis has confirmed or refused the channels, that many ms at most. */
  settled(ms: number): Promise<unknown> {
    return this.#confirmed ? waitFor(this.#confirmed, ms) : Promise.resolve();
  }

  subscribe(channels: string[]): void {
    this.#add('subscribe', channels);
  }

  psubscribe(pattern: string): void {
    this.#add('psubscribe', [literal(pattern)]);
  }

  ssubscribe(channel: string): void {
    this.#add('ssubscribe', [channel]);
  }

  unsubscribe(channels: string[]): void {
    this.subscriber.remove('subscribe', channels, this);
  }

  punsubscribe(pattern: string): void {
    this.subscriber.remove('psubscribe', [literal(pattern)], this);
  }

  sunsubscribe(channel: string): void {
    this.subscriber.remove('ssubscribe', [channel], this);
  }

  /** Sets the listener of an event. An adapter has one for each kind of channels. */
  on(event: string, listener: Listener): void {
    this.listeners[event] = listener;
  }

  off(event: string): void {
    this.listeners[event] = undefined;
  }

  #add(command: Command, channels: string[]): void {
    const added = this.subscriber.add(command, channels, this);
    if (added === undefined || added === this.#confirmed) return;
    const confirmed = this.#confirmed ? Promise.all([this.#confirmed, added]) : added;
    this.#confirmed = confirmed;
    void confirmed.then(() => {
      if (this.#confirmed === confirmed) this.#confirmed = undefined;
    });
  }
}

/** Escapes the name in the pattern of an adapter, which is a name and a star. */
function literal(pattern: string): string {
  return `${pattern.slice(0, -1).replace(/[\\*?[\]]/g, '\\$&')}*`;
}
