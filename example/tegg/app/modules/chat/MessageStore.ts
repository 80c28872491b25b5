import { SingletonProto } from 'egg';

/** What was said. One object for each worker. */
@SingletonProto()
export class MessageStore {
  readonly #messages: string[] = [];

  /** Returns the number of messages. */
  add(by: string, text: string): number {
    return this.#messages.push(`${by}: ${text}`);
  }

  all(): string[] {
    return [...this.#messages];
  }
}
