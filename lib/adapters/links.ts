// The links between the workers of a master: each worker connects to a unix socket of each other worker, its peers. Workers find each
// other in the run directory, without the agent and the master.
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import type { EncodedPacket } from '../internals/adapters';
import { isWorkerId, type WorkerIdentity } from '../workers/run-directory';
import { encodeFrame, FrameReader, FrameType } from './frame';
import { type Handshake, Link, type LinkEvents } from './link';

const debug = debuglog('egg-socket.io:links');

/** How long a worker that joins waits for its peers, in ms. */
const JOIN_TIMEOUT = 1000;
/** How long a peer may leave a handshake unanswered and still count as answering, in ms. */
const ANSWER_TIMEOUT = 5000;
/** Receives what peers send. What its methods throw is logged. */
export interface LinkListener {
  frame(peerId: string, type: FrameType, body: unknown): void;
  /** A packet for the clients of this worker. */
  broadcast(target: unknown, packet: EncodedPacket): void;
  /** The link to a peer is down: the peer will not respond to requests that were sent before. */
  lost(peerId: string): void;
  /** The peer has stopped. Called after `lost`. */
  stopped?(peerId: string): void;
}

/** The links of a worker to its peers. */
export class Links {
  readonly #links = new Map<string, Link>();
  readonly #incoming = new Set<Socket>();
  readonly #server: Server;
  readonly #handshake: Handshake;
  #listener: LinkListener | undefined;
  /** Counted for each peer. Handshakes are not counted. */
  readonly messages = { sent: 0, received: 0, lost: 0 };
  #isClosed = false;

  constructor(
    readonly worker: WorkerIdentity,
    readonly app: Application,
  ) {
    this.#handshake = { workerId: worker.workerId, pid: process.pid };
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /**
   * Connects to all peers, and lets them connect to this worker. Returns when it receives what they publish.
   *
   * @throws {Error} if this worker cannot listen in the run directory
   */
  async join(listener: LinkListener): Promise<void> {
    const { directory, workerId } = this.worker;
    this.#listener = listener;
    await directory.listen(this.#server, workerId, 'link', () => this.#rejoin());
    this.#addPeers();
    const ready = Promise.all(Array.from(this.#links.values(), (link) => link.ready));
    await Promise.race([ready, delay(JOIN_TIMEOUT, undefined, { ref: false })]);
  }

  /** How many peers receive what is published. */
  get peerCount(): number {
    let count = 0;
    for (const link of this.#links.values()) if (link.isUp) count++;
    return count;
  }

  /**
   * Returns how many peers answer, and sends a handshake to each, for the next call. A peer that hangs is counted until it has not answered
   * a handshake for `timeout` ms.
   */
  countAnswering(timeout = ANSWER_TIMEOUT): number {
    let count = 0;
    for (const link of this.#links.values()) if (link.isAnswering(timeout)) count++;
    return count;
  }

  /** Returns the ids of the peers that receive what is published. */
  peerIds(): string[] {
    return Array.from(this.#links.values()).flatMap((link) => (link.isUp ? [link.peerId] : []));
  }

  /** Sends a frame to all peers. */
  publish(frame: Buffer): void {
    this.messages.sent += this.#links.size;
    for (const link of this.#links.values()) link.send(frame);
  }

  /** Sends a frame to one peer. */
  send(peerId: string, frame: Buffer): void {
    const link = this.#links.get(peerId);
    if (link === undefined) return;
    this.messages.sent++;
    link.send(frame);
  }

  /** Sends what is buffered, and closes all links. */
  async leave(): Promise<void> {
    this.#isClosed = true;
    this.worker.directory.remove(this.worker.workerId);
    await Promise.all(Array.from(this.#links.values(), (link) => link.close()));
    this.#links.clear();
    for (const socket of this.#incoming) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Called after listening: of two workers that start at the same time, at least one finds the other. */
  #addPeers(): void {
    for (const peerId of this.worker.directory.workerIds('link')) this.#add(peerId);
  }

  /** Peers that could not connect while the socket of this worker was removed connect when they receive its handshake. */
  #rejoin(): void {
    this.#addPeers();
    for (const link of this.#links.values()) link.greet();
  }

  #add(peerId: string): void {
    const { directory, workerId } = this.worker;
    if (peerId === workerId || this.#isClosed) return;
    const known = this.#links.get(peerId);
    if (known) {
      known.reconnect();
      return;
    }
    const events: LinkEvents = {
      dropped: (count) => {
        this.messages.lost += count;
      },
      down: () => this.#listener?.lost(peerId),
      dead: (isRefused) => {
        this.#links.delete(peerId);
        this.#listener?.stopped?.(peerId);
        if (isRefused) this.#removeSockets(peerId);
        // The peer may have created its socket again since, and have sent its handshake while this link was still known.
        else this.#addPeers();
      },
    };
    this.#links.set(peerId, new Link(peerId, directory.address(peerId, 'link'), this.#handshake, events, this.app));
  }

  /** Removes the sockets of a dead worker. */
  #removeSockets(peerId: string): void {
    try {
      this.worker.directory.remove(peerId);
    } catch (err) {
      this.app.coreLogger.error(err);
    }
  }

  /** Reads from a socket that a peer has connected. Its frames are ignored until its handshake has arrived. */
  #accept(socket: Socket): void {
    let peerId: string | undefined;
    this.#incoming.add(socket);
    const reader = new FrameReader({
      frame: (type, body) => {
        if (type === FrameType.HANDSHAKE && isWorkerId((body as Handshake).workerId)) {
          peerId = (body as Handshake).workerId;
          socket.write(encodeFrame(FrameType.HANDSHAKE, this.#handshake));
          this.#add(peerId);
        } else if (peerId !== undefined) {
          this.messages.received++;
          this.#listener?.frame(peerId, type, body);
        } else {
          debug('close a connection whose first frame is no handshake');
          socket.destroy();
        }
      },
      broadcast: (target, packet) => {
        if (peerId === undefined) return;
        this.messages.received++;
        this.#listener?.broadcast(target, packet);
      },
      failed: (err) => this.app.coreLogger.error(err),
    });
    socket.on('data', (chunk) => reader.read(chunk as Buffer));
    // The peer, which has opened the link, handles its errors.
    socket.on('error', () => {});
    socket.once('close', () => this.#incoming.delete(socket));
  }
}
