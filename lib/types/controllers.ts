// app.io.controller and app.io.middleware as types: what the application has declared, by hand or by egg-ts-helper.
import type { Controller } from 'egg';
import type { DeclaredControllers, DeclaredMiddlewares } from './events';

/**
 * The type of `app.io.controller`: what the application has declared in `CustomController`. Where it has declared nothing, any
 * name.
 */
// biome-ignore lint/suspicious/noExplicitAny: nothing is known of them
export type IoController = keyof DeclaredControllers extends never ? Record<string, any> : DeclaredControllers;

/**
 * The type of `app.io.middleware`, likewise, of `CustomMiddleware`. A file of `app/io/middleware` exports a function that makes the
 * middleware; declared may be either.
 */
export type IoMiddleware = keyof DeclaredMiddlewares extends never
  ? // biome-ignore lint/suspicious/noExplicitAny: likewise
    Record<string, any>
  : { [K in keyof DeclaredMiddlewares]: Made<DeclaredMiddlewares[K]> };

// biome-ignore lint/suspicious/noExplicitAny: a factory may declare any application
type Made<M> = M extends (app: any) => infer R ? (R extends (...args: any[]) => any ? R : M) : M;

/** What each controller inherits, and is no method of its own. */
type Inherited = keyof Controller extends infer K ? (K extends string ? (string extends K ? never : K) : never) : never;

type Depth = [never, 0, 1, 2, 3];

type Paths<T, D extends number> = D extends 0
  ? never
  : {
      // biome-ignore lint/suspicious/noExplicitAny: any function is a method
      [K in Own<T, D>]: T[K] extends (...args: any[]) => any
        ? K
        : T[K] extends object
          ? `${K}.${Paths<T[K], Depth[D] & number>}`
          : never;
    }[Own<T, D>];

/** What a file or a folder has of its own. Files may be called as what controllers inherit. */
type Own<T, D> = Exclude<keyof T & string, D extends 4 ? never : Inherited | 'ctx' | 'app'>;

/** The paths of the declared controllers' methods, such as `'chat.say'`; any text where none is declared. */
export type ControllerPath = keyof DeclaredControllers extends never ? string : Paths<DeclaredControllers, 4>;
