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

/** The decorated methods and parameters of a class. */
interface Methods {
  /** The events of each method. */
  readonly events: Map<string, string[]>;
  /** The parameters of each method, by their positions. */
  readonly parameters: Map<string, Map<number, Parameter>>;
}

const METHODS = Symbol('egg-socket.io:tegg-methods');
const OPTIONS = Symbol('egg-socket.io:tegg-options');

type Decorated = Class & { [METHODS]?: Methods; [OPTIONS]?: IoControllerOptions };

/** Returns what the methods of a class have, for the decorators to add to. A class begins with what it inherits. */
export function methodsOf(clazz: Class): Methods {
  const decorated = clazz as Decorated;
  if (!Object.hasOwn(decorated, METHODS)) {
    const inherited = decorated[METHODS];
    const value: Methods = {
      events: new Map(Array.from(inherited?.events ?? [], ([method, events]) => [method, [...events]])),
      parameters: new Map(Array.from(inherited?.parameters ?? [], ([method, all]) => [method, new Map(all)])),
    };
    Object.defineProperty(decorated, METHODS, { value });
  }
  return decorated[METHODS] as Methods;
}

export function setOptions(clazz: Class, value: IoControllerOptions): void {
  Object.defineProperty(clazz, OPTIONS, { value });
}

/** Returns the options of a class itself. Undefined if it is not decorated. */
export function optionsOf(clazz: Class): IoControllerOptions | undefined {
  return Object.hasOwn(clazz, OPTIONS) ? (clazz as Decorated)[OPTIONS] : undefined;
}
