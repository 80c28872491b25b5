// The entry point `egg-socket.io/tegg`: decorators for controllers that are tegg prototypes. They collect what controllers.ts adds to the
// routes and the chains of the namespaces.
import { type IoControllerOptions, methodsOf, type Parameter, setOptions } from './metadata';
import { type Class, tegg } from './package';
import type { CheckedMethod } from './types';

export type { ControllerMiddleware, IoControllerOptions, IoMiddlewareClass } from './metadata';
export type { CheckedMethod } from './types';

/**
 * Makes a class a controller of a namespace. It is a tegg prototype: one object for the application, with public access. tegg finds it in
 * a module (a directory with `eggModule` in its package.json).
 *
 * @example
 * @IoController({ namespace: '/chat', connection: [login] })
 * export class ChatController {
 *   @Inject() readonly messages: MessageStore;
 *
 *   @IoEvent('say')
 *   async say(@Args(0) text: string, @Ack() ack: (id: number) => void) {
 *     ack(await this.messages.add(text));
 *   }
 * }
 */
export function IoController(options: IoControllerOptions = {}): (clazz: Class) => void {
  return (clazz) => {
    const { AccessLevel, SingletonProto } = tegg();
    setOptions(clazz, options);
    SingletonProto({ accessLevel: AccessLevel.PUBLIC, ...(options.protoName && { name: options.protoName }) })(clazz);
  };
}

/** A decorator of a method whose parameters fit an event. */
type MethodDecorator<E extends string> = <F extends (...args: never[]) => unknown>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<F> & CheckedMethod<F, E>,
) => void;

/**
 * Routes an event to a method. Each parameter of the method needs a decorator of its own: `@Args()`, `@Ack()`, `@Socket()` or
 * `@Context()`. If a declared namespace has the event, the compiler refuses parameters whose type no part of the event has.
 *
 * @param event - as that of `app.io.of(namespace).route()`: the name of an event, `'*'`, or a system event
 */
export function IoEvent<E extends string>(event: E): MethodDecorator<E> {
  return (target, method) => {
    const { events } = methodsOf(classOf(target));
    events.set(String(method), [...(events.get(String(method)) ?? []), event]);
  };
}

/** Routes the system event `connect`: the method runs once a client is connected. */
export function IoConnect(): MethodDecorator<'connect'> {
  return IoEvent('connect');
}

/** Routes the system event `disconnect`. `@Args(0)` is the reason. */
export function IoDisconnect(): MethodDecorator<'disconnect'> {
  return IoEvent('disconnect');
}

type ParameterDecorator = (target: object, method: string | symbol | undefined, position: number) => void;

function parameter(value: Parameter): ParameterDecorator {
  return (target, method, position) => {
    const { parameters } = methodsOf(classOf(target));
    const name = String(method);
    if (!parameters.has(name)) parameters.set(name, new Map());
    parameters.get(name)?.set(position, value);
  };
}

/**
 * A parameter that gets an argument of the event.
 *
 * @param index - its position among the arguments, from 0. Without it, the parameter gets the array of all arguments, `ctx.args`
 */
export function Args(index?: number): ParameterDecorator {
  return parameter({ type: 'args', index });
}

/** A parameter that gets the acknowledgement function. If the client has asked for no acknowledgement, the function does nothing. */
export function Ack(): ParameterDecorator {
  return parameter({ type: 'ack' });
}

/** A parameter that gets the Socket.IO socket, `ctx.socket`. */
export function Socket(): ParameterDecorator {
  return parameter({ type: 'socket' });
}

/** A parameter that gets the context of the event, as in every handler of `app/io`. */
export function Context(): ParameterDecorator {
  return parameter({ type: 'context' });
}

/** Decorators of methods and parameters get the prototype of the class. */
function classOf(prototype: object): Class {
  return prototype.constructor as Class;
}
