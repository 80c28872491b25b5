// Presence in the agent, which asks one worker through Egg's messenger: each worker has the entries of all.
import type { AgentPresence, PresenceList } from '../types/presence';
import { ANSWER, encodeCommand, type PresenceAnswer } from './relay';

/** Egg's messenger in the agent, as far as it is used. */
interface Messenger {
  on(action: string, listener: (answer: PresenceAnswer) => void): unknown;
}

interface Question {
  resolve(answer: PresenceAnswer): void;
}

/** Asks workers who is present. */
export class AgentPresences {
  readonly #questions = new Map<number, Question>();
  #lastId = 0;
  #isListening = false;

  /**
   * @param send - sends commands to one worker
   * @param timeout - how long an answer may take, in ms
   */
  constructor(
    private readonly messenger: Messenger,
    private readonly send: (command: string) => void,
    private readonly timeout: number,
  ) {}

  /**
   * Returns the presence of a topic.
   *
   * @param parent - what the namespace stands for, if it is a parent namespace
   * @throws {TypeError} if it is a parent namespace
   */
  of(nsp: string, topic: string | undefined, parent?: string): AgentPresence {
    if (parent !== undefined)
      throw new TypeError(`[egg-socket.io] presence(): ${parent} stands for many namespaces: name one of them`);
    return {
      list: async () => (await this.#ask(nsp, topic, 'list')) as PresenceList,
      count: async () => (await this.#ask(nsp, topic, 'count')) as number,
    };
  }

  async #ask(nsp: string, topic: string | undefined, method: 'list' | 'count'): Promise<unknown> {
    this.#listen();
    const id = ++this.#lastId;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<PresenceAnswer>((resolve, reject) => {
        this.#questions.set(id, { resolve });
        timer = setTimeout(() => {
          const message = `[egg-socket.io] presence().${method}() of ${nsp}: no worker has answered for ${this.timeout} ms`;
          reject(new Error(message));
        }, this.timeout);
        const opts = { rooms: [], except: [] };
        this.send(encodeCommand({ op: 'presence', nsp, opts, args: [id, topic, method] }));
      });
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.result;
    } finally {
      clearTimeout(timer);
      this.#questions.delete(id);
    }
  }

  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.messenger.on(ANSWER, (answer) => this.#questions.get(answer.id)?.resolve(answer));
  }
}
