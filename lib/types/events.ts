// The events that an application declares of its namespaces, and what follows from them for app.io, routes and contexts.
import type { Application, Context } from 'egg';
import type { DefaultEventsMap, DisconnectReason, Namespace, Socket } from 'socket.io';
import type { ContextSocket, IoContext } from './context';

/** Events by name, in Socket.IO's own style: `{ say: (text: string, ack: (answer: string) => void) => void }`. */
// biome-ignore lint/suspicious/noExplicitAny: an interface has no index signature, and Socket.IO asks for one
export type EventsMap = { [event: string]: any };

/**
 * What an application declares of a namespace, under the namespace's name (`'/chat'`, `'/room/:id'`) in `IoNamespaces`.
 *
 * @example
 * declare module 'egg' {
 *   interface IoNamespaces {
 *     '/chat': { client: ClientEvents; server: ServerEvents };
 *   }
 * }
 */
export interface NamespaceTypes {
  /** What clients send. */
  client?: EventsMap;
  /** What the server sends to clients. */
  server?: EventsMap;
  /** What servers send each other: `serverSideEmit`. */
  interServer?: EventsMap;
  /** `ctx.data` and `socket.data`. */
  data?: unknown;
}

/** The names of the namespaces that an application has declared. */
export type DeclaredNamespace = keyof DeclaredNamespaces & string;

/** The declared namespace whose last segment is a parameter, and of which this may be a child: `'/room/:id'` of `'/room/5'`. */
type ParentOf<N extends string, P = DeclaredNamespace> = P extends `${infer Head}/:${infer Name}`
  ? Name extends `${string}/${string}`
    ? never
    : N extends `${Head}/${infer Value}`
      ? Value extends `${string}/${string}`
        ? never
        : P
      : never
  : never;

/** The name under which a namespace is declared, or its own. It may have been said without its leading slash. */
export type DeclaredAs<N extends string> = string extends N
  ? N
  : N extends `/${string}`
    ? Slashed<N>
    : Slashed<`/${N}`>;

type Slashed<N extends string> = N extends DeclaredNamespace ? N : [ParentOf<N>] extends [never] ? N : ParentOf<N>;

type DeclarationOf<N> = N extends DeclaredNamespace ? DeclaredNamespaces[N] : object;
type Part<N, K extends keyof NamespaceTypes> =
  DeclarationOf<N> extends { [P in K]: infer E extends EventsMap } ? E : DefaultEventsMap;

/** What clients send to a namespace. */
export type ClientEventsOf<N> = Part<N, 'client'>;
/** What a namespace sends to its clients. */
export type ServerEventsOf<N> = Part<N, 'server'>;
/** What servers send each other in a namespace. */
export type InterServerEventsOf<N> = Part<N, 'interServer'>;
/** The data of a namespace's sockets. */
// biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
export type DataOf<N> = DeclarationOf<N> extends { data: infer D } ? D : any;

/** Socket.IO's namespace, with the events that are declared of it. */
export type NamespaceOf<N> = Namespace<ClientEventsOf<N>, ServerEventsOf<N>, InterServerEventsOf<N>, DataOf<N>>;
/** Socket.IO's socket, with the events that are declared of its namespace. */
export type SocketOf<N> = Socket<ClientEventsOf<N>, ServerEventsOf<N>, InterServerEventsOf<N>, DataOf<N>>;

/** Routed, but not sent by clients. */
interface OtherEvents {
  disconnecting: (reason: DisconnectReason) => void;
  disconnect: (reason: DisconnectReason) => void;
  error: (err: Error) => void;
  // biome-ignore lint/suspicious/noExplicitAny: of events that no route names
  '*': (...args: any[]) => void;
}

/** Whether the events that clients send to a namespace are declared. */
type IsDeclared<N> = DeclarationOf<N> extends { client: EventsMap } ? true : false;

/** The events that a namespace may route. */
export type RoutableEvent<N> =
  IsDeclared<N> extends true ? (keyof ClientEventsOf<N> & string) | keyof OtherEvents : string;

type Listener<N, E> = E extends keyof OtherEvents
  ? OtherEvents[E]
  : E extends keyof ClientEventsOf<N>
    ? ClientEventsOf<N>[E]
    : never;

/** The arguments of an event, with the client's ack last. */
// biome-ignore lint/suspicious/noExplicitAny: what is not declared
export type ArgsOf<N, E> = Listener<N, E> extends (...args: infer A) => any ? A : any[];

/** What an ack takes first. */
type AnswerOf<Args extends unknown[]> =
  // biome-ignore lint/suspicious/noExplicitAny: whatever comes before the ack, which may be optional
  Required<Args> extends [...any[], (answer: infer A, ...more: any[]) => any] ? A : never;

/** What a handler may return: of an event with an ack its answer, or nothing where the handler calls the ack. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function is of that returns nothing
type Answer<A> = [A] extends [never] ? unknown : A | void | Promise<A> | Promise<void> | Promise<A | void>;

/** What the handler of an event may return. */
type Returned<N, E> = IsDeclared<N> extends true ? Answer<AnswerOf<ArgsOf<N, E>>> : unknown;

/** What of a context the declared events make more precise. */
interface Precise<N, E> {
  args: ArgsOf<N, E>;
  packet: [event: E, ...args: ArgsOf<N, E>];
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

/** A type's members without its index signature, which would swallow them in `Omit`. */
type Members<T> = { [K in keyof T as string extends K ? never : symbol extends K ? never : K]: T[K] };

/**
 * The context of an event of a declared namespace: `ctx.args`, `ctx.packet`, `ctx.params`, `ctx.socket`, `ctx.emit` and what else
 * follows from the events that the application has declared.
 *
 * @example
 * async say(ctx: EventContext<'/chat', 'say'>) {
 *   const [text, ack] = ctx.args;
 * }
 */
export type EventContext<N extends string, E extends string = string> = Omit<
  Members<Context>,
  keyof Precise<N, E> | keyof IoContext
> &
  Omit<IoContext, keyof Precise<N, E>> &
  Precise<N, E> & {
    // biome-ignore lint/suspicious/noExplicitAny: what plugins and the application add, as in Egg's own contexts
    [key: string]: any;
  };

/** What answers an event of a namespace. */
export type HandlerOf<N extends string, E extends string> = N extends DeclaredNamespace
  ? // biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
    (this: any, ctx: EventContext<N, E>) => Returned<N, E>
  : // biome-ignore lint/suspicious/noExplicitAny: likewise
    (this: any, ctx: Context) => unknown;

/** The same, of a controller that takes Egg's own context. */
export type PlainHandlerOf<N extends string, E extends string> = (
  // biome-ignore lint/suspicious/noExplicitAny: likewise
  this: any,
  ctx: Context,
) => Returned<N, E>;

// What an application has declared in the module 'egg', by way of a name that Egg itself exports: TypeScript 5 finds no other in
// Egg 4, where all names come by `export *`. Used by events.ts and controllers.ts.

/** Where typings.ts puts it: a member that is there for the compiler alone. */
export declare const DECLARED: unique symbol;

type Declared = NonNullable<Application[typeof DECLARED]>;

/** The events of namespaces, by their names. */
export type DeclaredNamespaces = Declared['namespaces'];
/** What `app/io/controller` holds. */
export type DeclaredControllers = Declared['controllers'];
/** What `app/io/middleware` holds. */
export type DeclaredMiddlewares = Declared['middlewares'];

// ctx.params as a type, from the name of a namespace with parameters. Used by events.ts.

/** What ends the name of a parameter, or makes a name one that is read when the application runs. */
type Odd = '-' | '.' | ':' | '~' | '!' | '@' | '%' | '&' | '=' | '+' | ',' | ';' | "'" | '{' | '*' | '"' | '\\';

/** The parameter that a segment is; unknown where there is more in it. */
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

/** The parameters of a namespace's name: `{ id: string }` of `/room/:id`. */
export type ParamsOf<N> = string extends N
  ? Record<string, string> | undefined
  : N extends `${string}/:${string}`
    ? unknown extends Segments<N>
      ? Readonly<Record<string, string | readonly string[]>>
      : Readonly<{ [K in keyof Segments<N>]: Segments<N>[K] }>
    : undefined;
