// Contexts of connections, made by hand: an idle connection keeps its context for hours, and one that Egg's createContext has made
// holds 1.6 KB more of about 12 KB. A context made here has the members of Egg's own, and makes request and response when they are
// first read.
import type { IncomingMessage } from 'node:http';
import type { Application, Context } from 'egg';
import type { ContextPrototypes } from './egg';

/** The property of a context that has its owner. */
export const OWNER = Symbol('egg-socket.io:owner');
const REQUEST = Symbol('egg-socket.io:request');
const RESPONSE = Symbol('egg-socket.io:koa-response');

/** The socket of a context, as far as the context reads it. */
interface Owner {
  readonly socket: { readonly handshake: { readonly issued: number } };
  readonly request: IncomingMessage;
}

interface ConnectionContext extends Context {
  readonly [OWNER]: Owner;
  [REQUEST]?: object;
  [RESPONSE]?: object;
  performanceStarttime: number;
}

/**
 * Returns a function that makes contexts of connections.
 *
 * @param hasTimer - whether the contexts of the application have `performanceStarttime`
 */
export function connectionContexts(
  app: Application,
  prototypes: ContextPrototypes,
  hasTimer: boolean,
): (owner: Owner) => Context {
  const prototype = Object.create(prototypes.context, members(app, prototypes));
  // A constructor: V8 gives all its objects one shape.
  function make(this: { [OWNER]: Owner; performanceStarttime?: number }, owner: Owner): void {
    this[OWNER] = owner;
    if (hasTimer) this.performanceStarttime = performance.now();
  }
  make.prototype = prototype;
  const Constructor = make as unknown as new (owner: Owner) => ConnectionContext;
  return (owner) => new Constructor(owner);
}

/** The members that Egg's createContext sets on each context. */
function members(app: Application, prototypes: ContextPrototypes): PropertyDescriptorMap {
  const onerror = (prototypes.context as { onerror: (err: unknown) => void }).onerror;
  return {
    app: { value: app, writable: true },
    req: derived('req', (ctx) => ctx[OWNER].request),
    request: {
      get(this: ConnectionContext) {
        if (this[REQUEST] === undefined) makeKoaObjects(this, app, prototypes);
        return this[REQUEST];
      },
      set(this: ConnectionContext, request: object) {
        this[REQUEST] = request;
      },
    },
    response: {
      get(this: ConnectionContext) {
        if (this[RESPONSE] === undefined) makeKoaObjects(this, app, prototypes);
        return this[RESPONSE];
      },
      set(this: ConnectionContext, response: object) {
        this[RESPONSE] = response;
      },
    },
    originalUrl: derived('originalUrl', (ctx) => ctx[OWNER].request.url),
    starttime: derived('starttime', (ctx) => ctx[OWNER].socket.handshake.issued),
    onerror: {
      get(this: ConnectionContext) {
        define(this, 'onerror', onerror.bind(this));
        return this.onerror;
      },
      set(this: ConnectionContext, value: unknown) {
        define(this, 'onerror', value);
      },
    },
  };
}

/** A member that is computed at each read until it is set. */
function derived(name: string, compute: (ctx: ConnectionContext) => unknown): PropertyDescriptor {
  return {
    get(this: ConnectionContext) {
      return compute(this);
    },
    set(this: ConnectionContext, value: unknown) {
      define(this, name, value);
    },
  };
}

function define(ctx: object, name: string, value: unknown): void {
  Object.defineProperty(ctx, name, { value, writable: true, enumerable: true, configurable: true });
}

function makeKoaObjects(ctx: ConnectionContext, app: Application, prototypes: ContextPrototypes): void {
  const { req } = ctx;
  const request = Object.create(prototypes.request);
  const response = Object.create(prototypes.response);
  Object.assign(request, { app, req, ctx, response, originalUrl: req.url });
  Object.assign(response, { app, req, ctx, request });
  ctx[REQUEST] ??= request;
  ctx[RESPONSE] ??= response;
}
