// Which origins may open a connection. Browsers do not apply CORS to WebSocket: without this check, a page of any origin could connect
// with the cookies, and so with the session, of its visitor.
import type { IncomingMessage } from 'node:http';
import type { Application } from 'egg';
import { clientAddress } from './client-address';
import { type ClientLog, clientLogOf } from './client-log';
import type { Origins } from './compat/origins';
import { configOf, type IoConfig } from './config/config';
import { ALL, type AllowedOrigins, SAME_HOST } from './config/origins';
import type { InitConfig } from './config/server-options';
import { isPromise, toError } from './errors';
import { queryOf } from './internals/engineio';

/** The longest origin, in characters: a scheme, a host of 253 and a port. */
const MAX_LENGTH = 300;
/** The form of an origin. Sandboxed frames send `null`, and files `file://`. */
const FORM = /^(null|[a-z][a-z\d+.-]*:\/\/[^\s/\\?#@,]*)$/;
/** An origin of the web: scheme, host, port. */
const WEB_ORIGIN = /^(https?):\/\/(\[[\da-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;
/** The header `Host`: host, port. */
const HOST = /^(\[[\da-f:.]+\]|[^:[\]]+)(?::(\d+))?$/;
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;
const DEFAULT_PORTS: Record<string, string> = { http: '80', https: '443' };
/** What browsers send for a page whose origin they hide. */
const HIDDEN = 'null';
/** How many refused origins have log lines of their own. The others share one. */
const MAX_LOGGED = 20;

/** The name of these refusals among those of Engine.IO. They are logged here. */
export const FOREIGN_ORIGIN = 'FOREIGN_ORIGIN';

/** The host and the port of a page. */
interface Page {
  host: string;
  port: string;
}

/** What the rules of an application are. */
interface Rules {
  allowed: AllowedOrigins;
  /** `init.cors` of the application. */
  cors: InitConfig['cors'];
  /** `init.origins` of Socket.IO 2. If it has a value, that alone decides. */
  compat: Origins | undefined;
}

/** The origins of an application. */
export class OriginCheck {
  /** The refused origins that have log lines of their own. */
  readonly #logged = new Set<string>();
  /** The headers with the host that the client has requested, in lower case. */
  readonly #hostHeaders: string[];
  readonly #log: ClientLog;

  constructor(
    private readonly app: Application,
    private readonly rules: Rules,
  ) {
    const { proxy, hostHeaders } = app.config;
    const forwarded = (hostHeaders || 'x-forwarded-host').toLowerCase().split(/\s*,\s*/);
    this.#hostHeaders = proxy ? [...forwarded, 'host'] : ['host'];
    this.#log = clientLogOf(app);
  }

  /**
   * Returns why the client of a request may not connect, or undefined if it may. Refusals are logged. For an origin other than that of the
   * request's host, it returns a promise, which never rejects.
   */
  refusal(req: IncomingMessage): string | undefined | Promise<string | undefined> {
    const { allowed, compat } = this.rules;
    if (compat?.value !== undefined) return this.#compatRefusal(compat, req);
    if (allowed === false) return undefined;
    const { origin } = req.headers;
    if (origin === undefined) return isJsonp(req) ? this.#jsonpRefusal(req) : undefined;
    if (origin.length > MAX_LENGTH || !FORM.test(origin)) {
      this.#log.warn(
        'malformed origin',
        `refused a malformed Origin header: ${origin.slice(0, MAX_LENGTH)} (client ${clientAddress(this.app, req)})`,
      );
      return 'the origin is malformed';
    }
    const host = this.#hostOf(req);
    const page = pageOf(origin);
    if (page && isSameHost(page, host)) return undefined;
    return this.#foreignRefusal(origin, page, host, req);
  }

  async #compatRefusal(compat: Origins, req: IncomingMessage): Promise<string | undefined> {
    let reason: string | undefined;
    try {
      reason = await compat.refusal(req);
    } catch (err) {
      return this.#failed(err, req);
    }
    if (reason === undefined) return undefined;
    const origin = req.headers.origin?.slice(0, MAX_LENGTH) ?? 'no origin';
    this.#warn(
      origin,
      `refused ${origin}, which init.origins or io.origins() of Socket.IO 2 does not allow (client ${clientAddress(this.app, req)})`,
    );
    return reason;
  }

  /** A page of any origin can load a script and read the session id in it. Browsers send no `Origin` with that request. */
  async #jsonpRefusal(req: IncomingMessage): Promise<string | undefined> {
    try {
      if ((await this.#isAllowedByCors(HIDDEN, req)) || (await this.#isAllowed(HIDDEN, undefined, req))) {
        return undefined;
      }
    } catch (err) {
      return this.#failed(err, req);
    }
    this.#log.warn(
      'JSONP',
      `refused JSONP, which has no Origin header: a page of any origin could use it (client ${clientAddress(this.app, req)}). Browsers that support CORS do not need it. config.io.allowedOrigins: false turns the check off`,
    );
    return 'JSONP has no origin';
  }

  async #foreignRefusal(
    origin: string,
    page: Page | undefined,
    host: string,
    req: IncomingMessage,
  ): Promise<string | undefined> {
    try {
      if (await this.#isAllowedByCors(origin, req)) return undefined;
      if (await this.#isAllowed(origin, page, req)) {
        if (isCrossOriginPoll(req)) this.#warnOfCors(origin, req);
        return undefined;
      }
    } catch (err) {
      return this.#failed(err, req);
    }
    const proxied = this.#hostHeaders.length > 1 ? `Host or ${this.#hostHeaders[0]}` : 'Host';
    this.#warn(
      origin,
      `refused a page of ${origin} (client ${clientAddress(this.app, req)}), since the host of its request is ${host.slice(0, MAX_LENGTH) || 'empty'}. If it is a page of yours, add '${origin}' to config.io.init.cors.origin (or to config.io.allowedOrigins, for WebSocket alone). If the page is of this host, a proxy has replaced the header: it must send ${proxied} as the client does (nginx: proxy_set_header Host $host)`,
    );
    return `the origin ${origin} is not allowed`;
  }

  async #isAllowedByCors(origin: string, req: IncomingMessage): Promise<boolean> {
    const { cors } = this.rules;
    return cors ? allowsByCors(cors, origin, req) : false;
  }

  /** The client learns no reason: its browser reports to the page that the request has failed. */
  #warnOfCors(origin: string, req: IncomingMessage): void {
    this.#warn(
      origin,
      `a page of ${origin} may connect, but its browser blocks long-polling, since config.io.init.cors does not name the origin: set config.io.init.cors = { origin: ['${origin}'], credentials: true }, or connect by io(url, { transports: ['websocket'] }) (client ${clientAddress(this.app, req)})`,
    );
  }

  /** Whether an origin that `init.cors` does not name may connect. */
  async #isAllowed(origin: string, page: Page | undefined, req: IncomingMessage): Promise<boolean> {
    const { allowed } = this.rules;
    if (page && this.app.config.env === 'local' && LOOPBACK.test(page.host)) return true;
    if (typeof allowed === 'function' ? (await allowed(origin, req)) === true : matches(allowed, origin)) return true;
    return page !== undefined && this.#isSafeDomain(origin, page);
  }

  /** `config.security.domainWhiteList`, as egg-security and egg-cors read it. */
  #isSafeDomain(origin: string, { host }: Page): boolean {
    const { security } = this.app.config;
    if (!security?.domainWhiteList?.length) return false;
    const ctx = this.app.createAnonymousContext();
    // The plugin security may be off.
    return typeof ctx.isSafeDomain === 'function' && (ctx.isSafeDomain(host) || ctx.isSafeDomain(origin));
  }

  /** Returns the host that the client has requested. */
  #hostOf({ headers }: IncomingMessage): string {
    for (const name of this.#hostHeaders) {
      const [value = ''] = String(headers[name] ?? '').split(',', 1);
      if (value.trim() !== '') return value.trim().toLowerCase();
    }
    return '';
  }

  #warn(origin: string, message: string): void {
    const isLogged = this.#logged.has(origin) || this.#logged.size < MAX_LOGGED;
    if (isLogged) this.#logged.add(origin);
    this.#log.warn(isLogged ? `origin ${origin}` : 'other origins', message);
  }

  /** A function of the application has thrown. */
  #failed(err: unknown, req: IncomingMessage): string {
    this.#log.error('check of origins', toError(err), `the check of an origin, client ${clientAddress(this.app, req)}`);
    return 'the origin could not be checked';
  }
}

/** Returns the check of an application, or undefined if all origins may connect. */
export function originCheckOf(app: Application): OriginCheck | undefined {
  const { allowedOrigins, cors, origins } = configOf(app);
  if (allowedOrigins === false && origins === undefined) return undefined;
  return new OriginCheck(app, { allowed: allowedOrigins, cors, compat: origins });
}

/** Returns a warning if `config.cors` of egg-cors is set, and nothing lets pages of other origins connect to Socket.IO. */
export function originWarnings(app: { config: { io: IoConfig; cors?: unknown } }): string[] {
  const { allowedOrigins, cors } = configOf(app);
  if (!app.config.cors || cors !== undefined || allowedOrigins !== SAME_HOST) return [];
  return [
    "config.cors of egg-cors has no effect on Socket.IO: a page of another origin can connect if config.io.init.cors = { origin: ['https://example.com'], credentials: true } names it. If there is none, set config.io.allowedOrigins = []",
  ];
}

/** Returns the page of an origin, or undefined if the origin is not one of the web. */
function pageOf(origin: string): Page | undefined {
  const [, scheme, host, port] = WEB_ORIGIN.exec(origin) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  return { host, port: port ?? (DEFAULT_PORTS[scheme] as string) };
}

/** Whether a page of another origin sends the request by long-polling. Of the clients with an `Origin`, browsers alone say so. */
function isCrossOriginPoll({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return headers.upgrade === undefined && (site === 'same-site' || site === 'cross-site');
}

/** A `Host` without a port, as nginx's `$host` sends it, matches any port. */
function isSameHost(page: Page, requested: string): boolean {
  const [, host, port] = HOST.exec(requested) ?? [];
  return host === page.host && (port === undefined || port === page.port);
}

/** Whether `init.cors` allows an origin: the package cors reads it in the same way. */
async function allowsByCors(
  cors: NonNullable<InitConfig['cors']>,
  origin: string,
  req: IncomingMessage,
): Promise<boolean> {
  const options =
    typeof cors === 'function' ? await called<object | undefined>((done) => cors(req as never, done as never)) : cors;
  const { origin: allowed }: { origin?: unknown } = { origin: ALL, ...options };
  return matches(typeof allowed === 'function' ? await called((done) => allowed(origin, done)) : allowed, origin);
}

/** Calls a function with a callback, and returns what it passes. The function may be async: then it may reject. */
function called<T>(call: (done: (err: unknown, value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const returned = call((err, value) => (err ? reject(err) : resolve(value)));
    if (isPromise(returned)) returned.then(undefined, reject);
  });
}

/** Whether Engine.IO answers a handshake with a script. */
function isJsonp(req: IncomingMessage): boolean {
  return queryOf(req).j !== undefined;
}

/** Whether a value of `cors.origin` or of `config.io.allowedOrigins` matches an origin. */
function matches(allowed: unknown, origin: string): boolean {
  if (allowed === ALL || allowed === true) return true;
  return [allowed].flat().some((each) => {
    // Not test(), which begins at lastIndex if the RegExp is global.
    if (each instanceof RegExp) return origin.search(each) >= 0;
    return each === origin;
  });
}
