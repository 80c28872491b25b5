// app.io: Socket.IO's server with the middleware and controllers of app/io, routes, users and statistics.
import type { ServerOptions } from 'socket.io';
import { ParentAdapter } from './adapters/memory-adapter';
import type { Compat } from './compat/compat';
import type { OriginsValue } from './compat/origins';
import { refuseRemoved, removed } from './compat/removed';
import type { AddedChains } from './compose';
import type { ResolvedConfig } from './config/config';
import type { IoDescription } from './description';
import { type ErrorReporting, reportRefused } from './error-response';
import { healthOf, type IoHealth } from './health';
import type { Client } from './internals/client';
import { ListenerContainment } from './internals/listeners';
import { childrenOf, NamespaceServer, namespacesOf, recoveryDurationOf } from './internals/namespaces';
import { strictParser } from './internals/parser';
import type { RateLimit, RateLimits } from './limits/rate-limit';
import { listenerErrors } from './listener-errors';
import { AdminNamespace } from './namespaces/admin-namespace';
import { ChildNamespaces } from './namespaces/child-namespaces';
import { type ParentName, ParentNamespaces } from './namespaces/parent-namespaces';
import { isPattern, Pattern } from './namespaces/path-pattern';
import { type Binding, NamespaceSetup } from './namespaces/setup';
import { PresenceLoader } from './presence/loader';
import { type IoRoutes, type NamespaceRoutes, RouteTable } from './route-table';
import { RouteLookup, routerOf } from './router';
import { statsOf } from './stats';
import type { PrometheusMetrics } from './telemetry/prometheus';
import type { Middleware } from './types/context';
import type {
  ClientEventsOf,
  DataOf,
  DeclaredAs,
  InterServerEventsOf,
  IoController,
  IoMiddleware,
  ServerEventsOf,
  SocketOf,
} from './types/events';
import type { IoNamespace, RouteOf, UserOf } from './types/namespace';
import type { Presence } from './types/presence';
import type { Users } from './users';
import { type IoStats, readStats } from './worker-stats';

// biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
type OnConnection = (socket: any) => void;

/** The longest name of a child namespace, in characters: clients could fill the memory with longer ones. */
const MAX_NAME_LENGTH = 1024;
/** Names are logged: a line break in one would begin a line of the log that the client has written. */
const CONTROL_CHARACTER = /\p{Cc}/u;

/** The configuration of namespaces. */
interface NamespaceOptions
  extends Pick<
    ResolvedConfig,
    'admin' | 'containListeners' | 'everywhere' | 'generateId' | 'maxNamespaces' | 'namespace' | 'presence'
  > {
  users: Users;
  rateLimits: RateLimits;
  /** Creates what limits the namespaces of each client. Undefined without `config.io.limits.namespaces`. */
  limitClients: ((io: IoServer) => (nsp: IoNamespace) => void) | undefined;
  /** Undefined if `config.io.compat` is not set. */
  compat: Compat | undefined;
  /** Loads prom-client, and starts the metrics. */
  createMetrics(): PrometheusMetrics;
}

/**
 * Socket.IO's server, with the middleware and the controllers of `app/io`, and with routes.
 *
 * @example
 * // app/router.ts
 * app.io.route('chat', app.io.controller.chat.say);
 * app.io.of('/admin').route('kick', app.io.controller.admin.kick);
 * app.io.of('/room/:id').route('enter', (ctx) => ctx.emit('welcome to', ctx.params?.id));
 */
export class IoServer extends NamespaceServer<
  ClientEventsOf<'/'>,
  ServerEventsOf<'/'>,
  InterServerEventsOf<'/'>,
  DataOf<'/'>
> {
  /** The middleware of `app/io/middleware`, by name. */
  middleware = {} as IoMiddleware;
  /** The controllers of `app/io/controller`, by name. */
  controller = {} as IoController;

  /** Socket.IO 2's API. Undefined if `config.io.compat` is not set. */
  readonly compat: Compat | undefined;

  /** The limits of `config.io.limits.events` and `limit()`. */
  readonly rateLimits: RateLimits;
  /** Contains the errors of listeners. Undefined if `config.io.containListeners` is false. */
  readonly containment: ListenerContainment | undefined;

  /** How long a client may be disconnected and still be recovered, in ms. Undefined without connectionStateRecovery. */
  readonly recoveryDuration: number | undefined;

  /** Loads presence when it is first used. */
  readonly presences: PresenceLoader;

  /** Undefined if `config.io.admin` is not set. */
  readonly admin: AdminNamespace | undefined;

  readonly #createMetrics: () => PrometheusMetrics;
  /** Undefined until metrics are measured. */
  #metrics: PrometheusMetrics | undefined;
  readonly #reporting: ErrorReporting;
  readonly #lookup = new RouteLookup(this);
  readonly #children: ChildNamespaces;
  readonly #parents: ParentNamespaces;
  readonly #setup: NamespaceSetup;
  /** The configured namespaces without parameters. */
  readonly #configured: string[];
  /** The middleware that decorated controllers have added, by the name of the namespace. */
  readonly addedChains = new Map<string, AddedChains>();
  readonly #routeTable: RouteTable;

  /**
   * @param init - the checked `config.io.init`
   * @param reporting - the log, and `config.io.onerror`
   * @param options - the configuration of namespaces
   */
  constructor(init: ResolvedConfig['init'], reporting: ErrorReporting, options: NamespaceOptions) {
    super({ ...init, parser: init.parser ?? strictParser } as Partial<ServerOptions>);
    const { admin, compat, containListeners, everywhere, generateId, maxNamespaces, namespace, users } = options;
    const limitClients = options.limitClients?.(this);
    const names = [...namespace.keys()];
    this.compat = compat;
    this.rateLimits = options.rateLimits;
    this.#createMetrics = options.createMetrics;
    this.#reporting = reporting;
    this.recoveryDuration = recoveryDurationOf(this, Boolean(init.connectionStateRecovery));
    this.#children = new ChildNamespaces(maxNamespaces, this.recoveryDuration, reporting, (name) => this.of(name));
    const removesIdle = init.cleanupEmptyChildNamespaces === true;
    const addRemoved = (nsp: IoNamespace) => (compat === undefined ? refuseRemoved(nsp) : compat.addTo(nsp));
    this.containment = containListeners ? new ListenerContainment(listenerErrors(reporting)) : undefined;
    const contain = this.containment && ((nsp: IoNamespace) => this.containment?.contain(nsp));
    this.#parents = new ParentNamespaces({
      limitClients,
      contain,
      addRemoved,
      children: this.#children,
      reporting,
      adapter: (parent) => new ParentAdapter(parent, childrenOf(parent)),
      removesIdle,
    });
    this.presences = new PresenceLoader(this.sockets, {
      presence: options.presence,
      log: reporting.log,
      namespace: (name) => namespacesOf(this).get(name),
    });
    const presence = (nsp: string, topic: string | undefined) => this.presences.of(nsp, topic);
    const lookup = this.#lookup;
    const allowsEio3 = init.allowEIO3 === true;
    this.#setup = new NamespaceSetup(
      { reporting, generateId, limitClients, users, presence, allowsEio3, lookup, contain, addRemoved },
      this.#parents,
    );
    // Socket.IO's constructor has created `/`.
    this.#setup.setUp(this.sockets as IoNamespace);
    if (admin) this.admin = new AdminNamespace(super.of(admin.namespaceName) as IoNamespace);
    this.#configured = names.filter((name) => !isPattern(name));
    this.#routeTable = new RouteTable(this, { everywhere, namespace, added: this.addedChains });
    for (const name of names) {
      if (isPattern(name)) this.#createParent(new Pattern(name, `config.io.namespace['${name}']`));
    }
  }

  /**
   * Returns the namespace of a name, which is created if it does not exist. A name with parameters (`/room/:id`) stands for all names
   * that match it: its parent namespace is returned.
   *
   * @param name - the name, with or without its leading slash; or a regular expression or a function, as for Socket.IO
   * @param onConnection - called with each socket that connects to the namespace
   * @throws {ConfigError} if the parameters of the name cannot be parsed. After the boot, also if another pattern matches the name: an id
   *   that begins with a colon must be encoded
   * @throws {URIError} if a pattern matches the name, and the percent-encoding of the name is malformed
   */
  override of<N extends string>(
    name: N,
    onConnection?: (socket: SocketOf<DeclaredAs<N>>) => void,
  ): IoNamespace<DeclaredAs<N>>;
  override of(name: ParentName, onConnection?: OnConnection): IoNamespace;
  // biome-ignore lint/suspicious/noExplicitAny: Socket.IO declares one type of namespace
  override of(name: string | ParentName, onConnection?: OnConnection): any;
  override of(name: string | ParentName, onConnection?: OnConnection): IoNamespace {
    // Socket.IO's constructor creates `/` before this class has its fields.
    if (!(#setup in this)) return super.of(name, onConnection) as IoNamespace;
    const rejected = this.takeRejected();
    if (rejected) return rejected as IoNamespace;
    const isParent = typeof name === 'function' || name instanceof RegExp;
    const nsp = isParent ? this.#createParent(name) : this.#find(String(name));
    if (onConnection) nsp.on('connect', onConnection);
    return nsp;
  }

  /**
   * Routes events of the default namespace: `app.io.of('/').route`.
   *
   * @example
   * app.io.route('chat', 'chat.say');
   * app.io.route('ban', app.io.middleware.admin, app.io.controller.chat.ban);
   * app.io.route({ chat: 'chat.say', join: app.io.controller.room.join });
   */
  readonly route: RouteOf<'/'> = (...args: unknown[]) => (this.of('/').route as (...args: unknown[]) => void)(...args);

  /**
   * Selects all sockets of a user in the default namespace: `app.io.of('/').user`.
   *
   * @throws {ConfigError} if `config.io.user` is not set
   *
   * @example
   * app.io.user(42).emit('news', 'for you');
   */
  readonly user: UserOf<'/'> = (id) => this.of('/').user(id);

  /**
   * Returns the presence of a topic of the default namespace: `app.io.of('/').presence`.
   *
   * @param topic - default: the namespace itself
   * @throws {TypeError} if the topic is no string of 256 characters at most
   *
   * @example
   * const who = await app.io.presence('lobby').list();
   */
  presence(topic?: string): Presence {
    return this.of('/').presence(topic);
  }

  /**
   * Returns statistics of this worker: its connections, events with their durations, the adapter, what was limited, and what clients did in
   * each namespace. Reads every connection and every socket, so it is not meant for each request.
   *
   * @example
   * const { connections, events } = app.io.stats();
   * app.logger.info('%d connections, %d events in flight', connections.now, events.inFlight);
   */
  stats(): IoStats {
    const stats = readStats(this, namespacesOf(this).values(), (nsp) => routerOf(nsp)?.name ?? nsp.name);
    return this.compat === undefined ? stats : { ...stats, compat: this.compat.counts() };
  }

  /**
   * Returns a middleware that limits how many events clients may send: for a route, or for a chain as a file of `app/io/middleware`. All
   * events that pass it are counted together. It needs the package rate-limiter-flexible.
   *
   * @param limit - `{ points, duration, by }`: how many events may be sent in how many ms (1000) by a `'socket'`, a `'user'` or an
   *   `'address'`
   * @throws {ConfigError} if an option is wrong, or if the package is not installed
   *
   * @example
   * app.io.route('say', app.io.limit({ points: 5, duration: 1000, by: 'user' }), 'chat.say');
   */
  limit(limit: RateLimit): Middleware {
    return this.rateLimits.middleware(limit);
  }

  /**
   * Returns the namespaces with the names of their middleware, their events and their controllers. `npx egg-socket.io routes` prints them.
   * Children of parent namespaces are not listed, but what their parents stand for.
   *
   * @example
   * const [{ namespace, routes }] = app.io.routes();
   * routes[0]; // { event: 'say', system: false, schema: false, middleware: [], controller: 'chat.say' }
   */
  routes(): IoRoutes {
    return this.#routed().map((nsp) => this.#routesOf(nsp));
  }

  /**
   * Returns what `routes()` returns, with the schemas of the events as JSON Schema (draft-07), and with the events that namespaces declare by
   * `emits()`. `npx egg-socket.io describe` prints it. It converts all schemas, so it is not meant for each request.
   *
   * @example
   * const [{ routes }] = app.io.describe();
   * routes[0].args; // [{ schema: { type: 'string', maxLength: 500 }, optional: false }]
   */
  describe(): IoDescription {
    const { Describer } = require('./description') as typeof import('./description');
    const describer = new Describer(this.#reporting.app.baseDir);
    return this.#routed().map((nsp) => describer.namespace(nsp, this.#routesOf(nsp)));
  }

  /** The namespaces that have routes of their own. */
  #routed(): IoNamespace[] {
    return [...this.#permanent(), ...this.#parents.all()];
  }

  #routesOf(nsp: IoNamespace): NamespaceRoutes {
    return this.#routeTable.of(nsp, this.#parents.nameOf(nsp));
  }

  /**
   * Returns the health of this worker, for a readiness probe: whether new clients should connect to it, whether it drains, and the state
   * of its adapter and of its links. It reads counters alone, so it can be called each second.
   *
   * @example
   * app.router.get('/ready', (ctx) => {
   *   const health = app.io.health();
   *   ctx.status = health.ok ? 200 : 503;
   *   ctx.body = health;
   * });
   */
  health(): IoHealth {
    return healthOf(this).read(statsOf(this).connectionCount);
  }

  /**
   * Returns the metrics of this worker in the text format of Prometheus. It needs the package prom-client. Unless `config.io.metrics` is set,
   * durations are measured from the first call on. The text is not for the public.
   *
   * @throws {ConfigError} if prom-client is not installed
   *
   * @example
   * app.router.get('/metrics', async (ctx) => {
   *   if (ctx.get('authorization') !== `Bearer ${app.config.metricsToken}`) ctx.throw(401);
   *   ctx.set('content-type', 'text/plain; version=0.0.4; charset=utf-8');
   *   ctx.body = await app.io.metrics();
   * });
   */
  async metrics(): Promise<string> {
    return this.startMetrics().text();
  }

  /** Measures metrics from now on. */
  startMetrics(): PrometheusMetrics {
    this.#metrics ??= this.#createMetrics();
    return this.#metrics;
  }

  /** Ends the metrics, and removes them from the registry of the application. */
  closeMetrics(): void {
    this.#metrics?.close();
  }

  /**
   * Socket.IO 2's `io.origins()`: sets which origins may connect.
   *
   * @deprecated it needs `config.io.compat`. Write `config.io.init.cors`
   * @returns the server, or the origins if it is called without a value
   */
  origins(value?: OriginsValue): this | OriginsValue {
    if (this.compat === undefined) throw removed('io.origins()');
    const origins = this.compat.setOrigins(value);
    return value === undefined ? origins : this;
  }

  /**
   * Socket.IO 2's `io.clients()`: passes the ids of all clients of `/` to a callback.
   *
   * @deprecated it needs `config.io.compat`. Write `await app.io.fetchSockets()`
   */
  clients(callback: (err: unknown, ids?: string[]) => void): void {
    if (this.compat === undefined) throw removed('nsp.clients()');
    this.compat.listClients(this.sockets, callback);
  }

  /** Returns the names of the namespaces. Children of parent namespaces are not listed, but what their parents stand for. */
  names(): string[] {
    return [...this.#permanent().map(({ name }) => name), ...this.#parents.names()];
  }

  /** Whether a name matches a namespace with parameters. */
  matches(name: string): boolean {
    return this.#parents.matches(name);
  }

  /** Adds middleware to the chains of a namespace, unless it is among the added already. Must be called before the namespaces are bound. */
  addChains(name: string, { connection, packet }: AddedChains): void {
    const before = this.addedChains.get(name);
    this.addedChains.set(name, {
      connection: [...new Set([...(before?.connection ?? []), ...connection])],
      packet: [...new Set([...(before?.packet ?? []), ...packet])],
    });
  }

  /** Binds the configured namespaces and those that have routes, and from now on each namespace that gets a route. */
  startBinding(binding: Binding, names: Iterable<string>): void {
    const configured = Array.from(names, (name) => {
      const nsp = this.of(name);
      // A child would be removed when it is idle, and created again without its chains.
      this.#children.makePermanent(nsp);
      return nsp;
    });
    this.#setup.startBinding(binding, configured);
  }

  /** Must be called when `middleware` and `controller` are complete. Adds the routes that were added before. */
  filesLoaded(): void {
    this.#lookup.loaded();
  }

  /** Stops the removal of idle child namespaces. Must be called before the adapters of the namespaces are closed. */
  closeChildren(): void {
    this.#children.close();
  }

  /** A name with parameters would be taken for a parent namespace. */
  protected override mayCreate(name: string): boolean {
    return name.length <= MAX_NAME_LENGTH && !CONTROL_CHARACTER.test(name) && !isPattern(name);
  }

  protected override namespaceUnknown(client: Client, name: string): void {
    reportRefused(
      this.#reporting,
      client,
      name,
      'there is no such namespace. app.io.of() and config.io.namespace create it',
    );
  }

  /** Returns the namespaces that are neither parents nor children, and not that of the admin UI. */
  #permanent(): IoNamespace[] {
    const namespaces = [...namespacesOf(this).values()] as IoNamespace[];
    return namespaces.filter((nsp) => !this.#children.has(nsp) && nsp !== this.admin?.nsp);
  }

  #find(name: string): IoNamespace {
    const fullName = name.startsWith('/') ? name : `/${name}`;
    if (fullName === this.admin?.nsp.name) return this.admin.nsp;
    const parent = this.#parents.withPattern(fullName);
    if (parent) return parent;
    if (!namespacesOf(this).has(fullName) && isPattern(fullName)) {
      if (this.#setup.isBinding) this.#parents.assertUnmatched(fullName);
      return this.#createParent(new Pattern(fullName, `app.io.of('${fullName}')`));
    }
    const nsp = this.#parents.createForCode(() => super.of(fullName) as IoNamespace);
    this.#children.touch(nsp);
    this.#setup.setUp(nsp);
    return nsp;
  }

  #createParent(by: ParentName | Pattern): IoNamespace {
    // A configured namespace whose name matches the pattern is not a child: it is created first.
    if (by instanceof Pattern) for (const name of this.#configured) if (by.matches(name)) this.of(name);
    const parent = super.of(by instanceof Pattern ? by.regexp : by) as IoNamespace;
    this.#parents.add(parent, by);
    this.#setup.setUp(parent);
    return parent;
  }
}
