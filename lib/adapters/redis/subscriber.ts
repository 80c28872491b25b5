// Subscribes to channels and dispatches their messages; the adapters use it as their `subClient`. It subscribes anew on each connection:
// the `autoResubscribe` of ioredis forgets channels that were requested while Redis refused the password.

import { setTimeout as delay } from 'node:timers/promises';
import { debuglog } from 'node:util';
import type { Redis } from 'ioredis';
import type { OutageLog } from './outage-log';
import { Pending } from './publisher';

const debug = debuglog('egg-socket.io:redis');

type Listener = (...args: unknown[]) => unknown;
type Command = 'subscribe' | 'psubscribe' | 'ssubscribe';

const UNDO = { subscribe: 'unsubscribe', psubscribe: 'punsubscribe', ssubscribe: 'sunsubscribe' } as const;

/** If unsubscribing fails, the connection is lost, and the subscription with it. */
const ignore = () => {};

/** A Redis Cluster that refuses is asked again after that many ms. */
const RETRY = 1000;

/** The subscribing side of a connection. */
export class Subscriber {
  readonly #channels: Record<Command, Set<string>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set(),
  };
  /** By the event of ioredis. */
  readonly #listeners = new Map<string, Set<Listener>>(
    ['messageBuffer', 'pmessageBuffer', 'smessageBuffer'].map((event) => [event, new Set()]),
  );
  readonly #pending = new Pending();
  /** The commands since the latest connection that Redis has not answered. */
  readonly #subscribing = new Set<Promise<void>>();
  #subscribed = false;

  /** @param client - used for nothing else */
  constructor(
    private readonly client: Redis,
    private readonly log: OutageLog,
  ) {
    for (const [event, listeners] of this.#listeners) {
      client.on(event, (...args: unknown[]) => this.#dispatch(listeners, args));
    }
  }

  get up(): boolean {
    return this.client.status === 'ready' && this.#subscribed;
  }

  /** Whether Redis has not confirmed all subscriptions of the current connection. */
  get isSubscribing(): boolean {
    return this.#subscribing.size > 0;
  }

  /**
   * Waits until Redis has confirmed all subscriptions or has failed to.
   *
   * @param ms - how long at most
   */
  async settled(ms: number): Promise<void> {
    if (!this.isSubscribing) return;
    const settled = new AbortController();
    const late = delay(ms, undefined, { ref: false, signal: settled.signal }).catch(ignore);
    await Promise.race([Promise.all(this.#subscribing), late]);
    settled.abort();
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
    this.#remove('subscribe', channels);
  }

  punsubscribe(pattern: string): void {
    this.#remove('psubscribe', [literal(pattern)]);
  }

  sunsubscribe(channel: string): void {
    this.#remove('ssubscribe', [channel]);
  }

  /** Adds a listener for an event with messages. For `error`, the adapters would only warn that nobody else listens. */
  on(event: string, listener: Listener): void {
    this.#listeners.get(event)?.add(listener);
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  /** Called when the client is connected, and when it has found new nodes of a Redis Cluster. */
  async restore(): Promise<void> {
    if (this.client.status !== 'ready') return;
    try {
      const commands = Object.keys(this.#channels) as Command[];
      await Promise.all(commands.map((command) => this.#send(command, [...this.#channels[command]])));
      this.#subscribed = true;
      debug(
        'subscribed to %j',
        commands.map((command) => this.#channels[command].size),
      );
      this.log.recovered();
    } catch (err) {
      this.log.failed(err as Error);
      // The connection to a Redis Cluster stays, and a node may not have seen yet that the others are back.
      if (this.client.isCluster) setTimeout(() => this.restore(), RETRY).unref();
    }
  }

  /** Called when the connection is lost. */
  reset(): void {
    this.#pending.reset();
    this.#subscribed = false;
  }

  #add(command: Command, channels: string[]): void {
    for (const channel of channels) this.#channels[command].add(channel);
    // Without a connection, `restore` subscribes.
    if (this.client.status !== 'ready') return;
    const subscribing = this.#pending
      .wait(this.#send(command, channels))
      .catch((err) => this.log.failed(err))
      .finally(() => this.#subscribing.delete(subscribing));
    this.#subscribing.add(subscribing);
  }

  #remove(command: Command, channels: string[]): void {
    for (const channel of channels) this.#channels[command].delete(channel);
    if (this.client.status === 'ready') this.#undo(command, channels).catch(ignore);
  }

  // Async, since ioredis may throw for a Redis Cluster.
  async #undo(command: Command, channels: string[]): Promise<void> {
    await this.client[UNDO[command]](...channels);
  }

  async #send(command: Command, channels: string[]): Promise<void> {
    if (channels.length === 0) return;
    if (command !== 'ssubscribe' || !this.client.isCluster) await this.client[command](...channels);
    else await Promise.all(channels.map((channel) => this.#sendToNode(channel)));
  }

  /**
   * Subscribes to a sharded channel at its node. If a node comes back, ioredis subscribes once and does not report that the node
   * refuses, so we do it as well; and it keeps a channel twice that it gets twice, so we unsubscribe before.
   */
  async #sendToNode(channel: string): Promise<void> {
    this.#undo('ssubscribe', [channel]).catch(ignore);
    await this.client.ssubscribe(channel);
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
