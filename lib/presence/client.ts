// The entry point `egg-socket.io/presence-client`: keeps the list of who is present in a client, for browsers and Node. It imports nothing.

/** What is known of one tracked socket, as the server has passed it to `track()`. */
// biome-ignore lint/suspicious/noExplicitAny: the application decides what it contains
export type PresenceMeta = Record<string, any>;

/** By key, the metas of all sockets that are tracked under it. */
export type PresenceList<M extends PresenceMeta = PresenceMeta> = Record<string, M[]>;

/** What has changed. A meta that was replaced is in both. */
export interface PresenceChange<M extends PresenceMeta = PresenceMeta> {
  joins: PresenceList<M>;
  leaves: PresenceList<M>;
}

/** A socket of socket.io-client, as far as it is used. */
export interface PresenceSocket {
  // biome-ignore lint/suspicious/noExplicitAny: a socket may declare any events
  on(event: any, listener: any): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: a socket may declare any events
  off(event: any, listener: any): unknown;
}

type Listener<M extends PresenceMeta> = (change: PresenceChange<M>) => void;

type Entries<M> = Record<string, { ref: number; meta: M }[]>;

/** An entry with its key, by its reference. */
type State<M> = Map<number, { key: string; meta: M }>;

/**
 * Who is present in a topic. The list is complete when the server has tracked this client: with `change`. After a reconnect the list stays
 * as it was until the server has tracked the client again, and then begins anew.
 *
 * @example
 * import { Presence } from 'egg-socket.io/presence-client';
 *
 * const here = new Presence(socket, 'lobby');
 * here.on('change', () => render(here.list()));
 */
export class Presence<M extends PresenceMeta = PresenceMeta> {
  #state: State<M> = new Map();
  /** Whether the server has sent a state since the connection was established. Diffs are ignored until then. */
  #isSynced = false;
  readonly #listeners = new Set<Listener<M>>();
  readonly #socket: PresenceSocket;
  readonly #topic: string;

  /**
   * @param socket - a socket of socket.io-client, connected or not
   * @param topic - the topic of the server's `presence(topic)`. Default: the namespace itself
   */
  constructor(socket: PresenceSocket, topic = '') {
    this.#socket = socket;
    this.#topic = topic;
    socket.on('presence_state', this.#onState);
    socket.on('presence_diff', this.#onDiff);
    socket.on('disconnect', this.#onDisconnect);
  }

  /** Whether the list is up to date: the client is connected, and the server has tracked it. */
  get synced(): boolean {
    return this.#isSynced;
  }

  /** Returns who is present: by key, the meta of each socket. */
  list(): PresenceList<M> {
    return listOf(this.#state.values());
  }

  /** Returns how many keys are present. */
  count(): number {
    return new Set(Array.from(this.#state.values(), ({ key }) => key)).size;
  }

  /** Calls a listener when the list has changed. */
  on(event: 'change', listener: Listener<M>): this {
    if (event !== 'change') throw new TypeError(`Presence has no event ${event}: it has change`);
    this.#listeners.add(listener);
    return this;
  }

  /** Removes a listener. */
  off(_event: 'change', listener: Listener<M>): this {
    this.#listeners.delete(listener);
    return this;
  }

  /** Ends: the list does not change any more. */
  close(): void {
    this.#socket.off('presence_state', this.#onState);
    this.#socket.off('presence_diff', this.#onDiff);
    this.#socket.off('disconnect', this.#onDisconnect);
    this.#listeners.clear();
  }

  readonly #onState = ({ topic, state }: { topic: string; state: Entries<M> }): void => {
    if (topic !== this.#topic) return;
    const before = this.#state;
    this.#state = new Map();
    this.#isSynced = true;
    add(this.#state, state);
    // References of another connection are others: what has changed is compared by content.
    const same = new Map<string, number>();
    for (const entry of before.values()) same.set(idOf(entry), (same.get(idOf(entry)) ?? 0) + 1);
    const joins = [...this.#state.values()].filter((entry) => {
      const count = same.get(idOf(entry)) ?? 0;
      same.set(idOf(entry), count - 1);
      return count <= 0;
    });
    const leaves = [...before.values()].reverse().filter((entry) => {
      const count = same.get(idOf(entry)) ?? 0;
      same.set(idOf(entry), count - 1);
      return count > 0;
    });
    this.#emit(joins, leaves);
  };

  readonly #onDiff = (diff: { topic: string; joins: Entries<M>; leaves: Entries<M> }): void => {
    if (diff.topic !== this.#topic || !this.#isSynced) return;
    const joins: State<M> = add(new Map(), diff.joins);
    const left: { key: string; meta: M }[] = [];
    for (const ref of new Set([...add(new Map(), diff.leaves).keys(), ...joins.keys()])) {
      const entry = this.#state.get(ref);
      if (entry !== undefined) left.push(entry);
      // An entry with a new meta stays in its place.
      if (!joins.has(ref)) this.#state.delete(ref);
    }
    for (const [ref, entry] of joins) this.#state.set(ref, entry);
    this.#emit([...joins.values()], left);
  };

  readonly #onDisconnect = (): void => {
    this.#isSynced = false;
  };

  #emit(joins: Iterable<{ key: string; meta: M }>, leaves: Iterable<{ key: string; meta: M }>): void {
    const change = { joins: listOf(joins), leaves: listOf(leaves) };
    if (Object.keys(change.joins).length + Object.keys(change.leaves).length === 0) return;
    for (const listener of [...this.#listeners]) listener(change);
  }
}

function add<M>(state: State<M>, entries: Entries<M>): State<M> {
  for (const key of Object.keys(entries)) {
    for (const { ref, meta } of entries[key] ?? []) state.set(ref, { key, meta });
  }
  return state;
}

function idOf({ key, meta }: { key: string; meta: unknown }): string {
  return JSON.stringify([key, meta]);
}

function listOf<M extends PresenceMeta>(entries: Iterable<{ key: string; meta: M }>): PresenceList<M> {
  const list = new Map<string, M[]>();
  for (const { key, meta } of entries) {
    const metas = list.get(key);
    if (metas === undefined) list.set(key, [meta]);
    else metas.push(meta);
  }
  // A key may be `__proto__`.
  return Object.fromEntries(list);
}
