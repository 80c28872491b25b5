// The private members of Socket.IO's adapters for Redis that the plugin uses, and the two adapter classes that the packages do not export.
// This file loads both packages: only lib/adapters/redis imports it.
import { createShardedAdapter, RedisAdapter } from '@socket.io/redis-adapter';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { type Namespace, Socket } from 'socket.io';
import {
  type Adapter,
  type BroadcastOptions,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
} from 'socket.io-adapter';
import { assertMembers } from './assert-supported';
import { type Member, property, type Sample } from './members';
import { assertDecodable } from './parser';

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
  /** Handles a broadcast. The message may be decoded already. */
  protected onmessage(pattern: unknown, channel: Buffer, message: unknown): void;
  /** Handles a message on the request channel or on a response channel. One without JSON may be decoded already. */
  protected onrequest(channel: Buffer, message: unknown): Promise<void>;
  /** Responds to a request of another worker. */
  protected publishResponse(request: object, response: string): void;
  allRooms(): Promise<Set<string>>;
}

/** The types of messages of RedisAdapter: the request of `fetchSockets()`, a broadcast with acknowledgements, and one of these. */
export const REMOTE_FETCH = 5;
const BROADCAST = 7;
const BROADCAST_ACK = 9;

/** Socket.IO's adapter for Redis. */
export const LibraryRedisAdapter = RedisAdapter as unknown as typeof OpenRedisAdapter;

/** A class that implements ClusterAdapter, with the private members of ClusterAdapter. */
export declare class OpenClusterAdapter extends Adapter {
  /** The id of this worker's adapter. */
  protected readonly uid: string;
  constructor(nsp: Namespace, ...rest: unknown[]);
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
  static decode(fields: EntryFields): ClusterMessage;
  /** Handles an entry that was read. */
  onRawMessage(fields: EntryFields, id: string): void;
}

/** A socket with the private members that connectionStateRecovery needs. */
export interface OpenSocket extends Pick<Socket, 'id' | 'rooms' | 'data' | 'nsp'> {
  /** The id that only its client knows. */
  readonly pid: string;
  /** Sends a packet, also before the client is connected. */
  packet(packet: object): void;
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

type SampleName = 'RedisAdapter' | 'ShardedRedisAdapter' | 'RedisStreamsAdapter' | 'Socket';

/** Objects of the installed packages, on which members are looked up. */
export const REDIS_SAMPLE: Readonly<Record<SampleName, object>> = {
  RedisAdapter: new RedisAdapter(namespace, client, client),
  ShardedRedisAdapter: createShardedAdapter(client, client)(namespace),
  RedisStreamsAdapter: createAdapter(client)(namespace),
  Socket: Socket.prototype,
};

/** Socket.IO's adapter for the sharded channels of Redis 7. It is created with a namespace, a client for each side and options. */
export const ShardedRedisAdapter = REDIS_SAMPLE.ShardedRedisAdapter.constructor as typeof OpenClusterAdapter;

/** Socket.IO's adapter for a stream of Redis. It is created with a namespace, a client, a promise of one that subscribes and options. */
export const RedisStreamsAdapter = REDIS_SAMPLE.RedisStreamsAdapter.constructor as unknown as typeof OpenStreamsAdapter;

const memberOf = (name: SampleName, member: string, type: Member['type'] = 'function'): Member => ({
  library: name === 'RedisStreamsAdapter' ? '@socket.io/redis-streams-adapter' : '@socket.io/redis-adapter',
  path: `${name}.prototype.${member}`,
  type,
  find: (sample) => property(sampleOf(sample, name), member),
});

/** A constructor that takes the arguments of today. */
const constructorOf = (name: SampleName): Member => ({
  ...memberOf(name, 'constructor'),
  find: (sample) => {
    const value = property(sampleOf(sample, name), 'constructor');
    return typeof value === 'function' && value.length === 4 ? value : undefined;
  },
});

function sampleOf(sample: object, name: SampleName): object {
  return property(sample, name) as object;
}

const IMPLEMENTED = ['publish', 'doPublish', 'doPublishResponse', 'addOffsetIfNecessary'];

/** The members that the Redis adapters of the plugin use. */
export const REDIS_MEMBERS: readonly Member[] = [
  memberOf('RedisAdapter', 'uid', 'string'),
  memberOf('RedisAdapter', 'requestChannel', 'string'),
  memberOf('RedisAdapter', 'requestsTimeout', 'number'),
  memberOf('RedisAdapter', 'parser', 'object'),
  memberOf('RedisAdapter', 'onmessage'),
  memberOf('RedisAdapter', 'onrequest'),
  memberOf('RedisAdapter', 'publishResponse'),
  constructorOf('ShardedRedisAdapter'),
  memberOf('ShardedRedisAdapter', 'uid', 'string'),
  ...IMPLEMENTED.map((member) => memberOf('ShardedRedisAdapter', member)),
  constructorOf('RedisStreamsAdapter'),
  memberOf('RedisStreamsAdapter', 'uid', 'string'),
  ...IMPLEMENTED.map((member) => memberOf('RedisStreamsAdapter', member)),
  memberOf('RedisStreamsAdapter', 'onRawMessage'),
  {
    library: '@socket.io/redis-streams-adapter',
    path: 'RedisStreamsAdapter.decode',
    type: 'function',
    find: (sample) => property(property(sampleOf(sample, 'RedisStreamsAdapter'), 'constructor') as object, 'decode'),
  },
  {
    library: 'socket.io',
    path: 'Socket.prototype.packet',
    type: 'function',
    find: (sample) => property(sampleOf(sample, 'Socket'), 'packet'),
  },
];

/**
 * Checks the installed versions of the Redis adapters.
 *
 * @throws {Error} if a private member is missing; the message names the supported versions
 */
export function assertRedisAdapters(sample: object = REDIS_SAMPLE): void {
  assertMembers(REDIS_MEMBERS, sample as Sample, () => {});
}

/**
 * Passes what listeners of `serverSideEmit` throw to a function, and the error if their answer cannot be encoded. The adapters would take
 * the former for a message that they can't read.
 *
 * @param nsp - a namespace whose adapter is being created
 */
export function guardServerSideEmit(nsp: Namespace, onError: (err: unknown) => void): void {
  const inner = nsp as unknown as { _onServerSideEmit(args: unknown[]): void };
  const emit = inner._onServerSideEmit;
  inner._onServerSideEmit = (args) => {
    const answer = args.at(-1);
    const guarded = (value: unknown) => attempt(() => (answer as (value: unknown) => void)(value));
    attempt(() => emit.call(nsp, typeof answer === 'function' ? [...args.slice(0, -1), guarded] : args));
  };
  function attempt(run: () => void): void {
    try {
      run();
    } catch (err) {
      onError(err);
    }
  }
}

// The encoders of the adapters for messages with binary data support neither `toJSON` nor all kinds of binary data.

/**
 * Has a RedisAdapter encode all messages as a client would receive them, and accept messages that are decoded already.
 *
 * @param onUnsendable - called if the acknowledgement of a client cannot be encoded: its listener cannot catch what the encoder throws
 */
export function convertMessages(adapter: OpenRedisAdapter, onUnsendable: (err: Error) => void): void {
  const { encode, decode } = (adapter as unknown as RedisAdapter).parser;
  const encodePlain = (message: object) => {
    try {
      const plain = toPlain(message) as object;
      // Its sender, its packet, its options.
      if (Array.isArray(plain)) assertDecodable(encoderOf(adapter), plain[1]);
      return encode(plain);
    } catch (err) {
      if ((message as { type?: unknown }).type !== BROADCAST_ACK) throw err;
      onUnsendable(err as Error);
      // Other workers ignore a response without the id of a request.
      return encode({ type: BROADCAST_ACK });
    }
  };
  const decodeOnce = (message: unknown) => (message instanceof Uint8Array ? decode(message) : message);
  Object.assign(adapter, { parser: { encode: encodePlain, decode: decodeOnce } });
}

/** A broadcast, decoded as `message`. Another service may have sent any packet and other options. */
interface ReceivedBroadcast {
  readonly message: unknown;
  readonly packet: unknown;
  readonly opts: { readonly rooms: string[] };
}

/**
 * Decodes a message that RedisAdapter has received.
 *
 * @returns undefined if it is no broadcast of another worker for the namespace of the adapter, or cannot be decoded
 */
export function decodeReceived(adapter: OpenRedisAdapter, bytes: Buffer): ReceivedBroadcast | undefined {
  const message = attemptDecode(adapter, bytes);
  type Parts = [uid?: unknown, packet?: Packet, opts?: { rooms: string[] }];
  const [uid, packet, opts] = (Array.isArray(message) ? message : requestOf(message)) as Parts;
  const isForeign = packet && uid !== adapter.uid && (packet.nsp ?? '/') === adapter.nsp.name;
  return isForeign && opts && Array.isArray(opts.rooms) ? { message, packet, opts } : undefined;
}

function attemptDecode(adapter: OpenRedisAdapter, bytes: Buffer): unknown {
  try {
    return (adapter as unknown as RedisAdapter).parser.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Returns the members that the message of a broadcast without acknowledgements has. */
function requestOf(message: unknown): unknown[] {
  const { type, uid, packet, opts } = (message ?? {}) as Record<string, unknown>;
  return type === BROADCAST ? [uid, packet, opts] : [];
}

/**
 * Returns a message that the other two adapters encode as a client would receive it. A broadcast without binary data needs no change: it
 * is encoded as JSON.
 */
export function encodable<T extends ClusterMessage | ClusterResponse>(message: T, adapter: Adapter): T {
  const { type, data = {} } = message as { type: MessageType; data?: { requestId?: string } };
  const isBroadcast = type === MessageType.BROADCAST;
  const isPlain = isBroadcast && data.requestId === undefined && !hasBinary(data);
  const plain = (isPlain ? data : toPlain(data)) as { packet: Packet };
  if (isBroadcast) assertDecodable(encoderOf(adapter), plain.packet);
  return isPlain ? message : { ...message, data: plain };
}

function encoderOf(adapter: Adapter): unknown {
  return (adapter as unknown as { encoder?: unknown }).encoder;
}

/** Returns what JSON makes of a value, with its binary data as Buffers. */
function toPlain(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  // It throws, unless the application has defined BigInt.prototype.toJSON.
  if (typeof value === 'bigint') return JSON.parse(JSON.stringify(value));
  if (typeof value !== 'object' || value === null) return value;
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (value instanceof Blob) throw new TypeError('a Blob cannot be sent: send a Buffer');
  if (hasToJson(value)) return toPlain(value.toJSON());
  if (value instanceof Boolean || value instanceof Number || value instanceof String) return value.valueOf();
  if (Array.isArray(value)) return value.map((each) => toPlain(each) ?? null);
  const entries = Object.entries(value).map(([key, each]) => [key, toPlain(each)] as const);
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined));
}

function hasBinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Blob) return true;
  if (hasToJson(value)) return hasBinary(value.toJSON());
  return Object.values(value).some(hasBinary);
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}
