// What a client has missed, from the stream. Called by recovery.ts.
import { MessageType } from 'socket.io-adapter';
import type { Packet } from './cluster-adapter';
import type { Publisher } from './publisher';
import { type Entry, isAfter } from './streams-reader';

/** An entry's fields, and what the adapter makes of them. */
type Fields = Record<string, string>;
export type Decode = (fields: Fields) => { data?: unknown };

/** What the entry of a broadcast holds. */
interface Broadcast {
  packet: Packet;
  opts: { rooms: string[]; except: string[]; flags?: { volatile?: boolean } };
  /** Of one that waits for answers. */
  requestId?: string;
  /** The number of the event among those of its worker. */
  seq?: number;
}

/** How many entries are read at once. */
const PAGE = 1000;
/** How many pages at most: a stream that grows faster than it is read has no end. */
const MAX_PAGES = 100;
/** A packet of Socket.IO that carries an event. */
export const EVENT = 2;

/** The events of one namespace in the stream. */
export class Missed {
  constructor(
    private readonly publisher: Publisher,
    private readonly stream: string,
    private readonly nsp: string,
    private readonly decode: Decode,
  ) {}

  /** Whether an entry is still there: where it has been cut off, what came after it may have been, too. */
  async has(id: string): Promise<boolean> {
    return (await this.publisher.ask((client) => client.xrange(this.stream, id, id))).length > 0;
  }

  /**
   * The events for these rooms that a client has not got, each with its offset.
   *
   * @param seen - what it has got
   * @param here - what its new worker had passed on and emitted when it began to keep for the client what comes
   */
  async since(seen: Offset, rooms: string[], here: Offset): Promise<unknown[][]> {
    const events: unknown[][] = [];
    for await (const [id, fields] of this.#entriesAfter(seen.entry)) {
      const entry = toObject(fields);
      const data = this.#broadcast(entry);
      if (!data) continue;
      const { seq = 0, packet, opts } = data;
      if (entry.uid === seen.uid && seq <= seen.seq) continue;
      // What others have added since then the worker passes on; what it has emitted before may be further on in the stream.
      const isLate = isAfter(id, here.entry);
      if (isLate && !(entry.uid === here.uid && seq <= here.seq)) continue;
      if (!isFor(rooms, opts.rooms, opts.except)) continue;
      events.push([...packet.data, formatOffset(isLate ? { ...here, seq } : { ...seen, entry: id })]);
    }
    return events;
  }

  async *#entriesAfter(start: string): AsyncGenerator<Entry> {
    let last = start;
    for (let page = 0; page < MAX_PAGES; page++) {
      const entries = await this.publisher.ask((client) =>
        client.xrange(this.stream, idAfter(last), '+', 'COUNT', PAGE),
      );
      yield* entries;
      if (entries.length < PAGE) return;
      last = entries.at(-1)?.[0] as string;
    }
  }

  /** Anybody may add anything to the stream; the reader has logged what is none. */
  #broadcast(fields: Fields): Broadcast | undefined {
    if (fields.nsp !== this.nsp || Number(fields.type) !== MessageType.BROADCAST) return undefined;
    try {
      const data = this.decode(fields).data as Broadcast;
      const { packet, opts, requestId } = data;
      const isWhole = [packet.data, opts.rooms, opts.except].every(Array.isArray);
      return isWhole && requestId === undefined && isKept(packet, opts.flags) ? data : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Whether an event is kept for those who are away: none that may get lost, and none that waits for an answer. */
export function isKept({ type, id }: Packet, flags?: { volatile?: boolean }): boolean {
  return type === EVENT && id === undefined && !flags?.volatile;
}

/** Whether a socket in these rooms gets what is sent to those. */
export function isFor(rooms: string[], to: string[], except: string[]): boolean {
  return (to.length === 0 || rooms.some((room) => to.includes(room))) && !rooms.some((room) => except.includes(room));
}

/** The first id behind an id. Exclusive ranges are there since Redis 6.2. */
function idAfter(id: string): string {
  const [time, n] = id.split('-');
  return `${time}-${BigInt(n as string) + 1n}`;
}

function toObject(fields: string[]): Fields {
  const object: Fields = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) object[fields[i] as string] = fields[i + 1] as string;
  return object;
}

// What a client that comes back says it has got: an offset, which each event carries as its last argument. Called by
// recovery.ts.
//
// An event reaches the clients of the worker that emits it before it has a place in the stream. So an offset has two parts:
// the last entry of the stream that the worker had passed on, and, with the worker's name, how many events it had emitted
// itself by then. A client with that offset has all entries up to the first part, and those of that worker up to the second.

export interface Offset {
  /** The id of an entry. */
  entry: string;
  /** The name of a namespace's adapter in a worker. */
  uid: string;
  /** The number of its last event. */
  seq: number;
}

const FORMAT = /^(\d{1,20}-\d{1,20})\.([0-9a-f]{1,40})\.(\d{1,15})$/;

export function formatOffset({ entry, uid, seq }: Offset): string {
  return `${entry}.${uid}.${seq}`;
}

/** Undefined for what is no offset: any client may send anything. */
export function parseOffset(text: string): Offset | undefined {
  const [, entry, uid, seq] = FORMAT.exec(text) ?? [];
  return entry && uid && seq ? { entry, uid, seq: Number(seq) } : undefined;
}
