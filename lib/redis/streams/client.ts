// What Socket.IO's streams adapter takes for a client of ioredis: it gives its commands here, and the link sees to their
// connections. Made by lib/redis/streams.ts.
import type { Publisher } from '../publisher';
import type { Subscriber } from '../subscriber';
import type { Reader } from './reader';

type Listener = (channel: Buffer, message: Buffer) => void;

export class StreamsClient {
  // The adapter looks whether its copies wait for their first command.
  readonly options = {};

  /** By the channels that each namespace's adapter subscribes to, joined: its listener. */
  readonly #listeners = new Map<string, Listener | undefined>();

  constructor(
    private readonly publisher: Publisher,
    private readonly subscriber: Subscriber,
    private readonly reader: Reader,
  ) {}

  /** The adapter makes copies that subscribe and that read; here each command has its connection anyway. */
  duplicate(): this {
    return this;
  }

  publish(channel: string, message: Buffer): Promise<unknown> {
    return this.publisher.publish(channel, message);
  }

  /** @param args - the stream's name, what it is cut to, the id, fields and values */
  xadd(args: [string, ...string[]]): Promise<unknown> {
    return this.publisher.send((client) => client.xadd(...args));
  }

  /** Which stream, and from where, the reader knows better. */
  async xread(): Promise<Array<[name: string, entries: unknown[]]> | null> {
    const entries = await this.reader.next();
    return entries ? [['', entries]] : null;
  }

  subscribe(channels: string[]): void {
    this.subscriber.subscribe(channels);
    this.#listeners.set(channels.join(), undefined);
  }

  /** The adapter listens right after it has subscribed. */
  on(event: string, listener: Listener): void {
    if (event !== 'messageBuffer') return;
    const last = [...this.#listeners.keys()].at(-1);
    if (last !== undefined) this.#listeners.set(last, listener);
    this.subscriber.on(event, listener as (...args: unknown[]) => void);
  }

  /** A namespace is no more; its adapter would listen for ever. */
  unsubscribe(channels: string[]): void {
    const listener = this.#listeners.get(channels.join());
    if (!listener) return;
    this.#listeners.delete(channels.join());
    this.subscriber.unsubscribe(channels);
    this.subscriber.off('messageBuffer', listener as (...args: unknown[]) => void);
  }

  // The link's to do.
  disconnect(): void {}
}
