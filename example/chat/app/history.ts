// The last messages of each room, app.history. Each worker has a copy in memory, and the workers send each other what is new: this needs
// no database. The history ends with the last worker.
import type { Application } from 'egg';

export interface Message {
  id: string;
  room: string;
  /** A nickname. */
  from: string;
  text: string;
  /** In ms since 1970. */
  at: number;
}

/** How many messages are stored of a room. */
const MAX_MESSAGES = 50;
/** How many rooms are stored: those with the newest messages. Users can create any number of rooms. */
const MAX_ROOMS = 50;

export class History {
  /** By room. The room with the newest message is last. */
  readonly #rooms = new Map<string, Message[]>();
  #loaded: Promise<void> | undefined;

  constructor(private readonly app: Application) {
    // The events that other workers emit by serverSideEmit().
    this.#chat.on('history:add', (message: Message) => this.#store(message));
    this.#chat.on('history:load', (answer: (messages: Message[]) => void) => answer([...this.#rooms.values()].flat()));
  }

  /** Stores a message in all workers. */
  add(message: Message): void {
    this.#store(message);
    this.#chat.serverSideEmit('history:add', message);
  }

  /** Loads, once, what the other workers have stored before this one was started. */
  load(): Promise<void> {
    this.#loaded ??= this.#askOthers();
    return this.#loaded;
  }

  /** Returns the last messages of a room, the newest last. */
  of(room: string): Message[] {
    return this.#rooms.get(room) ?? [];
  }

  async #askOthers(): Promise<void> {
    try {
      const answers: Message[][] = await this.#chat.serverSideEmitWithAck('history:load');
      for (const message of answers.flat()) this.#store(message);
    } catch (err) {
      this.app.logger.warn('the history begins with the start of this worker: %s', (err as Error).message);
    }
  }

  #store(message: Message): void {
    const messages = this.of(message.room);
    // Several workers may send the same message while this one loads.
    if (messages.some(({ id }) => id === message.id)) return;
    const sorted = [...messages, message].sort((one, other) => one.at - other.at);
    this.#rooms.delete(message.room);
    this.#rooms.set(message.room, sorted.slice(-MAX_MESSAGES));
    const [oldest] = this.#rooms.keys();
    if (this.#rooms.size > MAX_ROOMS) this.#rooms.delete(oldest as string);
  }

  get #chat() {
    return this.app.io.of('/chat');
  }
}

declare module 'egg' {
  interface Application {
    history: History;
  }
}
