// A client's ack as handlers get it where config.io.ack or config.io.ackTimeout asks for more than Socket.IO's own: sent once,
// with what a controller returns, with an error, or when its time is up. Made by packet.ts for each packet that asks for one.
import { inspect } from 'node:util';
import type { Socket } from 'socket.io';
import { AckTimeoutError, NoRouteError, toError } from './errors';

/** Where it is written that an ack was called a second time: `app.coreLogger`. */
export interface AckLog {
  warn(message: string): void;
}

/** How acks are answered. */
export interface AckConfig {
  /** Whether what a controller returns or throws is the answer. */
  readonly auto: boolean;
  /** After how many ms an error is the answer; undefined: never. */
  readonly timeout: number | undefined;
}

/** What all acks of a namespace have in common. */
export interface Acks extends AckConfig {
  readonly log: AckLog;
}

type Send = (...args: unknown[]) => void;
/** What happens when the time of an ack is up, or its controller fails when the chain is over. */
type Fail = (thrown: unknown) => void;

/** The ack of one packet. */
export class Ack {
  /** What has answered; undefined until then. */
  #by: string | undefined = undefined;
  #hasReturned = false;
  #value: unknown = undefined;
  /** Whether the packet has got past all middlewares. */
  #isReached = false;
  #isUnheard = false;
  /** Whether the chain is over. */
  #isSettled = false;
  /** Whether its time was up before anything answered. */
  isTooLate = false;
  #timer: NodeJS.Timeout | undefined = undefined;

  /**
   * Takes the place of the client's function in a packet.
   *
   * @param fail - is called when its time is up
   * @returns undefined where the packet asks for no ack
   */
  static of(acks: Acks, socket: Socket, packet: unknown[], fail: Fail): Ack | undefined {
    const last = packet.length - 1;
    const send = packet[last];
    if (last === 0 || typeof send !== 'function') return undefined;
    const ack = new Ack(acks, socket, packet[0], send as Send, fail);
    packet[last] = (...args: unknown[]) => ack.send(args, 'its ack was called');
    return ack;
  }

  private constructor(
    private readonly acks: Acks,
    private readonly socket: Socket,
    private readonly event: unknown,
    private readonly answer: Send,
    private readonly fail: Fail,
  ) {
    const { timeout } = acks;
    if (timeout === undefined) return;
    this.#timer = setTimeout(() => {
      this.isTooLate = true;
      fail(new AckTimeoutError(`no answer to ${this.#what} in ${timeout} ms`));
    }, timeout);
    this.#timer.unref();
  }

  /** Whether what its controller returns or throws is to be answered here. */
  get isOpen(): boolean {
    return this.acks.auto && this.#by === undefined;
  }

  /** The event and its namespace, for messages: a client may have sent any name, with some parsers anything at all. */
  get #what(): string {
    const { event } = this;
    const name =
      typeof event === 'string' ? inspect(event.slice(0, 100)) : `an event that is no string (${typeof event})`;
    return `${name} in ${this.socket.nsp.name}`;
  }

  /** The packet has got past all middlewares, and its event is routed. */
  routed(): void {
    this.#isReached = true;
  }

  /**
   * The packet has got past all middlewares, and no route has its event.
   *
   * @param isHeard - whether there are listeners
   */
  unrouted(isHeard: boolean): void {
    this.#isReached = true;
    this.#isUnheard = !isHeard;
  }

  /** A controller has ended with that value. */
  returned(value: unknown): void {
    this.#hasReturned = true;
    this.#value = value;
    // Its middlewares have not waited for it.
    if (this.#isSettled) this.#settleLate();
  }

  /** A controller has failed. Whether that is answered here, since its middlewares have not waited for it. */
  failed(thrown: unknown): boolean {
    if (!this.#isSettled || !this.isOpen) return false;
    this.fail(thrown);
    return true;
  }

  /**
   * The chain has ended: what the controller has returned is the answer, where nothing else was.
   *
   * @throws where nobody listens to the event, or the answer can't be sent
   */
  settle(): void {
    this.#isSettled = true;
    // A middleware has swallowed it: it has its answer, or none is meant to come.
    if (!this.#isReached) clearTimeout(this.#timer);
    if (!this.isOpen && !(this.acks.auto && this.isTooLate)) return;
    if (this.#isUnheard) throw new NoRouteError(`no route for ${this.#what}`);
    if (!this.#hasReturned) return;
    try {
      this.send(this.#value === undefined ? [] : [this.#value], 'its controller returned');
    } catch (err) {
      const { message } = toError(err);
      throw new Error(`what the controller of ${this.#what} returned can't be sent: ${message}`, { cause: err });
    }
  }

  #settleLate(): void {
    try {
      this.settle();
    } catch (thrown) {
      this.fail(thrown);
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
