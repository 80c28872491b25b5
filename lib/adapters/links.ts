// Which workers of this host are alive, and the links to them. A worker that comes opens a link to each that is there, and gets
// one back; it needs nobody to introduce it, neither the agent nor the master. Made by lib/cluster.ts.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { isGone, type RunDirectory } from '../workers/run-directory';
import { isTag } from '../workers/session-id';
import { type Encoded, encodeFrame, FrameReader, FrameType } from './frame';

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

// The way to one other worker: frames go out over its socket, and come in over the one that it opens to here. It comes back by
// itself as long as that worker lives. Made by membership.ts.

/** How many bytes may wait for a worker that doesn't read; the next message then ends its link. */
export const MAX_WAITING = 32 * 1024 * 1024;
/** How long until the next attempt at a worker that is there and doesn't take the link, in ms: at first, and at most. */
const RETRY = 50;
const MAX_RETRY = 2000;
/** How long closing waits for what is on its way, in ms. */
const CLOSE_TIMEOUT = 500;

/** Where links say what happens to them: `app.coreLogger`. */
export interface LinkLog {
  error(message: unknown): void;
  warn(message: string): void;
  info(message: string): void;
}

/** Who is at an end of a link. */
export interface Hello {
  tag: string;
  pid: number;
}

/** What a link tells whoever keeps it. */
export interface LinkEvents {
  /** What was sent is lost, and what is asked will not be answered, until the link is up again. */
  down(): void;
  /** The worker is dead. */
  gone(): void;
}

/** A link to another worker. */
export class Link {
  #socket: Socket | undefined;
  /** The other end has answered. */
  #answered = false;
  /** It has been linked before, or was too slow: nothing is kept for it until it answers. */
  #silent = false;
  #batch: Buffer[] = [];
  #closed = false;
  #lost = 0;
  #retry = RETRY;
  #timer: NodeJS.Timeout | undefined;
  #name: string;
  #settle = () => {};
  /** Done when the other worker has answered for the first time, or is dead. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  /**
   * @param tag - of the other worker
   * @param address - its socket
   * @param self - who is here
   */
  constructor(
    readonly tag: string,
    private readonly address: string,
    private readonly self: Hello,
    private readonly events: LinkEvents,
    private readonly log: LinkLog,
  ) {
    this.#name = `worker ${tag}`;
    this.#dial();
  }

  /** Whether what is sent arrives. A worker that listens and has not answered yet gets what is sent meanwhile. */
  get up(): boolean {
    return this.#socket !== undefined && (this.#answered || !this.#silent);
  }

  /** Sends a frame. What can't be sent is lost, counted and logged. */
  send(frame: Buffer): void {
    if (!this.up) {
      this.#lost++;
      return;
    }
    // All that is sent in one turn of the event loop goes out in one write.
    if (this.#batch.length === 0) process.nextTick(this.#flush);
    this.#batch.push(frame);
  }

  #flush = (): void => {
    const frames = this.#batch;
    if (frames.length === 0) return;
    this.#batch = [];
    const socket = this.#socket;
    if (socket === undefined || !this.up) {
      this.#lost += frames.length;
      return;
    }
    if (socket.writableLength > MAX_WAITING) {
      this.#lost += frames.length;
      this.log.error(
        `[egg-socket.io] ${this.#name} does not read, or not fast enough: ${socket.writableLength} bytes are waiting for it and are dropped; it gets no broadcasts of this worker until it reads again`,
      );
      this.#silent = true;
      this.#socket = undefined;
      socket.destroy();
      return;
    }
    const bytes = frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
    const count = frames.length;
    socket.write(bytes, (err) => {
      if (err) this.#lost += count;
    });
  };

  /** Connects at once where the link is down: the other worker has just been heard of. */
  wake(): void {
    if (this.#timer) this.#dial();
  }

  /** Ends the link when what was sent is out. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#flush();
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()).end());
    clearTimeout(timer);
  }

  #dial(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const socket = connect(this.address);
    this.#socket = socket;
    this.#answered = false;
    let failure: Error | undefined;
    const reader = new FrameReader({
      frame: (_type, body) => this.#hear(body as Hello),
      failed: (err) => this.log.error(err),
    });
    socket.on('data', (chunk) => reader.read(chunk as Buffer));
    socket.once('error', (err) => {
      failure = err;
    });
    socket.once('close', () => this.#over(failure));
    socket.write(encodeFrame(FrameType.HELLO, this.self));
  }

  #hear({ pid }: Hello): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#settle();
    this.#name = `worker ${pid}`;
    this.#retry = RETRY;
    if (this.#lost > 0) {
      this.log.warn(`[egg-socket.io] linked with ${this.#name} again; messages to it lost meanwhile: ${this.#lost}`);
    }
    this.#lost = 0;
    this.#silent = true;
  }

  #over(failure: Error | undefined): void {
    this.#socket = undefined;
    if (this.#closed) return;
    if (failure && isGone(failure)) {
      this.#closed = true;
      this.#settle();
      this.events.down();
      this.events.gone();
      return;
    }
    const wasUp = this.#answered;
    this.#silent = true;
    this.events.down();
    // A worker that has died is found to be dead at once, and one that was too slow is asked at once.
    if (wasUp) this.#dial();
    else {
      this.#timer = setTimeout(() => this.#dial(), this.#retry).unref();
      this.#retry = Math.min(this.#retry * 2, MAX_RETRY);
    }
  }
}
