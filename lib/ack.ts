// The acknowledgement of a packet if config.io.ack or config.io.ackTimeout asks for more than Socket.IO's own: it is sent once, with
// what the controller returns, with an error, or with a timeout.
import type { IncomingMessage } from 'node:http';
import { debuglog } from 'node:util';
import type { Socket } from 'socket.io';
import { type ClientLog, shown } from './client-log';
import { AckTimeoutError, NoRouteError, toError } from './errors';

const debug = debuglog('egg-socket.io:ack');

/** How acknowledgements are sent. */
export interface AckConfig {
  /** Whether what a controller returns or throws is the answer. */
  readonly auto: boolean;
  /** After how many ms the answer is an error. Undefined: never. */
  readonly timeout: number | undefined;
}

/** The settings that all acknowledgements of a namespace share. */
export interface AckOptions extends AckConfig {
  /** The name of the namespace, or its pattern. */
  readonly namespace: string;
  readonly clientLog: ClientLog;
  /** Returns the address of the client that has sent a request. */
  readonly addressOf: (req: IncomingMessage, peer?: string) => string;
}

/** Under which the acknowledgement function in a packet has its `Ack`. */
const ACK = Symbol('egg-socket.io:ack');

type Acknowledge = Send & { [ACK]?: Ack };

type Send = (...args: unknown[]) => void;

/** Reports an error after the chain has ended, or while it is running if the acknowledgement has timed out. */
type Fail = (thrown: unknown) => void;

/** The acknowledgement of one packet. */
export class Ack {
  /** What has sent the answer, for messages. Undefined until it is sent. */
  #answeredBy: string | undefined = undefined;
  /** What is answered if nothing else is: what the controller has returned, or middleware in its place. */
  #result: { value: unknown; by: string } | undefined = undefined;
  /** Whether the packet has passed all middleware. */
  #isDispatched = false;
  #hasRoute = false;
  #hasNoListener = false;
  /** Whether the chain has ended. */
  #hasEnded = false;
  /** Whether the time was up before an answer was sent. */
  isTooLate = false;
  #timer: NodeJS.Timeout | undefined = undefined;

  /**
   * Replaces the client's acknowledgement function in a packet.
   *
   * @param fail - called if the time is up, or if the controller fails after the chain has ended
   * @returns undefined if the client does not ask for an acknowledgement
   */
  static of(options: AckOptions, socket: Socket, packet: unknown[], fail: Fail): Ack | undefined {
    const last = packet.length - 1;
    const send = packet[last];
    if (last === 0 || typeof send !== 'function') return undefined;
    const ack = new Ack(options, socket, packet[0], send as Send, fail);
    const call: Acknowledge = (...args: unknown[]) => ack.send(args, 'its acknowledgement was called');
    call[ACK] = ack;
    packet[last] = call;
    return ack;
  }

  /** Returns the acknowledgement of a packet that `of` was called with. */
  static in(packet: unknown[]): Ack | undefined {
    return (packet.at(-1) as Acknowledge | undefined | null)?.[ACK];
  }

  private constructor(
    private readonly options: AckOptions,
    private readonly socket: Socket,
    private readonly event: unknown,
    private readonly answer: Send,
    private readonly fail: Fail,
  ) {
    const { timeout } = options;
    if (timeout === undefined) return;
    this.#timer = setTimeout(() => {
      this.isTooLate = true;
      debug('no answer to %s in %d ms', this.#name, timeout);
      fail(new AckTimeoutError(`no answer to ${this.#name} in ${timeout} ms`));
    }, timeout);
    this.#timer.unref();
  }

  /** Whether what the controller returns or throws is still to be sent as the answer. */
  get isOpen(): boolean {
    return this.options.auto && this.#answeredBy === undefined;
  }

  /** The event and its namespace, for messages. A client may send any name; with some parsers, any value. */
  get #name(): string {
    const { event } = this;
    return `${typeof event === 'string' ? shown(event) : `an event that is ${shown(event)}`} in ${this.socket.nsp.name}`;
  }

  /** Must be called when the packet has passed all middleware and its event has a route. */
  routed(): void {
    this.#isDispatched = true;
    this.#hasRoute = true;
  }

  /**
   * Must be called when the packet has passed all middleware and its event has no route.
   *
   * @param hasListener - whether the socket has a listener of the event
   */
  unrouted(hasListener: boolean): void {
    this.#isDispatched = true;
    this.#hasNoListener = !hasListener;
  }

  /** Must be called with what the controller has returned. */
  returned(value: unknown): void {
    this.#result = { value, by: 'controller' };
    // Middleware that does not await next() ends before the controller.
    if (this.#hasEnded) this.#settleLate();
  }

  /** Must be called with what the controller has thrown. Returns whether that is answered here, since the chain has ended. */
  failed(thrown: unknown): boolean {
    if (!this.#hasEnded || !this.isOpen) return false;
    this.fail(thrown);
    return true;
  }

  /**
   * Must be called with what a listener of the event has thrown. Returns whether that is answered here, since nothing else would be.
   */
  listenerFailed(thrown: unknown): boolean {
    if (this.#hasRoute || !this.isOpen) return false;
    this.fail(thrown);
    return true;
  }

  /**
   * Must be called when the chain has ended. Sends what the controller has returned, if nothing else was sent.
   *
   * @param result - what the chain has returned. If that is not what the controller has returned, it is sent in its place
   * @throws {NoRouteError} if the event has neither a route nor a listener
   * @throws {Error} if the value cannot be encoded
   */
  settle(result?: unknown): void {
    this.#hasEnded = true;
    const isReplaced = this.#hasRoute && result !== undefined && result !== this.#result?.value;
    if (isReplaced) this.#result = { value: result, by: 'middleware' };
    // Middleware has stopped the packet: it has sent the answer, or there is none.
    if (!this.#isDispatched) clearTimeout(this.#timer);
    if (!this.isOpen && !(this.options.auto && this.isTooLate)) return;
    if (this.#hasNoListener) throw new NoRouteError(`no route for ${this.#name}`);
    if (this.#result === undefined) return;
    const { value, by } = this.#result;
    const mistake = mistakeOf(value);
    if (mistake !== undefined) throw new TypeError(`the ${by} of ${this.#name} returned ${mistake}`);
    try {
      this.send(value === undefined ? [] : [value], `its ${by} returned`);
    } catch (err) {
      const { message } = toError(err);
      throw new Error(`what the ${by} of ${this.#name} returned can't be sent: ${message}`, { cause: err });
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
   * Sends the answer. A second one is dropped with a warning.
   *
   * @param by - what sends it, for the warning
   * @throws {Error} if Socket.IO cannot encode it. Another answer may then be sent
   */
  send(args: unknown[], by: string): void {
    if (this.#answeredBy !== undefined) {
      const { clientLog, namespace, addressOf } = this.options;
      const reason = `${by}, but the first answer was sent when ${this.#answeredBy}`;
      const address = addressOf(this.socket.request, this.socket.handshake.address);
      clientLog.warn(
        `second answer ${namespace} ${reason}`,
        `a second answer to ${this.#name} is dropped: ${reason}. An acknowledgement is sent once (client ${address})`,
      );
      return;
    }
    this.answer(...args);
    this.#answeredBy = by;
    clearTimeout(this.#timer);
  }
}

/** What `mistakeOf` looks for in a value. */
interface Unanswerable {
  toJSON?: unknown;
  subscribe?: unknown;
  pipe?: unknown;
  next?: unknown;
  [Symbol.iterator]?: unknown;
  [Symbol.asyncIterator]?: unknown;
}

/** Returns what is wrong with a value that would be sent as `{}`, and what to return in its place. Undefined for any other value. */
function mistakeOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const object = value as Unanswerable;
  if (typeof object.toJSON === 'function') return undefined;
  if (typeof object.subscribe === 'function')
    return 'an observable, which cannot be sent: return a promise of its value, such as firstValueFrom(observable) of rxjs';
  if (typeof object.pipe === 'function')
    return 'a stream, which cannot be sent: return a promise of its content, such as buffer(stream) of node:stream/consumers';
  if (typeof object[Symbol.asyncIterator] === 'function')
    return 'an async iterable, which cannot be sent: return an array of its values, or emit an event for each of them';
  if (typeof object.next === 'function' && typeof object[Symbol.iterator] === 'function')
    return 'an iterator, which cannot be sent: return an array of its values, such as [...values]';
  if (value instanceof Map) return 'a Map, which JSON makes {} of: return Object.fromEntries(map) or [...map]';
  if (value instanceof Set) return 'a Set, which JSON makes {} of: return [...set]';
  return undefined;
}
