// A client's request that belongs to another worker goes there: long-polling is passed on, a WebSocket is spliced. Called by
// lib/cluster.ts for each engine.
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Count } from '../work';
import { type Engine, HANDOVER, LEAVING, sidOf } from './backdoor';
import type { RunDirectory } from './directory';
import { tagOf } from './tag';

/** Headers that are about one connection, not about the request. */
const HOP = new Set(['connection', 'expect', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);
/** After that many ms an idle connection to another worker is closed. */
const IDLE = 30_000;
/** How many ms one client adds to the span over which all are told. */
const EACH = 2;

/** Brings clients' requests to the workers whose clients they are. */
export class Handover {
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE });
  /** The sessions of other workers that have a request or a WebSocket here, and how many. */
  readonly #sessions = new Map<string, number>();
  /** All of them. */
  readonly #under = new Count();
  #leaving = false;

  /**
   * @param directory - where the workers are
   * @param tag - this worker's
   */
  constructor(
    private readonly directory: RunDirectory,
    private readonly tag: string,
  ) {}

  /** From now on an engine's requests that are another worker's go there. Returns the engine's own way to answer. */
  serve(engine: Engine): Pick<Engine, 'handleRequest' | 'handleUpgrade'> {
    const own = {
      handleRequest: engine.handleRequest.bind(engine),
      handleUpgrade: engine.handleUpgrade.bind(engine),
    };
    engine.handleRequest = (req, res) => {
      const sid = this.#others(engine, req);
      if (sid === undefined) own.handleRequest(req, res);
      else this.#pass(sid, req, res, own);
    };
    engine.handleUpgrade = (req, socket, head) => {
      const sid = this.#others(engine, req);
      if (sid === undefined) own.handleUpgrade(req, socket, head);
      else this.#splice(sid, req, socket as Socket, head, own);
    };
    return own;
  }

  /**
   * Has the workers whose clients come through here let them come back by another way, and waits until they are gone.
   *
   * @param spread - over how many ms at most they are asked for one client after the other
   * @param timeout - how long that may take at most, in ms
   */
  async leave(spread: number, timeout: number): Promise<void> {
    this.#leaving = true;
    const sids = [...this.#sessions.keys()];
    const span = Math.min(spread, sids.length * EACH);
    const over = new AbortController();
    const asked = Promise.all(
      sids.map(async (sid, i) => {
        await sleep(((i + Math.random()) * span) / sids.length, undefined, { signal: over.signal });
        if (this.#sessions.has(sid)) this.#ask(sid);
      }),
    );
    const gone = asked.then(() => this.#under.none()).catch(() => {});
    await Promise.race([gone, sleep(timeout, undefined, { signal: over.signal }).catch(() => {})]);
    over.abort();
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Asks the worker of a session to close its connection in good order. */
  #ask(sid: string): void {
    const asked = this.#request(sid, 'POST', LEAVING + sid, ['Host', 'localhost', 'Content-Length', '0']);
    // A worker that is not there has no such client any more.
    asked.on('error', () => {});
    asked.on('response', (answer) => answer.resume());
    asked.end();
  }

  /** The session id of a request, where it is one of another worker's. */
  #others(engine: Engine, req: IncomingMessage): string | undefined {
    const sid = sidOf(req);
    if (sid === undefined || Object.hasOwn(engine.clients, sid)) return undefined;
    const tag = tagOf(sid);
    return tag === undefined || tag === this.tag ? undefined : sid;
  }

  #pass(sid: string, req: IncomingMessage, res: ServerResponse, own: Pick<Engine, 'handleRequest'>): void {
    const end = this.#begin(sid);
    // A body where Engine.IO reads none would look like another request over there.
    const hasBody = req.method === 'POST';
    const headers = endToEnd(req.rawHeaders, hasBody ? undefined : 'content-length');
    const passed = this.#request(sid, req.method, HANDOVER + req.url, headers);
    passed.on('response', (answer) => {
      // The client's next request reaches another worker.
      if (this.#leaving) res.shouldKeepAlive = false;
      res.writeHead(answer.statusCode as number, answer.statusMessage, endToEnd(answer.rawHeaders));
      answer.on('error', () => res.destroy());
      answer.pipe(res);
    });
    passed.on('error', () => {
      // Nobody is there: this engine says that the session is unknown, and the client connects anew.
      if (res.headersSent) res.destroy();
      else if (!res.destroyed) own.handleRequest(req, res);
    });
    res.once('close', () => {
      end();
      passed.destroy();
    });
    if (hasBody) req.pipe(passed);
    else passed.end();
  }

  #splice(sid: string, req: IncomingMessage, socket: Socket, head: Buffer, own: Pick<Engine, 'handleUpgrade'>): void {
    const there = connect({ path: this.#door(sid), allowHalfOpen: true });
    const refused = () => own.handleUpgrade(req, socket, head);
    const gone = () => there.destroy();
    there.once('error', refused);
    socket.on('error', gone);
    there.once('connect', () => {
      if (socket.destroyed) {
        gone();
        return;
      }
      const end = this.#begin(sid);
      there.off('error', refused);
      there.on('error', () => {});
      there.once('close', () => {
        end();
        socket.destroy();
      });
      socket.once('close', gone);
      socket.setTimeout(0);
      there.write(headOf(req), 'latin1');
      there.write(head);
      socket.pipe(there).pipe(socket);
    });
  }

  /** Counts a session as one that comes through here, until the function that it returns is called. */
  #begin(sid: string): () => void {
    this.#sessions.set(sid, (this.#sessions.get(sid) ?? 0) + 1);
    this.#under.begin();
    return () => {
      this.#under.end();
      const left = (this.#sessions.get(sid) as number) - 1;
      if (left === 0) this.#sessions.delete(sid);
      else this.#sessions.set(sid, left);
    };
  }

  #request(sid: string, method: string | undefined, path: string, headers: string[]) {
    const socketPath = this.#door(sid);
    return request({ agent: this.#agent, socketPath, method, path, headers: headers as never, setHost: false });
  }

  #door(sid: string): string {
    return this.directory.address(tagOf(sid) as string, 'door');
  }
}

/** Raw headers without those that are about the connection they came over, and without one more. */
function endToEnd(raw: string[], without?: string): string[] {
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    if (!HOP.has(name) && name !== without) kept.push(raw[at] as string, raw[at + 1] as string);
  }
  return kept;
}

/** The head of an upgrade request as it came, with the path that the back door expects. */
function headOf({ method, url, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${HANDOVER}${url} HTTP/1.1\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2) head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  return `${head}\r\n`;
}
