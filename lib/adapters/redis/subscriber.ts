// The side of the link that subscribes: what the adapters take for the client that subscribes. It knows what is subscribed to
// and does it again on every new connection; ioredis forgets what was asked for while a password was refused. Made by link.ts.
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Pending, type Reports } from './publisher';

type Listener = (...args: unknown[]) => unknown;
type Command = 'subscribe' | 'psubscribe' | 'ssubscribe';

const UNDO = { subscribe: 'unsubscribe', psubscribe: 'punsubscribe', ssubscribe: 'sunsubscribe' } as const;

/** Where unsubscribing fails the connection is gone, and with it what was subscribed to. */
const ignore = () => {};

/** After that many ms it is tried again. */
const RETRY = 1000;

/** Subscribes, and passes on what comes. */
export class Subscriber {
  readonly #wanted: Record<Command, Set<string>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set(),
  };
  readonly #guarded = new Map<Listener, Listener>();
  readonly #pending = new Pending();
  readonly #asking = new Set<Promise<void>>();
  #subscribed = false;

  /**
   * @param client - connecting; it serves nothing else
   * @param reports - told of every failure
   */
  constructor(
    private readonly client: Redis,
    private readonly reports: Reports,
  ) {
    // Each namespace listens.
    client.setMaxListeners(0);
  }

  get up(): boolean {
    return this.client.status === 'ready' && this.#subscribed;
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

  on(event: string, listener: Listener): void {
    // Only to remind of a missing listener would the adapter listen to it.
    if (event === 'error') return;
    const guarded = (...args: unknown[]) => this.#pass(listener, args);
    this.#guarded.set(listener, guarded);
    this.client.on(event, guarded);
  }

  off(event: string, listener: Listener): void {
    this.client.off(event, this.#guarded.get(listener) ?? listener);
    this.#guarded.delete(listener);
  }

  /** Whether Redis has been asked to subscribe, and has not answered. */
  get busy(): boolean {
    return this.#asking.size > 0;
  }

  /**
   * Redis has subscribed to what it was asked to, or can't now.
   *
   * @param ms - how long that is waited for
   */
  async settled(ms: number): Promise<void> {
    if (!this.busy) return;
    const settled = new AbortController();
    const late = delay(ms, undefined, { ref: false, signal: settled.signal }).catch(ignore);
    await Promise.race([Promise.all(this.#asking), late]);
    settled.abort();
  }

  /** There is a new connection, or a new node. */
  async restore(): Promise<void> {
    if (this.client.status !== 'ready') return;
    try {
      const commands = Object.keys(this.#wanted) as Command[];
      await Promise.all(commands.map((command) => this.#ask(command, [...this.#wanted[command]])));
      this.#subscribed = true;
      this.reports.up();
    } catch (err) {
      this.reports.failed(err as Error);
      // Of a Redis Cluster the connection stays, and a node may not know yet that the others are back.
      if (this.client.isCluster) setTimeout(() => this.restore(), RETRY).unref();
    }
  }

  /** The connection is gone. */
  reset(): void {
    this.#pending.reset();
    this.#subscribed = false;
  }

  #add(command: Command, channels: string[]): void {
    for (const channel of channels) this.#wanted[command].add(channel);
    // What is asked for without a connection is asked for by `restore`.
    if (this.client.status !== 'ready') return;
    const asking = this.#pending
      .wait(this.#ask(command, channels))
      .catch((err) => this.reports.failed(err))
      .finally(() => this.#asking.delete(asking));
    this.#asking.add(asking);
  }

  #remove(command: Command, channels: string[]): void {
    for (const channel of channels) this.#wanted[command].delete(channel);
    if (this.client.status === 'ready') this.#undo(command, channels).catch(ignore);
  }

  // Of a Redis Cluster ioredis may throw at once.
  async #undo(command: Command, channels: string[]): Promise<void> {
    await this.client[UNDO[command]](...channels);
  }

  async #ask(command: Command, channels: string[]): Promise<void> {
    if (channels.length === 0) return;
    if (command !== 'ssubscribe' || !this.client.isCluster) await this.client[command](...channels);
    else await Promise.all(channels.map((channel) => this.#askNode(channel)));
  }

  /**
   * Each sharded channel has its node. ioredis subscribes by itself at a node that is back, but once only, and says nothing
   * where the node refuses. It would keep a channel that it gets a second time twice.
   */
  async #askNode(channel: string): Promise<void> {
    this.#undo('ssubscribe', [channel]).catch(ignore);
    await this.client.ssubscribe(channel);
  }

  /** Anybody may publish anything on the channels; what the adapter can't read must not end the process. */
  #pass(listener: Listener, args: unknown[]): void {
    try {
      const result = listener(...args);
      if (result instanceof Promise) result.catch((err) => this.reports.unreadable(err));
    } catch (err) {
      this.reports.unreadable(err as Error);
    }
  }
}

/** The adapter's own pattern ends with a star; what stands before it is a name. */
function literal(pattern: string): string {
  return `${pattern.slice(0, -1).replace(/[\\*?[\]]/g, '\\$&')}*`;
}
