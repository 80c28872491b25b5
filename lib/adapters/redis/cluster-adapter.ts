// What the adapters 'redis-sharded' and 'redis-streams' have in common, which both extend ClusterAdapter of Socket.IO; and the former.
import type { Namespace } from 'socket.io';
import type { BroadcastOptions, ClusterMessage, ClusterResponse } from 'socket.io-adapter';
import { Adapter, MessageType } from 'socket.io-adapter';
import type { AdapterOptions } from '../../config/redis';
import { describeTimeout, withTimeout } from '../../internals/adapters';
import type { ClusterAdapterClass, Packet } from '../../internals/redis-adapters';
import { encodable, ShardedRedisAdapter } from '../../internals/redis-adapters';
import { assertSendable, type FetchedSocket, SendableSockets } from '../sendable';
import type { RedisConnection } from './connection';
import type { Count } from './publisher';
import type { Subscription } from './subscriber';

const local = Adapter.prototype;

type FetchResponse = Extract<ClusterResponse, { type: MessageType.FETCH_SOCKETS_RESPONSE }>;

/** Returns the channel to which the adapters of a namespace subscribe, in all workers. */
export function channelOf(nsp: { name: string }, { key }: AdapterOptions): string {
  return `${key}#${nsp.name}#`;
}

/**
 * Extends a ClusterAdapter, which waits until Redis has a message before it acts on the sockets of this worker: `socket.emit` would
 * overtake `io.emit`. The returned class acts on them at once, whatever Redis does. It counts the workers by the command `count`. It is
 * created with a namespace, the subscription of the adapter, and the other arguments of `Base`.
 */
export function localFirst<Class extends ClusterAdapterClass>(
  Base: Class,
  connection: RedisConnection,
  options: AdapterOptions,
  count: Count,
): Class {
  const { log } = connection;
  const { requestsTimeout } = options;
  const sendable = new SendableSockets(log.logger);

  return class extends Base {
    readonly #subscription: Subscription;
    /** Whether the latest `broadcastWithAck` was for this worker alone. */
    #isLocal = false;

    // biome-ignore lint/suspicious/noExplicitAny: TypeScript requires it of a mixin
    constructor(...[nsp, subscription, ...rest]: any[]) {
      super(nsp, ...rest);
      this.#subscription = subscription;
    }

    override broadcast(packet: Packet, opts: BroadcastOptions): void {
      this.#publish(MessageType.BROADCAST, opts, { packet });
      this.addOffsetIfNecessary(packet, opts);
      local.broadcast.call(this, packet, opts);
    }

    override addSockets(opts: BroadcastOptions, rooms: string[]): void {
      this.#publish(MessageType.SOCKETS_JOIN, opts, { rooms });
      local.addSockets.call(this, opts, rooms);
    }

    override delSockets(opts: BroadcastOptions, rooms: string[]): void {
      this.#publish(MessageType.SOCKETS_LEAVE, opts, { rooms });
      local.delSockets.call(this, opts, rooms);
    }

    override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
      this.#publish(MessageType.DISCONNECT_SOCKETS, opts, { close });
      local.disconnectSockets.call(this, opts, close);
    }

    override async fetchSockets(opts: BroadcastOptions) {
      if (opts.flags?.local) return local.fetchSockets.call(this, opts);
      connection.assertUp();
      const { timeout = requestsTimeout } = opts.flags ?? {};
      try {
        return await super.fetchSockets({ ...opts, flags: { ...opts.flags, timeout } });
      } catch (err) {
        throw describeTimeout(err, `fetchSockets() in ${this.nsp.name}`, timeout);
      }
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
      await this.#subscription.settled(requestsTimeout);
      return connection.count(channelOf(this.nsp, options), requestsTimeout, count);
    }

    override serverSideEmit(packet: unknown[]): Promise<void> {
      assertSendable(packet);
      return this.#serverSideEmit(packet);
    }

    /** Socket.IO ignores the returned promise. */
    async #serverSideEmit(packet: unknown[]): Promise<void> {
      if (connection.rejectEmit(packet)) return;
      const emit = () => super.serverSideEmit(packet);
      await withTimeout(this, packet, requestsTimeout, emit).catch((err) => log.logger.error(err));
    }

    protected override async doPublish(message: ClusterMessage): Promise<string> {
      const isRequest = 'data' in message && 'requestId' in message.data;
      try {
        const plain = encodable(message, this);
        // In a namespace that was just created, a response would come before this worker has subscribed.
        if (isRequest && this.#subscription.isSubscribing) await this.#subscription.settled(requestsTimeout);
        return await super.doPublish(plain);
      } catch (err) {
        // ClusterAdapter would only write it to its debug log.
        log.unsendable(`a message to other workers in ${this.nsp.name} cannot be encoded`, err as Error);
        throw err;
      }
    }

    /** ClusterAdapter does not catch what encoding the data of its sockets throws. */
    protected override async doPublishResponse(requester: string, response: ClusterResponse): Promise<void> {
      const send = async (sent: ClusterResponse) => super.doPublishResponse(requester, encodable(sent, this));
      try {
        await send(response).catch((err) => {
          if (response.type !== MessageType.FETCH_SOCKETS_RESPONSE) throw err;
          return send(this.#sendable(response));
        });
      } catch (err) {
        log.unsendable('the response to another worker cannot be encoded', err as Error);
      }
    }

    #sendable(response: FetchResponse): ClusterResponse {
      const { data } = response;
      return { ...response, data: { ...data, sockets: sendable.of(this.nsp.name, data.sockets as FetchedSocket[]) } };
    }

    /** Publishes a message, unless it is for this worker alone. */
    #publish(type: MessageType, { rooms, except, flags }: BroadcastOptions, data: object): void {
      if (flags?.local) return;
      const opts = { rooms: [...rooms], except: [...(except ?? [])], flags };
      this.publish({ type, data: { ...data, opts } });
    }
  };
}

/**
 * Returns a function that creates adapters for 'redis-sharded'. With `otherIds`, sockets can have ids that are not Socket.IO's:
 * ShardedRedisAdapter recognizes the room of a socket by the length of its id, and publishes to any other room on a channel of its own.
 */
export function shardedAdapter(
  connection: RedisConnection,
  options: AdapterOptions,
  otherIds: boolean,
): (nsp: Namespace, subscription: Subscription) => Adapter {
  const { publisher } = connection;
  const { key: channelPrefix, requestsTimeout, subscriptionMode: mode } = options;
  const subscriptionMode = mode === 'dynamic' && otherIds ? 'dynamic-private' : mode;
  const StaticAdapter = localFirst(ShardedRedisAdapter, connection, options, 'SHARDNUMSUB');
  class DynamicAdapter extends StaticAdapter {
    constructor(
      nsp: Namespace,
      private readonly subscription: Subscription,
      ...rest: unknown[]
    ) {
      super(nsp, subscription, ...rest);
    }

    /** When the returned promise resolves, the other workers reach the socket in its rooms. */
    override async addAll(id: string, rooms: Set<string>): Promise<void> {
      super.addAll(id, rooms);
      await this.subscription.settled(requestsTimeout);
    }
  }
  const ShardedAdapter = subscriptionMode === 'static' ? StaticAdapter : DynamicAdapter;
  const libraryOptions = { channelPrefix, subscriptionMode };
  return (nsp, subscription) => new ShardedAdapter(nsp, subscription, publisher, subscription, libraryOptions);
}
