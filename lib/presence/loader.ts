// Loads the presence of a server when it is first used: by the application, or by another worker, which then needs its answer.
import type { Namespace } from 'socket.io';
import type { Presence } from '../types/presence';
import type { PresenceOptions, ServerPresence } from './presence';

/** The server-side event of the default namespace by which workers exchange presence. */
const EVENT = 'egg-socket.io:presence';

interface LoaderOptions {
  readonly presence: PresenceOptions;
  readonly log: { error(message: unknown): void };
  /** Returns a namespace, or undefined if this worker does not have it. */
  readonly namespace: (name: string) => Namespace | undefined;
}

/** The presence of a server, which costs one listener until it is used. */
export class PresenceLoader {
  #loaded: ServerPresence | undefined;
  /** The id of this worker. Undefined while it boots and when it closes. */
  #worker: string | undefined;

  /** @param nsp - the default namespace */
  constructor(
    private readonly nsp: Namespace,
    private readonly options: LoaderOptions,
  ) {
    const receive = (text: string, answer?: (state: string) => void) => {
      if (this.#worker === undefined) answer?.('');
      else this.#load().receive(text, answer);
    };
    nsp.on(EVENT as never, receive as never);
  }

  /**
   * Returns the presence of a topic.
   *
   * @throws {TypeError} if the topic is not valid
   */
  of(nsp: string, topic: string | undefined): Presence {
    return this.#load().topic(nsp, topic);
  }

  /** Starts to exchange with other workers, under the id of this worker. Must be called when the adapter is connected to them. */
  open(worker: string): void {
    this.#worker = worker;
    this.#loaded?.open(worker);
  }

  /** Ends the entries of this worker in the other workers. */
  close(): void {
    this.#worker = undefined;
    this.#loaded?.close();
  }

  /** Removes the entries of a worker that has stopped. */
  remove(worker: string): void {
    this.#loaded?.remove(worker);
  }

  #load(): ServerPresence {
    if (this.#loaded !== undefined) return this.#loaded;
    const { ServerPresence } = require('./presence') as typeof import('./presence');
    const { presence, log, namespace } = this.options;
    this.#loaded = new ServerPresence({ nsp: this.nsp, event: EVENT }, namespace, presence, log);
    if (this.#worker !== undefined) this.#loaded.open(this.#worker);
    return this.#loaded;
  }
}
