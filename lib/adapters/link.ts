// The link to one peer: the connection of this worker to another one, which is opened again until the peer has stopped.
import { connect, type Socket } from 'node:net';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { type OutageMessage, outages } from '../diagnostics';
import { isUnreachable } from '../workers/run-directory';
import { encodeFrame, FrameReader, FrameType } from './frame';

const debug = debuglog('egg-socket.io:links');

/** How many bytes may wait for a peer that does not read. If there are more, the next message closes the link. */
const MAX_BUFFERED = 32 * 1024 * 1024;
/** The delay before another attempt to connect to a peer, in ms. It doubles with each attempt. */
const RETRY_DELAY = 50;
const MAX_RETRY_DELAY = 2000;
/** How long a link that closes may take to send what is buffered, in ms. */
const CLOSE_TIMEOUT = 500;

/** The body of the first frame in each direction of a link. */
export interface Handshake {
  workerId: string;
  pid: number;
}

export interface LinkEvents {
  /** Frames were not sent. */
  dropped(count: number): void;
  /** Frames are dropped until the link is up again, and requests get no response. */
  down(): void;
  /**
   * The peer has stopped, or its socket was removed.
   *
   * @param isRefused - whether its socket exists and refuses connections
   */
  dead(isRefused: boolean): void;
}

/**
 * The link to one peer. Frames are sent over the socket that it opens. The peer sends its own over the socket of its link to this worker.
 * If the connection is lost, the link connects again until the peer has stopped.
 */
export class Link {
  #socket: Socket | undefined;
  /** Whether the handshake of the peer has arrived. */
  #isAnswered = false;
  /** When a handshake was sent for which no answer has arrived, as `performance.now()`. Handshakes are repeated for `isAnswering` alone. */
  #askedAt: number | undefined;
  /**
   * Whether frames are dropped until the handshake of the peer arrives. At first they are not: a peer that listens reads them later. After
   * a connection was lost they are, since the peer may hang.
   */
  #dropsUnanswered = false;
  #batch: Buffer[] = [];
  #isClosed = false;
  #droppedCount = 0;
  /** Why the connection was lost, until a new one shows that the peer is running: its outage has begun, then. */
  #lostBy: string | undefined;
  #isOut = false;
  #retryDelay = RETRY_DELAY;
  #retryTimer: NodeJS.Timeout | undefined;
  /** For log lines. */
  #name: string;
  #resolveReady = () => {};
  /** Resolves when the peer has answered for the first time, or is found to be dead. */
  readonly ready = new Promise<void>((resolve) => {
    this.#resolveReady = resolve;
  });

  /** @param address - the address of the peer's socket */
  constructor(
    readonly peerId: string,
    private readonly address: string,
    private readonly handshake: Handshake,
    private readonly events: LinkEvents,
    private readonly app: Application,
  ) {
    this.#name = `worker ${peerId}`;
    this.#connect();
  }

  /** Whether the peer receives what is sent. */
  get isUp(): boolean {
    return this.#socket !== undefined && (this.#isAnswered || !this.#dropsUnanswered);
  }

  /** Whether the peer has answered each handshake that is older than `timeout` ms. Sends another one. */
  isAnswering(timeout: number): boolean {
    if (!this.isUp || !this.#isAnswered) return false;
    const now = performance.now();
    if (this.#askedAt !== undefined) {
      const isInTime = now - this.#askedAt < timeout;
      if (!isInTime) this.#beginOutage(`no answer for ${timeout} ms`);
      return isInTime;
    }
    this.#askedAt = now;
    this.greet();
    return true;
  }

  /** Sends a handshake, which is not counted as a message. */
  greet(): void {
    this.#socket?.write(encodeFrame(FrameType.HANDSHAKE, this.handshake));
  }

  /** Sends a frame. If the link is down, the frame is dropped and counted. */
  send(frame: Buffer): void {
    if (!this.isUp) {
      this.#drop(1);
      return;
    }
    // All frames of one turn of the event loop are sent in one write.
    if (this.#batch.length === 0) process.nextTick(this.#flush);
    this.#batch.push(frame);
  }

  #flush = (): void => {
    const frames = this.#batch;
    if (frames.length === 0) return;
    this.#batch = [];
    const socket = this.#socket;
    if (socket === undefined || !this.isUp) {
      this.#drop(frames.length);
      return;
    }
    if (socket.writableLength > MAX_BUFFERED) {
      this.#drop(frames.length);
      this.app.coreLogger.error(
        `[egg-socket.io] ${this.#name} does not read fast enough: ${socket.writableLength} bytes that wait for it are dropped. It receives no broadcasts of this worker until it reads again`,
      );
      this.#dropsUnanswered = true;
      this.#lostBy = 'does not read fast enough';
      this.#socket = undefined;
      socket.destroy();
      return;
    }
    const bytes = frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
    const count = frames.length;
    socket.write(bytes, (err) => {
      if (err) this.#drop(count);
    });
  };

  #drop(count: number): void {
    debug('drop %d frames for %s', count, this.#name);
    this.#droppedCount += count;
    this.events.dropped(count);
  }

  /** Connects now, if the link is down and waits for its next attempt. */
  reconnect(): void {
    if (this.#retryTimer) this.#connect();
  }

  /** Sends what is buffered, and closes the link. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#flush();
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()).end());
    clearTimeout(timer);
  }

  #connect(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    const socket = connect(this.address);
    this.#socket = socket;
    this.#isAnswered = false;
    this.#askedAt = undefined;
    let failure: Error | undefined;
    const reader = new FrameReader({
      frame: (_type, body) => this.#onHandshake(body as Handshake),
      failed: (err) => this.app.coreLogger.error(err),
    });
    socket.on('data', (chunk) => reader.read(chunk as Buffer));
    socket.once('error', (err) => {
      failure = err;
    });
    socket.once('close', () => this.#onClose(failure));
    socket.once('connect', () => this.#beginOutage(this.#lostBy));
    this.greet();
  }

  #onHandshake({ pid }: Handshake): void {
    this.#askedAt = undefined;
    this.#endOutage();
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#resolveReady();
    this.#name = `worker ${pid}`;
    this.#retryDelay = RETRY_DELAY;
    debug('linked with %s (%s)', this.#name, this.peerId);
    if (this.#droppedCount > 0) {
      this.app.coreLogger.warn(
        `[egg-socket.io] the link to ${this.#name} is up again; messages lost in the meantime: ${this.#droppedCount}`,
      );
    }
    this.#droppedCount = 0;
    this.#dropsUnanswered = true;
  }

  #beginOutage(reason: string | undefined): void {
    if (this.#isOut || reason === undefined) return;
    this.#isOut = true;
    this.#publish({ up: false, reason, lost: 0 });
  }

  #endOutage(): void {
    this.#lostBy = undefined;
    if (!this.#isOut) return;
    this.#isOut = false;
    this.#publish({ up: true, lost: this.#droppedCount });
  }

  #publish(message: Pick<OutageMessage, 'up' | 'reason' | 'lost'>): void {
    if (outages.hasSubscribers) outages.publish({ app: this.app, name: this.#name, ...message });
  }

  #onClose(failure: NodeJS.ErrnoException | undefined): void {
    this.#socket = undefined;
    if (this.#isClosed) return;
    if (failure && isUnreachable(failure)) {
      debug('%s has stopped', this.#name);
      this.#isClosed = true;
      this.#endOutage();
      this.#resolveReady();
      this.events.down();
      this.events.dead(failure.code !== 'ENOENT');
      return;
    }
    debug('lost the link to %s: %s', this.#name, failure?.message ?? 'closed');
    const wasUp = this.#isAnswered;
    // A worker that stops in the ordinary way closes the connection as well.
    if (wasUp) this.#lostBy ??= failure?.message ?? 'connection lost';
    else this.#beginOutage(this.#lostBy);
    this.#dropsUnanswered = true;
    this.events.down();
    // At once: a peer that has stopped is detected.
    if (wasUp) this.#connect();
    else {
      this.#retryTimer = setTimeout(() => this.#connect(), this.#retryDelay).unref();
      this.#retryDelay = Math.min(this.#retryDelay * 2, MAX_RETRY_DELAY);
    }
  }
}
