// The private and undocumented members of Egg, koa and koa-session that the plugin uses.
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import { types } from 'node:util';
import type { Application, Context } from 'egg';
import { type Member, property } from './members';

/** The prototypes of the objects that koa makes for each request. */
export interface ContextPrototypes {
  readonly context: object;
  readonly request: object;
  readonly response: object;
}

type WithPrototypes = { -readonly [K in keyof ContextPrototypes]: object };

/** Returns the prototypes that the application's HTTP contexts have. */
export function prototypesOf(app: Application): ContextPrototypes {
  const { context, request, response } = app as unknown as WithPrototypes;
  return { context, request, response };
}

/**
 * Makes a context by the application's own createContext, with other prototypes. Egg and koa read `app.context`, `app.request` and
 * `app.response` in each call: they are replaced for the time of the call, so that a createContext that calls Egg's with whatever
 * `this` gets the same prototypes. Contexts that a createContext makes within the call have them, too. The response is undefined.
 *
 * @throws {TypeError} if the application's createContext returns something else than a context
 */
export function createContext(app: Application, prototypes: ContextPrototypes, req: IncomingMessage): Context {
  const holder = app as unknown as WithPrototypes;
  const { context, request, response } = holder;
  holder.context = prototypes.context;
  holder.request = prototypes.request;
  holder.response = prototypes.response;
  try {
    const ctx = app.createContext(req, undefined as never) as unknown as Context;
    if (!Object.prototype.isPrototypeOf.call(prototypes.context, ctx)) adopt(ctx, prototypes);
    return ctx;
  } finally {
    holder.context = context;
    holder.request = request;
    holder.response = response;
  }
}

/** Sets the prototypes of a context that an application's createContext has made with prototypes which it has read before. */
function adopt(ctx: Context, { context, request, response }: ContextPrototypes): void {
  if (typeof ctx?.request !== 'object' || typeof ctx.response !== 'object') {
    throw new TypeError('[egg-socket.io] createContext() of the application must return a context, and not a promise');
  }
  Object.setPrototypeOf(ctx, context);
  Object.setPrototypeOf(ctx.request, request);
  Object.setPrototypeOf(ctx.response, response);
}

/** Returns `ctx.ip` of a request without its context. Undefined if it is unknown. */
export function ipOf(app: Application, req: IncomingMessage): string | undefined {
  try {
    const request = Object.create(prototypesOf(app).request) as { ip?: string };
    return Object.assign(request, { app, req }).ip;
  } catch {
    // An `ip` of the application may need more.
    return req.socket?.remoteAddress;
  }
}

/** The members that the createContext of Egg 3 and of Egg 4 sets on a context, and on its request and response. */
const KNOWN_MEMBERS: ReadonlySet<PropertyKey> = new Set<PropertyKey>([
  ...['app', 'req', 'request', 'response', 'ctx', 'onerror', 'originalUrl', 'starttime', 'performanceStarttime'],
]);

/**
 * Returns Egg's own createContext, or undefined if it cannot be loaded. The application's differs from it if a framework, the
 * application or a test has replaced it.
 */
export function eggCreateContext(app: Application): unknown {
  try {
    // Egg's own directory comes first, then those of the frameworks that extend it.
    const [directory] = loaderOf(app).eggPaths ?? [];
    return require(directory as string).Application.prototype.createContext;
  } catch {
    return undefined;
  }
}

/**
 * Makes a context by Egg's createContext and returns the names of its members. Undefined if there are members that the plugin does
 * not know.
 */
export function knownMembers(
  app: Application,
  prototypes: ContextPrototypes,
  req: IncomingMessage,
): Set<PropertyKey> | undefined {
  const ctx = createContext(app, prototypes, req);
  const members = [ctx, ctx.request, ctx.response].flatMap((object) => Reflect.ownKeys(object));
  return members.every((member) => KNOWN_MEMBERS.has(member)) ? new Set(Reflect.ownKeys(ctx)) : undefined;
}

/** The storage of `app.currentContext`, if the version of Egg has it. */
export function contextStorageOf(app: Application): AsyncLocalStorage<Context> | undefined {
  return (app as { ctxStorage?: AsyncLocalStorage<Context> }).ctxStorage;
}

/** The options of koa-session; each context has its own copy. */
interface SessionOptions {
  store?: unknown;
  ContextStore?: unknown;
  /** Makes the key of a session in the store. */
  genid?: (ctx: Context) => string;
}

type KoaMiddleware = (ctx: Context, next: () => Promise<void>) => Promise<void>;

/** Returns the session middleware of the application, or undefined if the application has removed it. Egg names its middleware. */
export function sessionMiddlewareOf(app: Application): KoaMiddleware | undefined {
  const middlewares = app.middleware as unknown as (KoaMiddleware & { _name?: string })[];
  return middlewares.find(({ _name }) => _name?.startsWith('session'));
}

/**
 * Whether sessions are in a store, which must be asked for each context. A session in a cookie is read when it is first used. True
 * for a session middleware that is not koa-session's: it may load something first.
 */
export function hasSessionStore(app: Application): boolean {
  const options = (app.config as { session?: SessionOptions }).session;
  return !('sessionOptions' in app.context && options) || Boolean(options.store || options.ContextStore);
}

/**
 * Runs koa-session's middleware for a context without a session cookie so that the store gets the session under a given key.
 *
 * @param keyOf - returns the key, given the function of koa-session that makes one
 */
export async function withSessionKey(
  middleware: KoaMiddleware,
  ctx: Context,
  next: () => Promise<void>,
  keyOf: (makeKey: (ctx: Context) => string) => string,
): Promise<void> {
  const options = (ctx as { sessionOptions?: SessionOptions }).sessionOptions;
  const genid = options?.genid;
  if (genid === undefined || !(options?.store || options?.ContextStore)) return middleware(ctx, next);
  options.genid = () => keyOf(genid);
  return middleware(ctx, () => {
    // From here on koa-session calls it only if the application regenerates the session, which means a new key.
    options.genid = genid;
    return next();
  });
}

/** Returns the accessor of `ctx.session`. */
export function sessionAccessorOf(app: Application): PropertyDescriptor | undefined {
  for (let at: object | null = app.context; at !== null; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, 'session');
    if (found) return found;
  }
  return undefined;
}

/** Egg's loader: synchronous on Egg 3, asynchronous on Egg 4. */
export interface EggLoader {
  readonly FileLoader: {
    new (options: object): { load(): unknown };
    readonly prototype: { load(): unknown };
    /** The symbol under which Egg keeps the path of what it has loaded. */
    readonly FULLPATH: symbol;
  };
  /** The directories of Egg and of the frameworks that extend it. */
  readonly eggPaths?: string[];
  /** The configuration, with the file that has set a value in its place. */
  readonly configMeta?: object;
  getLoadUnits(): { path: string }[];
  loadRouter(...args: unknown[]): unknown;
}

export function loaderOf(app: Application): EggLoader {
  return app.loader as unknown as EggLoader;
}

/**
 * Returns the files that have set a value of the configuration.
 *
 * @param key - such as `config.io.namespace['/chat'].connectionMiddleware[0]`
 */
export function configFilesOf(app: object, key: string): string[] {
  let at: unknown = (app as { loader?: Partial<EggLoader> }).loader?.configMeta;
  for (const [, quoted, name] of key.replace(/^config/, '').matchAll(/\['?(.*?)'?\]|([^.[\]]+)/g)) {
    if (typeof at !== 'object' || at === null) break;
    at = (at as Record<string, unknown>)[(quoted ?? name) as string];
  }
  return [...new Set(leavesOf(at))];
}

/** Egg keeps the file of each value that is no plain object. */
function leavesOf(meta: unknown): string[] {
  if (typeof meta === 'string') return [meta];
  return typeof meta === 'object' && meta !== null ? Object.values(meta).flatMap(leavesOf) : [];
}

/** Whether Egg loads files asynchronously: Egg 4 does, Egg 3 does not. */
export function loadsAsynchronously(app: { loader: object }): boolean {
  return types.isAsyncFunction((app.loader as EggLoader).FileLoader.prototype.load);
}

/** Calls a function before Egg loads `app/router`, and after it has loaded everything else. Egg 4 awaits the promise that it returns. */
export function beforeRouter(app: Application, fn: () => unknown): void {
  const loader = loaderOf(app);
  const { loadRouter } = loader;
  loader.loadRouter = (...args) => {
    const result = fn();
    if (!types.isPromise(result)) return loadRouter.apply(loader, args);
    return result.then(() => loadRouter.apply(loader, args));
  };
}

/** Registers a function that Egg calls when the application closes, before those that were registered earlier. */
export function registerBeforeClose(app: Application, fn: () => Promise<void>): void {
  const { lifecycle } = app as unknown as { lifecycle: { registerBeforeClose(fn: () => Promise<void>): void } };
  lifecycle.registerBeforeClose(fn);
}

/** The options with which Egg's master has started a worker or the agent. */
interface MasterOptions {
  workers?: number;
  sticky?: boolean;
  clusterPort?: number;
  /** `'single'`: one process is master, agent and worker. */
  mode?: string;
}

export function masterOptionsOf(app: object): MasterOptions {
  return (app as { options?: MasterOptions }).options ?? {};
}

const member = (path: string, type: Member['type'], ...names: string[]): Member => ({
  library: 'egg',
  path,
  type,
  find: ({ app }) => names.reduce<unknown>((object, name) => property(object as object | undefined, name), app),
});

export const EGG_MEMBERS: readonly Member[] = [
  member('app.createContext', 'function', 'createContext'),
  member('app.context', 'object', 'context'),
  member('app.request', 'object', 'request'),
  member('app.response', 'object', 'response'),
  member('app.middleware', 'object', 'middleware'),
  member('app.loader.FileLoader', 'function', 'loader', 'FileLoader'),
  member('app.loader.getLoadUnits', 'function', 'loader', 'getLoadUnits'),
  member('app.loader.loadRouter', 'function', 'loader', 'loadRouter'),
  member('app.options', 'object', 'options'),
  member('app.lifecycle.registerBeforeClose', 'function', 'lifecycle', 'registerBeforeClose'),
  {
    ...member('app.loader.configMeta', 'object', 'loader', 'configMeta'),
    fallback: 'errors of the configuration do not name the file to change',
  },
  {
    ...member('app.ctxStorage', 'object', 'ctxStorage'),
    fallback: 'app.currentContext is undefined in app/io',
  },
];

/** Returns the ids of the workers that are registered with the agent's messenger. */
export function workerIdsOf(messenger: object): string[] {
  return ((messenger as { opids?: Array<number | string> }).opids ?? []).map(String);
}
