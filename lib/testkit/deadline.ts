// Waiting with an end. Used by all of the test kit.

/** How long the test kit waits for anything unless it is told otherwise, in ms. */
export const TIMEOUT = 5000;

/** Something was waited for in vain. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * A promise, for so long.
 *
 * @param what - what is waited for, and what else may help whoever reads that it was in vain; asked then
 * @param ms - how long
 * @throws {DeadlineError} where that was not long enough
 */
export async function within<T>(what: () => string, promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`[egg-socket.io] waited ${ms} ms in vain for ${what()}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets everything that is due run first. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
