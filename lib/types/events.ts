// The events, controllers and middleware that an application declares, and the types of app.io, routes and contexts that follow from them.
import type { Application, Context, Controller } from 'egg';
import type { DefaultEventsMap, DisconnectReason, Namespace, Socket } from 'socket.io';
import type { ContextSocket, IoContext } from './context';

/** Events by name, as Socket.IO declares them: `{ say: (text: string, ack: (answer: string) => void) => void }`. */
// biome-ignore lint/suspicious/noExplicitAny: Socket.IO requires an index signature, which an interface does not have
export type EventsMap = { [event: string]: any };

/**
 * The declaration of a namespace in `IoNamespaces`, under the name of the namespace (`'/chat'`, `'/room/:id'`).
 *
 * @example
 * declare module 'egg' {
 *   interface IoNamespaces {
 *     '/chat': { client: ClientEvents; server: ServerEvents };
 *   }
 * }
 */
export interface NamespaceTypes {
  /** The events that clients send. */
  client?: EventsMap;
  /** The events that the server sends to clients. */
  server?: EventsMap;
  /** The events that servers send to each other by `serverSideEmit`. */
  interServer?: EventsMap;
  /** The type of `ctx.data` and `socket.data`. */
  data?: unknown;
}

/** The names of the namespaces that an application has declared. */
export type DeclaredNamespace = keyof DeclaredNamespaces & string;

/** The declared parent of a child namespace, if the last segment of the parent is a parameter: `'/room/:id'` of `'/room/5'`. */
type ParentOf<N extends string, P = DeclaredNamespace> = P extends `${infer Head}/:${infer Name}`
  ? Name extends `${string}/${string}`
    ? never
    : N extends `${Head}/${infer Value}`
      ? Value extends `${string}/${string}`
        ? never
        : P
      : never
  : never;

/** The name under which a namespace is declared, or its own name. The leading slash may be missing. */
export type DeclaredAs<N extends string> = string extends N
  ? N
  : N extends `/${string}`
    ? Slashed<N>
    : Slashed<`/${N}`>;

type Slashed<N extends string> = N extends DeclaredNamespace ? N : [ParentOf<N>] extends [never] ? N : ParentOf<N>;

type DeclarationOf<N> = N extends DeclaredNamespace ? DeclaredNamespaces[N] : object;
type Part<N, K extends keyof NamespaceTypes> =
  DeclarationOf<N> extends { [P in K]: infer E extends EventsMap } ? E : DefaultEventsMap;

/** The events that clients send to a namespace. */
export type ClientEventsOf<N> = Part<N, 'client'>;
/** The events that a namespace sends to its clients. */
export type ServerEventsOf<N> = Part<N, 'server'>;
/** The events that servers send to each other in a namespace. */
export type InterServerEventsOf<N> = Part<N, 'interServer'>;
/** The data of the sockets of a namespace. */
// biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
export type DataOf<N> = DeclarationOf<N> extends { data: infer D } ? D : any;

/** A namespace of Socket.IO with its declared events. */
export type NamespaceOf<N> = Namespace<ClientEventsOf<N>, ServerEventsOf<N>, InterServerEventsOf<N>, DataOf<N>>;
/** A socket of Socket.IO with the declared events of its namespace. */
export type SocketOf<N> = Socket<ClientEventsOf<N>, ServerEventsOf<N>, InterServerEventsOf<N>, DataOf<N>>;

/** Events that can be routed and that clients do not send. */
interface OtherEvents {
  connect: () => void;
  // `expired`: see config.io.expires.
  disconnecting: (reason: DisconnectReason | 'expired') => void;
  disconnect: (reason: DisconnectReason | 'expired') => void;
  error: (err: Error) => void;
  // biome-ignore lint/suspicious/noExplicitAny: the arguments of any event
  '*': (...args: any[]) => void;
}

/** Whether an application has declared the events that clients send to a namespace. */
type IsDeclared<N> = DeclarationOf<N> extends { client: EventsMap } ? true : false;

/** The events that can be routed in a namespace. */
export type RoutableEvent<N> =
  IsDeclared<N> extends true ? (keyof ClientEventsOf<N> & string) | keyof OtherEvents : string;

type Listener<N, E> = E extends keyof OtherEvents
  ? OtherEvents[E]
  : E extends keyof ClientEventsOf<N>
    ? ClientEventsOf<N>[E]
    : never;

/** The arguments of an event; the last one is the acknowledgement function. */
// biome-ignore lint/suspicious/noExplicitAny: the event is not declared
export type ArgsOf<N, E> = Listener<N, E> extends (...args: infer A) => any ? A : any[];

/** The first argument of an acknowledgement. */
type AnswerOf<Args extends unknown[]> =
  // biome-ignore lint/suspicious/noExplicitAny: the arguments before the acknowledgement, which may be optional
  Required<Args> extends [...any[], (answer: infer A, ...more: any[]) => any] ? A : never;

/** The result of a handler: the answer of the acknowledgement, or nothing if the handler calls it. Any value without one. */
// biome-ignore lint/suspicious/noConfusingVoidType: the type of a function that returns nothing
export type Answer<A> = [A] extends [never] ? unknown : A | void | Promise<A> | Promise<void> | Promise<A | void>;

/** The result of the handler of an event. */
type Returned<N, E> = IsDeclared<N> extends true ? Answer<AnswerOf<ArgsOf<N, E>>> : unknown;

/** The members of a context whose types follow from the declared events. */
interface Precise<N, E, Args extends unknown[] = ArgsOf<N, E>, Sent extends unknown[] = Args> {
  args: Args;
  packet: [event: E, ...args: Sent];
  params: ParamsOf<N>;
  socket: SocketOf<N> & Pick<ContextSocket, 'remoteAddress'>;
  data: DataOf<N>;
  emit: SocketOf<N>['emit'];
  emitWithAck: SocketOf<N>['emitWithAck'];
  timeout: SocketOf<N>['timeout'];
  to: SocketOf<N>['to'];
  in: SocketOf<N>['in'];
  except: SocketOf<N>['except'];
  local: SocketOf<N>['local'];
  broadcast: SocketOf<N>['broadcast'];
  volatile: SocketOf<N>;
}

/** The members of a type without its index signature: `Omit` would reduce a type with one to the signature. */
type Members<T> = { [K in keyof T as string extends K ? never : symbol extends K ? never : K]: T[K] };

/**
 * The context of an event of a declared namespace. The types of `ctx.args`, `ctx.packet`, `ctx.params`, `ctx.socket`, `ctx.emit` and
 * others follow from the declared events.
 *
 * @example
 * async say(ctx: EventContext<'/chat', 'say'>) {
 *   const [text, ack] = ctx.args;
 * }
 */
export type EventContext<N extends string, E extends string = string> = ContextWith<Precise<N, E>>;

/**
 * The context of an event whose route has a schema.
 *
 * @typeParam Args - the elements of `ctx.args`
 */
export type ValidatedContext<N extends string, E extends string, Args extends unknown[]> = ContextWith<
  Precise<N, E, Args, unknown[]>
>;

/** A context of `app/io` whose members in `P` have other types. */
type ContextWith<P> = Omit<Members<Context>, keyof P | keyof IoContext> &
  Omit<IoContext, keyof P> &
  P & {
    // biome-ignore lint/suspicious/noExplicitAny: plugins and the application add members, as to Egg's own contexts
    [key: string]: any;
  };

/** The handler of an event of a namespace. */
export type HandlerOf<N extends string, E extends string> = N extends DeclaredNamespace
  ? // biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
    (this: any, ctx: EventContext<N, E>) => Returned<N, E>
  : // biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
    (this: any, ctx: Context) => unknown;

/** The same for a controller whose parameter is Egg's own context. */
export type PlainHandlerOf<N extends string, E extends string> = (
  // biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
  this: any,
  ctx: Context,
) => Returned<N, E>;

// An application declares its events, controllers and middleware in the module 'egg'. They are read through a member of Application:
// TypeScript 5 finds an interface that is added to 'egg' only under a name which Egg itself exports.

/** The key of the member of Application that contains the declarations. It exists for the compiler only. */
export declare const DECLARED: unique symbol;

type Declared = NonNullable<Application[typeof DECLARED]>;

/** The declared namespaces. */
export type DeclaredNamespaces = Declared['namespaces'];
/** The declared controllers of `app/io/controller`. */
export type DeclaredControllers = Declared['controllers'];
/** The declared middleware of `app/io/middleware`. */
export type DeclaredMiddlewares = Declared['middlewares'];

// The type of ctx.params follows from the name of a parent namespace.

/** Characters that end the name of a parameter, or whose meaning only path-to-regexp knows at run time. */
type Odd = '-' | '.' | ':' | '~' | '!' | '@' | '%' | '&' | '=' | '+' | ',' | ';' | "'" | '{' | '*' | '"' | '\\';

/** The parameter of a segment. Unknown if the segment contains more than one parameter. */
type Segment<S extends string> = S extends `:${infer Name}`
  ? Name extends `${string}${Odd}${string}`
    ? unknown
    : { [K in Name]: string }
  : S extends `${string}${':' | '{' | '*' | '"' | '\\'}${string}`
    ? unknown
    : object;
type Segments<Path extends string> = Path extends `${infer Head}/${infer Tail}`
  ? Both<Segment<Head>, Segments<Tail>>
  : Segment<Path>;
type Both<A, B> = unknown extends A ? unknown : unknown extends B ? unknown : A & B;

/** The parameters in the name of a namespace: `{ id: string }` of `/room/:id`. */
export type ParamsOf<N> = string extends N
  ? Record<string, string> | undefined
  : N extends `${string}/:${string}`
    ? unknown extends Segments<N>
      ? Readonly<Record<string, string | readonly string[]>>
      : Readonly<{ [K in keyof Segments<N>]: Segments<N>[K] }>
    : undefined;

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
