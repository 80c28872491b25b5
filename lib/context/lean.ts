// Contexts as Egg's own createContext would make them, of which only what is asked for is made: most packets ask for neither
// request nor response. All have one shape. Called by lib/context.ts, where the application has no createContext of its own.
import type { IncomingMessage } from 'node:http';
import type { Application, Context } from 'egg';

const OWNER = Symbol('egg-socket.io:owner');
const OWN = Symbol('egg-socket.io:own');
const REQ = Symbol('egg-socket.io:req');
const REQUEST = Symbol('egg-socket.io:request');
const REPLY = Symbol('egg-socket.io:reply');
const ONERROR = Symbol('egg-socket.io:onerror');
const URL = Symbol('egg-socket.io:url');

interface LeanContext extends Context {
  [OWNER]: Owner;
  [OWN]: boolean;
  [REQ]: IncomingMessage | undefined;
  [REQUEST]: object | undefined;
  [REPLY]: object | undefined;
  [ONERROR]?: unknown;
  [URL]?: unknown;
}

/** Whose context it is. */
export interface Owner {
  readonly socket: object;
  /** The handshake request as its contexts see it; made when it is asked for. */
  readonly request: IncomingMessage;
}

/**
 * Makes a context.
 *
 * @param owner - its socket
 * @param isOwn - whether the context has a request of its own, which inherits from the socket's
 */
export type LeanContexts = new (owner: Owner, isOwn: boolean) => Context;

/** What of koa's prototypes a context is made of. */
export interface Prototypes {
  context: object;
  request: object;
  response: object;
}

/** The contexts of an application. */
export function leanContexts(app: Application, prototypes: Prototypes): LeanContexts {
  const { logger } = app.config as unknown as { logger?: { enablePerformanceTimer?: boolean } };
  // Egg 4 measures always.
  const measures = logger?.enablePerformanceTimer === true || String(app.createContext).includes('performance.now');
  function IoContext(this: LeanContext & { performanceStarttime?: number }, owner: Owner, isOwn: boolean) {
    this[OWNER] = owner;
    this[REQ] = undefined;
    this[OWN] = isOwn;
    this[REQUEST] = undefined;
    this[REPLY] = undefined;
    (this as { starttime: number }).starttime = Date.now();
    if (measures) this.performanceStarttime = performance.now();
  }
  IoContext.prototype = Object.create(prototypes.context, properties(app, prototypes));
  return IoContext as unknown as LeanContexts;
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
    req: {
      get(this: LeanContext) {
        this[REQ] ??= this[OWN] ? ownRequest(this[OWNER].request, () => this) : this[OWNER].request;
        return this[REQ];
      },
      set(this: LeanContext, req: IncomingMessage) {
        this[REQ] = req;
      },
    },
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
