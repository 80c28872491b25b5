// What the decorators of `egg-socket.io/tegg` have collected about a class.
import type { Middleware } from '../types/context';
import type { Class } from './package';

/** A middleware with dependencies: a tegg prototype. */
export interface IoMiddlewareClass {
  // biome-ignore lint/suspicious/noExplicitAny: as the result of Middleware
  handle(...args: Parameters<Middleware>): any;
}

/** A middleware of a decorated controller: a function, the name of a file of `app/io/middleware`, or a tegg prototype. */
// biome-ignore lint/suspicious/noExplicitAny: tegg passes what the class injects
export type ControllerMiddleware = Middleware | string | (new (...args: any[]) => IoMiddlewareClass);

/** The options of `@IoController()`. */
export interface IoControllerOptions {
  /**
   * The namespace, such as `'/chat'` or `'/room/:id'`.
   *
   * @default '/'
   */
  namespace?: string;
  /** Middleware that is added to the connection chain of the namespace, for all its clients. What several controllers add is added once. */
  connection?: readonly ControllerMiddleware[];
  /** Middleware that is added to the packet chain of the namespace, for all its events. */
  packet?: readonly ControllerMiddleware[];
  /**
   * The name under which tegg injects the class.
   *
   * @default the name of the class in camel case
   */
  protoName?: string;
}

/** What a parameter of a decorated method gets. */
export type Parameter = { type: 'args'; index: number | undefined } | { type: 'ack' | 'socket' | 'context' };

/** What the decorators of a method have collected. */
export interface DecoratedMethod {
  /** The events that are routed to it. */
  readonly events: string[];
  /** Its parameters, by their positions. */
  readonly parameters: Map<number, Parameter>;
}

const METHODS = Symbol('egg-socket.io:tegg-methods');
const OPTIONS = Symbol('egg-socket.io:tegg-options');

type Decorated = Class & { [METHODS]?: Map<string, DecoratedMethod>; [OPTIONS]?: IoControllerOptions };

/** Returns what a class itself decorates of a method, for the decorators to add to. */
export function ownMethod(clazz: Class, name: string): DecoratedMethod {
  const decorated = clazz as Decorated;
  if (!hasOwnMethods(clazz)) Object.defineProperty(decorated, METHODS, { value: new Map() });
  const own = decorated[METHODS] as Map<string, DecoratedMethod>;
  if (!own.has(name)) own.set(name, { events: [], parameters: new Map() });
  return own.get(name) as DecoratedMethod;
}

/** Whether a class itself has decorated methods. */
export function hasOwnMethods(clazz: Class): boolean {
  return Object.hasOwn(clazz, METHODS);
}

/** Returns the decorated methods of a class, by name, with those that it inherits. The decorators of a class replace those that it inherits. */
export function methodsOf(clazz: Class): Map<string, DecoratedMethod> {
  const parent: Class | null = Object.getPrototypeOf(clazz);
  const methods = parent === null ? new Map<string, DecoratedMethod>() : methodsOf(parent);
  const own = hasOwnMethods(clazz) ? (clazz as Decorated)[METHODS] : undefined;
  for (const [name, { events, parameters }] of own ?? []) {
    const inherited = methods.get(name);
    methods.set(name, {
      events: events.length > 0 ? events : (inherited?.events ?? []),
      parameters: parameters.size > 0 ? parameters : (inherited?.parameters ?? new Map()),
    });
  }
  return methods;
}

export function setOptions(clazz: Class, value: IoControllerOptions): void {
  Object.defineProperty(clazz, OPTIONS, { value });
}

/** Returns the options of a class itself. Undefined if it is not decorated. */
export function optionsOf(clazz: Class): IoControllerOptions | undefined {
  return Object.hasOwn(clazz, OPTIONS) ? (clazz as Decorated)[OPTIONS] : undefined;
}
