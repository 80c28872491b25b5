// A client's ack as handlers get it where config.io.ack or config.io.ackTimeout asks for more than Socket.IO's own: sent once,
// with what a controller returns, with an error, or when its time is up. Made by packet.ts for each packet that asks for one.
import { inspect } from 'node:util';
import type { AckConfig } from './ack/config';
import { toError } from './errors';

/** Where it is written that an ack was called a second time: `app.coreLogger`. */
export interface AckLog {
  warn(message: string): void;
}

/** What all acks of a namespace have in common. */
export interface Acks extends AckConfig {
  readonly log: AckLog;
  /** The namespace's name, for messages. */
  readonly namespace: string;
}

type Send = (...args: unknown[]) => void;
/** What happens when the time of an ack is up. */
type Fail = (ack: Ack, err: Error) => void;

/** No answer in `config.io.ackTimeout` ms. */
export class AckTimeoutError extends Error {
  override name = 'AckTimeoutError';
  readonly code = 'ACK_TIMEOUT';
}

/** A client waits for an answer to an event that has neither a route nor a listener. */
export class NoRouteError extends Error {
  override name = 'NoRouteError';
  readonly code = 'NO_ROUTE';
}

/** The ack of one packet. */
export class Ack {
  /** What has answered; undefined until then. */
  #by: string | undefined = undefined;
  #hasReturned = false;
  #value: unknown = undefined;
  #isUnheard = false;
  /** Whether its time was up before anything answered. */
  isTooLate = false;
  #timer: NodeJS.Timeout | undefined = undefined;

  /**
   * Takes the place of the client's function in a packet.
   *
   * @param fail - is called when its time is up
   * @returns undefined where the packet asks for no ack
   */
  static of(acks: Acks, packet: unknown[], fail: Fail): Ack | undefined {
    const last = packet.length - 1;
    const send = packet[last];
    if (last === 0 || typeof send !== 'function') return undefined;
    const ack = new Ack(acks, packet[0], send as Send, fail);
    packet[last] = (...args: unknown[]) => ack.send(args, 'its ack was called');
    return ack;
  }

  private constructor(
    private readonly acks: Acks,
    private readonly event: unknown,
    private readonly answer: Send,
    fail: Fail,
  ) {
    const { timeout } = acks;
    if (timeout === undefined) return;
    this.#timer = setTimeout(() => {
      this.isTooLate = true;
      fail(this, new AckTimeoutError(`no answer to ${this.#what} in ${timeout} ms`));
    }, timeout);
    this.#timer.unref();
  }

  /** Whether what its controller returns or throws is to be answered here. */
  get isOpen(): boolean {
    return this.acks.auto && this.#by === undefined;
  }

  /** The event and its namespace, for messages: a client may have sent any name. */
  get #what(): string {
    return `${inspect(String(this.event).slice(0, 100))} in ${this.acks.namespace}`;
  }

  /** A controller has ended with that value. */
  readonly returned = (value: unknown): void => {
    this.#hasReturned = true;
    this.#value = value;
  };

  /** The event has neither a route nor a listener. */
  unheard(): void {
    this.#isUnheard = true;
  }

  /**
   * The chain has ended: what the controller has returned is the answer, where nothing else was.
   *
   * @throws where nobody listens to the event, or the answer can't be sent
   */
  settle(): void {
    if (!this.isOpen) return;
    if (this.#isUnheard) throw new NoRouteError(`no route for ${this.#what}`);
    if (!this.#hasReturned) return;
    try {
      this.send(this.#value === undefined ? [] : [this.#value], 'its controller returned');
    } catch (err) {
      const { message } = toError(err);
      throw new Error(`what the controller of ${this.#what} returned can't be sent: ${message}`, { cause: err });
    }
  }

  /**
   * Answers the client, once; a second answer is dropped, with a warning.
   *
   * @param by - what answers, for the warning
   * @throws what Socket.IO throws where the answer can't be sent (it refers to itself, say); another one may be
   */
  send(args: unknown[], by: string): void {
    if (this.#by !== undefined) {
      this.acks.log.warn(
        `[egg-socket.io] a second answer to ${this.#what} is dropped: ${by}, but before, ${this.#by}. An ack is sent once`,
      );
      return;
    }
    this.answer(...args);
    this.#by = by;
    clearTimeout(this.#timer);
  }
}
