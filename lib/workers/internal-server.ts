// A worker's private server on a unix socket: where other workers of its host bring the requests of its clients. Made by
// lib/cluster.ts.
import { createServer, type IncomingMessage, maxHeaderSize, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RunDirectory } from './run-directory';
import { tagOf } from './session-id';

/**
 * What the path of a request begins with at the back door. A worker writes it; a client's own path comes after it, so no client
 * can ask for anything else.
 */
export const HANDOVER = '/handover';
/** How many bytes a request may be longer here than it was in front. */
const ADDED = 1024;
/** Asks to close a connection in good order: the worker through which its client comes is leaving. */
export const LEAVING = '/leaving/';

/** Engine.IO's server, as far as it is used here. */
export interface Engine {
  clients: Record<string, unknown>;
  handleRequest(req: IncomingMessage, res: ServerResponse): void;
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** What the back door leads to. */
export interface Rooms {
  /** Answers a client's request that no other worker may answer. */
  request(req: IncomingMessage, res: ServerResponse): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** The client of a session should come back by another way. */
  leaving(sid: string): void;
}

/** Takes requests from the other workers. */
export class BackDoor {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  /**
   * @param tag - this worker's: sessions of another one are refused
   * @param rooms - what it leads to
   */
  constructor(
    private readonly tag: string,
    private readonly rooms: Rooms,
  ) {
    // The worker in front has its own limits of time, and of a head that is shorter by what it adds.
    const limits = { requestTimeout: 0, keepAliveTimeout: 0, maxHeaderSize: maxHeaderSize + ADDED };
    this.#server = createServer(limits);
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (req, res) => this.#request(req, res));
    this.#server.on('upgrade', (req, socket, head) => {
      if (this.#enter(req)) this.rooms.upgrade(req, socket, head);
      else socket.destroy();
    });
  }

  /** Opens it to the others. */
  async open(directory: RunDirectory): Promise<void> {
    await directory.listen(this.#server, this.tag, 'door');
  }

  /** Shuts it. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #request(req: IncomingMessage, res: ServerResponse): void {
    if (this.#enter(req)) {
      this.rooms.request(req, res);
      return;
    }
    const sid = req.url?.startsWith(LEAVING) ? req.url.slice(LEAVING.length) : undefined;
    if (tagOf(sid) === this.tag) this.rooms.leaving(sid as string);
    res.writeHead(tagOf(sid) === this.tag ? 202 : 400).end();
  }

  /** Gives a request the path that its client has asked for. Whether it is for a session of this worker. */
  #enter(req: IncomingMessage): boolean {
    const { url = '' } = req;
    if (!url.startsWith(`${HANDOVER}/`)) return false;
    req.url = url.slice(HANDOVER.length);
    return tagOf(sidOf(req)) === this.tag;
  }
}

/** The session id of a request to Engine.IO, as Engine.IO itself reads it. */
export function sidOf(req: IncomingMessage): string | undefined {
  const known = (req as { _query?: Record<string, string> })._query;
  if (known) return known.sid;
  const { url = '' } = req;
  // What makes the request cheap to look at, most of the time: no session, or no other worker's.
  if (!url.includes('sid=')) return undefined;
  const query = url.indexOf('?');
  // The last one of several, as Engine.IO has it.
  return query < 0 ? undefined : new URLSearchParams(url.slice(query)).getAll('sid').at(-1);
}
