// connectionStateRecovery for 'redis-streams'. A client that reconnects to any worker receives the events that it has missed, once and in
// order, even if its former worker was killed.
//
// An event reaches the clients of the worker that emits it before it has an id in the stream. So the offset that each event carries as its
// last argument has two parts: the last entry of the stream that the worker had dispatched, and how many events the worker itself had
// emitted by then. A client with that offset has all entries up to the former, and those of the worker up to the latter.
import { setTimeout as delay } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import { type BroadcastOptions, MessageType, type Session } from 'socket.io-adapter';
import type { AdapterOptions } from '../../config/redis';
import { type Packet, RedisStreamsAdapter } from '../../internals/redis-adapters';
import { channelOf } from './cluster-adapter';
import type { RedisConnection } from './connection';
import { debug } from './outage-log';
import { type Entry, isAfter, type Reader, type StreamsAdapterClass, toObject } from './streams-adapter';

/** How many events are held for a client until it is admitted. */
const MAX_EVENTS = 10_000;
/** How many entries are read at once, and how often at most: a stream that grows faster than it is read has no end. */
const PAGE = 1000;
const MAX_PAGES = 100;
/** The type of a packet with an event. */
const EVENT = 2;

/**
 * Extends the class of the streams adapters with recovery.
 *
 * @param duration - how long a client may be disconnected, in ms
 */
export function recoverable(
  Base: StreamsAdapterClass,
  connection: RedisConnection,
  reader: Reader,
  options: AdapterOptions,
  duration: number,
): StreamsAdapterClass {
  const { publisher } = connection;
  const { key } = options;
  const sessions = new Sessions(connection, `${key}:session:`, duration);

  return class extends Base {
    /** By the id of the socket, the clients that are being admitted again: their rooms, and the events for these. */
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
      const offset = this.#offset;
      if (!offset || !isRecoverable(packet, flags)) return;
      packet.data.push(formatOffset(offset));
      for (const client of this.#returning.values()) {
        const isHeld = isFor([...client.rooms], [...rooms], [...(except ?? [])]) && client.events.length < MAX_EVENTS;
        if (isHeld) client.events.push(packet.data);
      }
    }

    override addAll(id: string, rooms: Set<string>): void {
      super.addAll(id, rooms);
      this.#changed(id);
      const returning = this.#returning.get(id);
      for (const room of returning ? rooms : []) returning?.rooms.add(room);
      const client = this.#client(id);
      if (!returning || !client) return;
      // The client is admitted. Like the events that it has missed, it receives these before it knows that it is connected.
      this.#returning.delete(id);
      for (const data of returning.events) client.packet({ type: EVENT, data });
    }

    override del(id: string, room: string): void {
      super.del(id, room);
      this.#returning.get(id)?.rooms.delete(room);
      this.#changed(id);
    }

    override delAll(id: string): void {
      super.delAll(id);
      this.#returning.delete(id);
      const client = this.#client(id);
      if (client) sessions.remove(client.pid);
    }

    override persistSession({ sid, pid, rooms, data }: SocketSession): void {
      sessions.release({ sid, pid, rooms, data, nsp: this.nsp.name });
    }

    /** @throws {Error} if the client cannot be recovered. It is then a new one */
    override async restoreSession(pid: string, text: string): Promise<Session> {
      const seen = parseOffset(text);
      const session = await sessions.claim(this.nsp.name, pid);
      const begin = this.#offset;
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

    /**
     * Returns the arguments of missed events, each with its offset.
     *
     * @param seen - the offset of the last event that the client has received
     * @param begin - the offset of this adapter when it began to hold events for the client
     */
    async #missed(rooms: string[], seen: Offset, begin: Offset): Promise<unknown[][]> {
      const events: unknown[][] = [];
      for await (const [id, list] of this.#entriesAfter(seen.entry)) {
        const fields = toObject(list);
        const broadcast = fields.nsp === this.nsp.name ? decodeBroadcast(fields) : undefined;
        if (!broadcast) continue;
        const { seq = 0, packet, opts } = broadcast;
        if (fields.uid === seen.uid && seq <= seen.seq) continue;
        // From `begin` on the events are held. But those of this worker up to `begin` may be further on in the stream.
        const isLate = isAfter(id, begin.entry);
        if (isLate && !(fields.uid === begin.uid && seq <= begin.seq)) continue;
        if (!isFor(rooms, opts.rooms, opts.except)) continue;
        events.push([...packet.data, formatOffset(isLate ? { ...begin, seq } : { ...seen, entry: id })]);
      }
      return events;
    }

    /** @throws {Error} if the entry with the id is no longer in the stream: later ones may be lost as well */
    async *#entriesAfter(id: string): AsyncGenerator<Entry> {
      let last = id;
      for (let page = 0; page < MAX_PAGES; page++) {
        const from = last;
        // Inclusive: exclusive ranges exist since Redis 6.2.
        const entries = await publisher.ask((client) => client.xrange(key, from, '+', 'COUNT', PAGE));
        if (entries[0]?.[0] !== from) throw new Error('the events are no longer in the stream');
        yield* entries.slice(1);
        if (entries.length < PAGE) return;
        last = entries.at(-1)?.[0] as string;
      }
    }

    /** Undefined before the first connection to Redis. */
    get #offset(): Offset | undefined {
      const { position } = reader;
      return position === undefined ? undefined : { entry: position, uid: this.uid, seq: this.#seq };
    }

    #client(id: string): Client | undefined {
      return this.nsp.sockets.get(id);
    }

    /** Called when a client is connected, and when its rooms have changed. */
    #changed(id: string): void {
      const client = this.#client(id);
      if (client) sessions.update(client, `${channelOf(this.nsp, options)}${this.uid}#`);
    }
  };
}

interface Offset {
  /** The id of an entry. */
  entry: string;
  /** The id of a worker's adapter. */
  uid: string;
  /** The number of an event of that worker. */
  seq: number;
}

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
  return type === EVENT && id === undefined && !flags?.volatile;
}

/** Whether a socket in these rooms receives a broadcast to those. */
function isFor(rooms: string[], to: string[], except: string[]): boolean {
  return (to.length === 0 || rooms.some((room) => to.includes(room))) && !rooms.some((room) => except.includes(room));
}

/** The data of an entry with a broadcast. */
interface Broadcast {
  packet: Packet;
  opts: { rooms: string[]; except: string[]; flags?: { volatile?: boolean } };
  /** Set if it waits for acknowledgements. */
  requestId?: string;
  /** The number of the event. Unset if another service has emitted it. */
  seq?: number;
}

/** Returns undefined if an entry is not the broadcast of a recoverable event. Anybody can add any entry. */
function decodeBroadcast(fields: Record<string, string>): Broadcast | undefined {
  if (Number(fields.type) !== MessageType.BROADCAST) return undefined;
  try {
    const data = RedisStreamsAdapter.decode(fields).data as Broadcast;
    const { packet, opts, requestId } = data;
    const isComplete = [packet.data, opts.rooms, opts.except].every(Array.isArray);
    return isComplete && requestId === undefined && isRecoverable(packet, opts.flags) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** A socket, with the id that only its client knows. */
interface Client {
  id: string;
  pid: string;
  rooms: Set<string>;
  data: unknown;
  nsp: { name: string };
  packet(packet: object): void;
}

/** The session of a socket. */
type SocketSession = Omit<Session, 'missedPackets'>;

interface StoredSession extends SocketSession {
  nsp: string;
  /** The channel of the adapter that has the client. Unset if the client has disconnected. */
  owner?: string;
}

/** While a client is connected, its session is stored again after that many ms. */
const REFRESH = 30_000;
/** How often sessions are looked for that are due, in ms. */
const CHECK_INTERVAL = 1000;
/** If a session has an owner, it is read again after that many ms: the owner may be about to release it, or to end. */
const OWNER_GRACE = 200;
/** The ids that Socket.IO creates. A client can send any. */
const PID = /^[\w-]{1,64}$/;

/**
 * The sessions of clients in Redis. A worker that is killed cannot store them, so they are stored while a client is connected, with the
 * channel of its adapter.
 */
class Sessions {
  readonly #publisher;
  /** By the private id of the client, in the order in which they were stored. */
  readonly #stored = new Map<string, { client: Client; owner: string; at: number }>();
  readonly #due = new Map<string, { client: Client; owner: string }>();
  #soon: NodeJS.Immediate | undefined;

  /**
   * @param prefix - of the keys
   * @param duration - how long a client may be disconnected, in ms
   */
  constructor(
    private readonly connection: RedisConnection,
    private readonly prefix: string,
    private readonly duration: number,
  ) {
    this.#publisher = connection.publisher;
    const timer = setInterval(() => this.#storeDue(), CHECK_INTERVAL).unref();
    connection.onClose(() => clearInterval(timer));
  }

  /** Stores the session of a client. All changes in one turn of the event loop are stored at once. */
  update(client: Client, owner: string): void {
    this.#due.set(client.pid, { client, owner });
    this.#soon ??= setImmediate(() => this.#storeDue());
  }

  /** Stores the session of a client that has disconnected and may return. */
  release(session: StoredSession): void {
    this.#forget(session.pid);
    this.#store(session, this.duration);
  }

  /** Removes the session of a client that does not return. */
  remove(pid: string): void {
    if (this.#forget(pid)) void this.#publisher.send((client) => client.del(this.prefix + pid));
  }

  /**
   * Returns a session and removes it, so that no other worker does.
   *
   * @throws {Error} if there is none, or its owner takes the client for connected. If the client was cut off, the owner does so until a
   *   heartbeat is missing
   */
  async claim(nsp: string, pid: string): Promise<SocketSession> {
    if (!PID.test(pid)) throw new Error('the session id is invalid');
    let session = await this.#released(pid);
    if (!session) {
      await delay(OWNER_GRACE);
      session = await this.#released(pid);
    }
    if (session?.nsp === nsp && session.pid === pid) {
      const { sid, rooms, data } = session;
      if ((await this.#publisher.ask((client) => client.del(this.prefix + pid))) === 1)
        return { sid, pid, rooms, data };
    }
    throw new Error('there is no such session');
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
    for (const [pid, { client, owner }] of this.#due) {
      this.#forget(pid);
      this.#stored.set(pid, { client, owner, at: Date.now() });
      const { id: sid, rooms, data, nsp } = client;
      this.#store({ sid, pid, rooms: [...rooms], data, nsp: nsp.name, owner }, this.duration + 2 * REFRESH);
    }
  }

  #store(session: StoredSession, ms: number): void {
    const key = this.prefix + session.pid;
    let value: Buffer;
    try {
      value = serialize(session);
    } catch (err) {
      const problem = "connectionStateRecovery can't recover a client whose ctx.data can't be serialized";
      this.connection.log.unsendable(problem, err as Error);
      void this.#publisher.send((client) => client.del(key));
      return;
    }
    void this.#publisher.send((client) => client.set(key, value, 'PX', ms));
  }
}
