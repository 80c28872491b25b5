// What each namespace gets, and when it is bound. A new namespace gets the ids of its sockets, a router, `route()` and `user()`. It is bound
// to its chains once: as soon as the application is loaded and the namespace is configured or has a route.
import { debuglog } from 'node:util';
import type { ErrorReporting } from '../error-response';
import { childrenOf } from '../internals/namespaces';
import { supportLegacyClients } from '../legacy-clients';
import { type Routed, type RouteLookup, Router, routerOf, setRouter } from '../router';
import { assignIds, type GenerateId } from '../socket-ids';
import type { IoNamespace } from '../types/namespace';
import type { Presence } from '../types/presence';
import type { Users } from '../users';
import { publishBroadcasts } from './broadcasts';
import type { ParentNamespaces } from './parent-namespaces';

const debug = debuglog('egg-socket.io:namespaces');

/** What every namespace gets. */
interface SetupOptions {
  readonly reporting: ErrorReporting;
  readonly generateId: GenerateId | undefined;
  readonly users: Users;
  /** Returns the presence of a topic of a namespace. */
  readonly presence: (nsp: string, topic: string | undefined) => Presence;
  /** `init.allowEIO3` */
  readonly allowsEio3: boolean;
  /** Limits the namespaces of each client. Undefined without `config.io.limits.namespaces`. */
  readonly limitClients: ((nsp: IoNamespace) => void) | undefined;
  /** Contains the errors of the listeners of a namespace. Undefined if `config.io.containListeners` is false. */
  readonly contain: ((nsp: IoNamespace) => void) | undefined;
  /** Adds Socket.IO 2's API to a namespace, or makes its names throw. */
  readonly addRemoved: (nsp: IoNamespace) => void;
  /** Finds the handlers and middleware that routes name. */
  readonly lookup: RouteLookup;
}

/** Binds namespaces to their chains. */
export interface Binding {
  /** Binds one namespace to the chains that `config.io` has for a name. */
  bind: (nsp: IoNamespace, name: string) => void;
  /** Whether namespaces that are neither configured nor routed are bound as well. */
  all: boolean;
}

const BOUND = Symbol('egg-socket.io:bound');

type Bindable = IoNamespace & { [BOUND]?: true };

/** The namespaces of one server, from their creation until they are bound. */
export class NamespaceSetup {
  /** Undefined until the application is loaded. */
  #binding: Binding | undefined;
  /** The namespaces that were created before the application was loaded. */
  readonly #waiting = new Set<IoNamespace>();
  /** One function for all namespaces. */
  readonly #user: IoNamespace['user'];
  readonly #presence: IoNamespace['presence'];

  constructor(
    private readonly options: SetupOptions,
    private readonly parents: ParentNamespaces,
  ) {
    const { presence, users } = options;
    this.#user = function (this: IoNamespace, id) {
      return users.in(this, id, parents.parentName(this));
    };
    this.#presence = function (this: IoNamespace, topic) {
      const parent = parents.parentName(this);
      if (parent === undefined) return presence(this.name, topic);
      throw new TypeError(`[egg-socket.io] presence(): ${parent} stands for many namespaces: name one of them`);
    };
  }

  /** Whether the application is loaded: a route binds its namespace at once. */
  get isBinding(): boolean {
    return this.#binding !== undefined;
  }

  /** Sets up a namespace, unless it is. A child namespace is configured by its parent. */
  setUp(nsp: IoNamespace): void {
    if (routerOf(nsp)) return;
    if (this.parents.configure(nsp)) return;
    this.options.limitClients?.(nsp);
    this.options.contain?.(nsp);
    this.options.addRemoved(nsp);
    if (this.parents.parentName(nsp) === undefined) publishBroadcasts(nsp);
    debug('set up %s', this.parents.nameOf(nsp));
    const { allowsEio3, generateId, reporting, lookup } = this.options;
    if (allowsEio3) supportLegacyClients(nsp);
    if (generateId) assignIds(nsp, generateId, reporting);
    const { log, app } = reporting;
    const router = setRouter(nsp, new Router(this.parents.nameOf(nsp), log, lookup, app.config));
    nsp.route = (event: unknown, ...tail: unknown[]) => {
      router.add(event as string | Record<string, Routed>, ...tail);
      this.#bind(nsp);
    };
    nsp.emits = (schemas) => router.declare(schemas);
    nsp.user = this.#user;
    nsp.presence = this.#presence;
    if (this.#binding?.all) this.#bind(nsp);
    if (this.#binding === undefined) this.#waiting.add(nsp);
  }

  /** Binds the configured namespaces and those that have routes, and from now on each namespace that gets a route. */
  startBinding(binding: Binding, configured: IoNamespace[]): void {
    this.#binding = binding;
    for (const nsp of configured) this.#bind(nsp);
    for (const nsp of this.#waiting) if (binding.all || routerOf(nsp)?.size) this.#bind(nsp);
    this.#waiting.clear();
  }

  /** Binds a namespace once. Does nothing before `startBinding`. */
  #bind(nsp: Bindable, name?: string): void {
    if (this.#binding === undefined || nsp[BOUND]) return;
    nsp[BOUND] = true;
    debug('bind %s', this.parents.nameOf(nsp));
    const pattern = this.parents.hasPattern(nsp) ? this.parents.nameOf(nsp) : undefined;
    this.#binding.bind(nsp, name ?? pattern ?? nsp.name);
    // Socket.IO copies the handlers of a parent to each child that it creates. Children that exist already get their own.
    for (const child of childrenOf(nsp)) this.#bind(child as IoNamespace, pattern);
  }
}
