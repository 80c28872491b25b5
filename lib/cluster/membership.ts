// Which workers of this host are alive, and the links to them. A worker that comes opens a link to each that is there, and gets
// one back; it needs nobody to introduce it, neither the agent nor the master. Made by lib/cluster.ts.
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunDirectory } from './directory';
import { type Encoded, encodeFrame, FrameReader, FrameType } from './frame';
import { type Hello, Link, type LinkLog } from './link';
import { isTag } from './tag';

/** How long a worker that joins waits for the others, in ms. */
const PATIENCE = 1000;

/** What comes from the other workers. */
export interface Incoming {
  /** A frame of another worker. What it throws is logged. */
  frame(from: string, type: FrameType, body: unknown): void;
  /** A packet for clients, written already. */
  broadcast(target: unknown, packet: Encoded): void;
  /** A worker will not answer what it was asked. */
  lost(tag: string): void;
}

/** The links of a worker to the others. */
export class Membership {
  readonly #links = new Map<string, Link>();
  readonly #incoming = new Set<Socket>();
  readonly #server: Server;
  readonly #self: Hello;
  #listener: Incoming | undefined;
  #closed = false;

  /**
   * @param directory - where the workers are
   * @param tag - this worker's
   */
  constructor(
    private readonly directory: RunDirectory,
    readonly tag: string,
    private readonly log: LinkLog,
  ) {
    this.#self = { tag, pid: process.pid };
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Joins the others: from now on they send, and are sent to. */
  async join(listener: Incoming): Promise<void> {
    this.#listener = listener;
    await this.directory.listen(this.#server, this.tag, 'link');
    // Of two that come at the same time, the one that looks later finds the other.
    for (const tag of this.directory.tags('link')) this.#add(tag);
    // Who has answered sends what its clients' fellows here should get. One that hangs must not keep this one from its work.
    const linked = Promise.all(Array.from(this.#links.values(), ({ settled }) => settled));
    await Promise.race([linked, delay(PATIENCE, undefined, { ref: false })]);
  }

  /** How many other workers get what is sent. */
  get size(): number {
    let size = 0;
    for (const link of this.#links.values()) if (link.up) size++;
    return size;
  }

  /** Sends a frame to all others. */
  publish(frame: Buffer): void {
    for (const link of this.#links.values()) link.send(frame);
  }

  /** Sends a frame to one of them. */
  send(tag: string, frame: Buffer): void {
    this.#links.get(tag)?.send(frame);
  }

  /** The tags of those that get what is sent. */
  tags(): string[] {
    return Array.from(this.#links.values()).flatMap((link) => (link.up ? [link.tag] : []));
  }

  /** Leaves the others. */
  async leave(): Promise<void> {
    this.#closed = true;
    this.directory.remove(this.tag);
    await Promise.all(Array.from(this.#links.values(), (link) => link.close()));
    this.#links.clear();
    for (const socket of this.#incoming) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #add(tag: string): void {
    if (tag === this.tag || this.#closed) return;
    const known = this.#links.get(tag);
    if (known) {
      known.wake();
      return;
    }
    const events = {
      down: () => this.#listener?.lost(tag),
      gone: () => {
        this.#links.delete(tag);
        this.#sweep(tag);
      },
    };
    this.#links.set(tag, new Link(tag, this.directory.address(tag, 'link'), this.#self, events, this.log));
  }

  /** Removes what a dead worker has left. */
  #sweep(tag: string): void {
    try {
      this.directory.remove(tag);
    } catch (err) {
      this.log.error(err);
    }
  }

  #accept(socket: Socket): void {
    let from: string | undefined;
    this.#incoming.add(socket);
    const reader = new FrameReader({
      frame: (type, body) => {
        if (from !== undefined) this.#listener?.frame(from, type, body);
        else if (type !== FrameType.HELLO || !isTag((body as Hello).tag)) socket.destroy();
        else {
          from = (body as Hello).tag;
          socket.write(encodeFrame(FrameType.HELLO, this.#self));
          this.#add(from);
        }
      },
      broadcast: (target, packet) => {
        if (from !== undefined) this.#listener?.broadcast(target, packet);
      },
      failed: (err) => this.log.error(err),
    });
    socket.on('data', (chunk) => reader.read(chunk as Buffer));
    // The end of a link is seen by who has opened it.
    socket.on('error', () => {});
    socket.once('close', () => this.#incoming.delete(socket));
  }
}
