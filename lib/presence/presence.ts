// The presence of one server: tracks sockets in topics, and sends states and diffs to the tracked clients of this worker.
import type { Context } from 'egg';
import type { Namespace, Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import { emitToClient } from '../internals/socketio';
import { hasClosed } from '../on-close';
import { type SocketState, stateOf } from '../socket-state';
import type { UserId } from '../types/namespace';
import type { Presence, PresenceEntries, PresenceList, PresenceMeta } from '../types/presence';
import { type Channel, debug, Exchange } from './exchange';
import { type Change, type Entry, Replica } from './replica';

/** The longest meta, in bytes of its JSON. */
const MAX_META = 4096;
/** How many levels of objects a meta may have: some parsers of Socket.IO encode no more than 100. */
const MAX_DEPTH = 16;
/** The longest key and the longest topic, in characters. */
const MAX_NAME = 256;
/** In how many topics a socket may be tracked. All workers have its entries, and clients may choose the topics. */
const MAX_TOPICS = 1000;

/** `config.io.presence`, resolved. */
export interface PresenceOptions {
  /** In ms. */
  readonly interval: number;
  /** In ms. */
  readonly heartbeat: number;
}

type Log = { error(message: unknown): void };

/** What the clients of this worker have not received of a topic yet. */
class Window {
  /** The changes, by `ref`. */
  readonly joins = new Map<number, { entry: Entry; isNew: boolean }>();
  readonly leaves = new Map<number, Entry>();
  /** The ids of the sockets that receive the state. */
  readonly newcomers = new Set<string>();

  add(before: Entry | undefined, after: Entry | undefined): void {
    if (after !== undefined) {
      const isNew = this.joins.get(after.ref)?.isNew ?? before === undefined;
      this.joins.set(after.ref, { entry: after, isNew });
    } else if (before !== undefined) {
      const joined = this.joins.get(before.ref);
      this.joins.delete(before.ref);
      // The clients have not received a join of this window.
      if (!joined?.isNew) this.leaves.set(before.ref, before);
    }
  }
}

/** The name of a topic among those of all namespaces. The name of a namespace has no control characters. */
function topicId(nsp: string, topic: string): string {
  return `${nsp}\n${topic}`;
}

/** The tracked topics of a socket. */
class TrackedSocket {
  readonly topics: string[] = [];

  constructor(private readonly presence: ServerPresence) {}

  release(socket: Socket): void {
    for (const topic of this.topics.splice(0)) this.presence.leave(topic, socket.id);
  }

  userChanged(socket: Socket, before: UserId | undefined, after: UserId | undefined): void {
    for (const topic of this.topics)
      this.presence.rename(topic, socket.id, userKey(socket, before), userKey(socket, after));
  }
}

/** Whether the user of a client is not known, because it was recovered without its connection middleware. */
function lacksUser({ runtime, socket, userId }: SocketState): boolean {
  return socket.recovered && userId === undefined && runtime.users !== undefined;
}

/** Returns the key of a client that is tracked without one. */
function userKey(socket: Socket, userId: UserId | undefined): string {
  return String(userId ?? socket.id);
}

/** The presence of all namespaces of a server. */
export class ServerPresence {
  readonly #replica: Replica;
  readonly #exchange: Exchange;
  /** The windows of the topics that have tracked clients here and have changed. */
  readonly #windows = new Map<string, Window>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param channel - by which workers send messages to each other
   * @param namespace - returns a namespace, or undefined if this worker does not have it
   */
  constructor(
    channel: Channel,
    private readonly namespace: (name: string) => Namespace | undefined,
    private readonly options: PresenceOptions,
    private readonly log: Log,
  ) {
    this.#replica = new Replica((topic, before, after) => this.#changed(topic, before, after));
    this.#exchange = new Exchange(channel, this.#replica, options.heartbeat);
  }

  /** Starts to exchange with other workers, under the id of this worker. */
  open(worker: string): void {
    this.#exchange.open(worker);
  }

  /** @throws {TypeError} if the topic is not valid */
  topic(nsp: string, topic: unknown = ''): Presence {
    if (typeof topic === 'string' && topic.length <= MAX_NAME) return new TopicPresence(this, nsp, topic);
    throw new TypeError(`[egg-socket.io] presence(): a topic is a string of ${MAX_NAME} characters at most`);
  }

  close(): void {
    this.#exchange.close();
    clearTimeout(this.#timer);
  }

  /** Handles a message of another worker. */
  receive(text: string, answer?: (state: string) => void): void {
    this.#exchange.receive(text, answer);
  }

  /** Removes the entries of a worker that has stopped. */
  remove(worker: string): void {
    debug('%s has stopped', worker);
    this.#replica.remove(worker);
  }

  /** @throws {TypeError} if an argument is not valid, or if the context belongs to another namespace */
  async track(nsp: string, topic: string, ctx: Context, key: unknown, meta: unknown): Promise<void> {
    const state = this.#stateOf(nsp, ctx);
    const ownKey = key === undefined || key === null ? undefined : keyOf(key);
    const checked = metaOf(meta ?? {});
    const { admission, reauthentications, socket } = state;
    const join = () => this.#join(state, topic, ownKey, checked);
    // In connection middleware. The user is not known yet, and the client may be refused.
    const later = () => {
      if (socket.connected) join().catch((err) => this.log.error(err));
    };
    if (!socket.connected) {
      if (admission !== undefined && !hasClosed(socket.conn)) admission.onEnd(later);
    } else if (reauthentications?.ctx === ctx) reauthentications.onSuccess.push(later);
    else {
      // Not otherwise: `update()` and `untrack()` may be called before this resolves.
      if (ownKey === undefined && lacksUser(state)) await this.#findUser(state, ctx);
      if (socket.connected) await join();
    }
  }

  update(nsp: string, topic: string, ctx: Context, meta: unknown): boolean {
    const { socket } = this.#stateOf(nsp, ctx);
    const checked = metaOf(meta);
    const id = topicId(nsp, topic);
    const entry = this.#replica.own(id)?.get(socket.id);
    if (entry === undefined) return false;
    this.#set(id, socket.id, entry.key, checked);
    return true;
  }

  untrack(nsp: string, topic: string, ctx: Context): boolean {
    const state = this.#stateOf(nsp, ctx);
    const { socket } = state;
    const id = topicId(nsp, topic);
    const topics = (state.presence as TrackedSocket | undefined)?.topics;
    const index = topics?.indexOf(id) ?? -1;
    if (index < 0) return false;
    topics?.splice(index, 1);
    this.leave(id, socket.id);
    emitToClient(socket, 'presence_state', { topic, state: {} });
    return true;
  }

  /** Ends the entry of a socket of this worker. */
  leave(topic: string, socketId: string): void {
    if (this.#replica.change([topic, socketId]) !== undefined) this.#exchange.send([topic, socketId]);
  }

  async list(nsp: string, topic: string): Promise<PresenceList> {
    await this.#exchange.ready;
    return this.#replica.list(topicId(nsp, topic));
  }

  count(nsp: string, topic: string): number {
    return this.#replica.count(topicId(nsp, topic));
  }

  /** Gives an entry that has one key another one. */
  rename(topic: string, socketId: string, from: string, to: string): void {
    const entry = this.#replica.own(topic)?.get(socketId);
    if (entry?.key === from) this.#set(topic, socketId, to, entry.meta);
  }

  async #findUser(state: SocketState, ctx: Context): Promise<void> {
    const { runtime, socket } = state;
    const user = await runtime.users?.userOf(ctx, socket, (thrown) => this.log.error(thrown));
    // The client may have reauthenticated meanwhile.
    if (lacksUser(state)) state.userId = user?.id;
  }

  #set(topic: string, socketId: string, key: string, meta: PresenceMeta): void {
    const change: Change = [topic, socketId, key, meta];
    this.#replica.change(change);
    this.#exchange.send(change);
  }

  async #join(state: SocketState, topic: string, key: string | undefined, meta: PresenceMeta): Promise<void> {
    const { socket, userId } = state;
    const id = topicId(socket.nsp.name, topic);
    state.presence ??= new TrackedSocket(this);
    const { topics } = state.presence as TrackedSocket;
    if (!topics.includes(id)) {
      if (topics.length >= MAX_TOPICS)
        throw new TypeError(`[egg-socket.io] presence: a client is tracked in ${MAX_TOPICS} topics at most`);
      topics.push(id);
    }
    this.#set(id, socket.id, key ?? userKey(socket, userId), meta);
    await this.#exchange.ready;
    // It may have ended.
    if (this.#replica.own(id)?.has(socket.id)) this.#window(id).newcomers.add(socket.id);
  }

  #changed(topic: string, before: Entry | undefined, after: Entry | undefined): void {
    if (this.#replica.own(topic) !== undefined) this.#window(topic).add(before, after);
  }

  #window(topic: string): Window {
    const window = this.#windows.get(topic) ?? new Window();
    this.#windows.set(topic, window);
    this.#timer ??= setTimeout(() => this.#endWindows(), this.options.interval).unref();
    return window;
  }

  #endWindows(): void {
    this.#timer = undefined;
    const windows = [...this.#windows];
    this.#windows.clear();
    for (const [topic, window] of windows) {
      try {
        this.#sendWindow(topic, window);
      } catch (err) {
        this.log.error(err);
      }
    }
  }

  /** A burst of joins is one diff for the tracked clients, and one state for all that have joined: each is encoded once. */
  #sendWindow(id: string, { joins, leaves, newcomers }: Window): void {
    const end = id.indexOf('\n');
    const nsp = this.namespace(id.slice(0, end));
    if (nsp === undefined) return;
    const topic = id.slice(end + 1);
    const forState: string[] = [];
    const forDiff: string[] = [];
    for (const [socketId, entry] of this.#replica.own(id) ?? []) {
      if (newcomers.has(socketId)) {
        entry.receives = true;
        forState.push(socketId);
      } else if (entry.receives) forDiff.push(socketId);
    }
    // Without a room, all sockets would be selected.
    if (forDiff.length > 0 && joins.size + leaves.size > 0) {
      const joined = Array.from(joins.values(), ({ entry }) => entry);
      const diff = { topic, joins: plain(joined), leaves: plain(leaves.values()) };
      emitTo(nsp, forDiff, 'presence_diff', diff);
    }
    if (forState.length > 0)
      emitTo(nsp, forState, 'presence_state', { topic, state: plain(this.#replica.entries(id)) });
  }

  #stateOf(nsp: string, ctx: Context): SocketState {
    const state = stateOf(ctx.socket);
    if (state === undefined) throw new TypeError('[egg-socket.io] presence: the context is not one of app/io');
    const { name } = state.socket.nsp;
    if (name === nsp) return state;
    throw new TypeError(`[egg-socket.io] presence: the context belongs to ${name}, not to ${nsp}`);
  }
}

/**
 * Emits an event to sockets of this worker. With `connectionStateRecovery`, adapters store what is emitted, and the ids of the sockets, for
 * minutes, unless the flag `volatile` is set. A recovered client receives a new state, so nothing needs to be stored.
 */
function emitTo(nsp: Namespace, ids: string[], event: string, message: object): void {
  const packet = { type: PacketType.EVENT, nsp: nsp.name, data: [event, message] };
  nsp.adapter.broadcast(packet, { rooms: new Set(ids), except: new Set(), flags: { local: true, volatile: false } });
}

/** The presence of one topic. */
class TopicPresence implements Presence {
  constructor(
    private readonly all: ServerPresence,
    private readonly nsp: string,
    private readonly name: string,
  ) {}

  track(ctx: Context, key?: string | number | bigint | null, meta?: PresenceMeta): Promise<void> {
    return this.all.track(this.nsp, this.name, ctx, key, meta);
  }

  update(ctx: Context, meta: PresenceMeta): boolean {
    return this.all.update(this.nsp, this.name, ctx, meta);
  }

  untrack(ctx: Context): boolean {
    return this.all.untrack(this.nsp, this.name, ctx);
  }

  list(): Promise<PresenceList> {
    return this.all.list(this.nsp, this.name);
  }

  count(): number {
    return this.all.count(this.nsp, this.name);
  }
}

/** Returns entries as clients receive them. A key may be `__proto__`. Other ways take ten times as long to create and to encode. */
function plain(entries: Iterable<Entry>): PresenceEntries {
  const keys: PresenceEntries = Object.create(null);
  for (const { key, ref, meta } of entries) {
    const metas = keys[key];
    if (metas === undefined) keys[key] = [{ ref, meta }];
    else metas.push({ ref, meta });
  }
  return keys;
}

function keyOf(key: unknown): string {
  const isKey = typeof key === 'string' || typeof key === 'bigint' || Number.isFinite(key);
  const text = isKey ? String(key) : '';
  if (text !== '' && text.length <= MAX_NAME) return text;
  throw new TypeError(
    `[egg-socket.io] presence: a key is a number, or a string of 1 to ${MAX_NAME} characters. It is ${typeof key}`,
  );
}

/** Returns a copy: later changes of the meta have no effect. */
function metaOf(meta: unknown): PresenceMeta {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta))
    throw new TypeError('[egg-socket.io] presence: a meta is an object');
  const text = JSON.stringify(meta);
  const size = Buffer.byteLength(text ?? '');
  if (size > MAX_META)
    throw new TypeError(`[egg-socket.io] presence: a meta has at most ${MAX_META} bytes as JSON, not ${size}`);
  const copy: unknown = text === undefined ? undefined : JSON.parse(text);
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy))
    throw new TypeError('[egg-socket.io] presence: the JSON of a meta is an object');
  if (!isWithin(copy, MAX_DEPTH))
    throw new TypeError(`[egg-socket.io] presence: a meta has at most ${MAX_DEPTH} levels of objects`);
  return copy;
}

function isWithin(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((member) => isWithin(member, depth - 1));
}
