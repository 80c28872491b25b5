// Connects the admin UI of Socket.IO to app.io. Loaded if config.io.admin is set.
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import type { Socket } from 'socket.io';
import { loadAdminUi, type ResolvedAdmin } from './config/admin';
import { adapterOf } from './config/topology';
import { enginesOf } from './engine';
import { type ConnectionListener, engineOf } from './internals/engineio';
import { namespacesOf } from './internals/namespaces';
import type { AdminNamespace } from './namespaces/admin-namespace';
import type { IoNamespace } from './types/namespace';

const debug = debuglog('egg-socket.io:admin');

/** The events by which the UI acts. Their first argument is the name of a namespace. */
const COMMANDS = ['emit', 'join', 'leave', '_disconnect'];

/**
 * Instruments app.io, as soon as an HTTP server is attached: admin-ui counts what its engine does. Must be called when the adapter is
 * installed.
 *
 * @throws {ConfigError} if the package cannot be loaded, or if everyone could connect to a server that is deployed
 */
export function useAdmin(app: Application, admin: ResolvedAdmin, namespace: AdminNamespace): void {
  const { instrument, options } = loadAdminUi(app, admin);
  const { nsp } = namespace;
  const start = () => {
    const { hasOwnAdapter } = app.io;
    const isShared = !hasOwnAdapter && !['memory', 'own'].includes(adapterOf(app));
    const added = listenersAdded(app, () => {
      instrument(app.io, { ...options, store: new AdminSessions(nsp, isShared) });
    });
    const instrumented = new Set([engineOf(app.io)]);
    // admin-ui instruments one engine. An application may listen on several servers.
    const instrumentOthers = () => {
      for (const engine of enginesOf(app).filter((each) => !instrumented.has(each))) {
        instrumented.add(engine);
        for (const listener of added) engine.on('connection', listener);
      }
    };
    instrumentOthers();
    app.on('server', instrumentOthers);
    catchErrors(app, nsp);
    nsp.on('connection', (socket) => guard(app, socket));
    namespace.open();
    debug('the admin UI can connect to %s, mode %s', nsp.name, options.mode);
  };
  if (enginesOf(app).length > 0) start();
  else app.once('server', start);
}

/** Returns the listeners that a function adds to the engine that was attached last. */
function listenersAdded({ io }: Application, add: () => void): ConnectionListener[] {
  const engine = engineOf(io);
  const before = engine.listeners('connection');
  add();
  return engine.listeners('connection').filter((listener) => !before.includes(listener));
}

/** admin-ui asks other workers for their sockets when its client connects. Nothing handles that they do not answer. */
function catchErrors({ coreLogger }: Application, nsp: IoNamespace): void {
  for (const listener of nsp.listeners('connection')) {
    nsp.off('connection', listener);
    nsp.on('connection', async (socket) => {
      try {
        await listener(socket);
      } catch (err) {
        coreLogger.warn(
          `[egg-socket.io] the admin UI shows no sockets that were connected before it: ${(err as Error).message}`,
        );
      }
    });
  }
}

/** A command for a namespace that does not exist would create it, and what a listener throws would end the worker. */
function guard(app: Application, socket: Socket): void {
  for (const command of COMMANDS) {
    for (const listener of socket.listeners(command)) {
      socket.off(command, listener);
      socket.on(command, (...args: unknown[]) => {
        const { remoteAddress } = socket.conn;
        try {
          if (!namespacesOf(app.io).has(String(args[0]))) return;
          app.coreLogger.info(`[egg-socket.io] admin UI (${remoteAddress}): ${command} in ${args[0]}`);
          listener(...args);
        } catch (err) {
          app.coreLogger.error(err);
        }
      });
    }
  }
}

/** How long a session of the UI lasts, in ms. */
const SESSION_DURATION = 24 * 60 * 60 * 1000;
/** How many sessions there are at most. The oldest one ends. */
const MAX_SESSIONS = 1000;
const SHARE = 'egg-socket.io:admin-session';

/**
 * The sessions of the UI, by which it connects again without a password: each worker has those of all workers. This is a store of
 * admin-ui.
 */
export class AdminSessions {
  /** When each session ends, as `Date.now()`. Oldest first. */
  readonly #ends = new Map<string, number>();

  constructor(
    private readonly nsp: IoNamespace,
    private readonly isShared: boolean,
  ) {
    if (isShared) nsp.on(SHARE as never, ((sessionId: string) => this.#add(sessionId)) as never);
  }

  doesSessionExist(sessionId: string): Promise<boolean> {
    return Promise.resolve(Date.now() < (this.#ends.get(sessionId) ?? 0));
  }

  saveSession(sessionId: string): void {
    this.#add(sessionId);
    try {
      if (this.isShared) this.nsp.serverSideEmit(SHARE, sessionId);
    } catch (err) {
      debug('the session is not shared: %s', err);
    }
  }

  #add(sessionId: string): void {
    this.#ends.set(sessionId, Date.now() + SESSION_DURATION);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > MAX_SESSIONS && oldest !== undefined) this.#ends.delete(oldest);
  }
}
