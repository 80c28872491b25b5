// A probe of the whole way of a message: the worker publishes a message on a channel of its own, and must receive it. It finds a
// connection that is open, and answers commands maybe, but delivers nothing.
import { randomUUID } from 'node:crypto';
import { debug } from './outage-log';
import type { Publisher } from './publisher';
import type { Subscriber } from './subscriber';

/** A message is published that often within `timeout`. One that is lost with its connection is no outage. */
const MESSAGES = 3;

/** How a connection is probed. */
export interface ProbeOptions {
  /** What the name of the channel begins with. */
  key: string;
  /** How long no message may come back, in ms. */
  healthTimeout: number;
  /** Whether the channel is a sharded one. */
  sharded?: boolean;
}

/** What a connection is told by its probe. */
interface Watched {
  /** Whether messages should be delivered: all clients are connected, and the channels are subscribed to. */
  isConnected(): boolean;
  /** No message has come back in time. Called again if that continues. */
  failed(reason: string): void;
  /** Messages come back again. */
  recovered(): void;
}

/** Probes a connection until it is stopped. */
export class Probe {
  /** Whether messages come back. True until one is missed. */
  isHealthy = true;
  readonly #channel: string;
  /** How often no message has come back between two of them. */
  #missed = 0;
  #isReceived = true;
  /** Whether Redis has answered that it has published a message since one came back. */
  #isPublished = false;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly publisher: Publisher,
    subscriber: Subscriber,
    private readonly options: ProbeOptions,
    private readonly watched: Watched,
  ) {
    const { key, healthTimeout, sharded } = options;
    this.#channel = `${key}#health#${randomUUID()}`;
    const name = Buffer.from(this.#channel);
    subscriber.on(sharded ? 'smessageBuffer' : 'messageBuffer', (channel) => {
      if (name.equals(channel as Buffer)) this.#received();
    });
    if (sharded) subscriber.ssubscribe(this.#channel);
    else subscriber.subscribe([this.#channel]);
    // After the next poll phase: a worker that was blocked or stopped reads first what has arrived.
    this.#timer = setInterval(() => setImmediate(() => this.#tick()), healthTimeout / MESSAGES).unref();
  }

  /** Publishes a message. */
  send(): void {
    const published = this.publisher.ask((client) =>
      this.options.sharded ? client.spublish(this.#channel, '') : client.publish(this.#channel, ''),
    );
    published.then(
      () => {
        this.#isPublished = true;
      },
      (err) => debug('the probe was not published: %s', err.message),
    );
  }

  /** The connection is lost, and messages with it. */
  reset(): void {
    this.#missed = 0;
    this.#isReceived = true;
    this.#isPublished = false;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Counts instead of comparing times: however long the worker itself was blocked, that is one tick. */
  #tick(): void {
    if (!this.watched.isConnected()) {
      this.reset();
      return;
    }
    this.#missed = this.#isReceived ? 0 : this.#missed + 1;
    // Unanswered commands are watched by the publisher.
    if (this.#missed < MESSAGES || !this.#isPublished) {
      this.#isReceived = false;
      this.send();
      return;
    }
    this.isHealthy = false;
    this.reset();
    this.watched.failed(`no message was delivered for ${this.options.healthTimeout} ms`);
  }

  #received(): void {
    this.reset();
    if (this.isHealthy) return;
    this.isHealthy = true;
    this.watched.recovered();
  }
}
