// Parent namespaces, which stand for all namespaces whose name they match: `/room/:id`, a regular expression, a function. Socket.IO creates
// a child when a client, or code, asks for such a name. The child has the chains and routes of its parent.
import type { Namespace, Server } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { type ErrorReporting, reportRefused } from '../error-response';
import { ConfigError } from '../errors';
import type { Client } from '../internals/client';
import { namespacesOf, onCreateChild, rejectedNamespace, setAdapter } from '../internals/namespaces';
import { inheritSocketHooks } from '../internals/socketio';
import { type Router, routerOf, setRouter } from '../router';
import type { IoNamespace } from '../types/namespace';
import { publishBroadcasts } from './broadcasts';
import type { ChildNamespaces, Removal } from './child-namespaces';
import { captures, type Params, Pattern, setParams } from './path-pattern';

/** What Socket.IO creates a parent namespace for: a regular expression or a function. */
export type ParentName = Exclude<Parameters<Server['of']>[0], string>;

/** A parent namespace. */
interface Parent {
  /** For messages, warnings and statistics. */
  readonly name: string;
  /** Undefined for a regular expression and for a function. */
  readonly pattern?: Pattern;
  /**
   * Returns the parameters in the name of a child.
   *
   * @throws {URIError} if the percent-encoding of the name is malformed
   */
  params(name: string): Params | undefined;
}

interface ParentOptions {
  /** Limits the namespaces of each client. Undefined without `config.io.limits.namespaces`. */
  readonly limitClients: ((child: IoNamespace) => void) | undefined;
  /** Contains the errors of the listeners of a child. Undefined if `config.io.containListeners` is false. */
  readonly contain: ((child: IoNamespace) => void) | undefined;
  /** Adds Socket.IO 2's API to a child, or makes its names throw. */
  readonly addRemoved: (child: IoNamespace) => void;
  readonly children: ChildNamespaces;
  readonly reporting: ErrorReporting;
  /** Creates the adapter of a parent, which calls the adapters of its children. */
  readonly adapter: (parent: Namespace) => Adapter;
  /** `init.cleanupEmptyChildNamespaces` */
  readonly removesIdle: boolean;
}

/** The parent namespaces of one server. */
export class ParentNamespaces {
  readonly #all = new Map<IoNamespace, Parent>();
  readonly #byPattern = new Map<string, IoNamespace>();
  /** Functions that configure the children that Socket.IO is creating, by name. */
  readonly #configuring = new Map<string, (child: IoNamespace) => void>();
  /** Whether a child is created for code, and not for a client. */
  #isForCode = false;

  constructor(private readonly options: ParentOptions) {}

  /** Adds a parent that was just created. */
  add(nsp: IoNamespace, by: ParentName | Pattern): void {
    const parent = parentOf(by);
    this.#all.set(nsp, parent);
    if (parent.pattern) this.#byPattern.set(parent.name, nsp);
    setAdapter(nsp, this.options.adapter(nsp));
    onCreateChild(nsp, (name, createChild) => this.#create(nsp, parent, name, createChild));
  }

  /** Calls a function that may create a child for code. Code gets its namespace even if the limit is reached. */
  createForCode(create: () => IoNamespace): IoNamespace {
    this.#isForCode = true;
    try {
      return create();
    } finally {
      this.#isForCode = false;
    }
  }

  /**
   * Configures a child that Socket.IO has just created. A listener of `new_namespace` may ask for the child while it is being created.
   *
   * @returns whether the namespace is such a child
   */
  configure(nsp: IoNamespace): boolean {
    const configure = this.#configuring.get(nsp.name);
    this.#configuring.delete(nsp.name);
    configure?.(nsp);
    return configure !== undefined;
  }

  /** Returns the parent namespace of a pattern. */
  withPattern(pattern: string): IoNamespace | undefined {
    return this.#byPattern.get(pattern);
  }

  /** @throws {ConfigError} if the name of a new parent matches the pattern of another one */
  assertUnmatched(name: string): void {
    const other = [...this.#all.values()].find(({ pattern }) => pattern?.matches(name));
    if (other === undefined) return;
    const allowed = 'a name without parameters: encodeURIComponent(id) if an id begins with a colon';
    throw new ConfigError('app.io.of()', name, allowed, `${other.name} stands for such names already`);
  }

  /** Whether a name matches a pattern. */
  matches(name: string): boolean {
    return [...this.#all.values()].some(({ pattern }) => pattern?.matches(name));
  }

  /** Returns the name of a namespace. Of a parent, what it stands for. */
  nameOf(nsp: IoNamespace): string {
    return this.parentName(nsp) ?? nsp.name;
  }

  /** Whether a namespace is the parent of a pattern, which `config.io.namespace` may contain. */
  hasPattern(nsp: IoNamespace): boolean {
    return this.#all.get(nsp)?.pattern !== undefined;
  }

  /** Returns what a parent stands for. Undefined for any other namespace. */
  parentName(nsp: IoNamespace): string | undefined {
    return this.#all.get(nsp)?.name;
  }

  names(): string[] {
    return Array.from(this.#all.values(), ({ name }) => name);
  }

  /** Returns the parent namespaces. */
  all(): Iterable<IoNamespace> {
    return this.#all.keys();
  }

  #create(nsp: IoNamespace, parent: Parent, name: string, createChild: () => Namespace): Namespace {
    const { children, removesIdle } = this.options;
    const isForCode = this.#isForCode;
    let params: Params | undefined;
    try {
      params = parent.params(name);
    } catch (err) {
      if (isForCode) throw err;
      const reason = `Invalid namespace: ${(err as Error).message}`;
      const report = (client: Client) => reportRefused(this.options.reporting, client, name, reason, parent.name);
      return rejectedNamespace(name, reason, report);
    }
    // Code gets a namespace beyond the limit, since it may emit to clients of other workers. The limit applies to its first client.
    if (!children.ensureCapacity() && !isForCode) return children.reject(name);
    this.#configuring.set(name, (child) => {
      setRouter(child, routerOf(nsp) as Router);
      inheritSocketHooks(child, nsp);
      child.route = (...args: unknown[]) => refuseRoute(name, parent, args[0]);
      child.user = nsp.user;
      child.presence = nsp.presence;
      this.options.limitClients?.(child);
      this.options.contain?.(child);
      this.options.addRemoved(child);
      publishBroadcasts(child);
      if (params) setParams(child, params);
      children.add(child, nsp, removalOf(parent, removesIdle));
    });
    try {
      return createChild();
    } finally {
      // Also if a listener of `new_namespace` has thrown: the child exists.
      const child = namespacesOf(nsp.server).get(name);
      if (child) this.configure(child as IoNamespace);
    }
  }
}

function removalOf({ pattern }: Parent, removesIdle: boolean): Removal {
  if (pattern) return 'after-timeout';
  return removesIdle ? 'when-empty' : 'at-limit';
}

/** Throws: a child has the routes of its parent and none of its own. */
function refuseRoute(name: string, { name: parent, pattern }: Parent, event: unknown): never {
  const allowed = pattern
    ? `app.io.of('${parent}').route(), which applies to all matching namespaces, or an entry ${name} in config.io.namespace, which makes it a namespace of its own`
    : 'route() of what app.io.of() has returned for the parent, which applies to all of its children';
  throw new ConfigError(
    `app.io.of('${name}').route()`,
    event,
    allowed,
    pattern
      ? `${name} is created and removed with its clients, and has the routes of ${parent}`
      : `${name} has the routes of ${parent}, as all of its children`,
  );
}

function parentOf(by: ParentName | Pattern): Parent {
  if (by instanceof Pattern) return { name: by.name, pattern: by, params: (name) => by.params(name) };
  if (by instanceof RegExp) return { name: String(by), params: (name) => captures(by, name) };
  return { name: 'those of a function', params: () => undefined };
}
