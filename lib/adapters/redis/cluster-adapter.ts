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
import type { RedisLink } from './connection';
import type { Count } from './publisher';

export type Packet = Parameters<Adapter['broadcast']>[0];

/** What of an adapter its type keeps for those that extend it. */
export interface Inner {
  readonly uid: string;
  publish(message: object): void;
  doPublish(message: ClusterMessage): Promise<string>;
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

const DONE = Promise.resolve();

/** The methods that take the place of an adapter's own, which would wait for Redis. */
export function atOnce(adapter: ClusterAdapter, link: RedisLink, { channel, count, timeout }: Asking) {
  const local = Adapter.prototype;
  const { broadcastWithAck, fetchSockets, serverSideEmit } = adapter;
  const { doPublish, doPublishResponse } = adapter as unknown as Inner;
  let alone = false;
  return {
    broadcast(packet: Packet, opts: BroadcastOptions) {
      tell(adapter, MessageType.BROADCAST, opts, { packet });
      local.broadcast.call(adapter, packet, opts);
      return DONE;
    },
    addSockets(opts: BroadcastOptions, rooms: string[]) {
      tell(adapter, MessageType.SOCKETS_JOIN, opts, { rooms });
      local.addSockets.call(adapter, opts, rooms);
      return DONE;
    },
    delSockets(opts: BroadcastOptions, rooms: string[]) {
      tell(adapter, MessageType.SOCKETS_LEAVE, opts, { rooms });
      local.delSockets.call(adapter, opts, rooms);
      return DONE;
    },
    disconnectSockets(opts: BroadcastOptions, close: boolean) {
      tell(adapter, MessageType.DISCONNECT_SOCKETS, opts, { close });
      local.disconnectSockets.call(adapter, opts, close);
      return DONE;
    },
    async fetchSockets(opts: BroadcastOptions) {
      if (opts.flags?.local) return local.fetchSockets.call(adapter, opts);
      link.mustBeUp();
      return fetchSockets.call(adapter, { ...opts, flags: { timeout, ...opts.flags } });
    },
    broadcastWithAck(...args: Parameters<typeof broadcastWithAck>) {
      broadcastWithAck.apply(adapter, args);
      alone = args[1].flags?.local === true;
    },
    /** Right after broadcastWithAck Socket.IO asks how many workers answer, whoever was meant. */
    serverCount() {
      const answering = alone ? Promise.resolve(1) : link.count(channel, timeout, count);
      alone = false;
      return answering;
    },
    async serverSideEmit(packet: unknown[]) {
      const ack = packet.at(-1);
      const asks = typeof ack === 'function';
      let isAnswered = false;
      const answer = (...args: unknown[]) => {
        isAnswered = true;
        (ack as (...args: unknown[]) => void)(...args);
      };
      try {
        if (asks) link.mustBeUp();
        await serverSideEmit.call(adapter, asks ? [...packet.slice(0, -1), answer] : packet);
      } catch (err) {
        // Socket.IO doesn't look at what comes back.
        if (isAnswered) link.reports.thrown(err);
        else if (asks) ack(err, []);
        else link.reports.unsendable("what serverSideEmit was given can't be sent", err as Error);
      }
    },
    async doPublish(message: ClusterMessage) {
      const sent = asPlain(message);
      // In a namespace that was made this moment an answer would come before anybody listens.
      if (isRequest(message) && link.subscriber.busy) await link.subscriber.settled(timeout);
      return doPublish.call(adapter, sent);
    },
    // Called where nobody catches: what a worker has to answer, its sockets' data say, may be what can't be encoded.
    async doPublishResponse(requester: string, response: ClusterResponse) {
      try {
        await doPublishResponse.call(adapter, requester, asPlain(response));
      } catch (err) {
        link.reports.unsendable("what another worker asked for can't be sent", err as Error);
      }
    },
  };
}

function isRequest(message: ClusterMessage): boolean {
  return 'data' in message && 'requestId' in message.data;
}

/** Messages without binary data are written as JSON anyway, but for those that streams send past the stream. */
function asPlain<T extends ClusterMessage | ClusterResponse>(message: T): T {
  const { type, data = {} } = message as { type: MessageType; data?: { requestId?: string } };
  const isBroadcast = type === MessageType.BROADCAST && data.requestId === undefined;
  return isBroadcast && !hasBinary(data) ? message : { ...message, data: plain(data) };
}

// What is sent by way of Redis, as a client would get it: the packages that write binary data into messages know neither
// toJSON nor all kinds of it. Called by at-once.ts.

/** What JSON makes of a value, with its binary data as Buffers. */
export function plain(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  const bytes = toBuffer(value);
  if (bytes) return bytes;
  if (hasToJson(value)) return plain(value.toJSON());
  if (value instanceof Boolean || value instanceof Number || value instanceof String) return value.valueOf();
  if (Array.isArray(value)) return value.map((each) => plain(each) ?? null);
  const entries = Object.entries(value).map(([key, each]) => [key, plain(each)] as const);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

/** Whether there is binary data in it. */
export function hasBinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return true;
  if (hasToJson(value)) return hasBinary(value.toJSON());
  return Object.values(value).some(hasBinary);
}

function toBuffer(value: object): Buffer | undefined {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? Buffer.from(value) : undefined;
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}
