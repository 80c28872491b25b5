// The limits of an event, which are off by default: events, concurrency and argumentBytes of `config.io.limits`.
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import { LimitError } from '../errors';
import type { CountEvent } from './rate-limit';
import type { LimitReport } from './report';

/** How many events of one socket may wait. */
const MAX_WAITING = 1000;

/** The events of one socket that are handled, and that wait. */
export class EventQueue {
  #running = 0;
  readonly #waiting: Array<() => void> = [];

  /** @param max - how many events are handled at the same time */
  constructor(private readonly max: number) {}

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  /** Returns a promise that resolves when the next event may be handled, or undefined if that is now. */
  enter(): Promise<void> | undefined {
    if (this.#running < this.max) {
      this.#running++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

/** A socket whose events are limited. */
interface Limited {
  readonly socket: Socket;
  /** Undefined without `config.io.limits.concurrency`, and until the first event. */
  queue: EventQueue | undefined;
}

/** Undefined: no limit. */
interface EventLimitOptions {
  readonly count: CountEvent | undefined;
  readonly concurrency: number | undefined;
  readonly argumentBytes: number | undefined;
}

/** The limits of events of one application. */
export class EventLimits {
  constructor(
    private readonly options: EventLimitOptions,
    private readonly report: LimitReport,
  ) {}

  /**
   * Must be called before an event is handled. Resolves when it may be handled; then `leave` must be called.
   *
   * @param packet - the event and its arguments
   * @throws {LimitError} if the event is refused
   */
  async enter(state: Limited, ctx: Context, packet: readonly unknown[]): Promise<void> {
    const { argumentBytes, count, concurrency } = this.options;
    if (argumentBytes !== undefined && hasMoreBytes(argumentsOf(packet), argumentBytes)) {
      const limit = argumentBytes;
      throw this.#refused(state, 'argumentBytes', 'the arguments are too large', 'ARGUMENTS_TOO_LARGE', { limit });
    }
    try {
      await count?.(ctx, state.socket);
    } catch (err) {
      if (!(err instanceof LimitError)) throw err;
      throw this.#refused(state, 'events', err.message, err.code, err.data);
    }
    if (concurrency === undefined) return;
    state.queue ??= new EventQueue(concurrency);
    if (state.queue.isFull) {
      throw this.#refused(state, 'concurrency', 'too many events wait', 'TOO_MANY_EVENTS', { limit: MAX_WAITING });
    }
    await state.queue.enter();
  }

  #refused(
    { socket }: Limited,
    key: 'argumentBytes' | 'concurrency' | 'events',
    ...[message, code, data]: ConstructorParameters<typeof LimitError>
  ): LimitError {
    return this.report.refused(key, new LimitError(message, code, data, key), socket.request);
  }

  /** Must be called when an event is handled. */
  leave({ queue }: Limited): void {
    queue?.leave();
  }
}

/** The arguments of an event without the acknowledgement function. */
function argumentsOf(packet: readonly unknown[]): readonly unknown[] {
  return packet.slice(1).filter((value) => typeof value !== 'function');
}

/** What a number, a boolean or null counts. */
const OTHER = 8;

/**
 * Whether values have more bytes than allowed: strings in UTF-8, binary data, the names of members, 8 for any other value. Stops to count
 * when it is decided.
 */
export function hasMoreBytes(values: readonly unknown[], max: number): boolean {
  // Not recursive: a client may nest as deeply as it likes.
  const pending: unknown[] = [...values];
  let bytes = 0;
  while (pending.length > 0 && bytes <= max) {
    const value = pending.pop();
    if (typeof value === 'string') bytes += Buffer.byteLength(value);
    else if (typeof value !== 'object' || value === null) bytes += OTHER;
    else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) bytes += value.byteLength;
    else if (Array.isArray(value)) for (const element of value) pending.push(element);
    else for (const [name, member] of Object.entries(value)) pending.push(name, member);
  }
  return bytes > max;
}
