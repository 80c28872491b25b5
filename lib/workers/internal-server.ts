// The internal HTTP server of a worker on a unix socket. Other workers of its host forward requests of its clients to it.
import { createServer, type IncomingMessage, maxHeaderSize, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { debuglog } from 'node:util';
import type { ClientLog } from '../client-log';
import { sessionIdOf } from '../internals/engineio';
import { ConnectionLimit } from './connection-limit';
import { type RunDirectory, workerIdOf } from './run-directory';

const debug = debuglog('egg-socket.io:forwarding');

/**
 * The prefix of the paths of forwarded requests. The worker that forwards adds it before the path of the client, which can therefore not
 * request anything else.
 */
export const FORWARD_PATH = '/forward';
/** The prefix of a path that ends with a session id: closes the connection of the session, which the requesting worker forwards. */
export const DRAIN_PATH = '/drain/';
/** The header with the address of the client, in lower case. The worker that forwards removes the one of a client. */
export const CLIENT_ADDRESS = 'egg-socket.io-client';
/** How many bytes the head of a forwarded request may be longer than that of the client's request. */
const ADDED_HEADER_SIZE = 1024;

/** What the internal server calls. */
export interface InternalHandlers {
  /** Handles a request of a client of this worker. */
  request(req: IncomingMessage, res: ServerResponse): void;
  /** Handles an upgrade of a client of this worker. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Closes the connection of a session of this worker. The client reconnects. */
  drain(sessionId: string): void;
}

export class InternalServer {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  /**
   * @param workerId - the id of this worker. Requests for sessions of another worker are refused
   * @param openFiles - how many files this process may open. Default: its limit
   */
  constructor(
    private readonly workerId: string,
    private readonly handlers: InternalHandlers,
    clientLog: ClientLog,
    openFiles?: number,
  ) {
    // The server that the client is connected to limits times, and the size of the head. It accepts HTTP/1.0, which needs no Host.
    const limits = { requestTimeout: 0, keepAliveTimeout: 0, maxHeaderSize: maxHeaderSize + ADDED_HEADER_SIZE };
    this.#server = createServer({ ...limits, requireHostHeader: false });
    const limit = new ConnectionLimit(clientLog, 'connections of other workers', openFiles);
    this.#server.maxConnections = limit.max;
    this.#server.on('drop', () => limit.refuse());
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (req, res) => this.#onRequest(req, res));
    this.#server.on('upgrade', (req, socket, head) => {
      if (this.#accept(req)) this.handlers.upgrade(req, socket, head);
      else socket.destroy();
    });
  }

  async listen(directory: RunDirectory): Promise<void> {
    await directory.listen(this.#server, this.workerId, 'http');
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    if (this.#accept(req)) {
      this.handlers.request(req, res);
      return;
    }
    const sessionId = req.url?.startsWith(DRAIN_PATH) ? req.url.slice(DRAIN_PATH.length) : undefined;
    const isOwn = workerIdOf(sessionId) === this.workerId;
    if (isOwn) this.handlers.drain(sessionId as string);
    else debug('refuse an internal request: %s %s', req.method, req.url);
    res.writeHead(isOwn ? 202 : 400).end();
  }

  /** Restores the request of the client. Returns whether it is one for a session of this worker. */
  #accept(req: IncomingMessage): boolean {
    const { url = '' } = req;
    if (!url.startsWith(`${FORWARD_PATH}/`)) return false;
    req.url = url.slice(FORWARD_PATH.length);
    restoreAddress(req);
    return workerIdOf(sessionIdOf(req)) === this.workerId;
  }
}

/** Makes `req.socket.remoteAddress` the address of the client, as in a request that was not forwarded. */
function restoreAddress({ headers, rawHeaders, socket }: IncomingMessage): void {
  const value = headers[CLIENT_ADDRESS];
  // The connection may have forwarded a request of another client before.
  Object.defineProperty(socket, 'remoteAddress', { value, configurable: true });
  if (value === undefined) return;
  delete headers[CLIENT_ADDRESS];
  // The worker that forwards sends it first.
  rawHeaders.splice(0, 2);
}
