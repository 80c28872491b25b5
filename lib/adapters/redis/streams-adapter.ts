// The adapter 'redis-streams': Socket.IO's RedisStreamsAdapter, which sends broadcasts through a stream that Redis keeps for a while; and
// the reader of that stream.
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Namespace } from 'socket.io';
import type { AdapterOptions } from '../../config/redis';
import { type EntryFields, type OpenStreamsAdapter, RedisStreamsAdapter } from '../../internals/redis-adapters';
import { channelOf, localFirst } from './cluster-adapter';
import { type RedisConnection, reconnect } from './connection';
import { debug, type OutageLog } from './outage-log';
import { Commands } from './publisher';
import type { Listener, Subscription } from './subscriber';

export type StreamsAdapterClass = new (nsp: Namespace, subscription: Subscription) => OpenStreamsAdapter;

/** Returns the class of the adapters for 'redis-streams', and dispatches the entries of the stream to them. */
export function streamsAdapter(
  connection: RedisConnection,
  reader: Reader,
  options: AdapterOptions,
): StreamsAdapterClass {
  const { publisher } = connection;
  const { key, maxLen } = options;
  const libraryOptions = { streamName: key, streamCount: 1, channelPrefix: key, maxLen };
  /** By the name of the namespace. */
  const adapters = new Map<string, OpenStreamsAdapter>();

  void reader.dispatch((fields, id) => adapters.get(fields.nsp ?? '')?.onRawMessage(fields, id));

  return class extends localFirst(RedisStreamsAdapter, connection, options, 'NUMSUB') {
    readonly #subscription: Subscription;
    readonly #channels: string[];

    constructor(nsp: Namespace, subscription: Subscription) {
      const on = (event: string, listener: Listener) => subscription.on(event, listener);
      super(nsp, subscription, publisher, Promise.resolve({ subscribe() {}, on }), libraryOptions);
      const channel = channelOf(nsp, options);
      this.#subscription = subscription;
      this.#channels = [channel, `${channel}${this.uid}#`];
      // RedisStreamsAdapter would subscribe in a later tick, and would never unsubscribe.
      subscription.subscribe(this.#channels);
      adapters.set(nsp.name, this);
    }

    override close(): void {
      this.#subscription.unsubscribe(this.#channels);
      if (adapters.get(this.nsp.name) === this) adapters.delete(this.nsp.name);
    }
  };
}

/** An entry of the stream: its id, and its fields and values in turn. */
export type Entry = [id: string, fields: string[]];

/** The longest time that Redis waits for an entry before it answers that there is none, in ms. */
const MAX_BLOCK = 5000;
/** After a failure the reader waits that many ms. */
const RETRY = 1000;
/** How often `reach` checks the position, and for how long, in ms. */
const POLL_INTERVAL = 5;
const REACH_TIMEOUT = 5000;

/** Reads the stream. After an outage it continues behind the last entry that it has read. */
export class Reader {
  /** How many entries were read, with those of this worker. */
  received = 0;
  /** The id of the last entry that was dispatched. Undefined before the first connection. */
  position: string | undefined;
  /** The id of the last entry that was read. */
  #read = '';
  #up = false;
  #closed = false;
  readonly #commands: Commands;
  /** How long Redis waits for an entry, in ms. */
  readonly #block: number;

  /**
   * @param stream - its name, and how many entries are read at once
   * @param healthTimeout - how long Redis may leave a command unanswered, in ms
   */
  constructor(
    private readonly client: Redis,
    private readonly stream: { name: string; count: number },
    private readonly log: OutageLog,
    healthTimeout: number,
  ) {
    this.#block = Math.min(MAX_BLOCK, Math.ceil(healthTimeout / 2));
    this.#commands = new Commands(healthTimeout, (isSilent) => {
      if (!isSilent) return log.recovered();
      log.failed(new Error(`no answer for ${healthTimeout} ms`));
      reconnect(client);
    });
  }

  get up(): boolean {
    return this.client.status === 'ready' && this.#up && !this.#commands.isSilent;
  }

  /** Calls a function with each entry until the reader is closed. What it throws is logged: anybody can add any entry. */
  async dispatch(receive: (fields: EntryFields, id: string) => void): Promise<never> {
    for (;;) {
      for (const [id, fields] of await this.next()) {
        this.position = id;
        try {
          receive(toObject(fields), id);
        } catch (err) {
          this.log.unreadable(err as Error);
        }
      }
    }
  }

  /** Returns the next entries. If the reader is closed, the promise never settles: the caller would ask again. */
  async next(): Promise<Entry[]> {
    const { client, stream } = this;
    while (!this.#closed) {
      try {
        if (client.status !== 'ready') await new Promise<void>((resolve) => client.once('ready', resolve));
        if (!this.#up) await this.#begin();
        const args = ['COUNT', stream.count, 'BLOCK', this.#block, 'STREAMS', stream.name, this.#read] as const;
        const entries = (await this.#commands.wait(client.xread(...args)))?.[0]?.[1] ?? [];
        this.#read = entries.at(-1)?.[0] ?? this.#read;
        this.received += entries.length;
        if (entries.length > 0) return entries;
      } catch (err) {
        this.#up = false;
        this.log.failed(err as Error);
        if (client.status === 'ready') await delay(RETRY, undefined, { ref: false });
      }
    }
    return new Promise(() => {});
  }

  /**
   * Waits until an entry or a later one is dispatched.
   *
   * @throws {Error} if that takes too long
   */
  async reach(id: string): Promise<void> {
    const end = performance.now() + REACH_TIMEOUT;
    while (this.position === undefined || isAfter(id, this.position)) {
      if (performance.now() > end) throw new Error('the stream is not read in time');
      await delay(POLL_INTERVAL, undefined, { ref: false });
    }
  }

  reset(): void {
    this.#up = false;
    this.#commands.reset();
  }

  close(): void {
    this.#closed = true;
    this.client.disconnect();
  }

  /** Finds the end of the stream. Reading begins there, also if the stream was replaced by one with lower ids. */
  async #begin(): Promise<void> {
    const { name } = this.stream;
    const [last] = await this.#commands.wait(this.client.xrevrange(name, '+', '-', 'COUNT', 1));
    // An entry for no namespace: with its id, a later loss of entries can be detected.
    const end = last?.[0] ?? ((await this.#commands.wait(this.client.xadd(name, '*', 'nsp', ''))) as string);
    if (this.#read === '' || isAfter(this.#read, end)) this.#read = end;
    this.position = this.#read;
    this.#up = true;
    debug('reading %s from %s', name, this.#read);
    this.log.recovered();
  }
}

/** Whether the id of an entry is greater than another. */
export function isAfter(id: string, other: string): boolean {
  const [a = '', b = ''] = [id, other].map((each) => each.replace(/\d+/g, (part) => part.padStart(20, '0')));
  return a > b;
}

/** Returns the fields of an entry. Without a prototype, since anybody can add an entry with a field of any name. */
export function toObject(fields: string[]): EntryFields {
  const object: EntryFields = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) object[fields[i] as string] = fields[i + 1] as string;
  return object;
}
