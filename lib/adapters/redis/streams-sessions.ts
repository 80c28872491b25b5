// What Redis keeps of each client so that it can come back to any worker: its id, its rooms and its data. A worker that is
// killed has no time to write it, so it is there from the beginning and says which worker has the client. Made by
// lib/redis/streams.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { Session } from 'socket.io-adapter';
import type { RedisLink } from './connection';
import type { Publisher } from './publisher';

/** What is kept: the adapter adds what was missed. */
type Kept = Omit<Session, 'missedPackets'>;

interface Written extends Kept {
  nsp: string;
  /** The channel of the worker that has the client; none where it has disconnected. */
  owner?: string;
}

/** A socket, with the id that the client alone knows. */
export interface Client {
  id: string;
  pid: string;
  rooms: Set<string>;
  data: unknown;
  nsp: { name: string };
  packet(packet: object): void;
}

/** A client that stays has its session written again after that many ms. */
const REFRESH = 30_000;
/** As Socket.IO makes them: a client may send anything. */
const PID = /^[\w-]{1,64}$/;
/** For that many ms a worker is believed to lose a client this moment. */
const HESITATION = 200;
/** How often it is looked which are due, in ms. */
const LOOK = 1000;

const UNWRITABLE =
  "a client can't be recovered by connectionStateRecovery, since what is in its ctx.data can't be kept";

export class Sessions {
  /** By the client's private id, in the order in which they were written. */
  readonly #written = new Map<string, { socket: Client; owner: string; at: number }>();
  readonly #due = new Map<string, { socket: Client; owner: string }>();
  readonly #publisher: Publisher;
  #soon: NodeJS.Immediate | undefined;

  /**
   * @param prefix - what the keys begin with
   * @param duration - how long a client may be away, in ms
   */
  constructor(
    private readonly link: RedisLink,
    private readonly prefix: string,
    private readonly duration: number,
  ) {
    this.#publisher = link.publisher;
    const timer = setInterval(() => this.#look(), LOOK).unref();
    link.closed.addEventListener('abort', () => clearInterval(timer));
  }

  /** A client is there, or something about it has changed. */
  touch(socket: Client, owner: string): void {
    this.#due.set(socket.pid, { socket, owner });
    // All that happens in one go is written once.
    this.#soon ??= setImmediate(() => this.#write());
  }

  /** A client has disconnected and may come back. */
  keep(nsp: string, session: Kept): void {
    this.#forget(session.pid);
    this.#set(session.pid, { ...session, nsp }, this.duration);
  }

  /** A client has gone for good. */
  drop(pid: string): void {
    if (this.#forget(pid)) void this.#publisher.send((client) => client.del(this.prefix + pid));
  }

  /**
   * The session of a client that comes back, which nobody else gets then. Undefined while another worker, or this one, takes
   * the client for connected: where it is gone without a word, that is until a ping is missing.
   */
  async take(nsp: string, pid: string): Promise<Kept | undefined> {
    if (!PID.test(pid)) return undefined;
    let written = await this.#left(pid);
    if (!written) {
      // Its worker may be about to write that it has gone, or about to end.
      await delay(HESITATION);
      written = await this.#left(pid);
    }
    if (written?.nsp !== nsp || written.pid !== pid) return undefined;
    const { sid, rooms, data } = written;
    const deleted = await this.#publisher.ask((client) => client.del(this.prefix + pid));
    return deleted === 1 ? { sid, pid, rooms, data } : undefined;
  }

  /** What is written of a client, unless a worker that is there has it. */
  async #left(pid: string): Promise<Written | undefined> {
    const value = await this.#publisher.ask((client) => client.getBuffer(this.prefix + pid));
    const written = value ? (deserialize(value) as Written) : undefined;
    return written?.owner && (await this.#publisher.count(written.owner)) > 0 ? undefined : written;
  }

  #forget(pid: string): boolean {
    const due = this.#due.delete(pid);
    return this.#written.delete(pid) || due;
  }

  #look(): void {
    const before = Date.now() - REFRESH;
    for (const [pid, { socket, owner, at }] of this.#written) {
      if (at > before) break;
      this.#due.set(pid, { socket, owner });
    }
    this.#write();
  }

  #write(): void {
    this.#soon = undefined;
    // Those of an outage are written after it.
    if (!this.#publisher.up) return;
    for (const [pid, { socket, owner }] of this.#due) {
      this.#due.delete(pid);
      this.#written.delete(pid);
      this.#written.set(pid, { socket, owner, at: Date.now() });
      const { id: sid, rooms, data, nsp } = socket;
      this.#set(pid, { sid, pid, rooms: [...rooms], data, nsp: nsp.name, owner }, this.duration + 2 * REFRESH);
    }
  }

  #set(pid: string, session: Written, ms: number): void {
    const key = this.prefix + pid;
    let value: Buffer;
    try {
      value = serialize(session);
    } catch (err) {
      this.link.reports.unsendable(UNWRITABLE, err as Error);
      void this.#publisher.send((client) => client.del(key));
      return;
    }
    void this.#publisher.send((client) => client.set(key, value, 'PX', ms));
  }
}
