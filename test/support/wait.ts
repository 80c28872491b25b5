// Waiting for what happens, never for time: each wait has a deadline and says what it waited for.

/** How long a wait may last before it fails, in ms. */
const DEADLINE = 10_000;

// An EventEmitter, or the client's own kind of emitter: what they have in common, whatever events they declare.
interface Emitter {
  on(event: any, listener: any): unknown;
  off(event: any, listener: any): unknown;
}

/** Fails with what was awaited when the deadline has passed. */
export async function within<T>(what: string, promise: Promise<T>, ms = DEADLINE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms in vain for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** The arguments of the next such event. Listens at once. */
export function next<T extends unknown[] = any[]>(emitter: Emitter, event: string, ms = DEADLINE): Promise<T> {
  let listener: ((...args: never[]) => void) | undefined;
  const happened = new Promise<T>((resolve) => {
    listener = (...args) => resolve(args as unknown as T);
    emitter.on(event, listener);
  });
  return within(`the event ${event}`, happened, ms).finally(() => listener && emitter.off(event, listener));
}

/** The arguments of the next `count` such events. Listens at once. */
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
  return within(`${count} times the event ${event}`, happened).finally(() => listener && emitter.off(event, listener));
}

/** Calls `check` in every turn of the event loop until it returns something true. */
export async function until<T>(what: string, check: () => T | Promise<T>, ms = DEADLINE): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A promise with its handles, for a handler under test to wait on or to report to. */
export function signal<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
