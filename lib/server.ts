// app.io: Socket.IO's server with routes. Made by app/extend/application.ts when it is first asked for.
import { Server, type ServerOptions } from 'socket.io';
import type { ResolvedConfig } from './config/config';
import type { ErrorReporting } from './error-response';
import { Children, type Parent, Refused } from './namespaces/child-namespaces';
import { type ParentName, Parents } from './namespaces/parent-namespaces';
import { isPattern, Pattern } from './namespaces/path-pattern';
import { type Binding, Bindings, Equipment } from './namespaces/setup';
import { RouteLookup, routerOf } from './router';
import { type IoStats, statsOf } from './stats';
import type { IoController, IoMiddleware } from './types/controllers';
import type { ClientEventsOf, DataOf, DeclaredAs, InterServerEventsOf, ServerEventsOf, SocketOf } from './types/events';
import type { IoNamespace, RouteOf, UserOf } from './types/namespace';
import type { Users } from './users';

// biome-ignore lint/suspicious/noExplicitAny: as Socket.IO declares it
type OnConnection = (socket: any) => void;
type Check = Parameters<Server['_checkNamespace']>;

/** Longer names are no child's, in characters: clients would fill the memory with them. */
const MAX_NAME = 1024;

/** What of `config.io` concerns namespaces; `names` are those that are configured. */
export type NamespaceOptions = Pick<ResolvedConfig, 'generateId' | 'maxNamespaces'> & { names: string[]; users: Users };

/**
 * Socket.IO's server, with the middleware and the controllers of `app/io` and with routes.
 *
 * @example
 * // app/router.ts
 * app.io.route('chat', app.io.controller.chat.say);
 * app.io.of('/admin').route('kick', app.io.controller.admin.kick);
 * app.io.of('/room/:id').route('enter', (ctx) => ctx.emit('welcome to', ctx.params?.id));
 */
export class IoServer extends Server<ClientEventsOf<'/'>, ServerEventsOf<'/'>, InterServerEventsOf<'/'>, DataOf<'/'>> {
  /** What `app/io/middleware` exports, by name. */
  middleware = {} as IoMiddleware;
  /** What `app/io/controller` exports, by name. */
  controller = {} as IoController;

  /** With connectionStateRecovery, how long a client may be away and be recovered, in ms. */
  readonly away: number | undefined;

  readonly #children: Children;
  readonly #parents: Parents;
  readonly #bindings: Bindings;
  readonly #equipment: Equipment;
  /** The configured namespaces without parameters. */
  readonly #plain: string[];
  /** What Socket.IO gets for the client on whose behalf it asks next. */
  #refused: Refused | undefined;

  /**
   * @param init - the checked `config.io.init`
   * @param failures - `app.coreLogger`, and `config.io.onerror`
   * @param options - the rest of `config.io` that concerns namespaces
   */
  constructor(init: ResolvedConfig['init'], failures: ErrorReporting, options: NamespaceOptions) {
    super(init as Partial<ServerOptions>);
    // Socket.IO has completed it.
    const { opts } = this as unknown as { opts: { connectionStateRecovery?: { maxDisconnectionDuration: number } } };
    this.away = opts.connectionStateRecovery?.maxDisconnectionDuration;
    this.#children = new Children(options.maxNamespaces, this.away, failures.log, (name) => this.of(name));
    this.#parents = new Parents(this.#children, init.cleanupEmptyChildNamespaces === true);
    this.#bindings = new Bindings(this.#parents);
    const outfit = { ...options, failures, allowsOldClients: init.allowEIO3 === true };
    this.#equipment = new Equipment(outfit, new RouteLookup(this), this.#parents, this.#bindings);
    // Socket.IO's constructor made the default namespace before this class had a field.
    this.#equipment.give(this.sockets as IoNamespace);
    this.#plain = options.names.filter((name) => !isPattern(name));
    for (const name of options.names) {
      if (isPattern(name)) this.#makeParent(new Pattern(name, `config.io.namespace['${name}']`));
    }
  }

  /**
   * The namespace of that name, made if there is none yet. A name with parameters (`/room/:id`) stands for all that match, and
   * gives the same parent namespace each time.
   *
   * @param name - with or without its leading slash, or what Socket.IO takes for a parent namespace
   * @param onConnection - listens to the namespace's connections
   * @throws {ConfigError} where its parameters can't be read, or where another stands for such names already, once the application
   *   has booted: an id that begins with a colon has to be encoded
   * @throws {URIError} where it matches such a name, and its percent-encoding is wrong
   */
  override of<N extends string>(
    name: N,
    onConnection?: (socket: SocketOf<DeclaredAs<N>>) => void,
  ): IoNamespace<DeclaredAs<N>>;
  override of(name: ParentName, onConnection?: OnConnection): IoNamespace;
  // biome-ignore lint/suspicious/noExplicitAny: for Socket.IO, which knows of one kind of namespace only
  override of(name: string | ParentName, onConnection?: OnConnection): any;
  override of(name: string | ParentName, onConnection?: OnConnection): IoNamespace {
    if (!(#refused in this)) return super.of(name, onConnection) as IoNamespace;
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused) return refused as unknown as IoNamespace;
    if (typeof name === 'function' || name instanceof RegExp) return this.#makeParent(name, onConnection);
    const full = String(name).startsWith('/') ? name : `/${name}`;
    const parent = this.#parents.pattern(full);
    if (parent) return onConnection ? (parent.on('connect', onConnection) as IoNamespace) : parent;
    if (!this._nsps.has(full)) {
      if (isPattern(full)) {
        if (this.#bindings.isStarted) this.#parents.mustBeNew(full);
        return this.#makeParent(new Pattern(full, `app.io.of('${full}')`), onConnection);
      }
      this.#parents.isAsked = true;
    }
    try {
      const nsp = super.of(full) as IoNamespace;
      // Not by Socket.IO, which forgets it where it makes a child.
      if (onConnection) nsp.on('connect', onConnection);
      this.#children.touch(nsp);
      this.#equipment.give(nsp);
      return nsp;
    } finally {
      this.#parents.isAsked = false;
    }
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
   * All sockets of a user in the default namespace: `app.io.of('/').user`.
   *
   * @throws {ConfigError} where `config.io.user` is not set
   *
   * @example
   * app.io.user(42).emit('news', 'for you');
   */
  readonly user: UserOf<'/'> = (id) => this.of('/').user(id);

  /**
   * How many clients of which protocol are connected to this worker and have been, over which transports, and what they did in
   * each namespace. Looks at every connection and socket: not for every request.
   *
   * @example
   * const { connections } = app.io.stats();
   * app.logger.info('clients of Socket.IO 2: %d, the last one came %s', connections[3].now, connections[3].last);
   */
  stats(): IoStats {
    return statsOf(this).read(this._nsps.values(), (nsp) => routerOf(nsp)?.name ?? nsp.name);
  }

  /** The names of the namespaces, and for the children of parents what those stand for. */
  names(): string[] {
    const lasting = Array.from(this._nsps.values()).filter((nsp) => !this.#children.has(nsp as IoNamespace));
    return [...lasting.map(({ name }) => name), ...this.#parents.names()];
  }

  /** Whether a name is that of a child of a namespace with parameters. */
  matches(name: string): boolean {
    return this.#parents.match(name);
  }

  /** From now on routed namespaces are bound, those that are here and those that come; the named ones at once. */
  startBinding(binding: Binding, names: Iterable<string>): void {
    const named = Array.from(names, (name) => {
      const nsp = this.of(name);
      // It would go, and come again without its chains.
      this.#children.keep(nsp);
      return nsp;
    });
    this.#bindings.start(binding, named);
  }

  /** The last client has gone, and so will the adapters: no namespace goes by itself any more. */
  endChildren(): void {
    this.#children.end();
  }

  /** Called by Socket.IO where a client asks for a namespace that isn't there. */
  override _checkNamespace(name: Check[0], auth: Check[1], fn: Check[2]): void {
    // One that is called like a parent would be taken for it.
    if (name.length > MAX_NAME || isPattern(name)) {
      fn(false);
      return;
    }
    super._checkNamespace(name, auth, (made) => {
      if ((made as unknown) instanceof Refused) this.#refused = made as unknown as Refused;
      fn(made);
    });
  }

  #makeParent(by: ParentName | Pattern, onConnection?: OnConnection): IoNamespace {
    // One that is configured by its very name is no child.
    if (by instanceof Pattern) for (const name of this.#plain) if (by.regexp.test(name)) this.of(name);
    const parent = super.of(by instanceof Pattern ? by.regexp : by, onConnection) as Parent;
    this.#parents.add(parent, by);
    this.#equipment.give(parent);
    return parent;
  }
}
