// The private members of Socket.IO's Client, the server's side of a connection, that the plugin uses.
import type { EventEmitter } from 'node:events';
import type { ParsedUrlQuery } from 'node:querystring';
import type { Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import { type Member, property } from './members';

/** Socket.IO's side of a connection. */
export type Client = Socket['client'];

/** A packet of Socket.IO's protocol. */
export interface Packet {
  readonly type: PacketType;
  /** The namespace. A CONNECT packet of Socket.IO 2 has a query behind it. */
  readonly nsp: string;
  readonly data?: unknown;
}

/** What a CONNECT packet asks for. */
export interface ConnectRequest {
  readonly namespace: string;
  /** Becomes `socket.handshake.auth`. */
  readonly authPayload: ParsedUrlQuery;
}

interface PrivateClient {
  /** The connected sockets by namespace. */
  readonly nsps: ReadonlyMap<string, Socket>;
  readonly decoder: EventEmitter;
  /** Connects the client to a namespace, or rejects it. */
  connect(name: string, auth?: ParsedUrlQuery): void;
  _parseNamespace(packet: { nsp: string }): ConnectRequest;
  /** Sends a packet. */
  _packet(packet: Packet, opts?: object): void;
  /** Handles a packet of the client. */
  ondecoded(packet: Packet): void;
}

const member = (name: keyof PrivateClient, type: Member['type']): Member => ({
  library: 'socket.io',
  path: `Client.prototype.${name}`,
  type,
  find: ({ client }) => property(client, name),
});

export const CLIENT_MEMBERS: readonly Member[] = [
  member('nsps', 'object'),
  member('decoder', 'object'),
  member('connect', 'function'),
  member('_parseNamespace', 'function'),
  member('_packet', 'function'),
  member('ondecoded', 'function'),
];

/** Sends the rejection of a namespace, in the form of the client's protocol. */
export function sendConnectError(client: Client, nsp: string, message: string): void {
  const data = client.conn.protocol === 3 ? message : { message };
  originalOf(client)._packet.call(client, { type: PacketType.CONNECT_ERROR, nsp, data });
}

/** Whether a client is connected to a namespace. */
export function isConnectedTo(client: Client, name: string): boolean {
  return privateOf(client).nsps.has(name);
}

/** Whether a client is connected to any namespace. */
export function isConnected(client: Client): boolean {
  return privateOf(client).nsps.size > 0;
}

/** Connects a client to a namespace as Socket.IO does, past the replaced `connect`. */
export function connectClient(client: Client, name: string, auth: ParsedUrlQuery): void {
  originalOf(client).connect.call(client, name, auth);
}

/** Replacements of the methods of one client. */
export interface ClientReplacements {
  /** The client asks for a namespace. */
  connect(client: Client, name: string, auth: ParsedUrlQuery): void;
  parseNamespace(packet: { nsp: string }): ConnectRequest;
  /** Returns the packet that is sent in place of a given one. */
  outgoing(client: Client, packet: Packet): Packet;
  /** Whether a packet of the client is handled. */
  accepts(client: Client, packet: Packet): boolean;
}

/** Replaces the methods of one client by which it connects to namespaces. */
export function replaceClientMethods(client: Client, replacements: ClientReplacements): void {
  const own = privateOf(client);
  const { decoder, ondecoded } = own;
  const decoded = (packet: Packet): void => {
    if (replacements.accepts(client, packet)) ondecoded(packet);
  };
  Object.assign(client, {
    connect: (name: string, auth: ParsedUrlQuery = {}) => replacements.connect(client, name, auth),
    _parseNamespace: replacements.parseNamespace,
    _packet: (packet: Packet, opts?: object) => {
      originalOf(client)._packet.call(client, replacements.outgoing(client, packet), opts);
    },
    ondecoded: decoded,
  });
  decoder.off('decoded', ondecoded);
  decoder.on('decoded', decoded);
}

function privateOf(client: Client): PrivateClient {
  return client as unknown as PrivateClient;
}

/** The methods of Socket.IO's class. */
function originalOf(client: Client): {
  [K in 'connect' | '_packet']: (this: Client, ...args: Parameters<PrivateClient[K]>) => void;
} {
  return Object.getPrototypeOf(client);
}
