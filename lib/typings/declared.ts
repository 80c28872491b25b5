// What an application has declared in the module 'egg', by way of a name that Egg itself exports: TypeScript 5 finds no other in
// Egg 4, where all names come by `export *`. Used by events.ts and controllers.ts.
import type { Application } from 'egg';

/** Where typings.ts puts it: a member that is there for the compiler alone. */
export declare const DECLARED: unique symbol;

type Declared = NonNullable<Application[typeof DECLARED]>;

/** The events of namespaces, by their names. */
export type DeclaredNamespaces = Declared['namespaces'];
/** What `app/io/controller` holds. */
export type DeclaredControllers = Declared['controllers'];
/** What `app/io/middleware` holds. */
export type DeclaredMiddlewares = Declared['middlewares'];
