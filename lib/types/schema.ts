// The schema of an event, and the types that follow from it: those of its context, of its handler and of its client.
import type { Context } from 'egg';
import type { AckError } from '../errors';
import type { Middleware } from './context';
import type { Answer, HandlerOf, PlainHandlerOf, ValidatedContext } from './events';

/**
 * A schema of any library that implements Standard Schema, such as zod, valibot or arktype. The interface is a copy, which its
 * specification permits (https://standardschema.dev), so that the declarations of this plugin need no other package.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** The same as JSON Schema, as the specification Standard JSON Schema has it. Only `egg-socket.io describe` reads it. */
    readonly jsonSchema?: JsonSchemaConverter | undefined;
    /** Exists for the compiler only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** Describes what a schema accepts. Throws if JSON Schema cannot describe it. */
interface JsonSchemaConverter {
  readonly input: (options: JsonSchemaOptions) => Record<string, unknown>;
  readonly output: (options: JsonSchemaOptions) => Record<string, unknown>;
}

interface JsonSchemaOptions {
  readonly target: 'draft-2020-12' | 'draft-07' | 'openapi-3.0' | ({} & string);
  readonly libraryOptions?: Record<string, unknown> | undefined;
}

/** The parsed value, or what is wrong. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What is wrong with a value. */
export interface SchemaIssue {
  readonly message: string;
  /** The keys to the member that is wrong. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The arguments of an event. The empty tuple makes the compiler infer tuples. */
type ArgumentSchemas = readonly [] | readonly StandardSchema[];

/**
 * The schema of an event: `args`, `ack` or both.
 *
 * @example
 * app.io.of('/chat').route('say', { args: [z.string().max(500)], ack: z.object({ id: z.number() }) }, 'chat.say');
 */
export type EventSchema =
  | {
      /** One schema for each argument, without the acknowledgement function. The parsed values are `ctx.args`. */
      readonly args: ArgumentSchemas;
      /** What the handler answers. It is checked in the environments `local` and `unittest` only, and never changed. */
      readonly ack?: StandardSchema | undefined;
    }
  | { readonly args?: undefined; readonly ack: StandardSchema };

/**
 * The schemas of several events, by event.
 *
 * @example
 * export const chat = { say: { args: [z.string()] }, typing: { args: [z.boolean()] } } satisfies EventSchemas;
 */
export interface EventSchemas {
  readonly [event: string]: EventSchema;
}

type InputOf<S> = S extends StandardSchema ? NonNullable<S['~standard']['types']>['input'] : never;
type OutputOf<S> = S extends StandardSchema ? NonNullable<S['~standard']['types']>['output'] : never;
type Outputs<A> = { -readonly [K in keyof A]: OutputOf<A[K]> };

/** What a handler may answer: what the `ack` schema accepts, or an error. Never without an `ack` schema. */
type AnswerOf<S> = S extends { readonly ack: infer A extends StandardSchema }
  ? InputOf<A> | { error: AckError }
  : never;

/** The acknowledgement function as the last element of `ctx.args`. With an `ack` schema it is always there. */
type AckArgument<S> = [AnswerOf<S>] extends [never]
  ? // biome-ignore lint/suspicious/noExplicitAny: the answer has no schema
    [ack?: (...answer: any[]) => void]
  : [ack: (answer: AnswerOf<S>) => void];

/** The elements of `ctx.args`. */
type Arguments<S> = S extends { readonly args: infer A extends ArgumentSchemas }
  ? Outputs<A> extends infer V extends unknown[]
    ? [...V, ...AckArgument<S>]
    : never
  : // biome-ignore lint/suspicious/noExplicitAny: the arguments have no schema
    any[];

/**
 * The context of an event whose route has a schema, for controllers. The types of `ctx.args` follow from the schema.
 *
 * @typeParam S - the schema
 * @typeParam N - the namespace, if `IoNamespaces` has it: for `ctx.emit`, `ctx.params`, `ctx.data` and others
 * @example
 * async say(ctx: ContextOf<typeof chat.say, '/chat'>) {
 *   const [text] = ctx.args;
 * }
 */
export type ContextOf<S extends EventSchema, N extends string = string, E extends string = string> = ValidatedContext<
  N,
  E,
  Arguments<S>
>;

/** The result of the handler of an event whose route has a schema. */
type Returned<S> = Answer<AnswerOf<S>>;

/** The handler of an event whose route has a schema. */
export type ValidatedHandler<S extends EventSchema, N extends string, E extends string> = (
  // biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
  this: any,
  ctx: ContextOf<S, N, E>,
) => Returned<S>;

/** The same for a controller whose parameter is Egg's own context. */
type PlainValidatedHandler<S extends EventSchema> = (
  // biome-ignore lint/suspicious/noExplicitAny: a controller's method may declare any `this`
  this: any,
  ctx: Context,
) => Returned<S>;

/** What runs before the handler of a route: middleware and at most one schema. The empty tuple makes the compiler infer a tuple. */
export type Steps = readonly [] | readonly (Middleware | EventSchema)[];

/** The schema among the steps of a route. Never if there is none. */
type SchemaIn<T> = T extends readonly [...infer Head, infer Last]
  ? SchemaOr<Last, Head>
  : T extends readonly [infer First, ...infer Tail]
    ? SchemaOr<First, Tail>
    : never;
// Middleware that is not declared is of the type any.
type SchemaOr<Step, Others> = 0 extends 1 & Step
  ? SchemaIn<Others>
  : Step extends EventSchema
    ? Step
    : SchemaIn<Others>;

/** The handler of an event after the steps of its route. */
export type RoutedHandler<N extends string, E extends string, T> = [SchemaIn<T>] extends [never]
  ? HandlerOf<N, E>
  : ValidatedHandler<SchemaIn<T>, N, E>;

/** The same for a controller whose parameter is Egg's own context. */
export type PlainRoutedHandler<N extends string, E extends string, T> = [SchemaIn<T>] extends [never]
  ? PlainHandlerOf<N, E>
  : PlainValidatedHandler<SchemaIn<T>>;

// The same schemas as the events of a client.

type Inputs<A> = { -readonly [K in keyof A]: InputOf<A[K]> };

/** Without undefined, which arrives as null. */
type Sent<T extends unknown[]> = { [K in keyof T]: unknown extends T[K] ? T[K] : Exclude<T[K], undefined> };

/** The tuples of arguments that a client may send: those at the end that may be undefined can be left out. */
type Sendable<T extends unknown[]> =
  | Sent<T>
  | (T extends [...infer Head, infer Last] ? (undefined extends Last ? Sendable<Head> : never) : never);

type WithAck<Args extends unknown[], S> = Args extends unknown[]
  ? [...Args, ...([AnswerOf<S>] extends [never] ? [] : [ack: (answer: AnswerOf<S>) => void])]
  : never;

/** The parameters of an event as a client emits it. */
type ClientArguments<S> = S extends { readonly args: infer A extends ArgumentSchemas }
  ? Inputs<A> extends infer T extends unknown[]
    ? WithAck<Sendable<T>, S>
    : never
  : // biome-ignore lint/suspicious/noExplicitAny: the arguments have no schema
    WithAck<any[], S>;

/**
 * The events that clients send, for `Socket<ServerEvents, EventsOf<typeof chat>>` of socket.io-client.
 *
 * @typeParam T - the schemas by event
 */
export type EventsOf<T extends EventSchemas> = {
  [E in Exclude<keyof T & string, '*'>]: (...args: ClientArguments<T[E]>) => void;
};

/**
 * The events that a namespace emits to its clients, by event: one schema for each argument. Nothing is checked by them.
 *
 * @example
 * export const chatEmits = { said: [z.string(), z.string()] } satisfies EmittedSchemas;
 */
export interface EmittedSchemas {
  readonly [event: string]: ArgumentSchemas;
}

/**
 * The events that clients receive, for `Socket<EmittedBy<typeof chatEmits>, ClientEvents>` of socket.io-client.
 *
 * @typeParam T - the schemas by event
 */
export type EmittedBy<T extends EmittedSchemas> = {
  [E in keyof T & string]: (...args: Inputs<T[E]> extends infer A extends unknown[] ? A : never) => void;
};
