// The private members of Socket.IO that `lib/compat` uses, and the prototypes with which it adds members to Socket.IO's objects.
import { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { type Member, property } from './members';

interface PrivateNamespace {
  adapter: Adapter;
  /** Creates the adapter, at first and if the server gets another one. */
  _initAdapter?(): void;
}

export const COMPAT_MEMBERS: readonly Member[] = [
  {
    library: 'socket.io',
    path: 'Namespace.prototype._initAdapter',
    type: 'function',
    find: (sample) => property(sample.namespace, '_initAdapter'),
    fallback: "adapters that are installed later do not have Socket.IO 2's methods",
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
