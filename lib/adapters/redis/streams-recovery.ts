// connectionStateRecovery for 'redis-streams'. A client that reconnects to any worker receives the events that it has missed, once and in
// order, even if its former worker was killed.
//
// An event reaches the clients of the worker that emits it before it has an id in the stream. So the offset that each event carries as its
// last argument has two parts: the last entry of the stream that the worker had dispatched, and how many events the worker itself had
// published by then. A client with that offset has all entries up to the former, and those of the worker up to the latter.
import { setTimeout as delay } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import { type BroadcastOptions, type ClusterMessage, MessageType, type Session } from 'socket.io-adapter';
import { PacketType } from 'socket.io-parser';
import type { AdapterOptions } from '../../config/redis';
import { type EntryFields, type OpenSocket, type Packet, RedisStreamsAdapter } from '../../internals/redis-adapters';
import { channelOf } from './cluster-adapter';
import type { RedisConnection } from './connection';
import { debug } from './outage-log';
import { type Entry, isAfter, type Reader, type StreamsAdapterClass, toObject } from './streams-adapter';

/** How many events are held for a client until it is admitted. */
const MAX_EVENTS = 10_000;
/** How many entries are read at once, and how often at most: a stream that grows faster than it is read has no end. */
const PAGE = 1000;
const MAX_PAGES = 100;

/** Extends the class of the streams adapters. A client may be disconnected for `duration` ms. */
export function recoverable(
  Base: StreamsAdapterClass,
  connection: RedisConnection,
  reader: Reader,
  options: AdapterOptions,
  duration: number,
): StreamsAdapterClass {
  const sessions = new Sessions(connection, `${options.key}:session:`, duration);

  return class extends Base {
    /** By the id of the socket: the rooms of a client that is being admitted again, and the events for these. */
    readonly #returning = new Map<string, { rooms: Set<string>; events: unknown[][] }>();
    /** The number of the latest event that this worker has published. */
    #seq = 0;

    /** Numbers the events. */
    protected override publish(message: { type: MessageType; data?: object }): void {
      const { type, data } = message;
      const isEvent = type === MessageType.BROADCAST && data !== undefined && !('requestId' in data);
      super.publish(isEvent ? { type, data: { ...data, seq: ++this.#seq } } : message);
    }

    /** Adds the offset, and holds the event for returning clients. */
    protected override addOffsetIfNecessary(packet: Packet, { rooms, except, flags }: BroadcastOptions): void {
      const offset = this.#offset();
      if (!offset || !isRecoverable(packet, flags)) return;
      packet.data.push(formatOffset(offset));
      for (const client of this.#returning.values()) {
        const isHeld = isFor([...client.rooms], [...rooms], [...(except ?? [])]) && client.events.length < MAX_EVENTS;
        if (isHeld) client.events.push(packet.data);
      }
    }

    override addAll(id: string, rooms: Set<string>): void {
      super.addAll(id, rooms);
      const socket = this.#changed(id);
      const returning = this.#returning.get(id);
      if (!returning) return;
      for (const room of rooms) returning.rooms.add(room);
      if (!socket) return;
      // The client is admitted. Like the events that it has missed, it receives these before it knows that it is connected.
      this.#returning.delete(id);
      for (const data of returning.events) socket.packet({ type: PacketType.EVENT, data });
    }

    override del(id: string, room: string): void {
      super.del(id, room);
      this.#returning.get(id)?.rooms.delete(room);
      this.#changed(id);
    }

    override delAll(id: string): void {
      super.delAll(id);
      this.#returning.delete(id);
      const socket: OpenSocket | undefined = this.nsp.sockets.get(id);
      if (socket) sessions.remove(socket.pid);
    }

    override persistSession({ sid, pid, rooms, data }: SocketSession): void {
      sessions.release({ sid, pid, rooms, data, nsp: this.nsp.name });
    }

    /** @throws {Error} if the client cannot be recovered. It is then a new one */
    override async restoreSession(pid: string, text: string): Promise<Session> {
      const seen = parseOffset(text);
      const session = await sessions.claim(this.nsp.name, pid);
      // The client may have received events that this worker has not read yet. If they were read later, it would receive them again.
      const [last] = await connection.publisher.ask((client) => client.xrevrange(options.key, '+', '-', 'COUNT', 1));
      if (last) await reader.reach(last[0]);
      const begin = this.#offset();
      if (!begin) throw new Error('the stream is not read yet');
      const { sid, rooms } = session;
      this.#returning.set(sid, { rooms: new Set(rooms), events: [] });
      try {
        const missedPackets = await this.#missed(rooms, seen, begin);
        debug('%s of %s is recovered, with %d events', sid, this.nsp.name, missedPackets.length);
        return { ...session, missedPackets };
      } catch (err) {
        this.#returning.delete(sid);
        throw err;
      }
    }

    /** Returns the arguments of the events between the last one that the client has received and those that are held for it. */
    async #missed(rooms: string[], seen: Offset, begin: Offset): Promise<unknown[][]> {
      const events: unknown[][] = [];
      for await (const [id, list] of this.#entriesAfter(seen.entry)) {
        const fields = toObject(list);
        const broadcast = fields.nsp === this.nsp.name ? decodeBroadcast(fields) : undefined;
        if (!broadcast || !isFor(rooms, broadcast.opts.rooms, broadcast.opts.except)) continue;
        const { seq = 0, packet } = broadcast;
        if (fields.uid === seen.uid && seq <= seen.seq) continue;
        // From `begin` on the events are held. But those of this worker up to `begin` may be further on in the stream.
        const isLate = isAfter(id, begin.entry);
        if (isLate && !(fields.uid === begin.uid && seq <= begin.seq)) continue;
        events.push([...packet.data, formatOffset(isLate ? { ...begin, seq } : { ...seen, entry: id })]);
      }
      return events;
    }

    /** @throws {Error} if the entry is no longer in the stream: later ones may be lost as well */
    async *#entriesAfter(id: string): AsyncGenerator<Entry> {
      let last = id;
      for (let page = 0; page < MAX_PAGES; page++) {
        // Inclusive, since Redis has exclusive ranges only since 6.2.
        const range = [options.key, last, '+', 'COUNT', PAGE] as const;
        const entries = await connection.publisher.ask((client) => client.xrange(...range));
        if (entries[0]?.[0] !== last) throw new Error('the events are no longer in the stream');
        yield* entries.slice(1);
        if (entries.length < PAGE) return;
        last = entries.at(-1)?.[0] as string;
      }
    }

    /** Returns undefined before the first connection to Redis. */
    #offset(): Offset | undefined {
      return reader.position === undefined ? undefined : { entry: reader.position, uid: this.uid, seq: this.#seq };
    }

    /** Stores the session if the client is connected, and returns its socket. */
    #changed(id: string): OpenSocket | undefined {
      const socket: OpenSocket | undefined = this.nsp.sockets.get(id);
      if (socket) sessions.update(socket, `${channelOf(this.nsp, options)}${this.uid}#`);
      return socket;
    }
  };
}

/** The id of an entry of the stream; the id of a worker's adapter, and the number of an event that it has published. */
type Offset = { entry: string; uid: string; seq: number };

const OFFSET = /^(\d{1,20}-\d{1,20})\.([0-9a-f]{1,40})\.(\d{1,15})$/;

function formatOffset({ entry, uid, seq }: Offset): string {
  return `${entry}.${uid}.${seq}`;
}

/** @throws {Error} if the text, which a client sends, is not an offset */
function parseOffset(text: string): Offset {
  const [, entry, uid, seq] = OFFSET.exec(text) ?? [];
  if (entry && uid && seq) return { entry, uid, seq: Number(seq) };
  throw new Error('the offset is invalid');
}

/** Whether a disconnected client receives an event later: not if it is volatile or waits for an acknowledgement. */
function isRecoverable({ type, id }: Packet, flags?: { volatile?: boolean }): boolean {
  return type === PacketType.EVENT && id === undefined && !flags?.volatile;
}

/** Whether a socket in these rooms receives a broadcast to those. */
function isFor(rooms: string[], to: string[], except: string[]): boolean {
  return (to.length === 0 || rooms.some((room) => to.includes(room))) && !rooms.some((room) => except.includes(room));
}

/** The data of a broadcast. One of another service has no `seq`. */
type Broadcast = Extract<ClusterMessage, { type: MessageType.BROADCAST }>['data'] & { packet: Packet; seq?: number };

/** Returns undefined if an entry is not the broadcast of a recoverable event. Anybody can add any entry. */
function decodeBroadcast(fields: EntryFields): Broadcast | undefined {
  try {
    const message = RedisStreamsAdapter.decode(fields);
    if (message.type !== MessageType.BROADCAST) return undefined;
    const data = message.data as Broadcast;
    const { packet, opts, requestId } = data;
    const isComplete = [packet.data, opts.rooms, opts.except].every(Array.isArray);
    return isComplete && requestId === undefined && isRecoverable(packet, opts.flags) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** While a client is connected, its session is stored again after that many ms. */
const REFRESH = 30_000;
/** How often sessions are looked for that are due, in ms. */
const CHECK_INTERVAL = 1000;
/** If a session has an owner, it is read again after that many ms: the owner may be about to release it, or to end. */
const OWNER_GRACE = 200;
/** The ids that Socket.IO creates. A client can send any. */
const PID = /^[\w-]{1,64}$/;

type SocketSession = Omit<Session, 'missedPackets'>;
/** `owner` is the channel of the adapter that has the client. It is unset if the client has disconnected. */
type StoredSession = SocketSession & { nsp: string; owner?: string };

/** The sessions of clients in Redis. They are stored while a client is connected: a worker that is killed could not store them. */
class Sessions {
  readonly #publisher;
  /** By the private id of the client, in the order in which they were stored. */
  readonly #stored = new Map<string, { socket: OpenSocket; owner: string; at: number }>();
  readonly #due = new Map<string, { socket: OpenSocket; owner: string }>();
  #soon: NodeJS.Immediate | undefined;

  constructor(
    private readonly connection: RedisConnection,
    private readonly prefix: string,
    private readonly duration: number,
  ) {
    this.#publisher = connection.publisher;
    const timer = setInterval(() => this.#storeDue(), CHECK_INTERVAL).unref();
    connection.cleanups.push(() => clearInterval(timer));
  }

  /** Stores the session of a client. All changes in one turn of the event loop are stored at once. */
  update(socket: OpenSocket, owner: string): void {
    this.#due.set(socket.pid, { socket, owner });
    this.#soon ??= setImmediate(() => this.#storeDue());
  }

  /** Stores the session of a client that has disconnected. */
  release(session: StoredSession): void {
    this.#forget(session.pid);
    this.#store(session, this.duration);
  }

  /** Removes the session of a client that cannot be recovered. */
  remove(pid: string): void {
    if (this.#forget(pid)) void this.#publisher.send((client) => client.del(this.prefix + pid));
  }

  /** Returns a session and removes it. Throws if there is none, or its owner has not noticed yet that the client has disconnected. */
  async claim(nsp: string, pid: string): Promise<SocketSession> {
    if (!PID.test(pid)) throw new Error('the session id is invalid');
    let session = await this.#released(pid);
    if (!session) {
      await delay(OWNER_GRACE);
      session = await this.#released(pid);
    }
    if (session?.nsp !== nsp || session.pid !== pid) throw new Error('there is no such session');
    const { sid, rooms, data } = session;
    const deleted = await this.#publisher.ask((client) => client.del(this.prefix + pid));
    if (deleted === 0) throw new Error('the session was claimed twice');
    return { sid, pid, rooms, data };
  }

  /** Returns a stored session, unless its owner is there. */
  async #released(pid: string): Promise<StoredSession | undefined> {
    const value = await this.#publisher.ask((client) => client.getBuffer(this.prefix + pid));
    const session: StoredSession | undefined = value ? deserialize(value) : undefined;
    return session?.owner && (await this.#publisher.count(session.owner)) > 0 ? undefined : session;
  }

  #forget(pid: string): boolean {
    const wasDue = this.#due.delete(pid);
    return this.#stored.delete(pid) || wasDue;
  }

  #storeDue(): void {
    this.#soon = undefined;
    // Sessions of an outage are stored after it.
    if (!this.#publisher.up) return;
    for (const [pid, stored] of this.#stored) {
      if (stored.at > Date.now() - REFRESH) break;
      this.#due.set(pid, stored);
    }
    for (const [pid, { socket, owner }] of this.#due) {
      this.#forget(pid);
      this.#stored.set(pid, { socket, owner, at: Date.now() });
      const { id: sid, rooms, data, nsp } = socket;
      this.#store({ sid, pid, rooms: [...rooms], data, nsp: nsp.name, owner }, this.duration + 2 * REFRESH);
    }
  }

  #store(session: StoredSession, ms: number): void {
    const key = this.prefix + session.pid;
    try {
      const value = serialize(session);
      void this.#publisher.send((client) => client.set(key, value, 'PX', ms));
    } catch (err) {
      const problem = "connectionStateRecovery can't recover a client whose ctx.data can't be serialized";
      this.connection.log.unsendable(problem, err as Error);
      void this.#publisher.send((client) => client.del(key));
    }
  }
}
