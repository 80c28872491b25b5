// The private and undocumented members of socket.io-adapter that the plugin uses, and those of Socket.IO's server that concern packets.
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions, ClusterAdapter, MessageType, SessionAwareAdapter } from 'socket.io-adapter';
import type { PacketType } from 'socket.io-parser';
import * as defaultParser from 'socket.io-parser';
import { type Carrier, deliveries, isTraced } from '../diagnostics';
import { type Member, property } from './members';

/** A packet of Socket.IO. */
export interface Packet {
  readonly type: PacketType;
  /** Set by the adapter that sends the packet. */
  nsp: string;
  /** The event and its arguments. */
  readonly data: unknown[];
}

/** A packet as an encoder has encoded it: a text, then its binary attachments. */
export type EncodedPacket = Array<string | Uint8Array>;

/** A request to other workers that waits for their responses. */
export interface PendingRequest {
  readonly type: MessageType;
  /** How many responses have arrived. */
  readonly current: number;
  /** How many responses the request waits for. */
  expected: number;
  readonly responses: unknown[];
  timeout: NodeJS.Timeout;
  readonly resolve: (...results: unknown[]) => void;
}

/** What SessionAwareAdapter stores for clients that may reconnect. */
interface StoredEvents {
  readonly maxDisconnectionDuration: number;
  readonly sessions: Map<string, { disconnectedAt: number }>;
  readonly packets: Array<{ emittedAt: number }>;
}

export const ADAPTER_MEMBERS: readonly Member[] = [
  {
    library: 'socket.io-adapter',
    path: 'ClusterAdapter.prototype.requests',
    type: 'object',
    find: ({ clusterAdapter }) => property(clusterAdapter, 'requests'),
    fallback:
      'requests to a worker that has stopped, or that lacks the namespace, end with their timeout, which is 5 s for serverSideEmit()',
  },
  {
    library: 'socket.io-adapter',
    path: 'Adapter.prototype.encoder',
    type: 'object',
    find: ({ clusterAdapter }) => property(clusterAdapter, 'encoder'),
    fallback: 'broadcasts to other workers are encoded twice',
  },
  memberOf('sessions', 'object'),
  memberOf('packets', 'object'),
  memberOf('maxDisconnectionDuration', 'number'),
  {
    library: 'socket.io',
    path: 'Server.prototype._parser',
    type: 'object',
    find: ({ server }) => property(server, '_parser'),
    fallback: "listeners of onAnyOutgoing() get broadcasts of other workers as Socket.IO's default parser decodes them",
  },
];

function memberOf(name: keyof StoredEvents, type: Member['type']): Member {
  const path = `SessionAwareAdapter.prototype.${name}`;
  return { library: 'socket.io-adapter', path, type, find: ({ recoveryAdapter }) => property(recoveryAdapter, name) };
}

let sampleRecoveryAdapter: SessionAwareAdapter | undefined;

/** Creates adapters for the check at boot. */
export function createSampleAdapters(namespace: Namespace): { clusterAdapter: Adapter; recoveryAdapter: Adapter } {
  const server = {
    encoder: namespace.server.encoder,
    opts: { connectionStateRecovery: { maxDisconnectionDuration: 1 } },
  };
  // One for the process: it has a timer that does not end.
  sampleRecoveryAdapter ??= new SessionAwareAdapter({ server });
  return {
    clusterAdapter: Reflect.construct(ClusterAdapter, [namespace]) as Adapter,
    recoveryAdapter: sampleRecoveryAdapter,
  };
}

/** Returns the requests of an adapter that wait for responses, by request id. */
export function requestsOf(adapter: object): Map<string, PendingRequest> {
  return (property(adapter, 'requests') as Map<string, PendingRequest> | undefined) ?? new Map();
}

/**
 * `serverSideEmit` of an adapter in memory, which has no other servers: the acknowledgement gets no responses. Socket.IO's own prints a
 * warning, and never calls the acknowledgement.
 *
 * @param packet - the event and its arguments
 */
export function serverSideEmitToNone(packet: unknown[]): void {
  const ack = packet.at(-1);
  if (typeof ack === 'function') ack(null, []);
}

/** Whether `serverSideEmit` of an adapter may reach other servers. */
export function reachesOthers({ serverSideEmit }: Adapter): boolean {
  return serverSideEmit !== serverSideEmitToNone && serverSideEmit !== Adapter.prototype.serverSideEmit;
}

/** The callback of `serverSideEmit`. */
type Acknowledge = (err: unknown, responses: unknown[]) => void;

/**
 * Adds the request and its timeout to the error of an adapter.
 *
 * @param request - such as `fetchSockets() in /chat`
 * @param timeout - in ms
 */
export function describeTimeout(err: unknown, request: string, timeout: number): unknown {
  if (!(err instanceof Error && err.message.startsWith('timeout reached'))) return err;
  return new Error(`${err.message}: ${request}, after ${timeout} ms`);
}

/**
 * Replaces the acknowledgement of `serverSideEmit`, if there is one, by one whose timeout error names the event.
 *
 * @param packet - the event and its arguments
 * @param timeout - in ms
 */
export function describeEmitTimeout(nsp: string, packet: unknown[], timeout: number): Acknowledge | undefined {
  const [event] = packet;
  const original = packet.at(-1);
  if (typeof original !== 'function') return undefined;
  const ack: Acknowledge = (err, responses) =>
    original(describeTimeout(err, `serverSideEmit('${String(event)}') in ${nsp}`, timeout), responses);
  packet[packet.length - 1] = ack;
  return ack;
}

/**
 * Calls `serverSideEmit` of a ClusterAdapter so that its acknowledgement gets an error after a timeout. That of ClusterAdapter is 5 s.
 *
 * @param packet - the event and its arguments. ClusterAdapter removes the acknowledgement from it
 * @param timeout - in ms
 */
export async function withTimeout(
  adapter: Adapter,
  packet: unknown[],
  timeout: number,
  emit: () => Promise<unknown>,
): Promise<void> {
  const ack = describeEmitTimeout(adapter.nsp.name, packet, timeout);
  await emit();
  if (ack === undefined) return;
  const requests = requestsOf(adapter);
  for (const [id, request] of requests) {
    if (request.resolve !== ack) continue;
    clearTimeout(request.timeout);
    request.timeout = setTimeout(() => {
      if (!requests.delete(id)) return;
      const { current, expected, responses } = request;
      ack(new Error(`timeout reached: only ${current} responses received out of ${expected}`), responses);
    }, timeout);
  }
}

/** An encoder that can skip a packet which is encoded already. */
export class SkippingEncoder {
  /** What the next call of `encode()` returns, in place of encoding its packet. */
  next: EncodedPacket | undefined;

  /** @param encoder - Socket.IO's encoder, or that of `config.io.init.parser` */
  constructor(private readonly encoder: { encode(packet: Packet): EncodedPacket }) {}

  encode(packet: Packet): EncodedPacket {
    const { next } = this;
    if (next === undefined) return this.encoder.encode(packet);
    this.next = undefined;
    return next;
  }
}

/** Replaces the encoder of an adapter. */
export function replaceEncoder(adapter: Adapter): SkippingEncoder {
  const encoder = new SkippingEncoder((adapter.nsp as Namespace).server.encoder);
  if (property(adapter, 'encoder') !== undefined) Object.assign(adapter, { encoder });
  return encoder;
}

/** Observes the broadcasts of namespaces. */
interface BroadcastObserver {
  /** Called before a namespace broadcasts. Returns what the broadcast carries to the other workers. */
  sending(nsp: Namespace, packet: Packet, opts: BroadcastOptions, withAck: boolean): Carrier | undefined;
  /**
   * Called with a broadcast of another worker, if deliveries are traced. Calls `deliver`, and returns what it returns. Neither the packet nor
   * the flags are validated.
   */
  receiving<Result>(
    nsp: Namespace,
    packet: Pick<Packet, 'data'>,
    opts: BroadcastOptions,
    deliver: () => Result,
  ): Result;
}

type Broadcasting = Pick<Adapter, 'broadcast' | 'broadcastWithAck'>;
/** The method of ClusterAdapter that handles a message of another worker. */
type Receiving = { onMessage?(...args: unknown[]): unknown };
type ObservedAdapter = Adapter & {
  nsp: Namespace;
  uid?: unknown;
  [OBSERVED]: Broadcasting & Receiving & BroadcastObserver;
};

interface ObservedNamespace {
  adapter: ObservedAdapter & Receiving;
  _initAdapter?(): void;
}

/** Under which an adapter has its own methods, and those of its observer. */
const OBSERVED = Symbol('egg-socket.io:observed');

/**
 * Returns a function that observes the broadcasts of a namespace, with its adapter and with those that replace it. Adapters call other methods
 * with the broadcasts of other workers: `onMessage` if they extend ClusterAdapter. The others call `observeReceived`.
 */
export function broadcastObserver(observer: BroadcastObserver): (nsp: Namespace) => void {
  const observed: Broadcasting = {
    broadcast(this: ObservedAdapter, packet: Packet, opts) {
      const carrier = observer.sending(this.nsp, packet, opts, false);
      return this[OBSERVED].broadcast.call(this, packet, withCarrier(opts, carrier));
    },
    broadcastWithAck(this: ObservedAdapter, packet: Packet, opts, ...rest) {
      const carrier = observer.sending(this.nsp, packet, opts, true);
      this[OBSERVED].broadcastWithAck.call(this, packet, withCarrier(opts, carrier), ...rest);
    },
  };
  const receiving = {
    onMessage(this: ObservedAdapter, ...args: unknown[]) {
      const deliver = () => this[OBSERVED].onMessage?.apply(this, args);
      const data = isTraced(deliveries) ? receivedBroadcast(this, args[0]) : undefined;
      return data ? observeReceived(this, data.packet, data.opts, deliver) : deliver();
    },
  };
  const install = (adapter: ObservedAdapter & Receiving) => {
    const { broadcast, broadcastWithAck, onMessage } = adapter;
    const value = { broadcast, broadcastWithAck, onMessage, ...observer };
    Object.defineProperty(adapter, OBSERVED, { value });
    Object.assign(adapter, observed, typeof onMessage === 'function' && receiving);
  };
  const initAdapter = function (this: ObservedNamespace) {
    (Object.getPrototypeOf(this) as ObservedNamespace)._initAdapter?.call(this);
    install(this.adapter);
  };
  return (nsp) => {
    const target = nsp as unknown as ObservedNamespace;
    install(target.adapter);
    if (typeof target._initAdapter !== 'function') return;
    Object.defineProperty(nsp, '_initAdapter', { value: initAdapter, configurable: true, writable: true });
  };
}

/**
 * Returns options with what a broadcast carries. The flags reach the other workers with each adapter, and no client. They are copied, since a
 * broadcast operator uses the same object for each event.
 */
export function withCarrier(opts: BroadcastOptions, carrier: Carrier | undefined): BroadcastOptions {
  return carrier === undefined ? opts : { ...opts, flags: { ...opts.flags, carrier } as BroadcastOptions['flags'] };
}

/** Returns the data of a message of ClusterAdapter if it is a broadcast of another worker that may have clients here. */
function receivedBroadcast(adapter: ObservedAdapter, message: unknown): { packet: unknown; opts: unknown } | undefined {
  const { type, uid, nsp, data } = (message ?? {}) as { type?: unknown; uid?: unknown; nsp?: unknown; data?: object };
  if (type !== MessageType.BROADCAST || uid === adapter.uid || nsp !== adapter.nsp.name) return undefined;
  const { packet, opts } = (data ?? {}) as { packet?: unknown; opts?: { rooms?: unknown } };
  const rooms = opts?.rooms;
  return Array.isArray(rooms) && mayHaveClients(adapter, new Set(rooms)) ? { packet, opts } : undefined;
}

/** Whether an adapter may have clients in these rooms, or any clients if there are no rooms. */
export function mayHaveClients(adapter: Adapter, rooms: Set<string>): boolean {
  if (rooms.size === 0) return adapter.sids.size > 0;
  for (const room of rooms) if (adapter.rooms.has(room)) return true;
  return false;
}

/**
 * Calls `deliver`, which delivers a broadcast of another worker, and has it observed. Returns what `deliver` returns.
 *
 * @param packet - not validated, as the next one
 * @param opts - with arrays in place of sets
 */
export function observeReceived<Result>(
  adapter: Adapter,
  packet: unknown,
  opts: unknown,
  deliver: () => Result,
): Result {
  const { nsp, [OBSERVED]: observer } = adapter as ObservedAdapter;
  if (observer === undefined || !isTraced(deliveries)) return deliver();
  const { rooms, except, flags } = (opts ?? {}) as Record<string, unknown>;
  const target = { rooms: toSet(rooms), except: toSet(except), flags: flags as BroadcastOptions['flags'] };
  return observer.receiving(nsp, packet as Packet, target, deliver);
}

function toSet(names: unknown): Set<string> {
  return new Set(Array.isArray(names) ? names : []);
}

/** Decodes the event and the arguments of an encoded packet. */
export function decodeData({ server }: Namespace, encoded: EncodedPacket): unknown[] {
  const { Decoder } = server._parser ?? defaultParser;
  const decoder = new Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
  let data: unknown[] = [];
  decoder.on('decoded', (packet) => {
    data = packet.data;
  });
  for (const part of encoded) decoder.add(part);
  return data;
}

/**
 * Creates a SessionAwareAdapter without calling its constructor, whose timer never ends and would keep a removed namespace in memory. The
 * caller has to call `removeExpired()` from time to time.
 *
 * @param maxDisconnectionDuration - how long a client may be disconnected and be recovered, in ms
 */
export function createRecoveryAdapter(nsp: Namespace, maxDisconnectionDuration: number): Adapter & StoredEvents {
  const adapter = Reflect.construct(Adapter, [nsp], SessionAwareAdapter) as Adapter;
  const stored: StoredEvents = { maxDisconnectionDuration, sessions: new Map(), packets: [] };
  return Object.assign(adapter, stored);
}

/** Removes what an adapter has stored for longer than its clients may be disconnected. */
export function removeExpired({ maxDisconnectionDuration, sessions, packets }: StoredEvents): void {
  const oldest = Date.now() - maxDisconnectionDuration;
  for (const [id, { disconnectedAt }] of sessions) if (disconnectedAt < oldest) sessions.delete(id);
  const first = packets.findIndex(({ emittedAt }) => emittedAt >= oldest);
  packets.splice(0, first === -1 ? packets.length : first);
}
