// Reads the stream, from the entry at which this worker has begun, on every connection that comes: what was added during an
// outage is read after it. Made by link.ts.
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Pending, type Reports } from './publisher';

/** An entry: its id, and its fields and values in turn. */
export type Entry = [id: string, fields: string[]];

/** Which stream, and how much of it at once. */
export interface Stream {
  name: string;
  count: number;
}

/** How long Redis waits for an entry before it answers that there is none, in ms. */
const BLOCK = 5000;
/** After a failure it is tried again after that many ms. */
const RETRY = 1000;

export class Reader {
  /** The last entry that has been passed on, with all before it; undefined until there was a connection. */
  position: string | undefined;

  readonly #pending = new Pending();
  #read: string | undefined;
  #up = false;
  #ended = false;
  #connected = () => {};

  /**
   * @param client - connecting; it serves nothing else
   * @param reports - told of every failure
   * @param patience - how long Redis may take longer than it was asked to wait, in ms
   */
  constructor(
    private readonly client: Redis,
    private readonly stream: Stream,
    private readonly reports: Reports,
    private readonly patience: number,
  ) {}

  get up(): boolean {
    return this.client.status === 'ready' && this.#up;
  }

  /** The next entries; never any when it is closed. Whoever asks for them has passed on those before. */
  async next(): Promise<Entry[] | undefined> {
    this.position = this.#read;
    while (!this.#ended) {
      try {
        await this.#connection();
        if (!this.#up) await this.#begin();
        const entries = await this.#wait();
        if (entries === undefined) continue;
        this.#read = entries.at(-1)?.[0] ?? this.#read;
        return entries;
      } catch (err) {
        this.#up = false;
        this.reports.failed(err as Error);
        if (this.client.status === 'ready') await delay(RETRY, undefined, { ref: false });
      }
    }
    // Who is told that it is closed would ask again, at once and for ever.
    return new Promise(() => {});
  }

  /** There is a new connection. */
  restore(): void {
    this.#connected();
  }

  /** The connection is gone. */
  reset(): void {
    this.#up = false;
    this.#pending.reset();
  }

  close(): void {
    this.#ended = true;
    this.#connected();
    this.client.disconnect();
  }

  async #connection(): Promise<void> {
    if (this.client.status === 'ready') return;
    await new Promise<void>((resolve) => {
      this.#connected = resolve;
    });
  }

  /** Finds the end of the stream: to begin there, or to begin anew in one whose entries are none of those that were read. */
  async #begin(): Promise<void> {
    const { name } = this.stream;
    const [last] = await this.#pending.wait(this.client.xrevrange(name, '+', '-', 'COUNT', 1));
    // An entry for nobody: what comes after it can be told from what has been cut off before.
    const end = last?.[0] ?? ((await this.#pending.wait(this.client.xadd(name, '*', 'nsp', ''))) as string);
    if (this.#read === undefined || isAfter(this.#read, end)) this.#read = end;
    this.position = this.#read;
    this.#up = true;
    this.reports.up();
  }

  async #wait(): Promise<Entry[] | undefined> {
    const { name, count } = this.stream;
    const late = setTimeout(() => this.client.disconnect(true), BLOCK + this.patience).unref();
    try {
      const from = this.#read as string;
      const answer = this.client.xread('COUNT', count, 'BLOCK', BLOCK, 'STREAMS', name, from);
      return (await this.#pending.wait(answer))?.[0]?.[1];
    } finally {
      clearTimeout(late);
    }
  }
}

/** Whether an id of an entry comes after another. */
export function isAfter(id: string, other: string): boolean {
  const [time, n] = parse(id);
  const [otherTime, otherN] = parse(other);
  return time === otherTime ? n > otherN : time > otherTime;
}

function parse(id: string): [time: bigint, n: bigint] {
  const [time = 0, n = 0] = id.split('-');
  return [BigInt(time), BigInt(n)];
}
