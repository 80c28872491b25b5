// What a worker knows of all tracked sockets. Each worker owns the entries of its sockets and numbers its changes. A replica applies the
// changes of another worker in their order, and reports if one is missing: then it needs the full state of that worker.
import type { PresenceList, PresenceMeta } from '../types/presence';

/** One socket that is tracked in a topic. A new meta is a new entry with the same `ref`. */
export class Entry {
  /** Whether its client receives diffs. Used for the sockets of this worker only. */
  receives = false;

  /** @param ref - distinguishes the entries of this replica */
  constructor(
    readonly ref: number,
    readonly key: string,
    readonly meta: PresenceMeta,
  ) {}
}

/** The entry of a socket, or its end if there is no key. */
export type Change = [topic: string, socketId: string, key?: string, meta?: PresenceMeta];

/** What workers send to each other. `seq` is how many diffs the sender has sent. */
export type Message =
  /** The changes since the diff before. */
  | { readonly kind: 'diff'; readonly from: string; readonly seq: number; readonly changes: Change[] }
  /** All entries of the sender. */
  | { readonly kind: 'state'; readonly from: string; readonly seq: number; readonly changes: Change[] }
  /** The sender is alive. */
  | { readonly kind: 'beat'; readonly from: string; readonly seq: number }
  /** The sender is alive and asks the others for their states. */
  | { readonly kind: 'hello'; readonly from: string; readonly seq: number }
  /** The sender asks one worker for its state. */
  | { readonly kind: 'ask'; readonly from: string; readonly to: string }
  /** The sender ends, and with it its entries. */
  | { readonly kind: 'bye'; readonly from: string };

/** The entries of one topic and worker, by the id of the socket. */
export type TopicEntries = Map<string, Entry>;

interface Owner {
  /** The number of the last diff that was applied. Infinite if the worker has said that it ends: what arrives later is outdated. */
  seq: number;
  /** When its last message arrived, in ms. */
  seenAt: number;
  readonly topics: Map<string, TopicEntries>;
}

/** Called for each change. No entry before: a join. None after: a leave. */
export type OnChange = (topic: string, before: Entry | undefined, after: Entry | undefined) => void;

/** The entries of all workers. */
export class Replica {
  /** The id of this worker. Must be set before messages are exchanged. */
  self = '';
  readonly #own: Owner = { seq: 0, seenAt: 0, topics: new Map() };
  /** The other workers, by their ids. */
  readonly #others = new Map<string, Owner>();
  /** How many keys a topic has, if that was counted since the last change. */
  readonly #counts = new Map<string, number>();
  #refs = 0;

  constructor(private readonly onChange: OnChange = () => {}) {}

  /** The number of the last diff of this worker. */
  get seq(): number {
    return this.#own.seq;
  }

  /** Returns the entries of this worker in a topic. */
  own(topic: string): TopicEntries | undefined {
    return this.#own.topics.get(topic);
  }

  /** Sets or deletes an entry of this worker. Returns the entry, or the deleted one. */
  change(change: Change): Entry | undefined {
    return this.#apply(this.#own, change);
  }

  /** Makes a message of changes of this worker. */
  diff(changes: Change[]): Message {
    return { kind: 'diff', from: this.self, seq: ++this.#own.seq, changes };
  }

  /** Makes a message of all entries of this worker. Must not be called between a change and its diff. */
  state(): Message {
    const changes: Change[] = [];
    for (const [topic, entries] of this.#own.topics)
      for (const [id, { key, meta }] of entries) changes.push([topic, id, key, meta]);
    return { kind: 'state', from: this.self, seq: this.#own.seq, changes };
  }

  /**
   * Merges a message of another worker.
   *
   * @param now - in ms
   * @returns whether the state of that worker is needed
   */
  merge(message: Message, now: number): boolean {
    const { from, kind } = message;
    if (from === this.self || kind === 'ask') return false;
    if (kind === 'bye') {
      this.remove(from);
      this.#others.set(from, { seq: Number.POSITIVE_INFINITY, seenAt: now, topics: new Map() });
      return false;
    }
    const owner = this.#others.get(from) ?? this.#add(message, now);
    if (owner === undefined) return true;
    owner.seenAt = now;
    const { seq } = message;
    if (seq <= owner.seq) return false;
    if (kind === 'state') this.#replace(owner, message.changes);
    else if (kind === 'diff' && seq === owner.seq + 1) for (const change of message.changes) this.#apply(owner, change);
    else return true;
    owner.seq = seq;
    return false;
  }

  /** Removes the entries of a worker. */
  remove(worker: string): void {
    const owner = this.#others.get(worker);
    if (owner === undefined) return;
    this.#others.delete(worker);
    this.#replace(owner, []);
  }

  /** Removes the entries of the workers whose last message arrived before a time. Returns the ids of the workers. */
  expire(before: number): string[] {
    const gone = [...this.#others].filter(([, { seenAt }]) => seenAt < before).map(([worker]) => worker);
    for (const worker of gone) this.remove(worker);
    return gone;
  }

  /** Takes all workers for alive at a time. */
  touch(now: number): void {
    for (const owner of this.#others.values()) owner.seenAt = now;
  }

  /** Returns the entries of a topic, of all workers. */
  *entries(topic: string): Iterable<Entry> {
    for (const { topics } of [this.#own, ...this.#others.values()]) yield* topics.get(topic)?.values() ?? [];
  }

  list(topic: string): PresenceList {
    const metas = new Map<string, PresenceMeta[]>();
    for (const { key, meta } of this.entries(topic)) {
      const known = metas.get(key);
      if (known === undefined) metas.set(key, [meta]);
      else known.push(meta);
    }
    // A key may be `__proto__`.
    return Object.fromEntries(metas);
  }

  /** Returns how many keys a topic has. */
  count(topic: string): number {
    const known = this.#counts.get(topic);
    if (known !== undefined) return known;
    const keys = new Set<string>();
    for (const { key } of this.entries(topic)) keys.add(key);
    // A topic without entries is not kept.
    if (keys.size > 0) this.#counts.set(topic, keys.size);
    return keys.size;
  }

  /** Adds a worker that has sent no diff yet, or its whole state. Other messages are useless without what was before. */
  #add(message: Message, now: number): Owner | undefined {
    if (!('seq' in message) || (message.kind !== 'state' && message.seq > 0)) return undefined;
    // A state may have the number 0.
    const owner: Owner = { seq: message.kind === 'state' ? -1 : 0, seenAt: now, topics: new Map() };
    this.#others.set(message.from, owner);
    return owner;
  }

  #replace(owner: Owner, changes: Change[]): void {
    const kept = new Map<string, Set<string>>();
    for (const [topic, id] of changes) {
      const ids = kept.get(topic) ?? new Set();
      kept.set(topic, ids.add(id));
    }
    for (const [topic, entries] of owner.topics)
      for (const id of entries.keys()) if (!kept.get(topic)?.has(id)) this.#apply(owner, [topic, id]);
    for (const change of changes) this.#apply(owner, change);
  }

  #apply(owner: Owner, [topic, id, key, meta]: Change): Entry | undefined {
    const entries = owner.topics.get(topic);
    const before = entries?.get(id);
    if (key === undefined || meta === undefined) {
      if (entries === undefined || before === undefined) return undefined;
      entries.delete(id);
      if (entries.size === 0) owner.topics.delete(topic);
      this.#changed(topic, before, undefined);
      return before;
    }
    const isSameKey = before?.key === key;
    if (isSameKey && isEqual(before.meta, meta)) return before;
    const after = new Entry(isSameKey ? before.ref : ++this.#refs, key, meta);
    after.receives = before?.receives ?? false;
    if (entries === undefined) owner.topics.set(topic, new Map([[id, after]]));
    else entries.set(id, after);
    if (before !== undefined && !isSameKey) {
      this.#changed(topic, before, undefined);
      this.#changed(topic, undefined, after);
    } else this.#changed(topic, before, after);
    return after;
  }

  #changed(topic: string, before: Entry | undefined, after: Entry | undefined): void {
    this.#counts.delete(topic);
    this.onChange(topic, before, after);
  }
}

/** Metas are JSON. */
function isEqual(a: PresenceMeta, b: PresenceMeta): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
