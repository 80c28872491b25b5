// Egg's loader puts a function of its own around each method of a controller, on Egg 3 and around those of objects an async one:
// promises for each event. This remembers what is behind it. Filled by loader.ts, asked by route.ts.
import { types } from 'node:util';

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
  if (typeof exported !== 'function' || isClass(exported) || !isPlain(exported)) return false;
  const { prototype } = exported;
  return prototype === undefined || Object.getOwnPropertyNames(prototype).length === 1;
}

function remember(made: Exported, raw: Exported): void {
  if (typeof made === 'function' && typeof raw === 'function') {
    if (!types.isGeneratorFunction(raw)) behind.set(made, raw);
    return;
  }
  if (typeof made !== 'object' || made === null) return;
  for (const key of Object.keys(made)) {
    if (isClass(raw)) rememberMethod(made[key], raw, key);
    else if (typeof raw === 'object' && raw !== null) remember(made[key], raw[key]);
  }
}

/** A new instance for each event, as Egg makes one. */
function rememberMethod(made: Exported, Controller: Exported, key: string): void {
  if (typeof made !== 'function' || types.isGeneratorFunction(Controller.prototype[key])) return;
  behind.set(made, function (this: unknown, ctx: unknown) {
    return new Controller(this)[key](ctx);
  });
}

function isPlain(fn: object): boolean {
  return !types.isAsyncFunction(fn) && !types.isGeneratorFunction(fn);
}

function isClass(exported: Exported): boolean {
  return typeof exported === 'function' && /^class\b/.test(Function.prototype.toString.call(exported));
}
