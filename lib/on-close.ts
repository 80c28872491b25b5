// Functions that are called when a connection closes. There is one listener for each connection, however many functions wait.
import type { EventEmitter } from 'node:events';

interface Connection {
  readonly readyState: string;
}

const WAITING = Symbol('egg-socket.io:on-close');

interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

type Emitter = EventEmitter & { [WAITING]?: Waiting | undefined };

/**
 * Calls `callback` when an emitter emits `close`.
 *
 * @returns a function that cancels the call, and returns whether the call was still pending
 */
export function onClose(emitter: EventEmitter, callback: () => void): () => boolean {
  const target: Emitter = emitter;
  const { callbacks, listener } = target[WAITING] ?? listen(target);
  callbacks.add(callback);
  return () => {
    const wasPending = callbacks.delete(callback);
    if (wasPending && callbacks.size === 0) {
      // An idle connection keeps no listener.
      target[WAITING] = undefined;
      target.off('close', listener);
    }
    return wasPending;
  };
}

/** Whether a connection of Engine.IO has closed: it does not emit `close` again. */
export function hasClosed({ readyState }: Connection): boolean {
  return readyState === 'closed';
}

/**
 * Returns what a promise resolves to, or undefined if the connection has closed or closes first.
 *
 * @param onLateRejection - called with the reason if the promise rejects after that
 */
export async function unlessClosed<T>(
  conn: EventEmitter & Connection,
  promise: PromiseLike<T>,
  onLateRejection: (reason: unknown) => void = () => {},
): Promise<T | undefined> {
  let isClosed = hasClosed(conn);
  promise.then(undefined, (reason) => isClosed && onLateRejection(reason));
  if (isClosed) return undefined;
  let cancel = () => true;
  const closed = new Promise<undefined>((resolve) => {
    cancel = onClose(conn, () => {
      isClosed = true;
      resolve(undefined);
    });
  });
  try {
    return await Promise.race([promise, closed]);
  } finally {
    cancel();
  }
}

function listen(emitter: Emitter): Waiting {
  const callbacks = new Set<() => void>();
  const listener = () => {
    emitter[WAITING] = undefined;
    const pending = [...callbacks];
    callbacks.clear();
    for (const callback of pending) callback();
  };
  emitter[WAITING] = { callbacks, listener };
  emitter.once('close', listener);
  return { callbacks, listener };
}
