// Egg's session in app/io: the session middleware of the application runs around the admission of a client and around each packet.
import type { IncomingMessage } from 'node:http';
import type { Application, Context } from 'egg';
import { usedResponse } from './context';
import { hasSessionStore, sessionAccessorOf, sessionMiddlewareOf, withSessionKey } from './internals/egg';

/** The session of an application, for connections and packets. */
export interface Session {
  /** Runs `next` with the session loaded, then saves the session. */
  load(ctx: Context, next: () => Promise<void>): Promise<void>;
  /**
   * The same, for a context of app/io: a session in a cookie is loaded and saved only if it was used. Returns what `next` has returned.
   */
  around<T>(ctx: Context, next: () => Promise<T> | T): Promise<T>;
  /** Whether the session must be loaded before `next` runs. If not, `saveUsed` does what `around` does, without its promises. */
  isStored(): boolean;
  /** Saves a session in a cookie. Returns undefined if it was not used. */
  saveUsed(ctx: Context): Promise<void> | undefined;
}

const USED = Symbol('egg-socket.io:session-used');

type SessionContext = Context & { [USED]?: true };

/** Used if the application has no session middleware. */
export const NO_SESSION: Session = {
  load: (_ctx, next) => next(),
  around: async (_ctx, next) => next(),
  isStored: () => false,
  saveUsed: () => undefined,
};

/** Returns the session of the application, or undefined if the application has removed the session middleware. */
export function sessionOf(app: Application): Session | undefined {
  const middleware = sessionMiddlewareOf(app);
  if (middleware === undefined) return undefined;
  const load: Session['load'] = async (ctx, next) => {
    if (!hasSessionStore(app)) return middleware(ctx, next);
    try {
      await withSessionKey(middleware, ctx, next, (makeKey) => keyOf(ctx, makeKey));
    } finally {
      // Only koa-session sets it to null.
      if ('sessionOptions' in ctx && ctx.session === null) delete (ctx.socket as WithKey)[KEY];
    }
  };
  /** koa-session does not return what `next` has returned. */
  const aroundLoaded = async <T>(ctx: Context, next: () => Promise<T> | T): Promise<T> => {
    let result: T | undefined;
    await load(ctx, async () => {
      result = await next();
    });
    return result as T;
  };
  const isStored = () => hasSessionStore(app);
  const saveUsed = (ctx: SessionContext) => (ctx[USED] && !isStored() ? load(ctx, nothing) : undefined);
  return {
    load,
    isStored,
    saveUsed,
    async around<T>(ctx: Context, next: () => Promise<T> | T): Promise<T> {
      if (isStored()) return aroundLoaded(ctx, next);
      try {
        return await next();
      } finally {
        await saveUsed(ctx);
      }
    },
  };
}

async function nothing(): Promise<void> {}

/** The `ctx.session` of app/io, which notes that it was used: a session in a cookie need not be saved otherwise. */
export function sessionMembers(app: Application): PropertyDescriptorMap {
  const { get, set } = sessionAccessorOf(app) ?? {};
  if (get === undefined) return {};
  return {
    session: {
      configurable: true,
      get(this: SessionContext) {
        this[USED] = true;
        return get.call(this);
      },
      set(this: SessionContext, value: unknown) {
        this[USED] = true;
        set?.call(this, value);
      },
    },
  };
}

const KEY = Symbol('egg-socket.io:session-key');

type WithKey = object & { [KEY]?: string };

/**
 * Returns the key under which the store gets the session of a client that has no session cookie. All contexts of a socket have the
 * same key: with a key for each, packets that arrive together would create a session each, and all but one would be lost.
 */
function keyOf(ctx: Context, makeKey: (ctx: Context) => string): string {
  const socket: WithKey = ctx.socket;
  socket[KEY] ??= makeKey(ctx);
  return socket[KEY];
}

/**
 * Adds the cookies that a context has set to the handshake request of its socket, for the contexts that follow: no response carries
 * them to the browser. Otherwise a session that was created at the handshake would be another one for each packet.
 *
 * @param ctx - a context whose session has been saved
 * @param owner - the socket of the context
 */
export function keepCookies(ctx: Context, owner: { readonly request: IncomingMessage }): void {
  const header = usedResponse(ctx)?.getHeader('set-cookie');
  if (header === undefined) return;
  const { request } = owner;
  const jar = new Map<string, string>();
  for (const pair of (request.headers.cookie ?? '').split(';')) put(jar, pair);
  for (const cookie of [header].flat()) put(jar, String(cookie).split(';', 1)[0] as string);
  const cookie = Array.from(jar, ([name, value]) => `${name}=${value}`).join('; ');
  // The namespaces of the connection share the headers of the handshake. This socket gets its own.
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
