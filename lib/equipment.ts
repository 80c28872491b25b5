// What a namespace gets when it is made: the ids of its sockets, its router, route() and user(). Made by server.ts.
import type { Bindings } from './bindings';
import type { ResolvedConfig } from './config';
import type { Failures } from './failures';
import { giveIds } from './ids';
import type { Names } from './names';
import { treatOldClients } from './old-clients';
import type { Parents } from './parents';
import { type Routed, Router, routerOf, setRouter } from './router';
import type { IoNamespace } from './typings';
import type { Users } from './users';

/** What of the configuration every namespace gets. */
export interface Outfit extends Pick<ResolvedConfig, 'generateId'> {
  /** `init.allowEIO3` */
  allowsOldClients: boolean;
  failures: Failures;
  users: Users;
}

export class Equipment {
  /** One for all namespaces. */
  readonly #userOf: IoNamespace['user'];

  /** @param names - finds what routes name */
  constructor(
    private readonly outfit: Outfit,
    private readonly names: Names,
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
