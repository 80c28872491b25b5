// Log lines of requests that Engine.IO refuses, with advice on the causes that are reported most, and of messages that are too long.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { clientAddress } from './client-address';
import { type ClientLog, clientLogOf, shown } from './client-log';
import { refusals } from './diagnostics';
import { reportTooLong } from './error-response';
import {
  type ConnectionError,
  type Engine,
  onSessionClosed,
  queryOf,
  RefusalCode,
  replaceHandlers,
} from './internals/engineio';
import { FOREIGN_ORIGIN } from './origins';

const debug = debuglog('egg-socket.io:engine');

/** How many characters of a path are logged. */
const MAX_PATH = 100;

/** What a client receives if `init.allowRequest` has thrown. */
export const UNDECIDED = 'the request could not be checked';

const CLOSED = Symbol('egg-socket.io:closed-sessions');

/** Logs what an engine refuses. */
export function logRefusals(app: Application, engine: Engine): void {
  const clientLog = clientLogOf(app);
  const io: Application['io'] & { [CLOSED]?: ClosedSessions } = app.io;
  io[CLOSED] ??= new ClosedSessions();
  const closed = io[CLOSED];
  engine.on('connection_error', (error) => {
    const { code, context, message, req } = error;
    if (refusals.hasSubscribers) refusals.publish({ app, stage: 'handshake', request: req, reason: message });
    // Both are logged already.
    if (context?.name === FOREIGN_ORIGIN || context?.message === UNDECIDED) return;
    // A request of a client whose connection has just closed was under way. With several workers it may overtake other requests.
    if (code === RefusalCode.UNKNOWN_SESSION && req !== undefined && closed.has(queryOf(req).sid)) {
      debug('refuse a request for a session that has just closed');
      return;
    }
    debug('refused with code %d: %s', code, message);
    logRefused(app, clientLog, error);
  });
  onSessionClosed(engine, (sessionId) => closed.add(sessionId));
  // One function for all responses.
  const onResponse = function (this: ServerResponse) {
    if (this.statusCode === 413) reportTooLong(clientLog, app.io, clientAddress(app, this.req));
  };
  replaceHandlers(engine, ({ handleRequest, handleUpgrade }) => ({
    handleUpgrade,
    handleRequest: (req, res) => {
      if (req.method === 'POST') res.once('finish', onResponse);
      handleRequest(req, res);
    },
  }));
}

function logRefused(app: Application, clientLog: ClientLog, { req, code, message, context }: ConnectionError): void {
  const request = `${req?.method} ${req?.url?.split('?')[0]?.slice(0, MAX_PATH)} from ${clientAddress(app, req)}`;
  const cause = `refused ${message} ${context?.name}`;
  // An error of config.io.generateId.
  if (context?.error instanceof Error) {
    clientLog.error(cause, context.error, `refused: ${message} (${request})`);
    return;
  }
  const reason = typeof context?.message === 'string' ? ` ${context.message}` : '';
  const advice = adviceOn(code, req, context);
  clientLog.warn(`${cause} ${advice}`, `refused: ${message}${reason} (${request})${advice && `. ${advice}`}`);
}

const PLAIN =
  'Only clients of Socket.IO can connect. A plain WebSocket client connects with ?EIO=4&transport=websocket, see docs/en/clients.md';

/** The scripts of the client for browsers. */
const CLIENT_SCRIPT = /\/socket\.io(\.esm|\.msgpack)?(\.min)?\.js(\.map)?(\?|$)/;

/** Returns what to do about a refused request. */
function adviceOn(code: number, req: IncomingMessage | undefined, context: ConnectionError['context']): string {
  const { EIO, transport } = req === undefined ? {} : queryOf(req);
  switch (code) {
    case RefusalCode.UNKNOWN_TRANSPORT:
      if (CLIENT_SCRIPT.test(req?.url ?? ''))
        return 'It is the script of the client, which is not served: set config.io.init.serveClient = true, or bundle socket.io-client with the page';
      if (transport === undefined) return PLAIN;
      return transport === 'polling' || transport === 'websocket'
        ? `config.io.init.transports does not contain ${shown(transport)}`
        : '';
    case RefusalCode.UNKNOWN_SESSION:
      return 'The connection or its worker has closed, and the client reconnects. If its worker is on another host, the load balancer must send all requests of a client to one host: see docs/en/deployment.md';
    case RefusalCode.BAD_METHOD:
      return context?.method === 'OPTIONS'
        ? 'It is a preflight of a browser whose page has another origin: set config.io.init.cors'
        : '';
    case RefusalCode.BAD_REQUEST:
      if (context?.name === 'MIDDLEWARE_FAILURE') {
        return 'A function of app.io.engine.use() or of config.io.init.cors has failed, and Engine.IO drops its error: catch and log it there';
      }
      return transport === 'websocket' && req?.headers.upgrade === undefined
        ? 'The request has no Upgrade header: a proxy has removed it. With nginx: proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and proxy_set_header Connection "upgrade", see docs/en/deployment.md'
        : '';
    case RefusalCode.UNSUPPORTED_PROTOCOL:
      if (EIO === undefined) return PLAIN;
      return EIO !== '3'
        ? ''
        : 'It is a client of Socket.IO 2 or older: set config.io.init.allowEIO3 = true to accept it';
    default:
      return '';
  }
}

/** How long a closed session is remembered at least, in ms, unless there are more than fit. */
const PERIOD = 30_000;
/** How many sessions one generation has. */
const MAX_SESSIONS = 5_000;

/** The ids of the sessions that have closed most recently, in two generations. */
export class ClosedSessions {
  #recent = new Set<string>();
  #older = new Set<string>();
  #since = performance.now();

  add(sessionId: string): void {
    this.#rotate();
    this.#recent.add(sessionId);
  }

  has(sessionId: string | undefined): boolean {
    this.#rotate();
    return sessionId !== undefined && (this.#recent.has(sessionId) || this.#older.has(sessionId));
  }

  #rotate(): void {
    const age = performance.now() - this.#since;
    if (age < PERIOD && this.#recent.size < MAX_SESSIONS) return;
    this.#older = age < 2 * PERIOD ? this.#recent : new Set();
    this.#recent = new Set();
    this.#since = performance.now();
  }
}
