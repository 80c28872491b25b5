// The adapter 'redis-streams': Socket.IO's RedisStreamsAdapter, which sends broadcasts through a stream that Redis keeps for a while; and
// the reader of that stream.
import { setTimeout as delay } from 'node:timers/promises';
import { debuglog } from 'node:util';
import type { Redis } from 'ioredis';
import type { Namespace } from 'socket.io';
import { type AdapterOptions, MAX_LENGTH, PREFIX } from '../../config/redis';
import { type EntryFields, type OpenStreamsAdapter, RedisStreamsAdapter } from '../../internals/redis-adapters';
import { channelOf, localFirst } from './cluster-adapter';
import type { RedisConnection } from './connection';
import type { OutageLog } from './outage-log';
import { Pending } from './publisher';
import type { Subscriber } from './subscriber';

const debug = debuglog('egg-socket.io:redis');

/** A class of adapters that is created with a namespace alone. */
export type StreamsAdapterClass = new (nsp: Namespace) => OpenStreamsAdapter;

/** Returns the class of the adapters for 'redis-streams', and dispatches the entries of the stream to them. */
export function streamsAdapter(
  connection: RedisConnection,
  reader: Reader,
  options: AdapterOptions,
): StreamsAdapterClass {
  const { publisher, subscriber, log } = connection;
  const { key = PREFIX, maxLen = MAX_LENGTH } = options;
  /** By the name of the namespace. */
  const adapters = new Map<string, OpenStreamsAdapter>();

  void reader.dispatch((fields, id) => {
    try {
      adapters.get(fields.nsp ?? '')?.onRawMessage(fields, id);
    } catch (err) {
      log.unreadable(err as Error);
    }
  });

  return class extends localFirst(RedisStreamsAdapter, connection, options, 'NUMSUB') {
    readonly #subscription: Subscription;

    constructor(nsp: Namespace) {
      const subscription = new Subscription(subscriber);
      super(nsp, publisher, Promise.resolve(subscription), {
        streamName: key,
        streamCount: 1,
        channelPrefix: key,
        maxLen,
      });
      this.#subscription = subscription;
      // RedisStreamsAdapter does it in a later tick. Clients of the namespace wait for it from now on.
      const channel = channelOf(nsp, options);
      subscription.subscribe([channel, `${channel}${this.uid}#`]);
      adapters.set(nsp.name, this);
    }

    override close(): void {
      this.#subscription.close();
      if (adapters.get(this.nsp.name) === this) adapters.delete(this.nsp.name);
    }
  };
}

/** The channels of one adapter. RedisStreamsAdapter takes it for a client, which it would never close. */
class Subscription {
  readonly #subscriber: Subscriber;
  #channels: string[] = [];
  #listener: ((...args: unknown[]) => void) | undefined;
  #isClosed = false;

  constructor(subscriber: Subscriber) {
    this.#subscriber = subscriber;
  }

  subscribe(channels: string[]): void {
    if (this.#channels.length > 0) return;
    this.#channels = channels;
    this.#subscriber.subscribe(channels);
  }

  on(event: string, listener: (...args: unknown[]) => void): void {
    if (event !== 'messageBuffer' || this.#isClosed) return;
    this.#listener = listener;
    this.#subscriber.on(event, listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#subscriber.unsubscribe(this.#channels);
    if (this.#listener) this.#subscriber.off('messageBuffer', this.#listener);
  }
}

/** An entry of the stream: its id, and its fields and values in turn. */
export type Entry = [id: string, fields: string[]];

/** How long Redis waits for an entry before it answers that there is none, in ms. */
const BLOCK = 5000;
/** After a failure the reader waits that many ms. */
const RETRY = 1000;

/** Reads the stream. After an outage it continues behind the last entry that it has read. */
export class Reader {
  /** The id of the last entry that was dispatched. Undefined before the first connection. */
  position: string | undefined;

  readonly #pending = new Pending();
  #read: string | undefined;
  #up = false;
  #closed = false;
  #connected = () => {};

  /**
   * @param client - used for nothing else
   * @param stream - its name, and how many entries are read at once
   * @param patience - how long Redis may take longer than `BLOCK`, in ms
   */
  constructor(
    private readonly client: Redis,
    private readonly stream: { name: string; count: number },
    private readonly log: OutageLog,
    private readonly patience: number,
  ) {}

  get up(): boolean {
    return this.client.status === 'ready' && this.#up;
  }

  /** Calls a function with each entry until the reader is closed. */
  async dispatch(receive: (fields: EntryFields, id: string) => void): Promise<never> {
    for (;;) {
      for (const [id, fields] of await this.next()) {
        this.position = id;
        receive(toObject(fields), id);
      }
    }
  }

  /** Returns the next entries. When the reader is closed, the returned promise never settles: the caller would ask again. */
  async next(): Promise<Entry[]> {
    while (!this.#closed) {
      try {
        await this.#connection();
        if (!this.#up) await this.#begin();
        const entries = await this.#wait();
        this.#read = entries.at(-1)?.[0] ?? this.#read;
        if (entries.length > 0) return entries;
      } catch (err) {
        this.#up = false;
        this.log.failed(err as Error);
        if (this.client.status === 'ready') await delay(RETRY, undefined, { ref: false });
      }
    }
    return new Promise(() => {});
  }

  /** Called when the client is connected. */
  restore(): void {
    this.#connected();
  }

  /** Called when the connection is lost. */
  reset(): void {
    this.#up = false;
    this.#pending.reset();
  }

  close(): void {
    this.#closed = true;
    this.#connected();
    this.client.disconnect();
  }

  async #connection(): Promise<void> {
    if (this.client.status === 'ready') return;
    await new Promise<void>((resolve) => {
      this.#connected = resolve;
    });
  }

  /** Finds the end of the stream. Reading begins there, or begins anew there if the ids of the stream are older than those read. */
  async #begin(): Promise<void> {
    const { name } = this.stream;
    const [last] = await this.#pending.wait(this.client.xrevrange(name, '+', '-', 'COUNT', 1));
    // An entry for no namespace: with its id, a later loss of entries can be detected.
    const end = last?.[0] ?? ((await this.#pending.wait(this.client.xadd(name, '*', 'nsp', ''))) as string);
    if (this.#read === undefined || isAfter(this.#read, end)) this.#read = end;
    this.position = this.#read;
    this.#up = true;
    debug('reading %s from %s', name, this.#read);
    this.log.recovered();
  }

  /** Waits for entries. There are none after `BLOCK` ms. */
  async #wait(): Promise<Entry[]> {
    const { name, count } = this.stream;
    const late = setTimeout(() => this.client.disconnect(true), BLOCK + this.patience).unref();
    try {
      const from = this.#read as string;
      const answer = this.client.xread('COUNT', count, 'BLOCK', BLOCK, 'STREAMS', name, from);
      return (await this.#pending.wait(answer))?.[0]?.[1] ?? [];
    } finally {
      clearTimeout(late);
    }
  }
}

/** Whether the id of an entry is greater than another. */
export function isAfter(id: string, other: string): boolean {
  const [time, n] = parse(id);
  const [otherTime, otherN] = parse(other);
  return time === otherTime ? n > otherN : time > otherTime;
}

function parse(id: string): [time: bigint, n: bigint] {
  const [time = 0, n = 0] = id.split('-');
  return [BigInt(time), BigInt(n)];
}

/** Returns the fields of an entry as an object without a prototype: anybody can add an entry with a field of any name. */
export function toObject(fields: string[]): EntryFields {
  const object: EntryFields = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) object[fields[i] as string] = fields[i + 1] as string;
  return object;
}
