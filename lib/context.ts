// Egg contexts of connections, packets and system events, with the members that they delegate to the Socket.IO socket.

import type { AsyncLocalStorage } from 'node:async_hooks';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket as TcpSocket } from 'node:net';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io';
import { connectionContexts, OWNER } from './internals/connection-context';
import {
  type ContextPrototypes,
  contextStorageOf,
  createContext,
  eggCreateContext,
  knownMembers,
  prototypesOf,
} from './internals/egg';
import { type Params, paramsOf } from './namespaces/path-pattern';

const PACKET = Symbol('egg-socket.io:packet');
const ARGS = Symbol('egg-socket.io:args');
const RESPONSE = Symbol('egg-socket.io:response');
const CONTEXT = Symbol('egg-socket.io:context');

/** The socket that a context belongs to. */
export interface ContextOwner {
  readonly socket: Socket;
  /** The handshake request as the contexts of this socket see it: what `requestOf` has returned for the socket. */
  readonly request: IncomingMessage;
}

/** A context as this file sees it. */
interface IoContext extends Context {
  [OWNER]?: ContextOwner;
  [PACKET]?: unknown[] | undefined;
  [ARGS]?: unknown[];
  [RESPONSE]?: ServerResponse;
}

/** The request of one packet's context. */
type PacketRequest = IncomingMessage & { [CONTEXT]?: Context };

/** Makes the contexts of one application. */
export class ContextFactory {
  readonly #app: Application;
  readonly #prototypes: ContextPrototypes;
  readonly #storage: AsyncLocalStorage<Context> | undefined;
  readonly #eggCreateContext: unknown;
  /** Undefined if Egg's createContext is not known, or sets members that the plugin does not know. */
  readonly #connectionContext: ((owner: ContextOwner) => Context) | undefined;

  /**
   * @param app - the application
   * @param members - more members of its contexts
   */
  constructor(app: Application, members: PropertyDescriptorMap = {}) {
    this.#app = app;
    this.#storage = contextStorageOf(app);
    const { context, request, response } = prototypesOf(app);
    const res = { get: koaResponse, set: ignore };
    this.#prototypes = {
      context: Object.create(context, { ...contextMembers(context), ...members }),
      request: Object.create(request, { res }),
      response: Object.create(response, { res }),
    };
    const sample = Object.assign(new IncomingMessage(new TcpSocket()), { method: 'GET', url: '/' });
    this.#eggCreateContext = eggCreateContext(app);
    if (app.createContext !== this.#eggCreateContext) return;
    const known = knownMembers(app, this.#prototypes, sample);
    if (known) this.#connectionContext = connectionContexts(app, this.#prototypes, known.has('performanceStarttime'));
  }

  /**
   * Returns the handshake request as the contexts of one socket see it: its `socket` is the Socket.IO socket. The request itself,
   * which the namespaces of a connection share, does not change.
   */
  requestOf(socket: Socket): IncomingMessage {
    return Object.create(socket.request, { socket: { value: socket, writable: true }, args: ARGS_OF_REQUEST });
  }

  /** Makes the context of a connection. Its request is the owner's: later contexts of the socket see what a middleware sets on it. */
  forConnection(owner: ContextOwner): Context {
    const make = this.#connectionContext;
    // A framework, the application or a test may have a createContext of its own, which then makes these contexts as well.
    if (make === undefined || this.#app.createContext !== this.#eggCreateContext)
      return this.#create(owner, owner.request);
    return make(owner);
  }

  /**
   * Makes the context of a packet or of a system event. Its request is its own, and inherits from the owner's.
   *
   * @param packet - Socket.IO's own array, `[event, ...args]`
   */
  forPacket(owner: ContextOwner, packet?: unknown[]): Context {
    const request: PacketRequest = Object.create(owner.request);
    const ctx = this.#create(owner, request);
    request[CONTEXT] = ctx;
    ctx[PACKET] = packet;
    return ctx;
  }

  #create(owner: ContextOwner, request: IncomingMessage): IoContext {
    const ctx = createContext(this.#app, this.#prototypes, request) as IoContext;
    ctx[OWNER] = owner;
    return ctx;
  }

  /** Calls a function with the context as `app.currentContext`, also in what the function awaits. */
  run<R>(ctx: Context, fn: () => R): R {
    return this.#storage === undefined ? fn() : this.#storage.run(ctx, fn);
  }
}

/** Sets `ctx.args`, the arguments that a controller reads. */
export function setArgs(ctx: Context, args: unknown[]): void {
  (ctx as IoContext)[ARGS] = args;
}

/** Returns the response of a context, or undefined if nothing has read it. */
export function usedResponse(ctx: Context): ServerResponse | undefined {
  return (ctx as IoContext)[RESPONSE];
}

/** `ctx.req.args`. An accessor of the request that the contexts of a socket share: one for each packet would cost more. */
const ARGS_OF_REQUEST: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: PacketRequest) {
    return this[CONTEXT]?.args;
  },
  set(this: PacketRequest, args: unknown[]) {
    if (this[CONTEXT]) this[CONTEXT].args = args;
  },
};

function contextMembers(base: object): PropertyDescriptorMap {
  return {
    ...delegates(base),
    packet: { get: getPacket, set: setPacket },
    args: { get: getArgs, set: assignArgs },
    res: { get: getResponse, set: setResponse },
  };
}

function getPacket(this: IoContext): unknown[] | undefined {
  return this[PACKET];
}

/** Socket.IO holds the array that it has passed: the elements of the new one are copied into it. */
function setPacket(this: IoContext, packet: unknown[]): void {
  this[PACKET]?.splice(0, this[PACKET].length, ...packet);
}

/** Before the controller runs, the arguments are those of the packet as it is. */
function getArgs(this: IoContext): unknown[] {
  return this[ARGS] ?? this[PACKET]?.slice(1) ?? [];
}

function assignArgs(this: IoContext, args: unknown[]): void {
  this[ARGS] = args;
}

/** There is no HTTP response. Code that writes one all the same (a cookie, a body, a header) gets an object to write to. */
function getResponse(this: IoContext): ServerResponse {
  this[RESPONSE] ??= new ServerResponse(this.req);
  return this[RESPONSE];
}

/** Called by createContext with undefined. */
function setResponse(this: IoContext, response: ServerResponse | undefined): void {
  if (response !== undefined) this[RESPONSE] = response;
}

function koaResponse(this: { ctx: Context }): ServerResponse {
  return this.ctx.res;
}

/** createContext sets `res` of request and response to undefined. */
function ignore(): void {}

/** The members that 4.1.6 delegated. An application's own member of that name is replaced. */
const GETTERS = 'client server adapter id conn rooms acks volatile broadcast connected disconnected handshake'.split(
  ' ',
);
const METHODS = 'join leave emit to in send write disconnect'.split(' ');
/** New in version 5: an application that has a member of that name, or sets one, keeps its own. */
const NEW_GETTERS = 'local data recovered'.split(' ');
const NEW_METHODS = 'except timeout emitWithAck'.split(' ');

/** The members of a socket by name. */
type Members = Record<string, (...args: unknown[]) => unknown>;

/** An application's own createContext may read a delegated member before the context has its owner. */
function socketOf(ctx: IoContext): Socket & Members {
  const socket: object = ctx[OWNER]?.socket ?? ctx.req.socket;
  return socket as Socket & Members;
}

/** The delegated members, for an object whose prototype is `base`. */
function delegates(base: object): PropertyDescriptorMap {
  const properties: PropertyDescriptorMap = {
    socket: { get: getSocket },
    // A flag that Socket.IO 3 dropped; it had no effect since Socket.IO 1.
    json: { get: getSocket },
  };
  for (const name of GETTERS) properties[name] = { get: getter(name), set: shadow(name) };
  for (const name of METHODS) properties[name] = { value: method(name), writable: true };
  for (const name of NEW_GETTERS) if (!(name in base)) properties[name] = { get: getter(name), set: shadow(name) };
  for (const name of NEW_METHODS) if (!(name in base)) properties[name] = { value: method(name), writable: true };
  if (!('params' in base)) properties.params = { get: getParams, set: shadow('params') };
  return properties;
}

function getParams(this: IoContext): Params | undefined {
  return paramsOf(socketOf(this).nsp);
}

function getSocket(this: IoContext): Socket {
  return socketOf(this);
}

function getter(name: string) {
  return function delegated(this: IoContext): unknown {
    return socketOf(this)[name];
  };
}

function method(name: string) {
  return function delegated(this: IoContext, ...args: unknown[]): unknown {
    return socketOf(this)[name]?.(...args);
  };
}

function shadow(name: string) {
  return function set(this: Context, value: unknown): void {
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
  };
}
