// The adapter 'redis': Socket.IO's RedisAdapter, which here survives an outage and acts on the sockets of this worker at once.
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import type { AdapterOptions } from '../../config/redis';
import { convertMessages, LibraryRedisAdapter } from '../../internals/redis-adapters';
import type { RedisConnection } from './connection';
import type { Subscription } from './subscriber';

/** Requests to other workers are rejected during an outage. */
export class SafeRedisAdapter extends LibraryRedisAdapter {
  readonly #connection: RedisConnection;
  readonly #subscription: Subscription;
  /** Whether the latest `broadcastWithAck` was for this worker alone. */
  #isLocal = false;

  constructor(
    nsp: Namespace,
    subscription: Subscription,
    connection: RedisConnection,
    { key, requestsTimeout }: AdapterOptions,
  ) {
    super(nsp, connection.publisher, subscription, { key, requestsTimeout });
    this.#connection = connection;
    this.#subscription = subscription;
    convertMessages(this);
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
    return super.fetchSockets(opts);
  }

  override async allRooms(): Promise<Set<string>> {
    this.#connection.assertUp();
    return super.allRooms();
  }

  override broadcastWithAck(...args: Parameters<Adapter['broadcastWithAck']>): void {
    super.broadcastWithAck(...args);
    this.#isLocal = args[1].flags?.local === true;
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

  /** Ignores the messages of this worker: done again, they would undo what was done since. */
  protected override async onrequest(channel: Buffer, message: Buffer): Promise<void> {
    const own = `{"uid":"${this.uid}","type":`;
    if (message.toString('latin1', 0, own.length) !== own) await super.onrequest(channel, message);
  }
}
