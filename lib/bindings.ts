// Which namespaces have their chains, and which wait for them. Made by server.ts.
import type { Parent } from './children';
import type { Parents } from './parents';
import { routerOf } from './router';
import type { IoNamespace } from './typings';

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
