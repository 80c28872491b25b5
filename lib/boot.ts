// Composes the chains and binds the namespaces, once Egg has loaded the application. Describes in one log line what was chosen.
import type { Application } from 'egg';
import type { AckOptions } from './ack';
import { composeAround, composeChain, lookUp } from './compose';
import { modeOf } from './config/admin';
import { configOf, type NamespaceConfig, type ResolvedConfig, resolveConfig } from './config/config';
import type { ResolvedLimits } from './config/limits';
import { adapterOf, hostOf, needsForwarding } from './config/topology';
import { named } from './connection-handler';
import { ContextFactory } from './context';
import { logFailure, reportingOf } from './error-response';
import { ConfigError } from './errors';
import { Expiry } from './expiry';
import { inFlightOf } from './in-flight';
import { UserConnections } from './limits/connections';
import { EventLimits } from './limits/event-limits';
import { LimitReport } from './limits/report';
import { type ModuleScope, moduleScopeOf, scopedChain } from './module-scope';
import { NamespaceBinder } from './namespaces/bind';
import { reauthenticationMembers } from './reauthenticate';
import { nameOf } from './route-table';
import { type Router, routerOf } from './router';
import { NO_SESSION, sessionMembers, sessionOf } from './session';
import { SlowConnections } from './slow-connections';
import type { NamespaceRuntime } from './socket-state';
import { statsOf } from './stats';
import type { Middleware } from './types/context';
import type { IoNamespace } from './types/namespace';
import { Users } from './users';

/**
 * Binds each namespace that is configured or routed to its chains, now and when one is routed later.
 *
 * @throws {ConfigError} if a chain names an unknown middleware
 */
export function bindNamespaces(app: Application): void {
  const config = configOf(app);
  assertUnchanged(app, config);
  const scope = moduleScopeOf(app);
  const compose = chainComposer(app, config, scope);
  const common = commonRuntime(app, config, scope);
  const binder = new NamespaceBinder({ ...app.io.containment?.socketMembers, ...app.io.compat?.socketMembers });
  // All chains are composed before the first namespace is bound: a mistake in one leaves none half bound.
  const configured = new Set([...config.namespace.keys(), ...app.io.addedChains.keys()]);
  const chains = new Map(Array.from(configured, (name) => [name, compose(name)] as const));
  const bind = (nsp: IoNamespace, name: string) => {
    const router = routerOf(nsp) as Router;
    const counts = statsOf(app.io).countsOf(router.name);
    const acks = common.acks && { ...common.acks, namespace: router.name };
    binder.bind(nsp, { ...common, ...(chains.get(name) ?? compose(name)), acks, router, counts });
  };
  const { connectionMiddleware, packetMiddleware } = config.everywhere;
  const all =
    connectionMiddleware.length + packetMiddleware.length > 0 ||
    config.user !== undefined ||
    config.expires !== undefined;
  app.io.startBinding({ bind, all }, configured);
  warnOfUnguarded(app, config);
}

/** A guard that the application adds too late must not be missing without a word. */
function assertUnchanged(app: Application, config: ResolvedConfig): void {
  const chains = ({ namespace, everywhere, ack }: ResolvedConfig) => JSON.stringify([[...namespace], everywhere, ack]);
  if (chains(resolveConfig(app.config.io)) === chains(config)) return;
  throw new ConfigError(
    'config.io',
    '{…}',
    'changes in config/ or in configWillLoad of app.js',
    'config.io was changed after the plugin has read it in configDidLoad: namespace, connectionMiddleware, packetMiddleware, ack or ackTimeout',
  );
}

type ComposedChains = Pick<NamespaceRuntime, 'connectionChain' | 'packetChain'>;

/** Returns a function that composes the two chains of a namespace. */
function chainComposer(
  app: Application,
  { everywhere, namespace, expires, user }: ResolvedConfig,
  scope: ModuleScope | undefined,
): (name: string) => ComposedChains {
  const { middleware } = app.io;
  const added = (name: string) => app.io.addedChains.get(name);
  const chain = (name: string, key: keyof NamespaceConfig): Middleware[] => [
    ...lookUp(`config.io.${key}`, everywhere[key], middleware),
    ...lookUp(`config.io.namespace['${name}'].${key}`, namespace.get(name)?.[key] ?? [], middleware),
  ];
  const connectionChain = (name: string): Middleware[] => {
    const names = [...everywhere.connectionMiddleware, ...(namespace.get(name)?.connectionMiddleware ?? [])];
    const own = chain(name, 'connectionMiddleware').map((each, i) => named(names[i] as string, each));
    return [...own, ...(added(name)?.connection.map((each) => named(nameOf(each), each)) ?? [])];
  };
  return (name) => {
    const connection = composeChain(connectionChain(name));
    const packet = composeAround([...chain(name, 'packetMiddleware'), ...(added(name)?.packet ?? [])]);
    if (scope === undefined) return { connectionChain: connection, packetChain: packet };
    // An idle connection keeps the scope of its chain: one that nothing uses would waste memory.
    const isUsed = connection !== undefined || expires !== undefined || user !== undefined;
    return {
      connectionChain: isUsed ? scopedChain(scope, connection) : undefined,
      packetChain: scopedChain(scope, packet),
    };
  };
}

interface Common extends Omit<NamespaceRuntime, keyof ComposedChains | 'router' | 'counts' | 'acks'> {
  readonly acks: Omit<AckOptions, 'namespace'> | undefined;
}

/** What all namespaces of an application share. */
function commonRuntime(
  app: Application,
  { ack, admin, expires, limits, onerror, slowConnection, user }: ResolvedConfig,
  scope: ModuleScope | undefined,
): Common {
  const session = sessionOf(app);
  if (session === undefined) {
    app.coreLogger.warn(
      '[egg-socket.io] no session middleware in app.middleware: ctx.session is not loaded in app/io. See config.coreMiddleware',
    );
  }
  const { connectionsPerUser } = limits;
  const connections = connectionsPerUser && new UserConnections(connectionsPerUser, LimitReport.of(app, app.io));
  const users = user && new Users(app, user, connections || undefined);
  users?.check();
  const { auto, timeout } = ack;
  const reporting = reportingOf(app, onerror);
  return {
    ...reporting,
    acks: auto || timeout !== undefined ? { auto, timeout, ...reporting } : undefined,
    contexts: new ContextFactory(app, { ...sessionMembers(app), ...reauthenticationMembers(app.context) }),
    expiry: expires && new Expiry(expires, (source, thrown) => logFailure(reporting, source, thrown)),
    inFlight: inFlightOf(app.io),
    scope,
    session: session ?? NO_SESSION,
    slowConnections:
      slowConnection === undefined ? undefined : new SlowConnections(slowConnection, reporting.clientLog),
    users,
    eventLimits: eventLimitsOf(app, limits),
    watchers: admin !== undefined && modeOf(app, admin) === 'development' ? 1 : 0,
  };
}

/** @throws {ConfigError} if `config.io.limits.events` is set and rate-limiter-flexible is not installed */
function eventLimitsOf(
  app: Application,
  { events, concurrency, argumentBytes }: ResolvedLimits,
): EventLimits | undefined {
  if (events === undefined && concurrency === undefined && argumentBytes === undefined) return undefined;
  const count = events && app.io.rateLimits.create('config.io.limits.events', events, 'events');
  return new EventLimits({ count, concurrency, argumentBytes }, LimitReport.of(app, app.io));
}

/** A client of Socket.IO 2 connects to `/` before any other namespace; one of Socket.IO 4 connects to the other directly. */
function warnOfUnguarded(app: Application, { namespace, everywhere }: ResolvedConfig): void {
  const guards = namespace.get('/')?.connectionMiddleware ?? [];
  if (guards.length === 0 || everywhere.connectionMiddleware.length > 0 || everywhere.packetMiddleware.length > 0)
    return;
  const isUnguarded = (name: string) =>
    name !== '/' &&
    !namespace.get(name)?.connectionMiddleware.length &&
    !app.io.addedChains.get(name)?.connection.length;
  const names = app.io.names().filter(isUnguarded);
  if (names.length === 0) return;
  app.coreLogger.warn(
    `[egg-socket.io] the connection middleware of / (${guards.join(', ')}) does not guard ${names.join(', ')}: since Socket.IO 3 a client connects there without connecting to / first. Set config.io.connectionMiddleware, which runs in all namespaces, or connectionMiddleware of each in config.io.namespace`,
  );
}

/** Returns what a worker has chosen, in one line. */
export function summary(app: Application): string {
  const { init } = configOf(app);
  const adapter = app.io.hasOwnAdapter ? 'own' : adapterOf(app);
  const { workers, sticky } = hostOf(app);
  const parts = {
    namespaces: app.io.names().join(', '),
    path: app.io.path(),
    transports: (init.transports ?? ['polling', 'websocket']).join(', '),
    adapter: adapter === 'own' ? `the application's own (${app.io.of('/').adapter.constructor.name})` : adapter,
    workers: `${workers}${sticky ? ' (sticky)' : ''}`,
    forwarding: needsForwarding(app) ? 'on' : 'off',
    ...(app.io.admin && { admin: app.io.admin.nsp.name }),
  };
  const listed = Object.entries(app.config.env === 'local' ? { ...parts, ...guide(app) } : parts);
  return `[egg-socket.io] ${listed.map(([name, value]) => `${name}: ${value}`).join('; ')}`;
}

/** What a developer looks for. */
function guide({ io }: Application): Record<string, string> {
  const count = io.routes().reduce((sum, { routes }) => sum + routes.length, 0);
  return {
    routes: `${count} (npx egg-socket.io routes lists them)`,
    docs: 'https://github.com/eggjs/egg-socket.io#readme',
  };
}
