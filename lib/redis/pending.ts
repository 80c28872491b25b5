// Who waits for an answer of Redis: where a connection is lost, ioredis, told to send nothing again, lets them wait for ever.
// Made by publisher.ts, subscriber.ts and streams/reader.ts.

/** The waits of one connection. */
export class Pending {
  readonly #give = new Set<(err: Error) => void>();

  /** The answer, or an error when the connection is lost. */
  wait<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#give.add(reject);
      answer.then(resolve, reject).finally(() => this.#give.delete(reject));
    });
  }

  /** The connection is lost. */
  reset(): void {
    for (const reject of this.#give) reject(new Error('Connection is closed.'));
    this.#give.clear();
  }
}
