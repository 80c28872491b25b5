// The side of the link that subscribes: what the adapter takes for its `subClient`. It knows what is subscribed to and
// does it again on every new connection; ioredis forgets what was asked for while a password was refused. Made by link.ts.
import type { Redis } from 'ioredis';
import type { Reports } from './publisher';

type Listener = (...args: unknown[]) => unknown;

/** Where unsubscribing fails the connection is gone, and with it what was subscribed to. */
const ignore = () => {};

/** Subscribes, and passes on what comes. */
export class Subscriber {
  readonly #channels = new Set<string>();
  readonly #patterns = new Set<string>();
  readonly #guarded = new Map<Listener, Listener>();
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
    for (const channel of channels) this.#channels.add(channel);
    this.#send(() => this.client.subscribe(...channels));
  }

  psubscribe(pattern: string): void {
    this.#patterns.add(pattern);
    this.#send(() => this.client.psubscribe(pattern));
  }

  unsubscribe(channels: string[]): void {
    for (const channel of channels) this.#channels.delete(channel);
    if (this.client.status === 'ready') this.client.unsubscribe(...channels).catch(ignore);
  }

  punsubscribe(pattern: string): void {
    this.#patterns.delete(pattern);
    if (this.client.status === 'ready') this.client.punsubscribe(pattern).catch(ignore);
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

  /** There is a new connection. */
  async restore(): Promise<void> {
    try {
      await Promise.all([
        this.#channels.size > 0 && this.client.subscribe(...this.#channels),
        this.#patterns.size > 0 && this.client.psubscribe(...this.#patterns),
      ]);
      this.#subscribed = true;
      this.reports.up();
    } catch (err) {
      this.reports.failed(err as Error);
    }
  }

  /** The connection is gone. */
  reset(): void {
    this.#subscribed = false;
  }

  /** What is asked for without a connection is asked for by `restore`. */
  #send(command: () => Promise<unknown>): void {
    if (this.client.status === 'ready') command().catch((err) => this.reports.failed(err));
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
