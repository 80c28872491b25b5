// The adapter of each namespace with config.io.adapter 'redis': that of Socket.IO, which here outlives Redis. Made by
// lib/redis.ts.
import { RedisAdapter } from '@socket.io/redis-adapter';
import type { Namespace } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { AdapterOptions } from '../../config/redis';
import { plain } from './cluster-adapter';
import type { RedisLink } from './connection';

/** Makes the adapter of a namespace. */
export type MakeAdapter = (nsp: Namespace) => Adapter;

type BroadcastOptions = Parameters<RedisAdapter['fetchSockets']>[0];

/** What of the adapter is private in its type. */
interface Private {
  uid: string;
  requestChannel: string;
  parser: { encode(message: unknown): unknown; decode(message: unknown): unknown };
  onrequest(channel: Buffer, message: Buffer): Promise<void>;
}

/** Who asks the other workers while Redis is away gets an error. */
export class LinkedRedisAdapter extends RedisAdapter {
  readonly #link: RedisLink;
  #alone = false;

  constructor(nsp: Namespace, link: RedisLink, { key, requestsTimeout }: AdapterOptions) {
    super(nsp, link.publisher, link.subscriber, { key, requestsTimeout });
    this.#link = link;
    const { encode, decode } = this.parser;
    (this as unknown as Private).parser = { encode: (message) => encode(plain(message)), decode };
  }

  // The next three would reach the sockets of this worker by way of Redis: behind what is emitted to them meanwhile, and not
  // at all while Redis is away.

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
    super.broadcastWithAck(...args);
    this.#alone = args[1].flags?.local === true;
  }

  /** Right after broadcastWithAck Socket.IO asks how many workers answer, whoever was meant. */
  override async serverCount(): Promise<number> {
    const alone = this.#alone;
    this.#alone = false;
    if (alone) return 1;
    return this.#link.count((this as unknown as Private).requestChannel, this.requestsTimeout);
  }
}

const { onrequest } = RedisAdapter.prototype as unknown as Private;

/** What this worker has asked for and done at once comes back to it, too; done again it would undo what came in between. */
Object.defineProperty(LinkedRedisAdapter.prototype, 'onrequest', {
  async value(this: Private, channel: Buffer, message: Buffer): Promise<void> {
    const own = `{"uid":"${this.uid}","type":`;
    if (message.toString('latin1', 0, own.length) !== own) await onrequest.call(this, channel, message);
  },
});
