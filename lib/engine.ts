// The Engine.IO servers of app.io: attached to the HTTP servers that Egg announces, beside other WebSocket servers, and closed with the
// application.
import { type Server as HttpServer, type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import { Socket as TcpSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import { clientAddress } from './client-address';
import { clientLogOf } from './client-log';
import { configOf } from './config/config';
import { isPromise, toError } from './errors';
import {
  type Engine,
  engineOf,
  hasOwnPath,
  queryOf,
  RefusalCode,
  replaceGenerateId,
  replaceHandlers,
  sessionIdOf,
} from './internals/engineio';
import { namespacesOf } from './internals/namespaces';
import { limitConnections } from './limits/engine-limits';
import { FOREIGN_ORIGIN, originCheckOf } from './origins';
import { logRefusals, UNDECIDED } from './refused-requests';
import { statsOf } from './stats';

const debug = debuglog('egg-socket.io:engine');

const ENGINES = Symbol('egg-socket.io:engines');

/** `app.io` with its engines, by HTTP server. Usually there is one. */
type WithEngines = Application['io'] & { [ENGINES]?: Map<HttpServer, Engine> };

/** The arguments of `upgrade`. */
type Upgrade = Parameters<Engine['handleUpgrade']>;

/**
 * Attaches Socket.IO to an HTTP server.
 *
 * @param generateSessionId - generates the session ids of clients. Default: Engine.IO generates them
 * @returns the new engine, or undefined if that server has one already
 */
export function attach(app: Application, server: HttpServer, generateSessionId?: () => string): Engine | undefined {
  const io: WithEngines = app.io;
  io[ENGINES] ??= new Map();
  const attached = io[ENGINES];
  if (attached.has(server)) return undefined;
  const others = server.listeners('upgrade');
  io.attach(server);
  const engine = engineOf(io);
  attached.set(server, engine);
  dispatchUpgrades(server, engine, others);
  containResets(engine);
  debug('attached to an HTTP server, path %s', io.path());
  useSessionIds(app, engine, generateSessionId);
  containAllowRequest(app, engine);
  checkOrigins(app, engine);
  logRefusals(app, engine);
  statsOf(io).watch(engine);
  limitConnections(app, engine, configOf(app).limits, TOO_MANY_CONNECTIONS);
  return engine;
}

/**
 * Dispatches upgrades by path: those of Engine.IO's path reach the engine alone, all others the other listeners alone. Engine.IO's own listener
 * leaves its upgrades to the other listeners as well, which may refuse them, and ends a handshake of another server that takes longer than
 * `init.destroyUpgradeTimeout`.
 *
 * Ordinary requests may offer an upgrade to another protocol, such as those of Java's HttpClient to HTTP/2. Unless another listener handles
 * that, it is ignored, as Node does without a listener.
 *
 * @param others - the listeners that were there before Engine.IO was attached
 */
function dispatchUpgrades(server: HttpServer, engine: Engine, others: unknown[]): void {
  const added = server.listeners('upgrade').find((listener) => !others.includes(listener));
  // Engine.IO does not listen without the transport websocket.
  if (added === undefined) return;
  server.off('upgrade', added as () => void);
  // Without a listener Node does not emit `upgrade`. This one is called if another owner of the event calls the listeners itself.
  const listener = (...[req, socket, head]: Upgrade): void => {
    if (hasOwnPath(engine, req)) engine.handleUpgrade(req, socket, head);
  };
  server.on('upgrade', listener);
  const { emit } = server;
  // Listeners cannot keep an event from each other, also from those that are added later.
  server.emit = (...args: [event: string, ...unknown[]]) => {
    const [event, req, socket, head] = args as [string, ...Upgrade];
    if (event === 'upgrade') {
      const isOwn = hasOwnPath(engine, req);
      const hasOthers = server.listeners('upgrade').some((each) => each !== listener);
      const isOurs = isOwn || (!hasOthers && engine.opts.destroyUpgrade !== false);
      if (isOurs && isForOther(req) && socket instanceof TcpSocket && !(socket instanceof TLSSocket)) {
        handleAsRequest(server, req, socket, head);
        return true;
      }
      if (isOwn) {
        engine.handleUpgrade(req, socket, head);
        return true;
      }
      // Without a listener, a client that resets its connection would end the worker. Engine.IO adds one, too.
      socket.on('error', ignore);
      if (isOurs) {
        refuseUpgrade(socket, 'nothing handles an upgrade of this path', 404);
        return true;
      }
    }
    return Reflect.apply(emit, server, args);
  };
}

/** How many headers an upgrade has that is handled as a request. Node drops headers beyond a limit, and with them the length of the body. */
const MAX_HEADERS = 100;

/** Whether an upgrade is to another protocol than WebSocket, and can be written as a request again. */
function isForOther({ headers, rawHeaders }: IncomingMessage): boolean {
  const { upgrade } = headers;
  if (upgrade === undefined || upgrade.toLowerCase() === 'websocket') return false;
  return rawHeaders.length <= 2 * MAX_HEADERS && !rawHeaders.some((text) => /[\r\n]/.test(text));
}

/**
 * Handles an upgrade as an ordinary request: the HTTP server receives it once more, without the header `Upgrade`. When Node emits `upgrade`,
 * it has read the headers only, and has detached the connection from the server.
 */
function handleAsRequest(server: HttpServer, req: IncomingMessage, socket: TcpSocket, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = req;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

/**
 * Ignores that a client resets its connection while `init.allowRequest` or a function of `app.io.engine.use()` decides about its upgrade.
 * Node has removed its own listener for errors by then, and an error without a listener ends the worker.
 */
function containResets(engine: Engine): void {
  replaceHandlers(engine, ({ handleRequest, handleUpgrade }) => ({
    handleRequest,
    handleUpgrade: (req, socket, head) => {
      socket.on('error', ignore);
      handleUpgrade(req, socket, head);
      // If the upgrade is accepted by now, its WebSocket has a listener: another one would hold memory of an idle connection.
      if (socket.listenerCount('error') > 1) socket.off('error', ignore);
    },
  }));
}

/** Returns the engines of `app.io`. */
export function enginesOf(app: Application): Engine[] {
  const io: WithEngines = app.io;
  return Array.from(io[ENGINES]?.values() ?? []);
}

/**
 * Closes the connections that are still open, and the adapters. The clients reconnect. Socket.IO's own `close()` is not called: it would
 * close Egg's HTTP server.
 */
export async function detach(app: Application): Promise<void> {
  for (const engine of enginesOf(app)) engine.close();
  app.io.closeChildren();
  await Promise.all(Array.from(namespacesOf(app.io).values(), (nsp) => closeAdapter(app, nsp)));
}

/** Logs what an adapter of the application throws: the others are closed, and so is the application. */
async function closeAdapter(app: Application, { name, adapter }: Namespace): Promise<void> {
  try {
    await adapter.close();
  } catch (thrown) {
    app.coreLogger.error(`[egg-socket.io] the adapter of ${name} cannot be closed: ${toError(thrown).stack}`);
  }
}

/**
 * A client of Socket.IO 2 derives the ids of its sockets from its session id: `config.io.generateId` generates it. Session ids of other
 * clients are secret, since they authenticate requests: `config.io.generateId` generates the ids of their sockets only.
 */
function useSessionIds(app: Application, engine: Engine, generateSessionId: (() => string) | undefined): void {
  const { generateId } = configOf(app);
  if (generateSessionId) replaceGenerateId(engine, () => generateSessionId);
  if (generateId) replaceGenerateId(engine, (own) => (req) => (queryOf(req).EIO === '4' ? own(req) : generateId(req)));
}

/**
 * Refuses handshakes and upgrades of origins that may not connect, before Engine.IO reads them. Other requests have a session id, which is
 * secret, or are refused by Engine.IO, or are preflights, which `init.cors` answers.
 */
function checkOrigins(app: Application, engine: Engine): void {
  const check = originCheckOf(app);
  if (check === undefined) return;
  const report = (req: IncomingMessage, message: string) => {
    debug('refused: %s', message);
    const context = { name: FOREIGN_ORIGIN, message };
    engine.emit('connection_error', { req, code: RefusalCode.FORBIDDEN, message: 'Forbidden', context });
  };
  replaceHandlers(engine, (own) => ({
    handleRequest: (req, res) => {
      if (req.method !== 'GET' || sessionIdOf(req)) {
        own.handleRequest(req, res);
        return;
      }
      decide(check.refusal(req), (reason) => {
        if (reason === undefined) {
          own.handleRequest(req, res);
          return;
        }
        report(req, reason);
        const { headers, body } = responseOf({ code: RefusalCode.FORBIDDEN, message: reason });
        res.writeHead(403, headers).end(body);
      });
    },
    handleUpgrade: (req, socket, head) => {
      // An error while the application checks the origin is followed by `close`.
      socket.on('error', ignore);
      decide(check.refusal(req), (reason) => {
        socket.off('error', ignore);
        if (reason === undefined) {
          own.handleUpgrade(req, socket, head);
          return;
        }
        report(req, reason);
        endUpgrade(socket, '403 Forbidden', { code: RefusalCode.FORBIDDEN, message: reason });
      });
    },
  }));
}

/**
 * Refuses a handshake if `init.allowRequest` throws or rejects. Engine.IO does not catch that: it would end the worker. Nor does it ignore
 * a second call of the callback.
 */
function containAllowRequest(app: Application, { opts }: Engine): void {
  const { allowRequest } = opts;
  if (allowRequest === undefined) return;
  opts.allowRequest = (req, done) => {
    let isDecided = false;
    const decideOnce: typeof done = (err, ok) => {
      if (!isDecided) done(err, ok);
      isDecided = true;
    };
    const failed = (thrown: unknown) => {
      const where = `init.allowRequest, client ${clientAddress(app, req)}`;
      clientLogOf(app).error('init.allowRequest', toError(thrown), where);
      decideOnce(UNDECIDED, false);
    };
    try {
      const returned = allowRequest(req, decideOnce);
      if (isPromise(returned)) returned.then(undefined, failed);
    } catch (thrown) {
      failed(thrown);
    }
  };
}

function ignore(): void {}

/** Calls `callback` with a value, at once unless it is a promise. */
function decide<T>(value: T | Promise<T>, callback: (value: T) => void): void {
  if (value instanceof Promise) void value.then(callback);
  else callback(value);
}

const CLOSING = 'the server is closing';

/** How handshakes are refused by `config.io.limits.connectionsPerAddress`. */
const TOO_MANY_CONNECTIONS = {
  request: (req: IncomingMessage, res: ServerResponse) => refuse(req, res, 'too many connections', 429),
  upgrade: (_req: IncomingMessage, socket: Duplex) => refuseUpgrade(socket, 'too many connections', 429),
};

/**
 * Refuses a request. The client tries again on a new connection, which may reach another worker.
 *
 * @param message - the reason, for the client
 */
export function refuse({ socket }: IncomingMessage, res: ServerResponse, message = CLOSING, status = 503): void {
  // Engine.IO passes a response that writes nothing for an upgrade.
  if (!(res instanceof ServerResponse)) {
    refuseUpgrade(socket, message, status);
    return;
  }
  const { headers, body } = responseOf({ message });
  res.writeHead(status, headers).end(body);
}

/** The same for an upgrade. */
export function refuseUpgrade(socket: Duplex, message = CLOSING, status = 503): void {
  debug('refuse an upgrade: %s', message);
  endUpgrade(socket, `${status} ${STATUS_CODES[status]}`, { message });
}

function endUpgrade(socket: Duplex, status: string, content: object): void {
  const { headers, body } = responseOf(content);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', ignore);
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

function responseOf(content: object) {
  const body = JSON.stringify(content);
  const length = Buffer.byteLength(body);
  return { headers: { connection: 'close', 'content-type': 'application/json', 'content-length': length }, body };
}
