// Gives the namespaces their chains when Egg has loaded everything. Called by app.ts in willReady.
import type { Application } from 'egg';
import { composeChain, composeLasting, lookUp } from './compose';
import { configOf, type NamespaceConfig, type ResolvedConfig } from './config/config';
import { adapterOf, hostOf, needsHandover } from './config/topology';
import { connectionCore, Ends } from './connection-handler';
import { ContextFactory } from './context';
import { workOf } from './in-flight';
import { bindNamespace } from './namespaces/bind';
import { DONE, packetCore } from './packet-handler';
import { type Router, routerOf } from './router';
import { type Session, sessionOf, sessionProperties } from './session';
import type { NamespaceScope } from './socket-state';
import { statsOf } from './stats';
import type { Middleware } from './types/context';
import type { IoNamespace } from './types/namespace';
import { Users } from './users';

/**
 * Binds each namespace that is configured or routed to its chains, now and when one is routed later.
 *
 * @throws {ConfigError} where a chain names a middleware that isn't there
 */
export function bindNamespaces(app: Application): void {
  const config = configOf(app);
  const make = scopeMaker(app, config);
  // All chains are made before one is bound: a mistake in the last namespace leaves none half bound.
  const scopes = new Map(Array.from(config.namespace.keys(), (name) => [name, make(name)] as const));
  const bind = (nsp: IoNamespace, name: string) => {
    const scope = scopes.get(name) ?? make(name);
    bindNamespace(nsp, scope(routerOf(nsp) as Router));
  };
  const { connectionMiddleware, packetMiddleware } = config.everywhere;
  const all = connectionMiddleware.length + packetMiddleware.length > 0 || config.user !== undefined;
  app.io.startBinding({ bind, all }, config.namespace.keys());
  warnOfOpen(app, config);
}

const NO_SESSION: Session = { around: (_ctx, next) => next(), isStored: () => false, save: () => undefined };

/** Looks up and composes the chains of a namespace; what comes back waits for its router. */
function scopeMaker(app: Application, config: ResolvedConfig) {
  const session = sessionOf(app);
  if (session === undefined) {
    app.coreLogger.warn(
      '[egg-socket.io] no session middleware among app.middleware: ctx.session is not loaded in app/io; see config.coreMiddleware',
    );
  }
  const users = config.user && new Users(app, config.user);
  users?.check();
  const contexts = new ContextFactory(app, sessionProperties(app));
  const common = {
    log: app.coreLogger,
    onerror: config.onerror,
    contexts,
    ends: new Ends(contexts),
    work: workOf(app.io),
    session: session ?? NO_SESSION,
    users,
  };
  const { auto, timeout } = config.ack;
  const chain = (name: string, key: keyof NamespaceConfig): Middleware[] => [
    ...lookUp(`config.io.${key}`, config.everywhere[key], app.io.middleware),
    ...lookUp(`config.io.namespace['${name}'].${key}`, config.namespace.get(name)?.[key] ?? [], app.io.middleware),
  ];
  return (name: string) => {
    const connection = chain(name, 'connectionMiddleware');
    const packet = chain(name, 'packetMiddleware');
    return (router: Router): NamespaceScope => ({
      ...common,
      router,
      counts: statsOf(app.io).countsOf(router.name),
      acks: auto || timeout !== undefined ? { auto, timeout, log: app.coreLogger } : undefined,
      connection: connection.length > 0 ? composeLasting(connection, connectionCore) : undefined,
      decides: connection.length > 0 || users !== undefined,
      packet: packet.length > 0 ? composeChain(packet, packetCore(router, DONE)) : packetCore(router),
    });
  };
}

/** A client of Socket.IO 2 passed `/` before any other namespace; one of Socket.IO 4 goes straight to the other. */
function warnOfOpen(app: Application, { namespace, everywhere }: ResolvedConfig): void {
  const guard = namespace.get('/')?.connectionMiddleware ?? [];
  if (guard.length === 0 || everywhere.connectionMiddleware.length > 0 || everywhere.packetMiddleware.length > 0)
    return;
  const names = app.io.names().filter((name) => name !== '/' && !namespace.get(name)?.connectionMiddleware.length);
  if (names.length === 0) return;
  app.coreLogger.warn(
    `[egg-socket.io] the connection middleware of / (${guard.join(', ')}) does not guard ${names.join(', ')}: since Socket.IO 3 a client connects there without passing /. Set config.io.connectionMiddleware, which runs in all namespaces, or connectionMiddleware of each in config.io.namespace`,
  );
}

// The line of the log that says what was chosen. Called by app.ts when everything is there.

/** What a worker has chosen, in one line. */
export function summary(app: Application): string {
  const { init } = configOf(app);
  const adapter = adapterOf(app);
  const { workers, sticky } = hostOf(app);
  const parts = {
    namespaces: app.io.names().join(', '),
    path: app.io.path(),
    transports: (init.transports ?? ['polling', 'websocket']).join(', '),
    adapter: adapter === 'own' ? "the application's own" : adapter,
    workers: `${workers}${sticky ? ' (sticky)' : ''}`,
    handover: needsHandover(app) ? 'on' : 'off',
  };
  const said = Object.entries(parts).map(([name, value]) => `${name}: ${value}`);
  return `[egg-socket.io] ${said.join('; ')}`;
}
