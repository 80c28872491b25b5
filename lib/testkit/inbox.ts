// The events that a client has received, and the comparison of their arguments with those that a test expects.
import assert from 'node:assert';
import { inspect } from 'node:util';
import { waitFor } from './server';

/** How many events an inbox holds. It drops the oldest first. */
const MAX_EVENTS = 1000;
/** How many events a message lists. */
const MAX_LISTED = 20;

interface ReceivedEvent {
  readonly event: string;
  readonly args: unknown[];
}

interface Waiter {
  readonly event: string;
  resolve(args: unknown[]): void;
  reject(err: Error): void;
}

/** The received events of one client, in order, until a test expects them. */
export class Inbox {
  #received: ReceivedEvent[] = [];
  #dropped = 0;
  readonly #waiters = new Set<Waiter>();
  /** The reason of the disconnect. Unset while events can arrive. */
  #disconnected: string | undefined;

  /** @param namespace - its name, for messages */
  constructor(private readonly namespace: string) {}

  add(event: string, args: unknown[]): void {
    for (const waiter of this.#waiters) {
      if (waiter.event !== event) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(args);
      return;
    }
    this.#received.push({ event, args });
    if (this.#received.length <= MAX_EVENTS) return;
    this.#received.shift();
    this.#dropped++;
  }

  /**
   * Removes and returns the first event of a name, or the next one to arrive.
   *
   * @param ms - how long to wait for it
   */
  async shift(event: string, ms: number): Promise<unknown[]> {
    const index = this.#received.findIndex((received) => received.event === event);
    if (index >= 0) return (this.#received.splice(index, 1)[0] as ReceivedEvent).args;
    if (this.#disconnected !== undefined) throw this.#disconnectError(event);
    let waiter: Waiter | undefined;
    const arrived = new Promise<unknown[]>((resolve, reject) => {
      waiter = { event, resolve, reject };
      this.#waiters.add(waiter);
    });
    try {
      return await waitFor(() => `event '${event}' from ${this.namespace}; ${this.summary()}`, arrived, ms);
    } finally {
      if (waiter) this.#waiters.delete(waiter);
    }
  }

  /** Returns the arguments of each event of a name. */
  all(event: string): unknown[][] {
    return this.#received.filter((received) => received.event === event).map(({ args }) => args);
  }

  /** Rejects all waiters: no more events can arrive. */
  close(reason: string): void {
    this.#disconnected = reason;
    for (const { event, reject } of this.#waiters) reject(this.#disconnectError(event));
    this.#waiters.clear();
  }

  /** The client has connected again. */
  reopen(): void {
    this.#disconnected = undefined;
  }

  /** Lists the events for messages. */
  summary(): string {
    const listed = this.#received.slice(-MAX_LISTED).map(({ event, args }) => format(event, args));
    const more = this.#received.length - listed.length + this.#dropped;
    return `received but not expected: ${more > 0 ? `${more} more, ` : ''}${listed.join(', ') || 'nothing'}`;
  }

  #disconnectError(event: string): Error {
    return new Error(
      `[egg-socket.io] the client of ${this.namespace} was disconnected (${this.#disconnected}) before event '${event}' arrived; ${this.summary()}`,
    );
  }
}

/**
 * Compares an event's arguments with the expected ones.
 *
 * @param expected - the arguments, or one function that gets the event's arguments and returns whether they are right
 * @throws {AssertionError} if they differ
 */
export async function compare(namespace: string, event: string, args: unknown[], expected: unknown[]): Promise<void> {
  if (expected.length === 0) return;
  const [first] = expected;
  // Without the acknowledgement function, which Socket.IO appends if the server waits for an acknowledgement.
  const actual = typeof args.at(-1) === 'function' ? args.slice(0, -1) : args;
  if (expected.length === 1 && typeof first === 'function') {
    assert(await first(...args), `event from ${namespace} is not as expected: ${format(event, actual)}`);
    return;
  }
  const isSingle = expected.length === 1 && actual.length === 1;
  try {
    assert.deepStrictEqual(isSingle ? actual[0] : actual, isSingle ? first : expected);
  } catch (err) {
    const failure = err as Error;
    const { message } = failure;
    failure.message = `event '${event}' from ${namespace}: ${message}`;
    failure.stack = failure.stack?.replace(message, () => failure.message);
    throw failure;
  }
}

/** Formats an event and its arguments on one line: `say('hello')`. */
export function format(event: string, args: unknown[]): string {
  const text = args.map((arg) =>
    inspect(arg, { depth: 3, breakLength: Infinity, maxArrayLength: 20, maxStringLength: 200 }),
  );
  return `${event}(${text.join(', ')})`;
}
