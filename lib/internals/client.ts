// The private members of Socket.IO's Client that the plugin uses. A Client is the server's side of one connection: it decodes packets,
// connects to namespaces and has a socket in each of them.
import type { EventEmitter } from 'node:events';
import type { ParsedUrlQuery } from 'node:querystring';
import type { Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import { type Member, property } from './members';

export type Client = Socket['client'];

/** A packet of the Socket.IO protocol. */
export interface Packet {
  readonly type: PacketType;
  readonly nsp: string;
  readonly data?: unknown;
}

/** What the namespace of a packet of Engine.IO protocol 3 contains: `/chat?token=x`. */
export interface ParsedNamespace {
  readonly namespace: string;
  /** The query. It becomes `handshake.auth` of the socket. */
  readonly authPayload: ParsedUrlQuery;
}

/** How the packets of one client are handled. */
export interface PacketHandler {
  /** Whether a decoded packet is handled. Other packets are ignored. */
  accepts(packet: Packet): boolean;
  parseNamespace(nsp: string): ParsedNamespace;
  /** Handles the request of the client to connect to a namespace. */
  connect(name: string, query: ParsedUrlQuery): void;
  /** Returns the packet to send in place of a given one. */
  outgoing(packet: Packet): Packet;
}

/** Socket.IO's own handling of packets. */
export interface OriginalHandler {
  connect(name: string, query: ParsedUrlQuery): void;
  send(packet: Packet): void;
}

interface PrivateClient {
  /** The sockets of the client, by namespace. */
  readonly nsps: ReadonlyMap<string, Socket>;
  readonly decoder: EventEmitter;
  /** The listener of the decoder. */
  ondecoded: (packet: Packet) => void;
  connect: (name: string, auth?: ParsedUrlQuery) => void;
  _parseNamespace: (packet: Packet) => ParsedNamespace;
  /** Is called with the data of each packet that the connection receives. */
  ondata: (data: unknown) => void;
  /** Encodes a packet and sends it. */
  _packet: (packet: Packet, opts?: object) => void;
}

export const CLIENT_MEMBERS: readonly Member[] = [
  required('nsps', 'object'),
  required('decoder', 'object'),
  required('ondecoded', 'function'),
  required('connect', 'function'),
  required('_parseNamespace', 'function'),
  required('_packet', 'function'),
  { ...required('ondata', 'function'), fallback: 'config.io.limits.packetsPerTurn has no effect' },
];

function required(name: keyof PrivateClient, type: Member['type']): Member {
  const path = `Client.prototype.${name}`;
  return { library: 'socket.io', path, type, find: ({ client }) => property(client, name) };
}

function privateOf(client: Client): PrivateClient {
  return client as unknown as PrivateClient;
}

/** Returns the connected sockets of a client, by namespace. */
export function socketsOf(client: Client): ReadonlyMap<string, Socket> {
  return privateOf(client).nsps;
}

/**
 * Sends CONNECT_ERROR, as Socket.IO does if a namespace middleware refuses the client.
 *
 * @param details - `err.data` of the client
 */
export function sendConnectError(client: Client, nsp: string, message: string, details?: object): void {
  // A client of Socket.IO 2 receives one value.
  const data = client.conn.protocol !== 3 ? { message, data: details } : details ? { message, ...details } : message;
  privateOf(client)._packet({ type: PacketType.CONNECT_ERROR, nsp, data });
}

/**
 * Replaces how Socket.IO handles the packets of a client.
 *
 * @returns Socket.IO's own handling
 */
export function replacePacketHandler(client: Client, handler: PacketHandler): OriginalHandler {
  const target = privateOf(client);
  const { connect, decoder, ondecoded, _packet } = target;
  target.connect = (name, query = {}) => handler.connect(name, query);
  target._parseNamespace = ({ nsp }) => handler.parseNamespace(nsp);
  target._packet = (packet, opts) => _packet.call(target, handler.outgoing(packet), opts);
  target.ondecoded = (packet) => {
    if (handler.accepts(packet)) ondecoded(packet);
  };
  // The constructor has added the listener. Socket.IO removes `client.ondecoded` when the connection closes.
  decoder.off('decoded', ondecoded);
  decoder.on('decoded', target.ondecoded);
  return {
    connect: (name, query) => connect.call(target, name, query),
    send: (packet) => {
      // A refusal of a request that was not passed to `connect`.
      changePending(target, 1);
      _packet.call(target, packet);
    },
  };
}

const PENDING = Symbol('egg-socket.io:pending');

/** A client whose namespaces are limited. */
type LimitedClient = PrivateClient & {
  /** How many requests to connect to a namespace are neither admitted nor refused. */
  [PENDING]?: number;
};

/**
 * Returns a function that limits the namespaces of a client, from its second one on. It must be called when the client connects to its
 * first one. The methods that it installs are the same for all clients.
 *
 * @param max - how many namespaces a client may be connected to, or connecting to
 * @param refuse - refuses a client that asks for one more
 */
export function namespaceLimiter(max: number, refuse: (client: Client, nsp: string) => void): (client: Client) => void {
  let methods: Pick<PrivateClient, 'connect' | '_packet'> | undefined;
  return (client) => {
    const limited = client as unknown as LimitedClient;
    if (limited[PENDING] !== undefined) return;
    methods ??= limitedMethods(limited, max, refuse);
    Object.assign(limited, methods, { [PENDING]: 1 });
  };
}

function limitedMethods(
  { connect, _packet }: PrivateClient,
  max: number,
  refuse: (client: Client, nsp: string) => void,
): Pick<PrivateClient, 'connect' | '_packet'> {
  return {
    connect(this: LimitedClient, name, auth) {
      const isTooMany = this.nsps.size + changePending(this, 1) > max;
      if (isTooMany) refuse(this as unknown as Client, name);
      else connect.call(this, name, auth);
    },
    // Each request to connect is answered once.
    _packet(this: LimitedClient, packet, opts) {
      if (packet.type === PacketType.CONNECT || packet.type === PacketType.CONNECT_ERROR) changePending(this, -1);
      _packet.call(this, packet, opts);
    },
  };
}

function changePending(client: LimitedClient, by: 1 | -1): number {
  client[PENDING] = Math.max(0, (client[PENDING] ?? 0) + by);
  return client[PENDING];
}
