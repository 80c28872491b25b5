// This worker among the workers of its master. If the requests of one client may reach several workers, they forward them to each other.
import type { Application } from 'egg';
import { clientLogOf } from '../client-log';
import { adapterOf, drainTimesOf, masterOf, needsForwarding } from '../config/topology';
import { connectionOf, type Engine, type RequestHandlers, sessionIdOf } from '../internals/engineio';
import { statsOf } from '../stats';
import type { Forwarding } from './forwarding';
import type { InternalHandlers, InternalServer } from './internal-server';
import { createSessionId, createWorkerId, RunDirectory, removeDeadWorkers, type WorkerIdentity } from './run-directory';

/** What a worker needs to forward requests, and to handle requests that were forwarded to it. */
interface Forwarder {
  readonly forwarding: Forwarding;
  readonly internalServer: InternalServer;
  /** The engines of this worker, and their own handlers of requests. */
  readonly engines: Array<[Engine, RequestHandlers]>;
}

export class Workers implements WorkerIdentity {
  readonly workerId = createWorkerId();
  readonly directory: RunDirectory;
  /** Generates Engine.IO's session ids. Undefined if requests are not forwarded: Engine.IO generates its own. */
  readonly generateSessionId: (() => string) | undefined;
  readonly #forwarder: Forwarder | undefined;

  /** @param drainConnection - closes the connection of a session of this worker; its client then connects to another worker */
  constructor(
    private readonly app: Application,
    drainConnection: (sessionId: string) => void,
  ) {
    this.directory = new RunDirectory(app.config.rundir, masterOf(app), app.coreLogger);
    if (!needsForwarding(app)) return;
    this.#forwarder = createForwarder(this, app, drainConnection);
    this.generateSessionId = () => createSessionId(this.workerId);
  }

  /** Makes an engine forward requests for sessions of other workers. Called before the engine receives requests. */
  attach(engine: Engine): void {
    this.#forwarder?.engines.push([engine, this.#forwarder.forwarding.attach(engine)]);
  }

  /**
   * Opens this worker to the requests that others forward. Called when the namespaces exist, before clients connect.
   *
   * @throws {Error} if this worker cannot listen in the run directory
   */
  async open(): Promise<void> {
    const { app } = this;
    await this.#forwarder?.internalServer.listen(this.directory);
    // The adapter 'cluster' removes the sockets of its dead peers.
    const hasLinks = adapterOf(app) === 'cluster' && !app.io.hasOwnAdapter;
    if (this.#forwarder && !hasLinks) await removeDeadWorkers(app.config.rundir);
  }

  /** Has the clients whose requests this worker forwards connect to another worker. */
  async leave(): Promise<void> {
    const times = drainTimesOf(this.app);
    if (times) await this.#forwarder?.forwarding.leave(times.spread, times.timeout);
  }

  /** Releases everything. Called when all connections are closed. */
  async close(): Promise<void> {
    if (this.#forwarder === undefined) return;
    const { forwarding, internalServer } = this.#forwarder;
    this.directory.remove(this.workerId);
    forwarding.close();
    await internalServer.close();
  }
}

/** Loads the modules of forwarding: an application with one worker does not. */
function createForwarder(
  worker: WorkerIdentity,
  app: Application,
  drainConnection: (sessionId: string) => void,
): Forwarder {
  const { Forwarding } = require('./forwarding') as typeof import('./forwarding');
  const { InternalServer } = require('./internal-server') as typeof import('./internal-server');
  const engines: Forwarder['engines'] = [];
  const handlersFor = (req: Parameters<RequestHandlers['handleRequest']>[0]) => {
    const sessionId = sessionIdOf(req) as string;
    // If no engine has the session, any of them responds that it is unknown.
    const found = engines.find(([engine]) => connectionOf(engine, sessionId)) ?? engines.at(-1);
    return found?.[1];
  };
  const handlers: InternalHandlers = {
    request: (req, res) => handlersFor(req)?.handleRequest(req, res),
    upgrade: (req, socket, head) => handlersFor(req)?.handleUpgrade(req, socket, head),
    drain: drainConnection,
  };
  const clientLog = clientLogOf(app);
  const internalServer = new InternalServer(worker.workerId, handlers, clientLog);
  const counted = () => {
    statsOf(app.io).forwarded++;
  };
  return { forwarding: new Forwarding(worker, clientLog, counted), internalServer, engines };
}
