// Contexts as Egg's own createContext would make them, of which only what is asked for is made: most packets ask for neither
// request nor response. Called by lib/context.ts, where the application has no createContext of its own.
import type { IncomingMessage } from 'node:http';
import type { Application, Context } from 'egg';

/** Whose a context is. */
export const OWNER = Symbol('egg-socket.io:owner');
const REQ = Symbol('egg-socket.io:req');
const REQUEST = Symbol('egg-socket.io:request');
const REPLY = Symbol('egg-socket.io:reply');
const ONERROR = Symbol('egg-socket.io:onerror');
const URL = Symbol('egg-socket.io:url');
const START = Symbol('egg-socket.io:start');

interface LeanContext extends Context {
  [OWNER]: Owner;
  [REQ]?: IncomingMessage | undefined;
  [REQUEST]?: object | undefined;
  [REPLY]?: object | undefined;
  [ONERROR]?: unknown;
  [URL]?: unknown;
  [START]?: number;
  starttime: number;
  performanceStarttime: number;
}

/** Whose context it is. */
export interface Owner {
  readonly socket: { readonly handshake: { readonly issued: number } };
  /** The handshake request as its contexts see it; made when it is asked for. */
  readonly request: IncomingMessage;
}

type Constructor = new (owner: Owner) => Context;

/** Makes contexts. */
export interface LeanContexts {
  /** Of a connection, whose request is its socket's: kept for hours, so it has a place only for what every one has. */
  readonly Connection: Constructor;
  /** Of a packet or a system event, whose request is its own and inherits from the socket's: all have one shape. */
  readonly Packet: Constructor;
}

/** What of koa's prototypes a context is made of. */
export interface Prototypes {
  context: object;
  request: object;
  response: object;
}

/** The contexts of an application. */
export function leanContexts(app: Application, prototypes: Prototypes): LeanContexts {
  const measures = measuresTime(app);
  function ConnectionContext(this: LeanContext, owner: Owner): void {
    this[OWNER] = owner;
    if (measures) this.performanceStarttime = performance.now();
  }
  function PacketContext(this: LeanContext, owner: Owner): void {
    this[OWNER] = owner;
    this[REQ] = undefined;
    this[REQUEST] = undefined;
    this[REPLY] = undefined;
    this.starttime = Date.now();
    if (measures) this.performanceStarttime = performance.now();
  }
  const common = properties(app, prototypes);
  ConnectionContext.prototype = Object.create(prototypes.context, {
    ...common,
    req: requestProperty(({ [OWNER]: owner }) => owner.request),
    starttime: {
      get(this: LeanContext) {
        return this[START] ?? this[OWNER].socket.handshake.issued;
      },
      set(this: LeanContext, time: number) {
        this[START] = time;
      },
    },
  });
  PacketContext.prototype = Object.create(prototypes.context, {
    ...common,
    req: requestProperty((ctx) => ownRequest(ctx[OWNER].request, () => ctx)),
  });
  return { Connection: ConnectionContext, Packet: PacketContext } as unknown as LeanContexts;
}

/** Whether contexts have a `performanceStarttime`: on Egg 4 all have. */
function measuresTime(app: Application): boolean {
  const { logger } = app.config as unknown as { logger?: { enablePerformanceTimer?: boolean } };
  if (logger?.enablePerformanceTimer === true) return true;
  const source = String(app.createContext);
  return source.includes('performance.now') && !source.includes('enablePerformanceTimer');
}

function requestProperty(make: (ctx: LeanContext) => IncomingMessage): PropertyDescriptor {
  return {
    get(this: LeanContext) {
      this[REQ] ??= make(this);
      return this[REQ];
    },
    set(this: LeanContext, req: IncomingMessage) {
      this[REQ] = req;
    },
  };
}

/** A request of a context's own, which inherits from the socket's and has the context's arguments. */
export function ownRequest(base: IncomingMessage, ctx: () => Context): IncomingMessage {
  return Object.create(base, {
    args: {
      configurable: true,
      enumerable: true,
      get: () => ctx().args,
      set: (args) => {
        ctx().args = args;
      },
    },
  });
}

/** Whether `createContext` is Egg's own, on top of koa's; not where a framework or the application has another one. */
export function hasOwnCreateContext(app: Application): boolean {
  let found = 0;
  for (let at: object | null = app; at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, 'createContext')) found++;
  }
  return found !== 2;
}

function properties(app: Application, { request, response }: Prototypes): PropertyDescriptorMap {
  const make = (ctx: LeanContext): void => {
    const { req } = ctx;
    const asked = Object.create(request);
    const reply = Object.create(response);
    Object.assign(asked, { app, req, ctx, response: reply, originalUrl: req.url });
    Object.assign(reply, { app, req, ctx, request: asked });
    ctx[REQUEST] ??= asked;
    ctx[REPLY] ??= reply;
  };
  return {
    app: { value: app, writable: true },
    request: {
      get(this: LeanContext) {
        if (this[REQUEST] === undefined) make(this);
        return this[REQUEST];
      },
      set(this: LeanContext, value: object) {
        this[REQUEST] = value;
      },
    },
    response: {
      get(this: LeanContext) {
        if (this[REPLY] === undefined) make(this);
        return this[REPLY];
      },
      set(this: LeanContext, value: object) {
        this[REPLY] = value;
      },
    },
    socket: {
      get(this: LeanContext) {
        return this[OWNER].socket;
      },
    },
    originalUrl: {
      get(this: LeanContext) {
        return this[URL] ?? this[OWNER].request.url;
      },
      set(this: LeanContext, url: unknown) {
        this[URL] = url;
      },
    },
    onerror: {
      get(this: LeanContext) {
        this[ONERROR] ??= (Object.getPrototypeOf(Object.getPrototypeOf(this)).onerror as () => void).bind(this);
        return this[ONERROR];
      },
      set(this: LeanContext, onerror: unknown) {
        this[ONERROR] = onerror;
      },
    },
  };
}
