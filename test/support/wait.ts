// Waits for events, each with a deadline whose error names what was awaited. A deadline only bounds a failure: it is no assertion on
// how long something takes, so it is long enough for a busy machine.

/** In ms. Mocha's timeout (test/.mocharc.cjs) is longer. */
export const DEADLINE = 30_000;

/** The longest pause between two calls of a check, in ms. */
const LONGEST_PAUSE = 40;

// The methods that EventEmitter and the emitter of socket.io-client have in common, independent of the events they declare.
interface Emitter {
  on(event: any, listener: any): unknown;
  off(event: any, listener: any): unknown;
}

/** The timers of all waits that are pending. */
const deadlines = new Set<NodeJS.Timeout>();

/**
 * Ends all deadlines: the root hooks call it after each test. If a test fails, its other waits would otherwise reject during a later
 * test, or between two files, where an unhandled rejection ends the process.
 */
export function cancelDeadlines(): void {
  for (const timer of deadlines) clearTimeout(timer);
  deadlines.clear();
}

/** Rejects if the promise is pending after so many ms. */
export async function within<T>(what: string, promise: Promise<T>, ms = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = after(ms, () => reject(new Error(`timed out after ${ms} ms waiting for ${what}`)));
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    cancel(timer);
  }
}

/** Returns the arguments of the next event of this name. The listener is added synchronously. */
export function next<T extends unknown[] = any[]>(emitter: Emitter, event: string, ms = DEADLINE): Promise<T> {
  let listener: ((...args: never[]) => void) | undefined;
  const happened = new Promise<T>((resolve) => {
    listener = (...args) => resolve(args as unknown as T);
    emitter.on(event, listener);
  });
  return within(`the event ${event}`, happened, ms).finally(() => listener && emitter.off(event, listener));
}

/** Returns the arguments of the next `count` events of this name. The listener is added synchronously. */
export function times<T extends unknown[] = any[]>(emitter: Emitter, event: string, count: number): Promise<T[]> {
  const all: T[] = [];
  let listener: ((...args: never[]) => void) | undefined;
  const happened = new Promise<T[]>((resolve) => {
    listener = (...args) => {
      all.push(args as unknown as T);
      if (all.length === count) resolve(all);
    };
    emitter.on(event, listener);
  });
  return within(`${count} events ${event}`, happened).finally(() => listener && emitter.off(event, listener));
}

/** Calls `check` again and again until it returns something true. The pauses in between become longer. */
export async function until<T>(what: string, check: () => T | Promise<T>, ms = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = after(ms, () => reject(new Error(`timed out after ${ms} ms waiting until ${what}`)));
  });
  try {
    for (let pause = 1; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
      const value = await Promise.race([check(), deadline]);
      if (value) return value;
      await Promise.race([new Promise((resolve) => setTimeout(resolve, pause)), deadline]);
      // If the test has ended, nothing waits for the result.
      if (!deadlines.has(timer as NodeJS.Timeout)) return await new Promise<never>(() => {});
    }
  } finally {
    cancel(timer);
  }
}

/** A promise and the function that resolves it. A handler under test can await the one or call the other. */
export function signal<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function after(ms: number, act: () => void): NodeJS.Timeout {
  const timer = setTimeout(act, ms);
  deadlines.add(timer);
  return timer;
}

function cancel(timer: NodeJS.Timeout | undefined): void {
  clearTimeout(timer);
  deadlines.delete(timer as NodeJS.Timeout);
}
