// What a namespace gets when it is made: the ids of its sockets, its router, route() and user(). Made by server.ts.
import type { ResolvedConfig } from '../config/config';
import type { ErrorReporting } from '../error-response';
import { treatOldClients } from '../legacy-clients';
import { type Routed, type RouteLookup, Router, routerOf, setRouter } from '../router';
import { giveIds } from '../socket-ids';
import type { IoNamespace } from '../types/namespace';
import type { Users } from '../users';
import type { Parent } from './child-namespaces';
import type { Parents } from './parent-namespaces';

/** What of the configuration every namespace gets. */
export interface Outfit extends Pick<ResolvedConfig, 'generateId'> {
  /** `init.allowEIO3` */
  allowsOldClients: boolean;
  failures: ErrorReporting;
  users: Users;
}

export class Equipment {
  /** One for all namespaces. */
  readonly #userOf: IoNamespace['user'];

  /** @param names - finds what routes name */
  constructor(
    private readonly outfit: Outfit,
    private readonly names: RouteLookup,
    private readonly parents: Parents,
    private readonly bindings: Bindings,
  ) {
    this.#userOf = function (this: IoNamespace, id) {
      return outfit.users.in(this, id, parents.standsFor(this));
    };
  }

  /** Once for each namespace; the children of parents have theirs. */
  give(nsp: IoNamespace): void {
    if (routerOf(nsp) || this.parents.finish(nsp)) return;
    const { allowsOldClients, generateId, failures } = this.outfit;
    if (allowsOldClients) treatOldClients(nsp);
    if (generateId) giveIds(nsp, generateId, failures);
    const router = setRouter(nsp, new Router(this.parents.nameOf(nsp), failures.log, this.names));
    nsp.route = (event: unknown, ...tail: unknown[]) => {
      router.add(event as string | Record<string, Routed>, ...tail);
      this.bindings.bind(nsp);
    };
    nsp.user = this.#userOf;
    this.bindings.add(nsp);
  }
}

// Which namespaces have their chains, and which wait for them. Made by server.ts.

/** How boot.ts gives namespaces their chains. */
export interface Binding {
  /** Binds one namespace to the chains that `config.io` has for the name. */
  bind: (nsp: IoNamespace, name: string) => void;
  /** Whether namespaces that are neither configured nor routed are bound as well. */
  all: boolean;
}

export class Bindings {
  #binding: Binding | undefined;
  readonly #bound = new WeakSet<IoNamespace>();
  /** The namespaces that were made before there was a binding. */
  readonly #waiting = new Set<IoNamespace>();

  constructor(private readonly parents: Parents) {}

  /** Whether Egg has loaded the routes. */
  get isStarted(): boolean {
    return this.#binding !== undefined;
  }

  /** A namespace is there. */
  add(nsp: IoNamespace): void {
    if (this.#binding?.all) this.bind(nsp);
    if (this.#binding === undefined) this.#waiting.add(nsp);
  }

  /** From now on routed namespaces are bound, those that are here and those that come; the named ones at once. */
  start(binding: Binding, named: IoNamespace[]): void {
    this.#binding = binding;
    for (const nsp of named) this.bind(nsp);
    for (const nsp of this.#waiting) if (binding.all || routerOf(nsp)?.size) this.bind(nsp);
    this.#waiting.clear();
  }

  /** Binds a namespace, once and when it is time. */
  bind(nsp: IoNamespace, as?: string): void {
    if (this.#binding === undefined || this.#bound.has(nsp)) return;
    this.#bound.add(nsp);
    const pattern = this.parents.isPattern(nsp) ? this.parents.nameOf(nsp) : undefined;
    this.#binding.bind(nsp, as ?? pattern ?? nsp.name);
    // A child copies what its parent has when it is made: those that are here already get it now.
    for (const child of (nsp as Partial<Parent> & IoNamespace).children ?? []) this.bind(child, pattern);
  }
}
