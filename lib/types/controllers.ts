// The types of app.io.controller and app.io.middleware, which the application or egg-ts-helper declares.
import type { Controller } from 'egg';
import type { DeclaredControllers, DeclaredMiddlewares } from './events';

/**
 * The type of `app.io.controller`: `CustomController`, as the application declares it. If it is not declared, any name is allowed.
 */
// biome-ignore lint/suspicious/noExplicitAny: the controllers are not declared
export type IoController = keyof DeclaredControllers extends never ? Record<string, any> : DeclaredControllers;

/**
 * The type of `app.io.middleware`: `CustomMiddleware`, as the application declares it. A file of `app/io/middleware` exports a
 * factory; the application may declare the factory or the middleware.
 */
export type IoMiddleware = keyof DeclaredMiddlewares extends never
  ? // biome-ignore lint/suspicious/noExplicitAny: the middleware is not declared
    Record<string, any>
  : { [K in keyof DeclaredMiddlewares]: Made<DeclaredMiddlewares[K]> };

// biome-ignore lint/suspicious/noExplicitAny: a factory may declare any application
type Made<M> = M extends (app: any) => infer R ? (R extends (...args: any[]) => any ? R : M) : M;

/** The members that each controller inherits. */
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

/** The members that a controller or a folder has itself. A file may have the name of an inherited member. */
type Own<T, D> = Exclude<keyof T & string, D extends 4 ? never : Inherited | 'ctx' | 'app'>;

/** The paths of the methods of the declared controllers, such as `'chat.say'`. If none is declared, any string. */
export type ControllerPath = keyof DeclaredControllers extends never ? string : Paths<DeclaredControllers, 4>;
