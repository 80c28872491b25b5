// What a client has received and no test has expected yet. Made by client.ts for each client.
import assert from 'node:assert';
import { inspect } from 'node:util';
import { within } from './deadline';

/** How many events are kept; of more, the oldest go. */
const MAX = 1000;
/** How many a message lists. */
const LISTED = 20;

interface Received {
  readonly event: string;
  readonly args: unknown[];
}

interface Waiting {
  readonly event: string;
  resolve(args: unknown[]): void;
  reject(err: Error): void;
}

/** The events of one client, in order. Each is taken once. */
export class Inbox {
  #received: Received[] = [];
  #dropped = 0;
  readonly #waiting = new Set<Waiting>();
  /** Why nothing comes any more. */
  #end: string | undefined;

  /** @param name - of the namespace, for messages */
  constructor(private readonly name: string) {}

  add(event: string, args: unknown[]): void {
    for (const waiting of this.#waiting) {
      if (waiting.event !== event) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(args);
      return;
    }
    this.#received.push({ event, args });
    if (this.#received.length <= MAX) return;
    this.#received.shift();
    this.#dropped++;
  }

  /** The first event of that name that nobody has taken, or the next. */
  async take(event: string, ms: number): Promise<unknown[]> {
    const at = this.#received.findIndex((received) => received.event === event);
    if (at >= 0) return (this.#received.splice(at, 1)[0] as Received).args;
    if (this.#end !== undefined) throw new Error(this.#endedBefore(event));
    let waiting: Waiting | undefined;
    const taken = new Promise<unknown[]>((resolve, reject) => {
      waiting = { event, resolve, reject };
      this.#waiting.add(waiting);
    });
    try {
      return await within(() => `the event '${event}' of ${this.name}; ${this.summary()}`, taken, ms);
    } finally {
      if (waiting) this.#waiting.delete(waiting);
    }
  }

  /** Those of that name that nobody has taken. */
  untaken(event: string): unknown[][] {
    return this.#received.filter((received) => received.event === event).map(({ args }) => args);
  }

  /** Nothing comes any more. */
  end(reason: string): void {
    this.#end = reason;
    for (const { event, reject } of this.#waiting) reject(new Error(this.#endedBefore(event)));
    this.#waiting.clear();
  }

  /** Something may come again. */
  resume(): void {
    this.#end = undefined;
  }

  /** What was received and not taken, for messages. */
  summary(): string {
    const all = this.#received.slice(-LISTED).map(({ event, args }) => shown(event, args));
    const more = this.#received.length - all.length + this.#dropped;
    return `received and not expected: ${more > 0 ? `${more} more, ` : ''}${all.join(', ') || 'nothing'}`;
  }

  #endedBefore(event: string): string {
    return `[egg-socket.io] ${this.name} was disconnected (${this.#end}) before the event '${event}'; ${this.summary()}`;
  }
}

/**
 * Compares an event's arguments.
 *
 * @param expected - the same arguments, or one function that says whether they are right
 * @throws {AssertionError} where they differ
 */
export async function compare(name: string, event: string, args: unknown[], expected: unknown[]): Promise<void> {
  if (expected.length === 0) return;
  const [first] = expected;
  // The ack that the server asks for is not among them.
  const given = typeof args.at(-1) === 'function' ? args.slice(0, -1) : args;
  if (expected.length === 1 && typeof first === 'function') {
    assert(await first(...args), `the event of ${name} is not as expected: ${shown(event, given)}`);
    return;
  }
  const isOne = expected.length === 1 && given.length === 1;
  try {
    assert.deepStrictEqual(isOne ? given[0] : given, isOne ? first : expected);
  } catch (err) {
    const failure = err as Error;
    const { message } = failure;
    failure.message = `the event '${event}' of ${name}: ${message}`;
    failure.stack = failure.stack?.replace(message, () => failure.message);
    throw failure;
  }
}

/** An event with its arguments, on one line. */
export function shown(event: string, args: unknown[]): string {
  const text = args.map((arg) =>
    inspect(arg, { depth: 3, breakLength: Infinity, maxArrayLength: 20, maxStringLength: 200 }),
  );
  return `${event}(${text.join(', ')})`;
}
