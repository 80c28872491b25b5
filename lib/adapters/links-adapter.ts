// The adapter of the namespaces of several workers on one host: a ClusterAdapter over the links between the workers.
import { debuglog } from 'node:util';
import type { Namespace } from 'socket.io';
import {
  Adapter,
  type BroadcastFlags,
  type BroadcastOptions,
  ClusterAdapter,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
} from 'socket.io-adapter';
import { PacketType } from 'socket.io-parser';
import { clientLogOf, MAX_NAME } from '../client-log';
import {
  decodeData,
  describeTimeout,
  type EncodedPacket,
  mayHaveClients,
  observeReceived,
  type Packet,
  type PendingRequest,
  replaceEncoder,
  requestsOf,
  type SkippingEncoder,
  withTimeout,
} from '../internals/adapters';
import { encodeBroadcast, encodeFrame, FrameType } from './frame';
import type { LinkListener, Links } from './links';
import { assertSendable, type FetchedSocket, SendableSockets } from './sendable';

const debug = debuglog('egg-socket.io:links');

const RESOLVED = Promise.resolve();

/** The clients that a broadcast is for, in the terms of Socket.IO's adapters. */
interface Target {
  nsp: string;
  rooms: string[];
  except: string[];
  flags: BroadcastFlags | undefined;
}

/** What the bodies of frames have in common. Those of requests and responses have a request id. */
interface Body {
  nsp: string;
  data?: { requestId?: string };
}

/** The adapters of all namespaces of a worker. Dispatches the frames of its peers to them. */
export class LinkedNamespaces implements LinkListener {
  readonly #adapters = new Map<string, LinksAdapter>();

  readonly #sendable: SendableSockets;

  /**
   * @param requestsTimeout - `config.io.requestsTimeout`, in ms
   * @param stopped - called with the id of a peer that has stopped
   */
  constructor(
    readonly links: Links,
    readonly requestsTimeout: number,
    readonly stopped?: (peerId: string) => void,
  ) {
    this.#sendable = new SendableSockets(links.app.coreLogger);
  }

  /** Adds the adapter of a namespace. It replaces an earlier one. */
  add(nsp: string, adapter: LinksAdapter): void {
    this.#adapters.set(nsp, adapter);
  }

  /** Removes the adapter of a namespace, unless another has replaced it. */
  remove(nsp: string, adapter: LinksAdapter): void {
    if (this.#adapters.get(nsp) === adapter) this.#adapters.delete(nsp);
  }

  frame(peerId: string, type: FrameType, body: unknown): void {
    const { nsp, data } = body as Body;
    const adapter = this.#adapters.get(nsp);
    switch (type) {
      case FrameType.MESSAGE:
        if (adapter) adapter.receive(body as ClusterMessage);
        else if (data?.requestId !== undefined) this.#respondWithout(peerId, body as ClusterMessage, data.requestId);
        else debug('ignore a message for %s, which this worker does not have', nsp);
        break;
      case FrameType.RESPONSE:
        adapter?.receiveResponse(peerId, body as ClusterResponse);
        break;
      case FrameType.NO_RESPONSE:
        adapter?.ignorePeer(peerId, data?.requestId);
        break;
    }
  }

  broadcast(target: unknown, packet: EncodedPacket): void {
    this.#adapters.get((target as Target).nsp)?.deliver(target as Target, packet);
  }

  lost(peerId: string): void {
    for (const adapter of this.#adapters.values()) adapter.ignorePeer(peerId);
  }

  /** Sends the response to a request of a peer. If it cannot be encoded, the request ends with its timeout. */
  respond(peerId: string, response: ClusterResponse): void {
    const { links } = this;
    try {
      links.send(peerId, this.#encode(response));
    } catch (err) {
      const reason = (err as Error).message.split('\n', 1)[0];
      // A client's acknowledgement may be the reason.
      clientLogOf(links.app).warn(
        `response to another worker ${reason}`,
        `can't respond to another worker about ${response.nsp.slice(0, MAX_NAME)}: ${reason}. A response must be JSON or binary data`,
      );
    }
  }

  #encode(response: ClusterResponse): Buffer {
    try {
      return encodeFrame(FrameType.RESPONSE, response);
    } catch (err) {
      if (response.type !== MessageType.FETCH_SOCKETS_RESPONSE) throw err;
      const { data, nsp } = response;
      const sockets = this.#sendable.of(nsp, data.sockets as FetchedSocket[]);
      return encodeFrame(FrameType.RESPONSE, { ...response, data: { ...data, sockets } });
    }
  }

  /** Responds to a request for a namespace that this worker does not have, so that the peer does not wait for its timeout. */
  #respondWithout(peerId: string, { nsp, type }: ClusterMessage, requestId: string): void {
    if (type === MessageType.BROADCAST) {
      const { workerId } = this.links.worker;
      const data = { requestId, clientCount: 0 };
      this.respond(peerId, { uid: workerId, nsp, type: MessageType.BROADCAST_CLIENT_COUNT, data } as ClusterResponse);
    } else this.#decline(peerId, { nsp, data: { requestId } });
  }

  #decline(peerId: string, { nsp, data }: Body): void {
    this.links.send(peerId, encodeFrame(FrameType.NO_RESPONSE, { nsp, data: { requestId: data?.requestId } }));
  }
}

/**
 * The adapter of a namespace. Other than ClusterAdapter, it delivers to the clients of this worker before it returns: a packet that is sent
 * to one socket right after a broadcast arrives after it.
 */
export class LinksAdapter extends ClusterAdapter {
  /** Peers send their responses to this id. */
  protected override readonly uid: string;
  readonly #namespaces: LinkedNamespaces;
  readonly #links: Links;
  readonly #encoder: SkippingEncoder;
  /** The peers that have not responded yet, by request. */
  readonly #awaitedPeers = new WeakMap<PendingRequest, Set<string>>();

  constructor(nsp: Namespace, namespaces: LinkedNamespaces) {
    super(nsp);
    this.#namespaces = namespaces;
    this.#links = namespaces.links;
    this.uid = this.#links.worker.workerId;
    this.#encoder = replaceEncoder(this);
    namespaces.add(nsp.name, this);
  }

  /** Encodes the packet once, for the clients of this worker and for those of its peers. */
  override broadcast(packet: Packet, opts: BroadcastOptions): Promise<void> {
    const isLocal = mayHaveClients(this, opts.rooms);
    const isRemote = !opts.flags?.local && this.#links.peerCount > 0;
    if (!isLocal && !isRemote) return RESOLVED;
    packet.nsp = this.nsp.name;
    const encoded = this.#encoder.encode(packet);
    if (isRemote)
      this.#links.publish(encodeBroadcast({ nsp: packet.nsp, ...plainOptions(opts) } satisfies Target, encoded));
    if (isLocal) this.#deliver(packet, opts, encoded);
    return RESOLVED;
  }

  /** Delivers a broadcast of a peer to the clients of this worker. */
  deliver(target: Target, encoded: EncodedPacket): void {
    const opts = { rooms: new Set(target.rooms), except: new Set(target.except), flags: target.flags };
    if (!mayHaveClients(this, opts.rooms)) return;
    const packet = new ReceivedPacket(this.nsp, encoded);
    observeReceived(this, packet, target, () => this.#deliver(packet, opts, encoded));
  }

  override addSockets(opts: BroadcastOptions, rooms: string[]): Promise<void> {
    this.#publishToPeers(MessageType.SOCKETS_JOIN, opts, { rooms });
    Adapter.prototype.addSockets.call(this, opts, rooms);
    return RESOLVED;
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): Promise<void> {
    this.#publishToPeers(MessageType.SOCKETS_LEAVE, opts, { rooms });
    Adapter.prototype.delSockets.call(this, opts, rooms);
    return RESOLVED;
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
    this.#publishToPeers(MessageType.DISCONNECT_SOCKETS, opts, { close });
    Adapter.prototype.disconnectSockets.call(this, opts, close);
    return RESOLVED;
  }

  override broadcastWithAck(...args: Parameters<ClusterAdapter['broadcastWithAck']>): void {
    const [, { flags }, clientCountCallback] = args;
    super.broadcastWithAck(...args);
    // Socket.IO waits for the client count of as many workers as there are, even for a local broadcast.
    if (flags?.local) for (let n = this.#links.peerCount; n > 0; n--) clientCountCallback(0);
  }

  override serverCount(): Promise<number> {
    return Promise.resolve(1 + this.#links.peerCount);
  }

  override async fetchSockets(opts: BroadcastOptions): ReturnType<ClusterAdapter['fetchSockets']> {
    const { timeout = this.#namespaces.requestsTimeout } = opts.flags ?? {};
    try {
      return await super.fetchSockets({ ...opts, flags: { ...opts.flags, timeout } });
    } catch (err) {
      throw describeTimeout(err, `fetchSockets() in ${this.nsp.name}`, timeout);
    }
  }

  override serverSideEmit(packet: unknown[]): Promise<void> {
    assertSendable(packet);
    return withTimeout(this, packet, this.#namespaces.requestsTimeout, () => super.serverSideEmit(packet));
  }

  override close(): void {
    this.#namespaces.remove(this.nsp.name, this);
  }

  /** Handles a message of a peer. */
  receive(message: ClusterMessage): void {
    this.onMessage(message);
  }

  /** Handles the response of a peer. */
  receiveResponse(peerId: string, response: ClusterResponse): void {
    const request = requestsOf(this).get(response.data.requestId);
    const awaited = request && this.#awaitedPeers.get(request);
    // The link to the peer was down in the meantime: the request no longer waits for the peer.
    if (awaited && !awaited.delete(peerId)) return;
    this.onResponse(response);
  }

  /**
   * Stops waiting for the responses of a peer.
   *
   * @param requestId - the request that the peer does not respond to. Default: all requests
   */
  ignorePeer(peerId: string, requestId?: string): void {
    const requests = requestsOf(this);
    for (const id of requestId === undefined ? [...requests.keys()] : [requestId]) {
      const request = requests.get(id);
      if (request === undefined || !this.#awaitedPeers.get(request)?.delete(peerId)) continue;
      request.expected--;
      this.#resolveIfComplete(id, request);
    }
  }

  protected override doPublish(message: ClusterMessage): Promise<string> {
    const peerIds = this.#links.peerIds();
    try {
      this.#links.publish(encodeFrame(FrameType.MESSAGE, message));
    } catch (err) {
      // ClusterAdapter would only write it to its debug log.
      this.#links.app.coreLogger.error(err);
      return Promise.reject(err);
    }
    const { requestId = '' } = (message as Body).data ?? {};
    const request = requestsOf(this).get(requestId);
    if (request) {
      this.#awaitedPeers.set(request, new Set(peerIds));
      // ClusterAdapter has counted the peers earlier.
      request.expected = peerIds.length;
      this.#resolveIfComplete(requestId, request);
    }
    return Promise.resolve('');
  }

  protected override doPublishResponse(requester: string, response: ClusterResponse): Promise<void> {
    this.#namespaces.respond(requester, response);
    return RESOLVED;
  }

  /** Sends a message to all peers, unless the flag `local` is set. */
  #publishToPeers(type: MessageType, opts: BroadcastOptions, data: object): void {
    if (opts.flags?.local || this.#links.peerCount === 0) return;
    const message = { uid: this.uid, nsp: this.nsp.name, type, data: { ...data, opts: plainOptions(opts) } };
    this.#links.publish(encodeFrame(FrameType.MESSAGE, message));
  }

  #deliver(packet: Packet, opts: BroadcastOptions, encoded: EncodedPacket): void {
    this.#encoder.next = encoded;
    try {
      Adapter.prototype.broadcast.call(this, packet, opts);
    } finally {
      this.#encoder.next = undefined;
    }
  }

  #resolveIfComplete(id: string, request: PendingRequest): void {
    if (request.current < request.expected) return;
    clearTimeout(request.timeout);
    requestsOf(this).delete(id);
    if (request.type === MessageType.FETCH_SOCKETS) request.resolve(request.responses);
    else request.resolve(null, request.responses);
  }
}

function plainOptions({ rooms, except, flags }: BroadcastOptions): Omit<Target, 'nsp'> {
  return { rooms: [...rooms], except: [...(except ?? [])], flags };
}

/** A packet of a peer. It is decoded only if a socket has listeners of outgoing packets (`socket.onAnyOutgoing`). */
class ReceivedPacket implements Packet {
  readonly type = PacketType.EVENT;
  nsp: string;
  #data: unknown[] | undefined;

  constructor(
    private readonly namespace: Namespace,
    private readonly encoded: EncodedPacket,
  ) {
    this.nsp = namespace.name;
  }

  get data(): unknown[] {
    this.#data ??= decodeData(this.namespace, this.encoded);
    return this.#data;
  }
}
