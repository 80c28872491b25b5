// A probe of a connection: the worker publishes a message on a channel of its own, and must receive it. The probe finds a connection that is
// open and may answer commands, but delivers no messages.
import { randomUUID } from 'node:crypto';
import { debug } from './outage-log';
import type { Publisher } from './publisher';
import type { Subscriber, Subscription } from './subscriber';

/** A message is published that often within `timeout`. One that is lost with its connection is no outage. */
const MESSAGES = 3;

/** How a connection is probed. */
export interface ProbeOptions {
  /** What the names of the channels begin with. */
  key: string;
  /** How long no message may come back, in ms. */
  healthTimeout: number;
  /** Whether the channels are sharded ones. */
  sharded?: boolean;
}

/** The connection that is probed. */
interface Watched {
  /** Whether messages should be delivered: all clients are connected, and the channels are subscribed to. */
  isConnected(): boolean;
  /** No message has come back in time. Called again if that continues. */
  failed(reason: string): void;
  /** Messages come back again. */
  recovered(): void;
}

/** A channel on which messages are published and expected. */
interface ProbedChannel {
  /** How many messages in a row have not come back. */
  missed: number;
  isReceived: boolean;
  /** Whether Redis has answered that it has published a message since one came back. */
  isPublished: boolean;
}

/** Probes a connection until it is stopped. */
export class Probe {
  readonly #prefix: string;
  readonly #subscription: Subscription;
  readonly #channels = new Map<string, ProbedChannel>();
  /** The channels on which messages are missing. */
  readonly #failed = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly publisher: Publisher,
    private readonly subscriber: Subscriber,
    private readonly options: ProbeOptions,
    private readonly watched: Watched,
  ) {
    const { key, healthTimeout, sharded } = options;
    this.#prefix = `${key}#health#${randomUUID()}#`;
    this.#subscription = subscriber.open();
    const event = sharded ? 'smessageBuffer' : 'messageBuffer';
    this.#subscription.on(event, (channel) => this.#received(String(channel)));
    if (!this.#isSpread) this.#add(this.#prefix);
    // After the next poll phase: a worker that was blocked or stopped reads first what has arrived.
    this.#timer = setInterval(() => setImmediate(() => this.#tick()), healthTimeout / MESSAGES).unref();
  }

  /** Whether messages come back. True until one is missed. */
  get isHealthy(): boolean {
    return this.#failed.size === 0;
  }

  /** Publishes a message on each channel. */
  send(): void {
    if (this.#isSpread) this.#spread();
    for (const [channel, state] of this.#channels) {
      this.publisher.probe(channel, this.options.sharded).then(
        () => {
          // The message may have come back before the answer.
          state.isPublished ||= !state.isReceived;
        },
        (err) => debug('the probe was not published: %s', err.message),
      );
    }
  }

  /** The connection is lost, and messages with it. */
  reset(): void {
    for (const state of this.#channels.values()) Object.assign(state, newState());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Whether there are sharded channels, each at one node of a Redis Cluster. */
  get #isSpread(): boolean {
    return this.options.sharded === true && this.subscriber.isCluster;
  }

  /** Subscribes to a channel in each part of the slots that contains a channel of an adapter. Nodes without one are not probed. */
  #spread(): void {
    const parts = new Set<number>();
    for (const channel of this.subscriber.sharded) {
      if (!channel.startsWith(this.#prefix)) parts.add(partOf(channel));
      if (parts.size === PARTS) break;
    }
    const used = new Set(Array.from(parts, (part) => this.#prefix + tagOf(part)));
    for (const channel of used) if (!this.#channels.has(channel)) this.#add(channel);
    for (const channel of this.#channels.keys()) if (!used.has(channel)) this.#remove(channel);
  }

  #add(channel: string): void {
    this.#channels.set(channel, newState());
    if (this.options.sharded) this.#subscription.ssubscribe(channel);
    else this.#subscription.subscribe([channel]);
  }

  #remove(channel: string): void {
    this.#channels.delete(channel);
    this.#failed.delete(channel);
    this.#subscription.sunsubscribe(channel);
  }

  /** Counts instead of comparing times: however long the worker itself was blocked, that is one tick. */
  #tick(): void {
    if (!this.watched.isConnected()) {
      this.reset();
      return;
    }
    for (const state of this.#channels.values()) {
      state.missed = state.isReceived ? 0 : state.missed + 1;
      state.isReceived = false;
    }
    // Unanswered commands are watched by the publisher.
    const missing = Array.from(this.#channels).filter(([, state]) => state.missed >= MESSAGES && state.isPublished);
    if (missing.length === 0) {
      this.send();
      return;
    }
    for (const [channel] of missing) this.#failed.add(channel);
    this.reset();
    this.watched.failed(`no message was delivered for ${this.options.healthTimeout} ms`);
  }

  #received(channel: string): void {
    const state = this.#channels.get(channel);
    if (state === undefined) return;
    Object.assign(state, newState());
    if (this.#failed.delete(channel) && this.isHealthy) this.watched.recovered();
  }
}

function newState(): ProbedChannel {
  return { missed: 0, isReceived: true, isPublished: false };
}

/** The slots of a Redis Cluster, in parts of neighbours: a node mostly has whole ones. */
const SLOTS = 16_384;
const PARTS = 32;

function partOf(channel: string): number {
  // Redis hashes what is between braces, if there is something.
  const tag = /^[^{]*\{([^}]+)\}/.exec(channel)?.[1] ?? channel;
  return Math.floor((crc16(tag) % SLOTS) / (SLOTS / PARTS));
}

/** Returns a hash tag whose slot is in a given part of the slots. */
function tagOf(part: number): string {
  for (let n = 0; ; n++) if (partOf(`${n}`) === part) return `{${n}}`;
}

/** CRC-16/XMODEM, by which Redis assigns names to slots. */
function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
    crc &= 0xffff;
  }
  return crc;
}
