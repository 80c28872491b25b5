// The exchange of presence between workers: server-side messages of the default namespace, which every worker has, whichever the adapter is.
// A message is JSON as text, so that no adapter needs to encode it.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import type { Namespace } from 'socket.io';
import { OUTAGE, type OutageMessage } from '../diagnostics';
import { reachesOthers } from '../internals/adapters';
import type { Change, Message, Replica } from './replica';

export const debug = debuglog('egg-socket.io:presence');

/** How long changes wait for others that are sent in the same message, in ms. */
const DIFF_DELAY = 10;
/** How long the first answers wait for the states of the other workers, in ms. A worker that hangs answers later or never. */
const READY_TIMEOUT = 1000;
/** How long a state waits for other workers that ask for it, in ms. */
const STATE_DELAY = 50;
/** How long a worker that was asked for its state has to answer until it is asked again, in ms. */
const ASK_INTERVAL = 1000;
/** After how many intervals without a heartbeat the entries of a worker are removed. This is checked twice an interval: they last three at most. */
const SILENT_BEATS = 2.5;
/** For how many intervals this worker may be blocked until it takes its own silence for that of the others. */
const BLOCKED_BEATS = SILENT_BEATS - 1;

/** Answers a `hello` by the state of this worker. */
export type Answer = (state: string) => void;

/** By which workers send messages to each other. */
export interface Channel {
  /** The default namespace. */
  readonly nsp: Namespace;
  /** The server-side event. */
  readonly event: string;
}

/** The exchange of one worker. */
export class Exchange {
  /** The changes that were not sent yet, by topic and socket. */
  readonly #changes = new Map<string, Change>();
  #diffTimer: NodeJS.Timeout | undefined;
  #stateTimer: NodeJS.Timeout | undefined;
  #beatTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  /** When workers were asked for their states, in ms. */
  readonly #asked = new Map<string, number>();
  /** When silent workers were looked for, in ms. */
  #lastExpiry = 0;
  #isOpen = false;
  /** Resolves when the other workers have answered the first `hello`, or after a timeout. */
  ready: Promise<void> = Promise.resolve();

  /** @param heartbeat - in ms */
  constructor(
    private readonly channel: Channel,
    private readonly replica: Replica,
    private readonly heartbeat: number,
  ) {}

  /**
   * Starts to exchange. Must be called when the adapter is connected.
   *
   * @param worker - the id of this worker
   */
  open(worker: string): void {
    this.replica.self = worker;
    this.#isOpen = true;
    this.#lastExpiry = performance.now();
    this.#beatTimer = setInterval(() => this.#beat(), this.heartbeat).unref();
    this.#expiryTimer = setInterval(() => this.#expire(), this.heartbeat / 2).unref();
    subscribe(OUTAGE, this.#outage);
    this.ready = this.#hello();
  }

  /** Tells the other workers that the entries of this one have ended. */
  close(): void {
    if (!this.#isOpen) return;
    this.#send({ kind: 'bye', from: this.replica.self });
    this.#isOpen = false;
    unsubscribe(OUTAGE, this.#outage);
    clearInterval(this.#beatTimer);
    clearInterval(this.#expiryTimer);
    clearTimeout(this.#diffTimer);
    clearTimeout(this.#stateTimer);
  }

  /** Sends a change of this worker to the others, together with those that follow at once. */
  send(change: Change): void {
    if (!this.#isOpen || !this.#isShared) return;
    const [topic, id] = change;
    this.#changes.set(`${topic}\n${id}`, change);
    this.#diffTimer ??= setTimeout(() => this.#flush(), DIFF_DELAY).unref();
  }

  /** Handles a message of another worker. */
  receive(text: string, answer?: Answer): void {
    const message = JSON.parse(text) as Message;
    if (!this.#isOpen || message.from === this.replica.self) {
      answer?.('');
      return;
    }
    debug('receive %s of %s', message.kind, message.from);
    if (message.kind === 'ask') {
      if (message.to === this.replica.self)
        this.#stateTimer ??= setTimeout(() => this.#sendState(), STATE_DELAY).unref();
      return;
    }
    this.#merge(message);
    if (answer) answer(this.#state());
  }

  /** Merges what this worker has not received: all workers exchange their states. */
  async #hello(): Promise<void> {
    if (!this.#isShared) return;
    const { self: from, seq } = this.replica;
    const answered = new Promise<void>((resolve) => {
      this.#emit({ kind: 'hello', from, seq }, (_err, states) => {
        for (const state of states ?? []) if (state) this.#merge(JSON.parse(state) as Message);
        resolve();
      });
    });
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, READY_TIMEOUT).unref();
    });
    await Promise.race([answered, timeout]);
    clearTimeout(timer);
  }

  readonly #outage = (message: unknown): void => {
    const { app, up } = message as OutageMessage;
    // A process may have several applications, as tests do.
    if (!up || app.io !== (this.channel.nsp.server as unknown)) return;
    debug('exchange states after an outage');
    void this.#hello();
  };

  #beat(): void {
    this.#send({ kind: 'beat', from: this.replica.self, seq: this.replica.seq });
  }

  #expire(): void {
    const now = performance.now();
    const pause = now - this.#lastExpiry;
    this.#lastExpiry = now;
    if (pause > BLOCKED_BEATS * this.heartbeat) {
      // This worker was stopped or blocked: what the others have sent meanwhile is about to be read.
      debug('exchange states after a pause of %d ms', pause);
      this.replica.touch(now);
      void this.#hello();
      return;
    }
    for (const worker of this.replica.expire(now - SILENT_BEATS * this.heartbeat)) debug('%s has expired', worker);
    for (const [worker, at] of this.#asked) if (at < now - ASK_INTERVAL) this.#asked.delete(worker);
  }

  #merge(message: Message): void {
    const now = performance.now();
    const { from } = message;
    const isNeeded = this.replica.merge(message, now);
    if (!isNeeded) {
      if (message.kind === 'state') this.#asked.delete(from);
      return;
    }
    if ((this.#asked.get(from) ?? Number.NEGATIVE_INFINITY) > now - ASK_INTERVAL) return;
    this.#asked.set(from, now);
    this.#send({ kind: 'ask', from: this.replica.self, to: from });
  }

  #flush(): void {
    clearTimeout(this.#diffTimer);
    this.#diffTimer = undefined;
    if (this.#changes.size === 0) return;
    const changes = [...this.#changes.values()];
    this.#changes.clear();
    this.#send(this.replica.diff(changes));
  }

  #sendState(): void {
    this.#stateTimer = undefined;
    this.#flush();
    this.#send(this.replica.state());
  }

  #state(): string {
    // What was not sent is part of the state.
    this.#flush();
    return JSON.stringify(this.replica.state());
  }

  /** An adapter in memory has no other workers. */
  get #isShared(): boolean {
    return reachesOthers(this.channel.nsp.adapter);
  }

  #send(message: Message): void {
    if (this.#isOpen && this.#isShared) this.#emit(message);
  }

  #emit(message: Message, callback?: (err: unknown, states: string[] | undefined) => void): void {
    debug('send %s', message.kind);
    const args: unknown[] = [JSON.stringify(message)];
    if (callback) args.push(callback);
    const { nsp, event } = this.channel;
    (nsp.serverSideEmit as (event: string, ...args: unknown[]) => boolean).call(nsp, event, ...args);
  }
}
