// The adapter of each namespace where links carry broadcasts: what is done here is done at once, in the order in which it is
// asked for, and sent to the other workers. Made by Socket.IO, of the class that lib/cluster.ts gives it.
import type { Namespace } from 'socket.io';
import {
  Adapter,
  type BroadcastOptions,
  ClusterAdapter,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
} from 'socket.io-adapter';
import { PacketType } from 'socket.io-parser';
import type { Exchange, Target } from './exchange';
import type { Encoded } from './frame';

type Data = Record<string, unknown>;

/** A request that waits for answers, as ClusterAdapter keeps it. */
interface Request {
  type: MessageType;
  resolve: (...results: unknown[]) => void;
  timeout: NodeJS.Timeout;
  current: number;
  expected: number;
  responses: unknown[];
}

const DONE = Promise.resolve();

/** Publishes to the other workers of this host. */
export class LinkAdapter extends ClusterAdapter {
  readonly #exchange: Exchange;
  readonly #parser: Parser;
  /** By request, the workers that have not answered yet. */
  readonly #awaited = new WeakMap<Request, Set<string>>();

  constructor(nsp: Namespace, exchange: Exchange) {
    super(nsp);
    this.#exchange = exchange;
    // By which an answer finds the way back.
    this.#parser = new Parser((this as unknown as { encoder: Encoder }).encoder);
    Object.assign(this, { uid: exchange.tag, encoder: this.#parser });
    exchange.add(nsp.name, this);
  }

  // ClusterAdapter does the next four in a later tick, so that what is sent to one socket meanwhile overtakes a broadcast.

  /** The packet is written once: for the clients here, and for those of the other workers. */
  override broadcast(packet: Packet, opts: BroadcastOptions): Promise<void> {
    const { rooms, except, flags } = opts;
    const { name } = this.nsp;
    const isHere = this.#hasAny(rooms);
    const isElsewhere = !flags?.local && this.#exchange.size > 0;
    if (!isHere && !isElsewhere) return DONE;
    packet.nsp = name;
    const written = this.#parser.encode(packet);
    if (isElsewhere) this.#exchange.emit({ nsp: name, rooms: [...rooms], except: [...(except ?? [])], flags }, written);
    if (isHere) this.#apply(packet, opts, written);
    return DONE;
  }

  /** A broadcast of another worker. */
  deliver({ rooms, except, flags }: Target, written: Encoded): void {
    const opts = { rooms: new Set(rooms), except: new Set(except), flags };
    if (this.#hasAny(opts.rooms)) this.#apply(new Received(this.nsp, written) as unknown as Packet, opts, written);
  }

  override addSockets(opts: BroadcastOptions, rooms: string[]): Promise<void> {
    this.#tell(MessageType.SOCKETS_JOIN, opts, { rooms });
    Adapter.prototype.addSockets.call(this, opts, rooms);
    return DONE;
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): Promise<void> {
    this.#tell(MessageType.SOCKETS_LEAVE, opts, { rooms });
    Adapter.prototype.delSockets.call(this, opts, rooms);
    return DONE;
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
    this.#tell(MessageType.DISCONNECT_SOCKETS, opts, { close });
    Adapter.prototype.disconnectSockets.call(this, opts, close);
    return DONE;
  }

  override broadcastWithAck(...args: Parameters<ClusterAdapter['broadcastWithAck']>): void {
    const [, { flags }, clientCountCallback] = args;
    super.broadcastWithAck(...args);
    // Who asks waits for as many answers as there are workers, even where no other one is asked.
    if (flags?.local) for (let others = this.#exchange.size; others > 0; others--) clientCountCallback(0);
  }

  override serverCount(): Promise<number> {
    return Promise.resolve(1 + this.#exchange.size);
  }

  override close(): void {
    this.#exchange.remove(this.nsp.name, this);
  }

  /** A worker has sent something for this namespace. */
  receive(message: ClusterMessage): void {
    this.onMessage(message);
  }

  /** A worker has answered. */
  answered(from: string, response: ClusterResponse): void {
    const request = this.#request(response.data.requestId);
    const awaited = request && this.#awaited.get(request);
    // One that was given up is not waited for any more.
    if (awaited && !awaited.delete(from)) return;
    this.onResponse(response);
  }

  /**
   * A worker will not answer: who waits for all of them waits for one less.
   *
   * @param requestId - one request; without it, all
   */
  lost(from: string, requestId?: string): void {
    const { requests } = this as unknown as { requests: Map<string, Request> };
    for (const [id, request] of requestId === undefined
      ? [...requests]
      : [[requestId, requests.get(requestId)] as const]) {
      if (request === undefined || !this.#awaited.get(request)?.delete(from)) continue;
      request.expected--;
      this.#settle(id, request);
    }
  }

  protected override doPublish(message: ClusterMessage): Promise<string> {
    let to: string[];
    try {
      to = this.#exchange.publish(message);
    } catch (err) {
      this.#exchange.failed(err as Error);
      return Promise.reject(err);
    }
    const { requestId } = ((message as { data?: Data }).data ?? {}) as { requestId?: string };
    const request = this.#request(requestId);
    if (request) {
      this.#awaited.set(request, new Set(to));
      // As many as it went to, which may be fewer than were counted before.
      request.expected = to.length;
      this.#settle(requestId as string, request);
    }
    return Promise.resolve('');
  }

  protected override doPublishResponse(requester: string, response: ClusterResponse): Promise<void> {
    this.#exchange.respond(requester, response);
    return DONE;
  }

  /** Tells the others, unless only this worker is meant. */
  #tell(type: MessageType, { rooms, except, flags }: BroadcastOptions, data: Data): void {
    if (flags?.local || this.#exchange.size === 0) return;
    const opts = { rooms: [...rooms], except: [...(except ?? [])], flags };
    this.#exchange.publish({ uid: this.uid, nsp: this.nsp.name, type, data: { ...data, opts } } as ClusterMessage);
  }

  /** Whether a broadcast to these rooms may have anybody to reach here. */
  #hasAny(rooms: Set<string>): boolean {
    if (rooms.size === 0) return this.sids.size > 0;
    for (const room of rooms) if (this.rooms.has(room)) return true;
    return false;
  }

  #apply(packet: Packet, opts: BroadcastOptions, written: Encoded): void {
    this.#parser.written = written;
    Adapter.prototype.broadcast.call(this, packet, opts);
  }

  #request(id: string | undefined): Request | undefined {
    return id === undefined ? undefined : (this as unknown as { requests: Map<string, Request> }).requests.get(id);
  }

  #settle(id: string, request: Request): void {
    if (request.current < request.expected) return;
    clearTimeout(request.timeout);
    (this as unknown as { requests: Map<string, Request> }).requests.delete(id);
    if (request.type === MessageType.FETCH_SOCKETS) request.resolve(request.responses);
    else request.resolve(null, request.responses);
  }
}

// Packets that are written once, whoever gets them: the clients of this worker, and those of the others. Called by adapter.ts.

export type Packet = Parameters<Adapter['broadcast']>[0];

/** Socket.IO's parser, or the application's. */
export interface Encoder {
  encode(packet: Packet): Encoded;
}

/** A parser that does not write again what is written already. */
export class Parser implements Encoder {
  /** What the next packet looks like. */
  written: Encoded | undefined;

  constructor(private readonly parser: Encoder) {}

  encode(packet: Packet): Encoded {
    const { written } = this;
    if (written === undefined) return this.parser.encode(packet);
    this.written = undefined;
    return written;
  }
}

/** A packet of another worker, which is read only where somebody listens to what is sent (`socket.onAnyOutgoing`). */
export class Received {
  readonly type = PacketType.EVENT;
  readonly nsp: string;
  #data: unknown;

  constructor(
    private readonly of: Namespace,
    private readonly written: Encoded,
  ) {
    this.nsp = of.name;
  }

  get data(): unknown {
    this.#data ??= read(this.of, this.written);
    return this.#data;
  }
}

function read(nsp: Namespace, written: Encoded): unknown {
  const { Decoder } = (nsp.server as unknown as { _parser: typeof import('socket.io-parser') })._parser;
  const decoder = new Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
  let data: unknown;
  decoder.on('decoded', (packet) => {
    data = packet.data;
  });
  for (const part of written) decoder.add(part);
  return data;
}
