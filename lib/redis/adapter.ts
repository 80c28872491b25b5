// The adapter of each namespace where Redis is on: that of Socket.IO, which here outlives Redis. Made by Socket.IO, of the
// class that lib/redis.ts gives it.
import { setTimeout as delay } from 'node:timers/promises';
import { RedisAdapter } from '@socket.io/redis-adapter';
import type { Namespace } from 'socket.io';
import type { ResolvedRedis } from './config';
import type { RedisLink } from './link';

type BroadcastOptions = Parameters<RedisAdapter['fetchSockets']>[0];

/** While Redis is away, what is asked of all workers is done by this one, and who asks the others gets an error. */
export class LinkedRedisAdapter extends RedisAdapter {
  readonly #link: RedisLink;

  constructor(nsp: Namespace, link: RedisLink, options: ResolvedRedis['adapter']) {
    super(nsp, link.publisher, link.subscriber, options);
    this.#link = link;
  }

  // The next three reach the sockets of this worker by way of Redis, too.

  override addSockets(opts: BroadcastOptions, rooms: string[]): void {
    super.addSockets(this.#reachable(opts), rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): void {
    super.delSockets(this.#reachable(opts), rooms);
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    super.disconnectSockets(this.#reachable(opts), close);
  }

  override async fetchSockets(opts: BroadcastOptions) {
    if (!opts.flags?.local) this.#mustBeUp();
    return super.fetchSockets(opts);
  }

  override async allRooms(): Promise<Set<string>> {
    this.#mustBeUp();
    return super.allRooms();
  }

  /**
   * How many workers there are. Socket.IO doesn't catch: where nobody knows there are infinitely many, and who waits for
   * all of them hears of a timeout.
   */
  override async serverCount(): Promise<number> {
    const unknown = Number.POSITIVE_INFINITY;
    if (!this.#link.up) return unknown;
    // Private in its type, and the only name that tells how many listen.
    const channel = (this as unknown as { requestChannel: string }).requestChannel;
    const answered = new AbortController();
    const timeout = delay(this.requestsTimeout, unknown, { ref: false, signal: answered.signal });
    try {
      return await Promise.race([this.#link.publisher.count(channel), timeout]);
    } catch {
      return unknown;
    } finally {
      answered.abort();
    }
  }

  #reachable(opts: BroadcastOptions): BroadcastOptions {
    return this.#link.up ? opts : { ...opts, flags: { ...opts.flags, local: true } };
  }

  #mustBeUp(): void {
    if (this.#link.up) return;
    throw new Error(`[egg-socket.io] Redis ${this.#link.name} is not connected: other workers can't be asked`);
  }
}
