// connectionStateRecovery: a client that comes back, to whichever worker, gets what it has missed, once and in order, even if
// the worker that it comes from was killed. Called by lib/redis/streams.ts, for the adapter of one namespace.
import { Adapter, type BroadcastOptions, type ClusterAdapter, MessageType, type Session } from 'socket.io-adapter';
import { type Inner, type Packet, tell } from './cluster-adapter';
import type { Publisher } from './publisher';
import { type Decode, EVENT, formatOffset, isFor, isKept, Missed, type Offset, parseOffset } from './streams-missed';
import type { Reader } from './streams-reader';
import type { Client, Sessions } from './streams-sessions';

/** What recovery needs. */
export interface Means {
  publisher: Publisher;
  reader: Reader;
  sessions: Sessions;
  /** The stream's name. */
  stream: string;
  /** The channel to which this adapter alone listens. */
  owner: string;
}

/** A client that is on its way in, and what comes for its rooms until it is there. */
interface Returning {
  rooms: Set<string>;
  events: unknown[][];
}

const DONE = Promise.resolve();
/** How many events wait for a client whose connection middleware is running. */
const MAX_EVENTS = 10_000;

/** The methods that take the place of the adapter's own. */
export function recovery(adapter: ClusterAdapter, { publisher, reader, sessions, stream, owner }: Means) {
  const local = Adapter.prototype;
  const { nsp } = adapter;
  const { uid } = adapter as unknown as Inner;
  const { decode } = adapter.constructor as unknown as { decode: Decode };
  const missed = new Missed(publisher, stream, nsp.name, decode);
  /** By the id of the socket. */
  const returning = new Map<string, Returning>();
  let seq = 0;

  const clientOf = (id: string) => nsp.sockets.get(id) as unknown as Client | undefined;

  /** Where this worker is; undefined until Redis was there. */
  function here(): Offset | undefined {
    return reader.position === undefined ? undefined : { entry: reader.position, uid, seq };
  }

  /** Gives an event its offset, and keeps it for those who are on their way. */
  function stamp(packet: Packet, { rooms, except, flags }: BroadcastOptions): void {
    const offset = here();
    if (!offset || !isKept(packet, flags)) return;
    packet.data.push(formatOffset(offset));
    for (const client of returning.values()) {
      if (client.events.length >= MAX_EVENTS || !isFor([...client.rooms], [...rooms], [...(except ?? [])])) continue;
      client.events.push(packet.data);
    }
  }

  /** A client is there, or its rooms have changed. */
  function changed(id: string): void {
    const client = clientOf(id);
    if (client) sessions.touch(client, owner);
  }

  return {
    broadcast(packet: Packet, opts: BroadcastOptions) {
      if (!opts.flags?.local) seq++;
      tell(adapter, MessageType.BROADCAST, opts, { packet, seq });
      stamp(packet, opts);
      local.broadcast.call(adapter, packet, opts);
      return DONE;
    },

    /** Called by ClusterAdapter for what another worker has emitted, right before it emits it here. */
    addOffsetIfNecessary: stamp,

    addAll(id: string, rooms: Set<string>) {
      local.addAll.call(adapter, id, rooms);
      changed(id);
      const client = clientOf(id);
      const back = returning.get(id);
      if (!back) return;
      for (const room of rooms) back.rooms.add(room);
      if (!client) return;
      // It is let in. Like what it has missed, these reach it before it hears that it is connected.
      returning.delete(id);
      for (const data of back.events) client.packet({ type: EVENT, data });
    },

    del(id: string, room: string) {
      local.del.call(adapter, id, room);
      returning.get(id)?.rooms.delete(room);
      changed(id);
    },

    delAll(id: string) {
      local.delAll.call(adapter, id);
      returning.delete(id);
      const client = clientOf(id);
      if (client) sessions.drop(client.pid);
    },

    persistSession({ sid, pid, rooms, data }: Session) {
      sessions.keep(nsp.name, { sid, pid, rooms, data });
    },

    async restoreSession(pid: string, text: string): Promise<Session | null> {
      const seen = parseOffset(text);
      const session = seen && (await sessions.take(nsp.name, pid));
      if (!seen || !session || !(await missed.has(seen.entry))) return null;
      const { sid, rooms } = session;
      const begin = here();
      if (!begin) return null;
      returning.set(sid, { rooms: new Set(rooms), events: [] });
      try {
        return { ...session, missedPackets: await missed.since(seen, rooms, begin) };
      } catch (err) {
        returning.delete(sid);
        throw err;
      }
    },
  };
}
