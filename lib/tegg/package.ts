// tegg's package `@eggjs/tegg`, which Egg 4.1 brings along. Other versions of Egg need it among the application's dependencies.
import path from 'node:path';
import type { Middleware } from '../types/context';

/** A class that the application decorates. */
// biome-ignore lint/suspicious/noExplicitAny: any class can be decorated
export type Class = abstract new (...args: any[]) => object;

/** What the plugin uses of `@eggjs/tegg`. */
interface Tegg {
  AccessLevel: { PUBLIC: unknown };
  PrototypeUtil: { isEggPrototype(clazz: Class): boolean };
  SingletonProto(options: { accessLevel: unknown; name?: string }): (clazz: Class) => void;
  /** The functions that tegg's `@Middleware()` has set. Advices of AOP are kept apart. */
  ControllerInfoUtil: {
    getControllerMiddlewares(clazz: Class): Middleware[];
    getControllerAopMiddlewares?(clazz: Class): unknown[];
  };
  MethodInfoUtil: {
    getMethodMiddlewares(clazz: Class, method: string): Middleware[];
    getMethodAopMiddlewares?(clazz: Class, method: string): unknown[];
  };
}

let loaded: Tegg | undefined;

/** @throws {Error} if tegg is not installed */
export function tegg(): Tegg {
  loaded ??= load();
  return loaded;
}

/** Egg's own copy comes first: the decorators must write to the copy that loads the application. */
function load(): Tegg {
  const paths = [path.dirname(require.resolve('egg')), __dirname, process.cwd()];
  let file: string;
  try {
    file = require.resolve('@eggjs/tegg', { paths });
  } catch {
    throw new Error(
      '[egg-socket.io] egg-socket.io/tegg needs @eggjs/tegg, which is not installed. Egg 4.1 brings it along; elsewhere run npm install @eggjs/tegg, and enable the plugins tegg and teggConfig',
    );
  }
  return require(file);
}
