// The private members of Socket.IO that `lib/compat` uses, and the prototypes with which it adds members to Socket.IO's objects.
import { Namespace, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { PacketType } from 'socket.io-parser';
import { type Member, property } from './members';

interface PrivateNamespace {
  adapter: Adapter;
  /** Creates the adapter, at first and if the server gets another one. */
  _initAdapter?(): void;
}

interface PrivateSocket {
  /** Writes a packet to the client of the socket. */
  packet(packet: { type: PacketType }, options?: object): void;
}

export const COMPAT_MEMBERS: readonly Member[] = [
  {
    library: 'socket.io',
    path: 'Namespace.prototype._initAdapter',
    type: 'function',
    find: (sample) => property(sample.namespace, '_initAdapter'),
    fallback:
      "adapters that are installed later do not have Socket.IO 2's methods, and their broadcasts are not published",
  },
  {
    library: 'socket.io',
    path: 'Socket.prototype.packet',
    type: 'function',
    find: (sample) => property(sample.socket, 'packet'),
    fallback: 'what connection middleware emits to its client is sent before the client is connected',
  },
];

/** By the members, then by the prototype that is extended. */
const prototypes = new WeakMap<PropertyDescriptorMap, WeakMap<object, object>>();
/** The members of each prototype that was created here. */
const membersOf = new WeakMap<object, PropertyDescriptorMap>();

/**
 * Adds members to an object, in a prototype that all objects of its class share: an object takes no more memory. The members must be one
 * object for all of them.
 */
export function extend<T extends object>(object: T, members: PropertyDescriptorMap): T {
  return extendBy(object, members, () => members);
}

/** The same, but members that the object has already are not replaced. */
export function extendMissing<T extends object>(object: T, members: PropertyDescriptorMap): T {
  return extendBy(object, members, (prototype) =>
    Object.fromEntries(Object.entries(members).filter(([name]) => !(name in prototype))),
  );
}

function extendBy<T extends object>(
  object: T,
  members: PropertyDescriptorMap,
  select: (prototype: object) => PropertyDescriptorMap,
): T {
  const prototype: object = Object.getPrototypeOf(object);
  if (membersOf.get(prototype) === members) return object;
  const known = prototypes.get(members) ?? new WeakMap<object, object>();
  prototypes.set(members, known);
  const extended = known.get(prototype) ?? Object.create(prototype, select(prototype));
  known.set(prototype, extended);
  membersOf.set(extended, members);
  return Object.setPrototypeOf(object, extended);
}

/** Returns a member of a namespace that calls a function with each adapter that the namespace gets later. */
export function withAdapters(fn: (adapter: Adapter) => void): PropertyDescriptorMap {
  const { _initAdapter: init } = Namespace.prototype as unknown as PrivateNamespace;
  if (typeof init !== 'function') return {};
  return {
    _initAdapter: {
      configurable: true,
      writable: true,
      value(this: PrivateNamespace) {
        init.call(this);
        fn(this.adapter);
      },
    },
  };
}

const HELD = Symbol('egg-socket.io:held');
type HoldingSocket = PrivateSocket & { [HELD]?: Array<Parameters<PrivateSocket['packet']>> | null };

/**
 * Returns members of sockets that hold events until the client is connected, and drop them if it is refused. Clients of Socket.IO 2 received
 * `connect` before any connection middleware ran. Without this, they receive the events before `connect`, which is when pages add
 * listeners for their own id.
 */
export function holdsPackets(): PropertyDescriptorMap {
  const { packet: write } = Socket.prototype as unknown as PrivateSocket;
  if (typeof write !== 'function') return {};
  return {
    packet: {
      configurable: true,
      writable: true,
      value(this: HoldingSocket, packet: { type: PacketType }, options?: object) {
        const isEvent = packet.type === PacketType.EVENT || packet.type === PacketType.BINARY_EVENT;
        if (isEvent && this[HELD] !== null) {
          this[HELD] ??= [];
          this[HELD].push([packet, options]);
          return;
        }
        const held = this[HELD] ?? [];
        this[HELD] = null;
        write.call(this, packet, options);
        if (packet.type === PacketType.CONNECT) for (const each of held) write.apply(this, each);
      },
    },
  };
}

/** Whether a namespace is the parent of namespaces. */
export function isParent(nsp: object): boolean {
  return 'children' in nsp;
}

/** Replaces a Map or a Set of a namespace or of an adapter by an object that behaves like it. */
export function replaceCollection<K extends string, T>(
  owner: { readonly [key in K]: T },
  name: K,
  replace: (collection: T) => T,
): void {
  Object.assign(owner, { [name]: replace(owner[name]) });
}
