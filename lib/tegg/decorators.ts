// The entry point `egg-socket.io/tegg`: decorators for controllers that are tegg prototypes. They collect what controllers.ts adds to the
// routes and the chains of the namespaces.
import { ConfigError } from '../errors';
import { type IoControllerOptions, ownMethod, type Parameter, setOptions } from './metadata';
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
 *
 * @throws {ConfigError} if an option is unknown
 */
export function IoController(options: IoControllerOptions = {}): (clazz: Class) => void {
  return (clazz) => {
    checkOptions(clazz, options);
    const { AccessLevel, SingletonProto } = tegg();
    setOptions(clazz, options);
    SingletonProto({ accessLevel: AccessLevel.PUBLIC, ...(options.protoName && { name: options.protoName }) })(clazz);
  };
}

const OPTIONS: ReadonlyArray<keyof IoControllerOptions> = ['namespace', 'connection', 'packet', 'protoName'];

/** Node and tsx load TypeScript without the check of its types: middleware under a wrong name must not be missing without a word. */
function checkOptions(clazz: Class, options: unknown): void {
  const isObject = typeof options === 'object' && options !== null;
  if (isObject && Object.keys(options).every((key) => (OPTIONS as readonly string[]).includes(key))) return;
  throw new ConfigError(`@IoController() of ${clazz.name}`, options, `an object with ${OPTIONS.join(', ')}`);
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
    ownMethod(classOf(target, method), String(method)).events.push(event);
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
    ownMethod(classOf(target, method), String(method)).parameters.set(position, value);
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

/** @throws {ConfigError} if the decorator is not at a method of objects, or is not compiled as a decorator of tegg */
function classOf(prototype: object, method: unknown): Class {
  // The class if it is a static method or the constructor, or the method itself if it is compiled as a decorator of ECMAScript.
  if (typeof prototype === 'object') return prototype.constructor as Class;
  const { name } = prototype as Class;
  throw new ConfigError(
    `a decorator of egg-socket.io/tegg at ${name}`,
    method,
    'methods of objects and their parameters, compiled with "experimentalDecorators": true in tsconfig.json',
  );
}
