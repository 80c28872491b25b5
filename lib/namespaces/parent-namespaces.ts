// Parent namespaces, which stand for many: '/room/:id', a regular expression, a function. Their children are made when a client
// or code asks for one. Made by server.ts.
import type { Server } from 'socket.io';
import { ParentAdapter } from '../adapters/memory-adapter';
import { ConfigError } from '../errors';
import { type Router, routerOf, setRouter } from '../router';
import type { IoNamespace } from '../types/namespace';
import { type Children, type Life, type Parent, Refused } from './child-namespaces';
import { captures, type Params, Pattern, setParams } from './path-pattern';

/** What Socket.IO takes for a parent. */
export type ParentName = Exclude<Parameters<Server['of']>[0], string>;

/** What a parent goes by. */
interface Kind {
  /** For messages. */
  name: string;
  /** Of a name with parameters. */
  pattern?: Pattern;
  /**
   * What the name of a child says.
   *
   * @throws {URIError} where its percent-encoding is wrong
   */
  params(name: string): Params | undefined;
}

/** The parents of one server. */
export class Parents {
  /** Whether it is code that asks for a namespace now, and no client. */
  isAsked = false;
  readonly #kinds = new Map<IoNamespace, Kind>();
  /** By name, what is to be done with a child that is being made. */
  readonly #unfinished = new Map<string, (child: IoNamespace) => void>();
  /** Those of names with parameters. */
  readonly #patterns = new Map<string, IoNamespace>();

  /**
   * @param children - keeps what is made
   * @param isCleaned - `init.cleanupEmptyChildNamespaces`
   */
  constructor(
    private readonly children: Children,
    private readonly isCleaned: boolean,
  ) {}

  /** Takes care of a parent that was just made. */
  add(parent: Parent, by: ParentName | Pattern): void {
    const kind = kindOf(by);
    this.#kinds.set(parent, kind);
    if (kind.pattern) this.#patterns.set(kind.name, parent);
    parent.adapter = new ParentAdapter(parent, parent.children);
    // Socket.IO makes all children by it, those that clients ask for and those that code asks for.
    const { createChild } = parent;
    parent.createChild = (name) => this.#make(parent, kind, name, createChild);
  }

  /** Completes a child that Socket.IO has just made, and of which listeners of `new_namespace` hear first. Whether it is one. */
  finish(nsp: IoNamespace): boolean {
    const complete = this.#unfinished.get(nsp.name);
    this.#unfinished.delete(nsp.name);
    complete?.(nsp);
    return complete !== undefined;
  }

  /** The parent for a name with parameters. */
  pattern(name: string): IoNamespace | undefined {
    return this.#patterns.get(name);
  }

  /** @throws {ConfigError} where a name with parameters is one that another stands for */
  mustBeNew(name: string): void {
    const other = [...this.#kinds.values()].find(({ pattern }) => pattern?.regexp.test(name));
    if (other === undefined) return;
    const allowed = 'a name without parameters: encodeURIComponent(id) in place of an id that begins with a colon';
    throw new ConfigError('app.io.of()', name, allowed, `${other.name} stands for such names already`);
  }

  /** Whether a name is that of a child of one of those. */
  match(name: string): boolean {
    return [...this.#kinds.values()].some(({ pattern }) => pattern?.regexp.test(name));
  }

  /** What a namespace goes by: of a parent what it stands for. */
  nameOf(nsp: IoNamespace): string {
    return this.standsFor(nsp) ?? nsp.name;
  }

  /** Whether `config.io.namespace` may name it, and its children have no names of their own there. */
  isPattern(nsp: IoNamespace): boolean {
    return this.#kinds.get(nsp)?.pattern !== undefined;
  }

  /** What a parent stands for; undefined of a namespace that is none. */
  standsFor(nsp: IoNamespace): string | undefined {
    return this.#kinds.get(nsp)?.name;
  }

  names(): string[] {
    return Array.from(this.#kinds.values(), ({ name }) => name);
  }

  #make(parent: Parent, kind: Kind, name: string, createChild: Parent['createChild']): IoNamespace {
    const isAsked = this.isAsked;
    let params: Params | undefined;
    try {
      params = kind.params(name);
    } catch (err) {
      if (isAsked) throw err;
      return given(new Refused(name, `Invalid namespace: ${(err as Error).message}`));
    }
    // Code always gets one, and what it sends reaches other workers. Clients get in where there is a place for it by then.
    if (!this.children.makePlace() && !isAsked) return given(this.children.refuse(name));
    this.#unfinished.set(name, (child) => {
      // It runs what its parent is bound to, and has its routes.
      setRouter(child, routerOf(parent) as Router);
      child.route = (...args: unknown[]) => noRoute(name, kind, args[0]);
      child.user = parent.user;
      if (params) setParams(child, params);
      this.children.add(child, parent, this.#lifeOf(kind));
    });
    try {
      return createChild.call(parent, name);
    } finally {
      const child = parent.server._nsps.get(name);
      if (child) this.finish(child as IoNamespace);
    }
  }

  #lifeOf({ pattern }: Kind): Life {
    if (pattern) return 'a while';
    return this.isCleaned ? 'in use' : 'long';
  }
}

/** Socket.IO has it given to the client. */
function given(refused: Refused): IoNamespace {
  return refused as unknown as IoNamespace;
}

function noRoute(name: string, { name: parent, pattern }: Kind, event: unknown): never {
  const own = `, or an entry ${name} in config.io.namespace, which makes it a namespace of its own`;
  const allowed = pattern
    ? `app.io.of('${parent}').route(), which holds for all that match${own}`
    : 'route() of what app.io.of() gave for the parent, which holds for all of its children';
  throw new ConfigError(
    `app.io.of('${name}').route()`,
    event,
    allowed,
    pattern
      ? `${name} comes and goes with its clients, and has the routes of ${parent}`
      : `${name} has the routes of ${parent}, as its other children have`,
  );
}

function kindOf(by: ParentName | Pattern): Kind {
  if (by instanceof Pattern) return { name: by.name, pattern: by, params: (name) => by.params(name) };
  if (by instanceof RegExp) return { name: String(by), params: (name) => captures(by, name) };
  return { name: 'those of a function', params: () => undefined };
}
