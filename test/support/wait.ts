// Waits for events and conditions, never for a fixed time. Each wait has a deadline; its error names the event or the condition.

/** How long a wait may last before it fails, in ms. */
const DEADLINE = 10_000;

// The methods that EventEmitter and the emitter of socket.io-client have in common, independent of the events they declare.
interface Emitter {
  on(event: any, listener: any): unknown;
  off(event: any, listener: any): unknown;
}

/**
 * Waits for a promise.
 *
 * @param what - a noun for the error, as in "waiting for the answer"
 * @throws if the promise does not settle within `ms`
 */
export async function within<T>(what: string, promise: Promise<T>, ms = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out after ${ms} ms waiting for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
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

/**
 * Calls `check` every 5 ms until it returns a truthy value, and returns this value.
 *
 * @param what - a clause for the error, as in "waiting until the client is connected"
 * @throws if that takes longer than `ms`
 */
export async function until<T>(what: string, check: () => T | Promise<T>, ms = DEADLINE): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`timed out after ${ms} ms waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
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
