// The adapter of each namespace with config.io.adapter 'redis-streams': Socket.IO's, which sends broadcasts by way of a stream
// that Redis keeps for a while. Made by lib/redis.ts.
import { createAdapter } from '@socket.io/redis-streams-adapter';
import type { Namespace } from 'socket.io';
import { type AdapterOptions, MAX_LENGTH, PREFIX, REQUESTS_TIMEOUT } from '../../config/redis';
import { atOnce, type Inner } from './cluster-adapter';
import type { RedisLink } from './connection';
import type { Publisher } from './publisher';
import type { MakeAdapter } from './redis-adapter';
import type { Reader } from './streams-reader';
import { recovery } from './streams-recovery';
import { Sessions } from './streams-sessions';
import type { Subscriber } from './subscriber';

/** @param duration - with connectionStateRecovery, how long a client may be away, in ms */
export function streamsAdapter(link: RedisLink, options: AdapterOptions, duration: number | undefined): MakeAdapter {
  const { key = PREFIX, requestsTimeout: timeout = REQUESTS_TIMEOUT, maxLen = MAX_LENGTH } = options;
  const { publisher, subscriber } = link;
  const reader = link.reader as Reader;
  const client = new StreamsClient(publisher, subscriber, reader);
  const create = createAdapter(client, { streamName: key, channelPrefix: key, maxLen });
  const sessions = duration === undefined ? undefined : new Sessions(link, `${key}:session:`, duration);

  return (nsp: Namespace) => {
    const adapter = create(nsp);
    const { uid } = adapter as unknown as Inner;
    const channel = `${key}#${nsp.name}#`;
    const owner = `${channel}${uid}#`;
    const { close, onRawMessage } = adapter;
    // As the adapter does it a moment later.
    subscriber.subscribe([channel, owner]);
    Object.assign(adapter, atOnce(adapter, link, { channel, count: 'NUMSUB', timeout }), {
      onRawMessage(entry: Parameters<typeof onRawMessage>[0], id: string) {
        reader.position = id;
        try {
          onRawMessage.call(adapter, entry, id);
        } catch (err) {
          link.reports.unreadable(err as Error);
        }
      },
      close() {
        close.call(adapter);
        client.unsubscribe([channel, owner]);
      },
    });
    if (!sessions) return adapter;
    return Object.assign(adapter, recovery(adapter, { publisher, reader, sessions, stream: key, owner }));
  };
}

// What Socket.IO's streams adapter takes for a client of ioredis: it gives its commands here, and the link sees to their
// connections. Made by lib/redis/streams.ts.

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
