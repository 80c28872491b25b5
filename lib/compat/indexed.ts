// A Map or a Set whose entries are properties as well: what was a plain object in Socket.IO 2.

/** A collection of Socket.IO 4. The names of rooms may be numbers. */
type Collection = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>;

/**
 * Returns an object that behaves like a collection. In addition, its entries are properties: `object[key]`, `key in object`,
 * `Object.keys(object)` and JSON work. A member of the collection hides an entry of the same name.
 *
 * @param entry - returns the value of the property of a key
 * @param used - called when the properties are used
 */
export function indexed<T extends Collection>(collection: T, entry: (key: unknown) => unknown, used: () => void): T {
  const own = new Map<PropertyKey, unknown>();
  const find = (name: PropertyKey): { value: unknown } | undefined => {
    const key = keyOf(collection, name);
    return key === undefined ? undefined : { value: entry(key) };
  };
  return new Proxy(collection, {
    get(_collection, name) {
      if (name in Object.prototype) return Reflect.get(collection, name);
      if (name in collection) {
        const value: unknown = Reflect.get(collection, name);
        if (typeof value !== 'function') return value;
        // A method of a Map or a Set works on that alone.
        if (!own.has(name)) own.set(name, value.bind(collection));
        return own.get(name);
      }
      // JSON and promises look these up in any object.
      if (typeof name === 'symbol' || name === 'toJSON' || name === 'then') return undefined;
      used();
      return find(name)?.value;
    },
    has: (_collection, name) => name in collection || find(name) !== undefined,
    ownKeys() {
      used();
      return [...new Set(Array.from(collection.keys(), String))];
    },
    getOwnPropertyDescriptor(_collection, name) {
      const found = find(name);
      return found && { ...found, enumerable: true, configurable: true, writable: false };
    },
  });
}

/** Returns the key of a collection that has a name. The name of a room may be a number: 42 and '42' are the same name. */
export function keyOf(collection: Pick<Collection, 'has'>, name: unknown): unknown {
  if (typeof name === 'symbol') return undefined;
  return [name, String(name), Number(name)].find((key) => String(key) === String(name) && collection.has(key));
}

/** The methods of every object that applications call: `for (const id in sockets) if (sockets.hasOwnProperty(id)) …`. */
const METHODS: ReadonlyMap<PropertyKey, unknown> = new Map(
  (['hasOwnProperty', 'propertyIsEnumerable', 'toString', 'valueOf'] as const).map((name) => [
    name,
    Object.prototype[name],
  ]),
);

/**
 * Returns an object whose properties are the entries of a collection, and a few methods: any name may be an id or a room. It is created in
 * constant time, and later entries are properties as well: as the plain objects of Socket.IO 2.
 *
 * @param entry - returns the value of the property of a key
 */
export function objectOf<T>(collection: Collection, entry: (key: string) => T): Record<string, T> {
  const find = (name: PropertyKey): { value: T } | undefined =>
    keyOf(collection, name) === undefined ? undefined : { value: entry(name as string) };
  const object: object = new Proxy(collection, {
    get: (_collection, name) => find(name)?.value ?? METHODS.get(name),
    has: (_collection, name) => find(name) !== undefined,
    ownKeys: () => [...new Set(Array.from(collection.keys(), String))],
    getOwnPropertyDescriptor(_collection, name) {
      const found = find(name);
      return found && { ...found, enumerable: true, configurable: true, writable: false };
    },
  });
  return object as Record<string, T>;
}
