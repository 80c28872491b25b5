// The private members of Socket.IO's adapters for Redis that the plugin uses, and the two adapter classes that the packages do not export.
// This file loads both packages: only lib/adapters/redis imports it.
import { createShardedAdapter, RedisAdapter } from '@socket.io/redis-adapter';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Namespace } from 'socket.io';
import type { Adapter, BroadcastOptions, ClusterMessage, ClusterResponse, MessageType } from 'socket.io-adapter';
import { type Member, property } from './members';

/** Creates the adapter of a namespace. */
export type CreateAdapter = (nsp: Namespace) => Adapter;

/** A packet of Socket.IO that an adapter sends. */
export type Packet = Parameters<Adapter['broadcast']>[0];

/** RedisAdapter with its private members. */
export declare class OpenRedisAdapter extends Adapter {
  /** The id of this worker's adapter. */
  readonly uid: string;
  /** How long requests wait for the other workers, in ms. */
  readonly requestsTimeout: number;
  protected readonly requestChannel: string;
  constructor(nsp: Namespace, pubClient: object, subClient: object, options: object);
  /** Handles a message on the request channel or on a response channel. */
  protected onrequest(channel: Buffer, message: Buffer): Promise<void>;
  allRooms(): Promise<Set<string>>;
}

/** Socket.IO's adapter for Redis. */
export const LibraryRedisAdapter = RedisAdapter as unknown as typeof OpenRedisAdapter;

/** Has a RedisAdapter encode what `convert` returns for a message, in place of the message. */
export function convertMessages(adapter: OpenRedisAdapter, convert: (message: unknown) => unknown): void {
  const { encode, decode } = (adapter as unknown as RedisAdapter).parser;
  Object.assign(adapter, { parser: { encode: (message: unknown) => encode(convert(message)), decode } });
}

/** A class that implements ClusterAdapter, with the private members of ClusterAdapter. */
export declare class OpenClusterAdapter extends Adapter {
  /** The id of this worker's adapter. */
  protected readonly uid: string;
  constructor(nsp: Namespace, ...rest: unknown[]);
  override broadcast(packet: Packet, opts: BroadcastOptions): Promise<void>;
  override addSockets(opts: BroadcastOptions, rooms: string[]): Promise<void>;
  override delSockets(opts: BroadcastOptions, rooms: string[]): Promise<void>;
  override disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void>;
  override serverSideEmit(packet: unknown[]): Promise<unknown>;
  /** Adds the offset of an event to its arguments, for connectionStateRecovery. Called for each broadcast that is delivered. */
  protected addOffsetIfNecessary(packet: Packet, opts: BroadcastOptions, offset?: string): void;
  /** Sends a message to the other workers and never throws. */
  protected publish(message: { type: MessageType; data?: object }): void;
  protected doPublish(message: ClusterMessage): Promise<string>;
  protected doPublishResponse(requester: string, response: ClusterResponse): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: TypeScript requires it of a class that a mixin extends
export type ClusterAdapterClass = new (...args: any[]) => OpenClusterAdapter;

/** The fields of an entry of the stream. */
export type EntryFields = Record<string, string>;

/** RedisStreamsAdapter with its undocumented members. */
export declare class OpenStreamsAdapter extends OpenClusterAdapter {
  /** Returns the message in an entry. Throws if there is none. */
  static decode(fields: EntryFields): { data?: unknown };
  /** Handles an entry that was read. */
  onRawMessage(fields: EntryFields, id: string): void;
}

// Both packages export a function that creates an adapter, and not its class. An instance without a connection has the class.
const client = {
  options: {},
  duplicate: () => client,
  on() {},
  subscribe() {},
  psubscribe() {},
  ssubscribe() {},
  // The streams adapter reads its stream as soon as it is created. It never gets an answer.
  xread: () => new Promise(() => {}),
};
const namespace = { name: '', server: {} };
const samples = {
  RedisAdapter: new RedisAdapter(namespace, client, client),
  ShardedRedisAdapter: createShardedAdapter(client, client)(namespace),
  RedisStreamsAdapter: createAdapter(client)(namespace),
};

/** Socket.IO's adapter for the sharded channels of Redis 7. It is created with a namespace, a client for each side and options. */
export const ShardedRedisAdapter = samples.ShardedRedisAdapter.constructor as typeof OpenClusterAdapter;

/** Socket.IO's adapter for a stream of Redis. It is created with a namespace, a client, a promise of one that subscribes and options. */
export const RedisStreamsAdapter = samples.RedisStreamsAdapter.constructor as unknown as typeof OpenStreamsAdapter;

function memberOf(name: keyof typeof samples, member: string, type: Member['type'] = 'function'): Member {
  const library = name === 'RedisStreamsAdapter' ? '@socket.io/redis-streams-adapter' : '@socket.io/redis-adapter';
  return { library, path: `${name}.prototype.${member}`, type, find: () => property(samples[name], member) };
}

const IMPLEMENTED = ['publish', 'doPublish', 'doPublishResponse', 'addOffsetIfNecessary'];

/** The members of the Redis adapters. Their `find` takes no sample. */
export const REDIS_MEMBERS: readonly Member[] = [
  memberOf('RedisAdapter', 'uid', 'string'),
  memberOf('RedisAdapter', 'requestChannel', 'string'),
  memberOf('RedisAdapter', 'requestsTimeout', 'number'),
  memberOf('RedisAdapter', 'parser', 'object'),
  memberOf('RedisAdapter', 'onrequest'),
  memberOf('ShardedRedisAdapter', 'uid', 'string'),
  ...IMPLEMENTED.map((member) => memberOf('ShardedRedisAdapter', member)),
  memberOf('RedisStreamsAdapter', 'uid', 'string'),
  ...IMPLEMENTED.map((member) => memberOf('RedisStreamsAdapter', member)),
  memberOf('RedisStreamsAdapter', 'onRawMessage'),
  {
    library: '@socket.io/redis-streams-adapter',
    path: 'RedisStreamsAdapter.decode',
    type: 'function',
    find: () => property(RedisStreamsAdapter, 'decode'),
  },
  {
    library: 'socket.io',
    path: 'Namespace.prototype._onServerSideEmit',
    type: 'function',
    find: () => property(Namespace.prototype, '_onServerSideEmit'),
  },
];

/**
 * Passes what listeners of `serverSideEmit` throw to a function. The adapters would take it for a message that they can't read.
 *
 * @param nsp - a namespace whose adapter is being created
 */
export function guardServerSideEmit(nsp: Namespace, onError: (err: unknown) => void): void {
  const inner = nsp as unknown as { _onServerSideEmit(args: unknown[]): void };
  const emit = inner._onServerSideEmit;
  inner._onServerSideEmit = (args) => {
    try {
      emit.call(nsp, args);
    } catch (err) {
      onError(err);
    }
  };
}
