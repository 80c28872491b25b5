// Compares types in the type tests: `Expect<Equal<A, B>>` compiles only if both are the same type.

/** True if two types are identical. `any` is identical only to `any`. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export type Expect<T extends true> = T;
