// The adapter 'redis': Socket.IO's RedisAdapter, which here survives an outage and acts on the sockets of this worker at once.
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import type { AdapterOptions } from '../../config/redis';
import { deliveries, isTraced } from '../../diagnostics';
import { describeEmitTimeout, describeTimeout, mayHaveClients, observeReceived } from '../../internals/adapters';
import { convertMessages, decodeReceived, LibraryRedisAdapter, REMOTE_FETCH } from '../../internals/redis-adapters';
import { assertSendable, type SendableSockets } from '../sendable';
import type { RedisConnection } from './connection';
import type { Subscription } from './subscriber';

/** Requests to other workers are rejected during an outage. */
export class SafeRedisAdapter extends LibraryRedisAdapter {
  readonly #connection: RedisConnection;
  readonly #subscription: Subscription;
  readonly #sendable: SendableSockets;
  /** What the channels of broadcasts begin with. The name of a room may follow. */
  readonly #channel: string;
  /** Whether the latest `broadcastWithAck` was for this worker alone. */
  #isLocal = false;

  constructor(
    nsp: Namespace,
    subscription: Subscription,
    connection: RedisConnection,
    { key, requestsTimeout }: AdapterOptions,
    sendable: SendableSockets,
  ) {
    super(nsp, connection.publisher, subscription, { key, requestsTimeout });
    this.#connection = connection;
    this.#subscription = subscription;
    this.#sendable = sendable;
    this.#channel = `${key}#${nsp.name}#`;
    convertMessages(this, (err) =>
      connection.log.unsendable(`an acknowledgement of a client of ${nsp.name} cannot be encoded`, err),
    );
  }

  // RedisAdapter does the next three on the sockets of this worker when Redis sends the message back: after later broadcasts, and never in
  // an outage.

  override addSockets(opts: BroadcastOptions, rooms: string[]): void {
    Adapter.prototype.addSockets.call(this, opts, rooms);
    if (!opts.flags?.local) super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): void {
    Adapter.prototype.delSockets.call(this, opts, rooms);
    if (!opts.flags?.local) super.delSockets(opts, rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    Adapter.prototype.disconnectSockets.call(this, opts, close);
    if (!opts.flags?.local) super.disconnectSockets(opts, close);
  }

  override async fetchSockets(opts: BroadcastOptions) {
    if (!opts.flags?.local) this.#connection.assertUp();
    return super.fetchSockets(opts).catch((err) => this.#describe(err, 'fetchSockets()'));
  }

  override async allRooms(): Promise<Set<string>> {
    this.#connection.assertUp();
    return super.allRooms().catch((err) => this.#describe(err, 'allRooms()'));
  }

  /** RedisAdapter would ignore that the arguments cannot be encoded, and never call the acknowledgement. */
  override serverSideEmit(packet: unknown[]): void {
    assertSendable(packet);
    if (this.#connection.rejectEmit(packet)) return;
    describeEmitTimeout(this.nsp.name, packet, this.requestsTimeout);
    super.serverSideEmit(packet);
  }

  override broadcastWithAck(...args: Parameters<Adapter['broadcastWithAck']>): void {
    const isLocal = args[1].flags?.local === true;
    const broadcast = () => super.broadcastWithAck(...args);
    if (isLocal || !this.#subscription.isSubscribing) broadcast();
    else {
      // In a namespace that was just created, a response would come before this worker has subscribed.
      const sent = this.#subscription.settled(this.requestsTimeout).then(broadcast);
      sent.catch((err) => this.#connection.log.unsendable(`an event in ${this.nsp.name} cannot be encoded`, err));
    }
    this.#isLocal = isLocal;
  }

  /** Socket.IO calls `serverCount()` right after `broadcastWithAck()`, even for a local broadcast. */
  override async serverCount(): Promise<number> {
    const isLocal = this.#isLocal;
    this.#isLocal = false;
    if (isLocal) return 1;
    // This worker is counted as well.
    await this.#subscription.settled(this.requestsTimeout);
    return this.#connection.count(this.requestChannel, this.requestsTimeout);
  }

  protected override onmessage(pattern: unknown, channel: Buffer, message: Buffer): void {
    const deliver = (received: unknown) => super.onmessage(pattern, channel, received);
    if (isTraced(deliveries) && this.#mayHaveRoom(channel)) this.#observe(message, deliver);
    else deliver(message);
  }

  /** Ignores the messages of this worker: done again, they would undo what was done since. */
  protected override async onrequest(channel: Buffer, message: Buffer): Promise<void> {
    const own = `{"uid":"${this.uid}","type":`;
    if (message.toString('latin1', 0, own.length) === own) return;
    const handle = (received: unknown) => super.onrequest(channel, received);
    const isRequest = String(channel) === this.requestChannel;
    try {
      await (isRequest && isTraced(deliveries) ? this.#observe(message, handle) : handle(message));
    } catch (err) {
      const request = fetchRequestOf(message);
      if (request === undefined) throw err;
      await this.#respondTo(request);
    }
  }

  /** RedisAdapter does not decode the messages of rooms that this worker does not have. */
  #mayHaveRoom(channel: Buffer): boolean {
    const room = String(channel).slice(this.#channel.length, -1);
    // The name of a room may be a number, although the types do not allow it.
    return room === '' || this.rooms.has(room) || this.rooms.has(Number(room) as never);
  }

  /** Handles a message, and has it observed if it is a broadcast to clients of this worker. */
  #observe<Result>(message: Buffer, handle: (message: unknown) => Result): Result {
    const received = decodeReceived(this, message);
    if (received === undefined || !mayHaveClients(this, new Set(received.opts.rooms))) return handle(message);
    return observeReceived(this, received.packet, received.opts, () => handle(received.message));
  }

  #describe(err: unknown, request: string): never {
    throw describeTimeout(err, `${request} in ${this.nsp.name}`, this.requestsTimeout);
  }

  /** Responds to `fetchSockets()` of another worker with what can be sent. RedisAdapter has failed to encode it. */
  async #respondTo(request: FetchRequest): Promise<void> {
    const { rooms, except } = request.opts;
    const found = await Adapter.prototype.fetchSockets.call(this, { rooms: new Set(rooms), except: new Set(except) });
    const all = found.map(({ id, handshake, rooms, data }) => ({ id, handshake, rooms: [...rooms], data }));
    const sockets = this.#sendable.of(this.nsp.name, all);
    this.publishResponse(request, JSON.stringify({ requestId: request.requestId, sockets }));
  }
}

/** The request of `fetchSockets()`. */
interface FetchRequest {
  readonly type: number;
  readonly requestId: string;
  readonly opts: { rooms: string[]; except: string[] };
}

function fetchRequestOf(message: Buffer): FetchRequest | undefined {
  try {
    const request = JSON.parse(message.toString()) as FetchRequest;
    const isFetch = request.type === REMOTE_FETCH && [request.opts.rooms, request.opts.except].every(Array.isArray);
    return isFetch ? request : undefined;
  } catch {
    return undefined;
  }
}
