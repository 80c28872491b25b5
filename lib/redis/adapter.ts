// The adapter of each namespace with config.io.adapter 'redis': that of Socket.IO, which here outlives Redis. Made by
// lib/redis.ts.
import { RedisAdapter } from '@socket.io/redis-adapter';
import type { Namespace } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { AdapterOptions } from './config';
import type { RedisLink } from './link';

/** Makes the adapter of a namespace. */
export type MakeAdapter = (nsp: Namespace) => Adapter;

type BroadcastOptions = Parameters<RedisAdapter['fetchSockets']>[0];

/** Who asks the other workers while Redis is away gets an error. */
export class LinkedRedisAdapter extends RedisAdapter {
  readonly #link: RedisLink;
  #alone = false;

  constructor(nsp: Namespace, link: RedisLink, { key, requestsTimeout }: AdapterOptions) {
    super(nsp, link.publisher, link.subscriber, { key, requestsTimeout });
    this.#link = link;
  }

  // The next three would reach the sockets of this worker by way of Redis: behind what is emitted to them meanwhile, and not
  // at all while Redis is away. They come back from there, too, and change nothing then.

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
    if (!opts.flags?.local) this.#link.mustBeUp();
    return super.fetchSockets(opts);
  }

  override async allRooms(): Promise<Set<string>> {
    this.#link.mustBeUp();
    return super.allRooms();
  }

  override broadcastWithAck(...args: Parameters<RedisAdapter['broadcastWithAck']>): void {
    this.#alone = args[1].flags?.local === true;
    super.broadcastWithAck(...args);
  }

  /** Right after broadcastWithAck Socket.IO asks how many workers answer, whoever was meant. */
  override async serverCount(): Promise<number> {
    const alone = this.#alone;
    this.#alone = false;
    if (alone) return 1;
    // Private in its type, and the only name that tells how many listen.
    const { requestChannel } = this as unknown as { requestChannel: string };
    return this.#link.count(requestChannel, this.requestsTimeout);
  }
}
