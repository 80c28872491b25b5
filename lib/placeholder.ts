// Stands for a controller or a middleware of app/io that is not loaded yet: code that runs before app/router may name it in a route.

const PATH = Symbol('egg-socket.io:path');

/** What Node and JavaScript read of any value, to print it or to await it. */
const NEVER_LOADED: ReadonlySet<PropertyKey> = new Set(['then', 'toJSON', 'inspect', 'constructor', 'prototype']);

type Placeholder = ((...args: unknown[]) => unknown) & { [PATH]: string[] };

/** The files that placeholders stand for. */
export interface Files {
  /** `app.io.controller`, for messages. */
  readonly name: string;
  /** Returns what is loaded, by name. Undefined before that. */
  loaded(): object | undefined;
}

/**
 * Returns an object that has any member. Each of them is a placeholder, which has any member as well. Once the files are loaded, a
 * placeholder has the members of what it stands for, and calls it.
 */
export function placeholders(files: Files): object {
  return placeholder(files, []);
}

function placeholder(files: Files, path: string[]): Placeholder {
  const loaded = (): unknown => {
    const all = files.loaded();
    return all && memberAt(all, path);
  };
  const tooEarly = (): never => {
    const name = [files.name, ...path].join('.');
    throw new Error(
      `[egg-socket.io] ${name} is not loaded yet. Before app/router runs, Egg 4 has not loaded app/io: move this code to app/router, or to didLoad of app.js`,
    );
  };
  const target = Object.assign(() => {}, { [PATH]: path });
  return new Proxy(target, {
    get(_target, key) {
      if (key === PATH) return path;
      const value = loaded();
      if (value !== undefined) return Reflect.get(Object(value), key);
      return typeof key === 'symbol' || NEVER_LOADED.has(key) ? undefined : placeholder(files, [...path, key]);
    },
    apply: (_target, self, args) => Reflect.apply((loaded() ?? tooEarly()) as () => unknown, self, args),
    has: (_target, key) => (key === PATH ? true : Reflect.has(Object(loaded() ?? tooEarly()), key)),
    ownKeys: () => tooEarly(),
  }) as unknown as Placeholder;
}

/** Returns the path of the member that a placeholder stands for, such as `chat.say`. Undefined for any other value. */
export function pathOfPlaceholder(value: unknown): string | undefined {
  return typeof value === 'function' ? (value as Partial<Placeholder>)[PATH]?.join('.') : undefined;
}

/** Returns a member of nested objects, or undefined. A name is never looked up in a prototype. */
export function memberAt(object: object, path: string[]): unknown {
  return path.reduce<unknown>((at, name) => {
    const hasMember = typeof at === 'object' && at !== null && Object.hasOwn(at, name);
    return hasMember ? (at as Record<string, unknown>)[name] : undefined;
  }, object);
}
