// Forwards requests that have reached the wrong worker: a client that uses long-polling sends several requests, and the master gives each
// of its connections to any worker. Session ids contain the id of the worker that has the session.
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { debuglog } from 'node:util';
import type { ClientLog } from '../client-log';
import { refuse, refuseUpgrade } from '../engine';
import { InFlight } from '../in-flight';
import { connectionOf, type Engine, type RequestHandlers, replaceHandlers, sessionIdOf } from '../internals/engineio';
import { ConnectionLimit } from './connection-limit';
import { DRAIN_PATH } from './internal-server';
import { inTurn, onceFinished, proxyRequest, proxyUpgrade } from './proxy';
import { type WorkerIdentity, workerIdOf } from './run-directory';

const debug = debuglog('egg-socket.io:forwarding');

/** How long an idle connection to another worker stays open, in ms. */
const IDLE_TIMEOUT = 30_000;
/** How many ms each session adds to the time over which all sessions are closed. */
const MS_PER_SESSION = 2;
/** How many idle connections to another worker may be kept, as a share of all. The other worker counts them, too, and those of all others. */
const IDLE_SHARE = 1 / 64;
/** Node's own limit of idle connections. */
const MAX_IDLE = 256;
/** The response to a client whose request is not forwarded because of the limit. */
const TOO_MANY = 'too many requests for other workers';

export class Forwarding {
  readonly #agent: Agent;
  readonly #limit: ConnectionLimit;
  /** How many forwarded requests and WebSockets each session has, by session id. */
  readonly #sessions = new Map<string, number>();
  /** The same for all sessions. */
  readonly #forwarded = new InFlight();
  #isLeaving = false;

  /**
   * @param counted - called with each request and each upgrade that is forwarded
   * @param openFiles - how many files this process may open. Default: its limit
   */
  constructor(
    private readonly worker: WorkerIdentity,
    clientLog: ClientLog,
    private readonly counted: () => void,
    openFiles?: number,
  ) {
    this.#limit = new ConnectionLimit(clientLog, 'requests for other workers', openFiles);
    const maxFreeSockets = Math.min(MAX_IDLE, Math.ceil(this.#limit.max * IDLE_SHARE));
    this.#agent = new Agent({ keepAlive: true, timeout: IDLE_TIMEOUT, maxFreeSockets });
  }

  /**
   * Makes an engine forward requests for sessions of other workers.
   *
   * @returns the handlers of requests for sessions of this worker
   */
  attach(engine: Engine): RequestHandlers {
    return replaceHandlers(engine, (own) => ({
      handleRequest: (req, res) => {
        const sessionId = this.#foreignSession(engine, req);
        if (sessionId === undefined) own.handleRequest(req, res);
        else inTurn(res, () => this.#forwardRequest(sessionId, req, res, own));
      },
      handleUpgrade: (req, socket, head) => {
        // Node drops headers beyond a limit, Upgrade among them. Engine.IO then refuses the upgrade.
        const sessionId = req.headers.upgrade ? this.#foreignSession(engine, req) : undefined;
        if (sessionId === undefined) own.handleUpgrade(req, socket, head);
        else if (this.#isLeaving) {
          debug('refuse an upgrade for worker %s: this worker is closing', workerIdOf(sessionId));
          // The client continues with long-polling.
          refuseUpgrade(socket);
        } else this.#forwardUpgrade(sessionId, req, socket as Socket, head, own);
      },
    }));
  }

  /**
   * Asks other workers to close the connections that this worker forwards, whose clients then connect to another worker, and waits until
   * nothing is forwarded.
   *
   * @param spread - over how long to spread the connections, in ms
   * @param timeout - how long to wait, in ms
   */
  async leave(spread: number, timeout: number): Promise<void> {
    this.#isLeaving = true;
    const sessionIds = [...this.#sessions.keys()];
    debug('close %d forwarded sessions', sessionIds.length);
    const span = Math.min(spread, sessionIds.length * MS_PER_SESSION);
    const timers = sessionIds.map((sessionId, i) =>
      setTimeout(
        () => this.#sessions.has(sessionId) && this.#requestDrain(sessionId),
        ((i + Math.random()) * span) / sessionIds.length,
      ),
    );
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeout);
    });
    await Promise.race([this.#forwarded.idle(), timedOut]);
    for (const each of [...timers, timer]) clearTimeout(each);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Asks the worker of a session to close its connection. */
  #requestDrain(sessionId: string): void {
    const headers = { Host: 'localhost', 'Content-Length': 0 };
    const { socketPath, agent } = this.#destinationOf(sessionId);
    const req = request({ agent, socketPath, method: 'POST', path: DRAIN_PATH + sessionId, headers });
    // A worker that has stopped has no connection to close.
    req.on('error', () => {});
    req.on('response', (response) => response.resume());
    req.end();
  }

  /** Returns the session id of a request, if the session is one of another worker. */
  #foreignSession(engine: Engine, req: IncomingMessage): string | undefined {
    const sessionId = sessionIdOf(req);
    if (sessionId === undefined || connectionOf(engine, sessionId)) return undefined;
    const workerId = workerIdOf(sessionId);
    return workerId === undefined || workerId === this.worker.workerId ? undefined : sessionId;
  }

  #forwardRequest(sessionId: string, req: IncomingMessage, res: ServerResponse, own: RequestHandlers): void {
    if (this.#isFull()) {
      refuse(req, res, TOO_MANY);
      return;
    }
    debug('forward %s to worker %s', req.method, workerIdOf(sessionId));
    onceFinished(res, this.#count(sessionId));
    const refused = () => {
      debug('refused: worker %s is unreachable', workerIdOf(sessionId));
      // Engine.IO responds that the session id is unknown.
      own.handleRequest(req, res);
    };
    proxyRequest({ ...this.#destinationOf(sessionId), refused }, req, res, () => {
      // The client opens a new connection for its next request, which reaches another worker.
      if (this.#isLeaving) res.shouldKeepAlive = false;
    });
  }

  #forwardUpgrade(sessionId: string, req: IncomingMessage, socket: Socket, head: Buffer, own: RequestHandlers): void {
    if (this.#isFull()) {
      refuseUpgrade(socket, TOO_MANY);
      return;
    }
    debug('forward an upgrade to worker %s', workerIdOf(sessionId));
    socket.once('close', this.#count(sessionId));
    const refused = () => {
      debug('refused: worker %s is unreachable', workerIdOf(sessionId));
      own.handleUpgrade(req, socket, head);
    };
    proxyUpgrade({ ...this.#destinationOf(sessionId), refused }, req, socket, head);
  }

  /** Whether this worker has as many connections to other workers as it may have. If so, the refusal is logged. */
  #isFull(): boolean {
    const isFull = this.#forwarded.running >= this.#limit.max;
    if (isFull) this.#limit.refuse();
    return isFull;
  }

  /** Counts a forwarded request until the returned function is called. */
  #count(sessionId: string): () => void {
    this.#sessions.set(sessionId, (this.#sessions.get(sessionId) ?? 0) + 1);
    this.#forwarded.begin();
    this.counted();
    return () => {
      this.#forwarded.end();
      const count = (this.#sessions.get(sessionId) as number) - 1;
      if (count === 0) this.#sessions.delete(sessionId);
      else this.#sessions.set(sessionId, count);
    };
  }

  #destinationOf(sessionId: string): { socketPath: string; agent: Agent } {
    const socketPath = this.worker.directory.address(workerIdOf(sessionId) as string, 'http');
    return { socketPath, agent: this.#agent };
  }
}
