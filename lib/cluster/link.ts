// The way to one other worker: frames go out over its socket, and come in over the one that it opens to here. It comes back by
// itself as long as that worker lives. Made by membership.ts.
import { connect, type Socket } from 'node:net';
import { isGone } from './directory';
import { encodeFrame, FrameReader, FrameType } from './frame';

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
