// Egg's loader puts a function of its own around each method of a controller, on Egg 3 and around those of objects an async one:
// promises for each event. This remembers what is behind it. Filled by loader.ts, asked by route.ts.

// biome-ignore lint/suspicious/noExplicitAny: whatever a controller's file exports
type Exported = any;

/** Egg's way from what a controller's file exports to `app.io.controller`. */
export type Initializer = (exported: Exported, options: unknown) => Exported;

type Method = (this: unknown, ctx: unknown) => unknown;

const behind = new WeakMap<object, Method>();

/** What a method of `app.io.controller` does in the end, called as it is called itself; a function that is none, as it is. */
export function directly<M extends object>(method: M): M {
  return (behind.get(method) as M | undefined) ?? method;
}

/** Egg's initializer, with what it makes remembered. */
export function remembering(initialize: Initializer): Initializer {
  return (exported, options) => {
    let raw = exported;
    const factory = (app: unknown): unknown => {
      raw = exported(app);
      return raw;
    };
    const made = initialize(isFactory(exported) ? factory : exported, options);
    remember(made, raw);
    return made;
  };
}

/** `app => class` or `app => object`; in doubt Egg decides, and nothing is remembered. */
function isFactory(exported: Exported): boolean {
  if (typeof exported !== 'function' || isClass(exported)) return false;
  const { prototype } = exported;
  if (exported.constructor?.name !== 'Function' || OLD_CLASS.test(textOf(exported))) return false;
  return prototype === undefined || Object.getOwnPropertyNames(prototype).length === 1;
}

/** What compilers made of classes before there were any. */
const OLD_CLASS = /classCallCheck\(/;

function remember(made: Exported, raw: Exported): void {
  if (typeof made === 'function' && isPlain(raw)) {
    behind.set(made, raw);
    return;
  }
  if (typeof made !== 'object' || made === null) return;
  for (const key of Object.keys(made)) {
    if (isClass(raw)) rememberMethod(made[key], raw, key);
    else if (typeof raw === 'object' && raw !== null) remember(made[key], methodOf(raw, key));
  }
}

/** A new instance for each event, as Egg makes one. */
function rememberMethod(made: Exported, Controller: Exported, key: string): void {
  if (typeof made !== 'function' || !isPlain(methodOf(Controller.prototype, key))) return;
  behind.set(made, function (this: unknown, ctx: unknown) {
    return new Controller(this)[key](ctx);
  });
}

/** A property that is no getter, wherever it is inherited from. */
function methodOf(object: object, key: string): unknown {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, key);
    if (found) return found.value;
  }
  return undefined;
}

/** A function that is no generator, and none that a compiler has made of one. */
function isPlain(value: Exported): boolean {
  return typeof value === 'function' && /^(Async)?Function$/.test(value.constructor?.name);
}

function isClass(exported: Exported): boolean {
  return typeof exported === 'function' && /^class\b/.test(textOf(exported));
}

function textOf(fn: object): string {
  return Function.prototype.toString.call(fn);
}
