// A client's request that belongs to another worker goes there: long-polling is passed on, a WebSocket is spliced. Called by
// lib/cluster.ts for each engine.
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { refuseUpgrade } from '../engine';
import { InFlight } from '../in-flight';
import { type Engine, LEAVING, sidOf } from './internal-server';
import { onceOver, pass, splice } from './proxy';
import type { RunDirectory } from './run-directory';
import { tagOf } from './session-id';

/** After that many ms an idle connection to another worker is closed. */
const IDLE = 30_000;
/** How many ms one client adds to the span over which all are told. */
const EACH = 2;

/** An engine's own way to answer. */
export type Answers = Pick<Engine, 'handleRequest' | 'handleUpgrade'>;

/** Brings clients' requests to the workers whose clients they are. */
export class Handover {
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE });
  /** The sessions of other workers that have a request or a WebSocket here, and how many. */
  readonly #sessions = new Map<string, number>();
  /** All of them. */
  readonly #under = new InFlight();
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
  serve(engine: Engine): Answers {
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
      // Node counts headers, and forgets those that are too many: without this one it is no upgrade.
      const sid = req.headers.upgrade ? this.#others(engine, req) : undefined;
      if (sid === undefined) own.handleUpgrade(req, socket, head);
      // The client stays with long-polling.
      else if (this.#leaving) refuseUpgrade(socket);
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
    const timers = sids.map((sid, i) =>
      setTimeout(() => this.#sessions.has(sid) && this.#ask(sid), ((i + Math.random()) * span) / sids.length),
    );
    let over: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      over = setTimeout(resolve, timeout);
    });
    await Promise.race([this.#under.idle(), late]);
    for (const timer of [...timers, over]) clearTimeout(timer);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Asks the worker of a session to close its connection in good order. */
  #ask(sid: string): void {
    const headers = { Host: 'localhost', 'Content-Length': 0 };
    const socketPath = this.#door(sid);
    const asked = request({ agent: this.#agent, socketPath, method: 'POST', path: LEAVING + sid, headers });
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

  #pass(sid: string, req: IncomingMessage, res: ServerResponse, own: Answers): void {
    onceOver(res, this.#begin(sid));
    const passage = { door: this.#door(sid), agent: this.#agent, refused: () => own.handleRequest(req, res) };
    pass(passage, req, res, () => {
      // The client's next request reaches another worker.
      if (this.#leaving) res.shouldKeepAlive = false;
    });
  }

  #splice(sid: string, req: IncomingMessage, socket: Socket, head: Buffer, own: Answers): void {
    socket.once('close', this.#begin(sid));
    splice({ door: this.#door(sid), refused: () => own.handleUpgrade(req, socket, head) }, req, socket, head);
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

  #door(sid: string): string {
    return this.directory.address(tagOf(sid) as string, 'door');
  }
}
