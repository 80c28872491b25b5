// Egg's session at the handshake and for packets: the session middleware that the application has, as it is.
import type { IncomingMessage } from 'node:http';
import type { Application, Context } from 'egg';
import { touchedResponse } from './context';

/** What of koa-session's options is needed here; each context has its own copy. */
interface SessionOptions {
  store?: unknown;
  ContextStore?: unknown;
  genid?: (ctx: Context) => string;
}

/** Egg's session, for connections and packets. */
export interface Session {
  /** Runs `next` with the session loaded, and saves the session then. */
  around: (ctx: Context, next: () => Promise<void>) => Promise<void>;
  /**
   * Whether each packet has to ask a store for the session. A session in a cookie is read when somebody asks for it, and
   * need not be saved where nobody has.
   */
  isStored(): boolean;
  /** Saves a session that was not loaded by `around`, where anybody has asked for it. */
  save(ctx: Context): Promise<void> | undefined;
}

const TOUCHED = Symbol('egg-socket.io:session');

type WithSession = Context & { [TOUCHED]?: true };

/** What contexts need for it: they know whether anybody has asked for the session. */
export function sessionProperties(app: Application): PropertyDescriptorMap {
  const found = lookUp(app.context, 'session');
  if (found?.get === undefined) return {};
  const { get, set } = found;
  return {
    session: {
      configurable: true,
      get(this: WithSession) {
        this[TOUCHED] = true;
        return get.call(this);
      },
      set(this: WithSession, value: unknown) {
        this[TOUCHED] = true;
        set?.call(this, value);
      },
    },
  };
}

/** The session by the middleware that the application has; undefined where somebody has taken it out. */
export function sessionOf(app: Application): Session | undefined {
  const around = sessionMiddleware(app);
  if (around === undefined) return undefined;
  const options = (app.config as { session?: SessionOptions }).session;
  // What is no koa-session may have to load something first.
  const isKnown = 'sessionOptions' in app.context && options !== undefined;
  return {
    around,
    isStored: () => !isKnown || Boolean(options.store || options.ContextStore),
    save: (ctx: WithSession) => (ctx[TOUCHED] ? around(ctx, nothing) : undefined),
  };
}

async function nothing(): Promise<void> {}

function lookUp(object: object, name: string): PropertyDescriptor | undefined {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found) return found;
  }
  return undefined;
}

/** The session middleware among those of the application. */
function sessionMiddleware(app: Application): Session['around'] | undefined {
  const middlewares = app.middleware as unknown as (Session['around'] & { _name?: string })[];
  const session = middlewares.find((middleware) => middleware._name?.startsWith('session'));
  if (session === undefined) return undefined;
  return (ctx, next) => {
    const options = (ctx as { sessionOptions?: SessionOptions }).sessionOptions;
    const genid = options?.genid;
    if (genid === undefined || !(options?.store || options?.ContextStore)) return session(ctx, next);
    options.genid = () => keyOf(ctx, genid);
    const saved = session(ctx, () => {
      // From here on it is asked by who regenerates the session, and means a new key.
      options.genid = genid;
      return next();
    });
    return saved.finally(() => {
      if (ctx.session === null) keys.delete(ctx.socket);
    });
  };
}

/** By socket, the key under which the store gets the session that its client had no cookie for. */
const keys = new WeakMap<object, string>();

/**
 * The same key in each context of a socket. Packets that come together find no cookie yet: with a key for each, the store
 * would get an entry for each, and all but one would be lost.
 */
function keyOf(ctx: Context, genid: (ctx: Context) => string): string {
  const key = keys.get(ctx.socket) ?? genid(ctx);
  keys.set(ctx.socket, key);
  return key;
}

/**
 * Keeps the cookies that a context has set for the contexts that follow on the same socket: there is no response that
 * could carry them to the browser. Without it, a session that was made at the handshake would be another one for each
 * packet, and an external store would get a new entry for each.
 *
 * @param ctx - a context whose session has been saved
 * @param owner - the socket
 */
export function keepCookies(ctx: Context, owner: { readonly request: IncomingMessage }): void {
  const header = touchedResponse(ctx)?.getHeader('set-cookie');
  if (header === undefined) return;
  const { request } = owner;
  const jar = new Map<string, string>();
  for (const pair of (request.headers.cookie ?? '').split(';')) put(jar, pair);
  for (const cookie of [header].flat()) put(jar, String(cookie).split(';', 1)[0] as string);
  // The headers of the handshake are shared with the other namespaces of the connection: this socket gets its own.
  const cookie = Array.from(jar, ([name, value]) => `${name}=${value}`).join('; ');
  Object.defineProperty(request, 'headers', {
    value: { ...request.headers, cookie },
    writable: true,
    configurable: true,
  });
}

function put(jar: Map<string, string>, pair: string): void {
  const at = pair.indexOf('=');
  if (at < 0) return;
  const name = pair.slice(0, at).trim();
  const value = pair.slice(at + 1).trim();
  if (value === '') jar.delete(name);
  else jar.set(name, value);
}
