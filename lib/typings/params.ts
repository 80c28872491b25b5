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
