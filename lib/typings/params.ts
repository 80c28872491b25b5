// ctx.params as a type, from the name of a namespace with parameters. Used by events.ts.

type Segment<S extends string> = S extends `:${infer Name}` ? { [K in Name]: string } : object;
type Segments<Path extends string> = Path extends `${infer Head}/${infer Tail}`
  ? Segment<Head> & Segments<Tail>
  : Segment<Path>;

/** Whether each parameter is a segment of its own and no more: what else there is, is known when the application runs. */
type IsPlain<Path> = Path extends `${string}${'{' | '*' | '"' | '\\'}${string}` ? false : true;

/** The parameters of a namespace's name: `{ id: string }` of `/room/:id`. */
export type ParamsOf<N> = string extends N
  ? Record<string, string> | undefined
  : N extends `${string}/:${string}`
    ? IsPlain<N> extends true
      ? Readonly<{ [K in keyof Segments<N>]: Segments<N>[K] }>
      : Readonly<Record<string, string | readonly string[]>>
    : undefined;
