// What the two adapters of Socket.IO that build on its ClusterAdapter, sharded and streams, have in common here: what is done
// on this worker is done at once and in order, whatever Redis does. Called by sharded.ts and streams.ts.
import {
  Adapter,
  type BroadcastOptions,
  type ClusterAdapter,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
} from 'socket.io-adapter';
import type { RedisLink } from './link';
import type { Count } from './publisher';

export type Packet = Parameters<Adapter['broadcast']>[0];

/** What of an adapter its type keeps for those that extend it. */
export interface Inner {
  readonly uid: string;
  publish(message: object): void;
  doPublishResponse(requester: string, response: ClusterResponse): Promise<void>;
  onMessage(message: ClusterMessage, offset?: string): void;
}

/** How an adapter asks the other workers. */
export interface Asking {
  /** The channel to which they all listen. */
  channel: string;
  /** What counts its listeners. */
  count: Count;
  /** How long they may take, in ms. */
  timeout: number;
}

/**
 * Sends something to the other workers, unless only this one is meant.
 *
 * @throws {TypeError} for what can't be encoded
 */
export function tell(adapter: ClusterAdapter, type: MessageType, opts: BroadcastOptions, data: object): void {
  const { rooms, except, flags } = opts;
  if (flags?.local) return;
  const sent = { ...data, opts: { rooms: [...rooms], except: [...(except ?? [])], flags } };
  (adapter as unknown as Inner).publish({ type, data: sent });
}

/** The methods that take the place of an adapter's own, which would wait for Redis. */
export function atOnce(adapter: ClusterAdapter, link: RedisLink, { channel, count, timeout }: Asking) {
  const local = Adapter.prototype;
  const { fetchSockets, serverSideEmit } = adapter;
  const { doPublishResponse } = adapter as unknown as Inner;
  return {
    async broadcast(packet: Packet, opts: BroadcastOptions) {
      tell(adapter, MessageType.BROADCAST, opts, { packet });
      local.broadcast.call(adapter, packet, opts);
    },
    async addSockets(opts: BroadcastOptions, rooms: string[]) {
      tell(adapter, MessageType.SOCKETS_JOIN, opts, { rooms });
      local.addSockets.call(adapter, opts, rooms);
    },
    async delSockets(opts: BroadcastOptions, rooms: string[]) {
      tell(adapter, MessageType.SOCKETS_LEAVE, opts, { rooms });
      local.delSockets.call(adapter, opts, rooms);
    },
    async disconnectSockets(opts: BroadcastOptions, close: boolean) {
      tell(adapter, MessageType.DISCONNECT_SOCKETS, opts, { close });
      local.disconnectSockets.call(adapter, opts, close);
    },
    async fetchSockets(opts: BroadcastOptions) {
      if (opts.flags?.local) return local.fetchSockets.call(adapter, opts);
      link.mustBeUp();
      return fetchSockets.call(adapter, { ...opts, flags: { timeout, ...opts.flags } });
    },
    serverCount: () => link.count(channel, timeout, count),
    async serverSideEmit(packet: unknown[]) {
      const ack = packet.at(-1);
      if (link.up || typeof ack !== 'function') return serverSideEmit.call(adapter, packet);
      try {
        link.mustBeUp();
      } catch (err) {
        ack(err, []);
      }
    },
    // Called where nobody catches: what a worker has to answer, its sockets' data say, may be what can't be encoded.
    async doPublishResponse(requester: string, response: ClusterResponse) {
      try {
        await doPublishResponse.call(adapter, requester, response);
      } catch (err) {
        link.reports.unsendable("what another worker asked for can't be sent", err as Error);
      }
    },
  };
}
