// The types of decorated methods: their parameters are compared with the declared events.
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { ArgsOf, DeclaredNamespace, EventContext, RoutableEvent, SocketOf } from '../types/events';

/** The declared namespaces that have an event. */
type NamespacesWith<E, N = DeclaredNamespace> = N extends string
  ? string extends RoutableEvent<N>
    ? never
    : E extends RoutableEvent<N>
      ? N
      : never
  : never;

/** What the parameters of a method for an event of a namespace can get. */
type Available<N, E> = N extends string
  ? E extends string
    ? ArgsOf<N, E>[number] | ArgsOf<N, E> | Socket | SocketOf<N> | Context | EventContext<N, E>
    : never
  : never;

/** Whether one of several types, which are tried one by one, can be passed as a parameter. */
type Fits<One, P> = [unknown] extends [P] ? true : One extends P ? true : never;

/** The parameters of a method that get nothing of an event. */
type Unfit<Parameters, E> = Parameters extends readonly [infer P, ...infer Rest]
  ? ([Fits<Available<NamespacesWith<E>, E>, P>] extends [never] ? P : never) | Unfit<Rest, E>
  : never;

/** An error of the compiler if a parameter of a method has a type that no part of a declared event has. */
export type CheckedMethod<F extends (...args: never[]) => unknown, E extends string> = [NamespacesWith<E>] extends [
  never,
]
  ? unknown
  : [Unfit<Required<Parameters<F>>, E>] extends [never]
    ? unknown
    : { 'this type is not among the arguments of the event': Unfit<Required<Parameters<F>>, E> };
