// Egg contexts for a connection, a packet and a system event. The hot path: whatever is the same for all contexts is on
// a prototype made at boot, whatever is the same for a socket is on its request, made at its connection.
import type { AsyncLocalStorage } from 'node:async_hooks';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io';
import {
  hasOwnCreateContext,
  type LeanContexts,
  leanContexts,
  OWNER,
  type Owner,
  ownRequest,
} from './internals/egg-context';
import { type Params, paramsOf } from './namespaces/path-pattern';

const PACKET = Symbol('egg-socket.io:packet');
const ARGS = Symbol('egg-socket.io:args');
const RESPONSE = Symbol('egg-socket.io:response');

/** A context as this file sees it. */
interface IoContext extends Context {
  [OWNER]?: Owner;
  [PACKET]?: unknown[];
  [ARGS]?: unknown[];
  [RESPONSE]?: ServerResponse;
}

/** Makes the contexts of one application. */
export class ContextFactory {
  readonly #app: Application;
  /** The application as its own `createContext` shall see it: with prototypes that know of sockets. */
  readonly #view: Application;
  readonly #storage: AsyncLocalStorage<Context> | undefined;
  /** Not asked of the storage each time: app.mockContext() of egg-mock has another context answer for it. */
  readonly #getStore: (() => Context | undefined) | undefined;
  /** Undefined where the application has a createContext of its own. */
  readonly #lean: LeanContexts | undefined;

  /**
   * @param app - the application
   * @param properties - what else its contexts have
   */
  constructor(app: Application, properties: PropertyDescriptorMap = {}) {
    this.#app = app;
    const { context, request, response, ctxStorage } = app as unknown as Record<string, object>;
    this.#storage = ctxStorage as AsyncLocalStorage<Context> | undefined;
    this.#getStore = this.#storage?.getStore.bind(this.#storage);
    const shared = { res: { get: sharedResponse, set: setSharedResponse } };
    const prototypes = {
      context: Object.create(context as object, { ...contextProperties(context as object), ...properties }),
      request: Object.create(request as object, shared),
      response: Object.create(response as object, shared),
    };
    this.#view = Object.create(app, {
      context: { value: prototypes.context },
      request: { value: prototypes.request },
      response: { value: prototypes.response },
    });
    this.#lean = hasOwnCreateContext(app) ? undefined : leanContexts(app, prototypes);
  }

  /**
   * The handshake request as the contexts of one socket see it. The shared one, which other namespaces of the same
   * connection see, stays as it is.
   */
  requestOf(socket: Socket): IncomingMessage {
    return Object.create(socket.request, { socket: { value: socket, writable: true } });
  }

  /**
   * A context of a connection. Its request is the socket's own: what a middleware notes on it is there in all that follow.
   *
   * @param owner - its socket
   */
  ofConnection(owner: Owner): Context {
    return this.#lean ? new this.#lean.Connection(owner) : this.#make(owner, false);
  }

  /**
   * A context of a packet or of a system event. Its request is its own, and inherits from the socket's.
   *
   * @param owner - its socket
   * @param packet - the live array of Socket.IO
   */
  ofPacket(owner: Owner, packet?: unknown[]): Context {
    const ctx: IoContext = this.#lean ? new this.#lean.Packet(owner) : this.#make(owner, true);
    ctx[PACKET] = packet;
    return ctx;
  }

  /** By the application's own createContext. */
  #make(owner: Owner, isOwn: boolean): Context {
    const { request } = owner;
    const req: IncomingMessage = isOwn ? ownRequest(request, () => ctx) : request;
    const ctx = this.#view.createContext(req, undefined as never) as unknown as IoContext;
    // An application's own createContext may have called Egg's with the application for `this`.
    if (!('packet' in ctx)) this.#adopt(ctx);
    ctx.app = ctx.request.app = ctx.response.app = this.#app;
    ctx[OWNER] = owner;
    return ctx;
  }

  #adopt(ctx: Context): void {
    const { context, request, response } = this.#view as unknown as Record<string, object>;
    Object.setPrototypeOf(ctx, context as object);
    Object.setPrototypeOf(ctx.request, request as object);
    Object.setPrototypeOf(ctx.response, response as object);
  }

  /** The context in which this is called: of a promise's reactions, the one that they were put on in. */
  get current(): Context | undefined {
    return this.#getStore?.();
  }

  /** Calls `work` so that `app.currentContext` is the context, in it and in whatever it awaits. */
  run<A, R>(ctx: Context, work: (arg: A) => R, arg: A): R {
    return this.#storage === undefined ? work(arg) : this.#storage.run(ctx, work, arg);
  }
}

/** The socket that a context was made for, whatever an application has made of it since. */
export function ownerOf(ctx: Context): Owner | undefined {
  return (ctx as IoContext)[OWNER];
}

/** Gives a controller its arguments. */
export function setArgs(ctx: Context, args: unknown[]): void {
  (ctx as IoContext)[ARGS] = args;
}

/** The response of a context, if anybody has touched it. */
export function touchedResponse(ctx: Context): ServerResponse | undefined {
  return (ctx as IoContext)[RESPONSE];
}

function contextProperties(base: object): PropertyDescriptorMap {
  return {
    ...delegates(base),
    packet: { get: getPacket, set: setPacket },
    args: { get: getArgs, set: setArgsOf },
    res: { get: getResponse, set: setResponse },
  };
}

function getPacket(this: IoContext): unknown[] | undefined {
  return this[PACKET];
}

/** Socket.IO keeps the array that it gave: a new one goes into it. */
function setPacket(this: IoContext, packet: unknown[]): void {
  this[PACKET]?.splice(0, this[PACKET].length, ...packet);
}

/** Before the controller, the arguments as they would be now. */
function getArgs(this: IoContext): unknown[] {
  return this[ARGS] ?? this[PACKET]?.slice(1) ?? [];
}

function setArgsOf(this: IoContext, args: unknown[]): void {
  this[ARGS] = args;
}

/** There is nobody to respond to; what writes a header all the same (a cookie, a body) gets a response to write to. */
function getResponse(this: IoContext): ServerResponse {
  this[RESPONSE] ??= new ServerResponse(this.req);
  return this[RESPONSE];
}

function setResponse(this: IoContext, response: ServerResponse | undefined): void {
  this[RESPONSE] = response;
}

function sharedResponse(this: { ctx: Context }): ServerResponse {
  return this.ctx.res;
}

/** Egg's createContext sets it to what it was given, which is nothing: the response is made when it is asked for. */
function setSharedResponse(): void {}

// What a context has of its socket: the members that 4.1.6 delegated, and new ones. Called by lib/context.ts.

/** What 4.1.6 delegated, and what applications may therefore not shadow. */
const GETTERS = 'client server adapter id conn rooms acks volatile broadcast connected disconnected handshake'.split(
  ' ',
);
const METHODS = 'join leave emit to in send write disconnect'.split(' ');
/** New in 5: an application that has a ctx property of that name already, or sets one, keeps its own. */
const NEW_GETTERS = 'local data recovered'.split(' ');
const NEW_METHODS = 'except timeout emitWithAck'.split(' ');

type Members = Record<string, (...args: unknown[]) => unknown>;

/** The properties, for a prototype of contexts whose prototype is `base`. */
export function delegates(base: object): PropertyDescriptorMap {
  const properties: PropertyDescriptorMap = {
    socket: { get: getSocket },
    // A flag without effect since Socket.IO 1, which Socket.IO 3 dropped.
    json: { get: getSocket },
  };
  for (const name of GETTERS) properties[name] = { get: getter(name) };
  for (const name of METHODS) properties[name] = { value: method(name), writable: true };
  for (const name of NEW_GETTERS) if (!(name in base)) properties[name] = { get: getter(name), set: shadow(name) };
  for (const name of NEW_METHODS) if (!(name in base)) properties[name] = { value: method(name), writable: true };
  if (!('params' in base)) properties.params = { get: getParams, set: shadow('params') };
  return properties;
}

/** Worked out once for all sockets of a namespace. */
function getParams(this: Context): Params | undefined {
  return paramsOf((this.socket as unknown as Socket).nsp);
}

function getSocket(this: Context): unknown {
  return this.req.socket;
}

function getter(name: string) {
  return function delegated(this: Context): unknown {
    return (this.socket as unknown as Members)[name];
  };
}

function method(name: string) {
  return function delegated(this: Context, ...args: unknown[]): unknown {
    const socket = this.socket as unknown as Members;
    return socket[name]?.(...args);
  };
}

function shadow(name: string) {
  return function set(this: Context, value: unknown): void {
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
  };
}
