// What is called when a connection closes: one listener for each connection, however many wait. Called by admission.ts and
// by cluster/passage.ts; by users.ts and redis.ts for what is no longer waited for then.
import type { EventEmitter } from 'node:events';

interface Connection {
  readonly readyState: string;
}

interface Closing {
  callbacks: Set<() => void>;
  listener: () => void;
}

const waiting = new WeakMap<EventEmitter, Closing>();

/**
 * Calls `over` when the emitter emits `close`.
 *
 * @returns to be called when that is of no interest any more; says whether `over` would still have been called
 */
export function onClose(emitter: EventEmitter, over: () => void): () => boolean {
  const { callbacks, listener } = waiting.get(emitter) ?? listenToClose(emitter);
  callbacks.add(over);
  return () => {
    const waited = callbacks.delete(over);
    if (callbacks.size === 0) {
      // Most connections are idle from here on, and should keep nothing.
      waiting.delete(emitter);
      emitter.off('close', listener);
    }
    return waited;
  };
}

/** Whether a connection of Engine.IO has closed: it will never emit `close` again. */
export function hasClosed({ readyState }: Connection): boolean {
  return readyState === 'closed';
}

/**
 * What a promise gives; undefined where the connection has closed, or closes first.
 *
 * @param tooLate - called with what the promise is rejected with after that
 */
export async function unlessClosed<T>(
  emitter: EventEmitter & Connection,
  promise: PromiseLike<T>,
  tooLate: (thrown: unknown) => void = () => {},
): Promise<T | undefined> {
  let isClosed = hasClosed(emitter);
  promise.then(undefined, (thrown) => isClosed && tooLate(thrown));
  if (isClosed) return undefined;
  let stop = () => true;
  const closed = new Promise<undefined>((resolve) => {
    stop = onClose(emitter, () => {
      isClosed = true;
      resolve(undefined);
    });
  });
  try {
    return await Promise.race([promise, closed]);
  } finally {
    stop();
  }
}

function listenToClose(emitter: EventEmitter): Closing {
  const callbacks = new Set<() => void>();
  const listener = () => {
    waiting.delete(emitter);
    const called = [...callbacks];
    callbacks.clear();
    for (const callback of called) callback();
  };
  const closing = { callbacks, listener };
  waiting.set(emitter, closing);
  emitter.once('close', listener);
  return closing;
}
