// Compares types in the type tests: a list of `Expect<Equal<A, B>>` compiles only where each pair is the same type.

/** Whether two types are the very same; `any` is the same as `any` only. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export type Expect<T extends true> = T;
