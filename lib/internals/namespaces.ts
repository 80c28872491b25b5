// The private members of Socket.IO's Server, Namespace and ParentNamespace that the plugin uses: which namespaces exist, which clients
// are connecting to them, and how a parent namespace creates its children.
import { Namespace, Server, type Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { EventsMap } from '../types/events';
import { type Client, sendConnectError } from './client';
import { type Member, property } from './members';

/** Socket.IO's own message. */
const INVALID_NAMESPACE = 'Invalid namespace';

interface PrivateServer {
  readonly _nsps: Map<string, Namespace>;
  /** The options, completed with defaults. */
  readonly opts: { connectionStateRecovery?: { maxDisconnectionDuration: number } };
}

interface PrivateNamespace {
  readonly sockets: ReadonlyMap<string, Socket>;
  /** The sockets whose clients are being admitted, by their first id. */
  readonly _preConnectSockets: Map<string, Socket>;
  /** Admits a client. */
  _add(client: Client, ...args: unknown[]): Promise<void>;
  /** Removes a socket that is released. */
  _remove(socket: Socket): void;
  /** Emits an event that a server has sent by `serverSideEmit`. */
  _onServerSideEmit(args: unknown[]): void;
}

interface PrivateParent {
  readonly children: Set<Namespace>;
  /** Creates a child namespace, for a client or for `server.of()`. */
  createChild(name: string): Namespace;
}

const member = (
  owner: 'Server' | 'Namespace' | 'ParentNamespace',
  name: string,
  type: Member['type'],
  fallback?: string,
): Member => ({
  library: 'socket.io',
  path: `${owner}.prototype.${name}`,
  type,
  find: (sample) =>
    property(
      { Server: sample.server, Namespace: sample.namespace, ParentNamespace: sample.parentNamespace }[owner],
      name,
    ),
  ...(fallback === undefined ? {} : { fallback }),
});

export const NAMESPACE_MEMBERS: readonly Member[] = [
  member('Server', '_nsps', 'object'),
  member('Server', '_checkNamespace', 'function'),
  member(
    'Server',
    'opts',
    'object',
    'the duration of connectionStateRecovery is unknown to the plugin: 2 minutes are assumed',
  ),
  member('Namespace', '_preConnectSockets', 'object'),
  member('Namespace', '_add', 'function'),
  member('Namespace', '_remove', 'function'),
  member('Namespace', '_onServerSideEmit', 'function'),
  member('ParentNamespace', 'children', 'object'),
  member('ParentNamespace', 'createChild', 'function'),
];

/** Returns the namespaces of a server by name, without parent namespaces. */
export function namespacesOf(server: object): ReadonlyMap<string, Namespace> {
  return (server as PrivateServer)._nsps;
}

/** Socket.IO's default of `maxDisconnectionDuration`, in ms. */
const RECOVERY_DURATION = 120_000;

/** Returns how long a client may be disconnected and still be recovered, in ms. Undefined without connectionStateRecovery. */
export function recoveryDurationOf(server: object, isEnabled: boolean): number | undefined {
  if (!isEnabled) return undefined;
  return (server as PrivateServer).opts?.connectionStateRecovery?.maxDisconnectionDuration ?? RECOVERY_DURATION;
}

/** Creates the adapter of a namespace. */
export type AdapterConstructor = NonNullable<Parameters<Server['adapter']>[0]>;

type CheckArguments = Parameters<Server['_checkNamespace']>;

/**
 * A Socket.IO server that decides which namespaces its clients may create, and that distinguishes an adapter of the application from one of
 * the plugin.
 */
export abstract class NamespaceServer<C extends EventsMap, S extends EventsMap, I extends EventsMap, D> extends Server<
  C,
  S,
  I,
  D
> {
  #rejected: RejectedNamespace | undefined;
  #hasOwnAdapter = false;
  readonly #beforeOwnAdapter: Array<() => void> = [];

  /** Whether the application has called `adapter()`. */
  get hasOwnAdapter(): boolean {
    return this.#hasOwnAdapter;
  }

  /** Calls a function before an adapter of the application is installed. If it throws, the adapter is not installed. */
  beforeOwnAdapter(fn: () => void): void {
    this.#beforeOwnAdapter.push(fn);
  }

  /** Installs an adapter of the plugin in all namespaces, and in those that are created later. */
  installAdapter(adapter: AdapterConstructor): void {
    super.adapter(adapter);
  }

  /** Returns the constructor of the adapters. */
  override adapter(): AdapterConstructor | undefined;
  /** Installs an adapter of the application in all namespaces, and in those that are created later. */
  override adapter(adapter: AdapterConstructor): this;
  override adapter(adapter?: AdapterConstructor): AdapterConstructor | undefined | this {
    if (adapter === undefined) return super.adapter();
    // Socket.IO's constructor, which installs its default, runs before this class has its fields.
    if (#beforeOwnAdapter in this) {
      for (const fn of this.#beforeOwnAdapter) fn();
      this.#hasOwnAdapter = true;
    }
    return super.adapter(adapter);
  }

  /** Whether clients may create a child namespace of that name. */
  protected abstract mayCreate(name: string): boolean;

  /** Called with a client that asks for a namespace that does not exist. */
  protected abstract namespaceUnknown(client: Client, name: string): void;

  /** Called by Socket.IO if a client asks for a namespace that does not exist. */
  override _checkNamespace(name: CheckArguments[0], auth: CheckArguments[1], fn: CheckArguments[2]): void {
    const reject = (rejected: RejectedNamespace) => {
      this.#rejected = rejected;
      fn(rejected as unknown as Namespace);
    };
    const rejectUnknown = () =>
      reject(new RejectedNamespace(name, INVALID_NAMESPACE, (client) => this.namespaceUnknown(client, name)));
    if (!this.mayCreate(name)) {
      rejectUnknown();
      return;
    }
    super._checkNamespace(name, auth, (namespace) => {
      if (!namespace) rejectUnknown();
      else if ((namespace as unknown) instanceof RejectedNamespace) reject(namespace as unknown as RejectedNamespace);
      else fn(namespace);
    });
  }

  /**
   * Must be called first in `of()`, which Socket.IO calls right after `_checkNamespace`. Returns the namespace to return if the client
   * was rejected.
   */
  protected takeRejected(): Namespace | undefined {
    const rejected = this.#rejected;
    this.#rejected = undefined;
    return rejected as unknown as Namespace | undefined;
  }
}

/** Takes the place of a child namespace that is not created: the client receives an error. */
class RejectedNamespace {
  constructor(
    private readonly name: string,
    private readonly message: string,
    private readonly onReject: (client: Client) => void,
  ) {}

  /** Called by Socket.IO in place of `Namespace._add`. */
  _add(client: Client): void {
    this.onReject(client);
    sendConnectError(client, this.name, this.message);
  }
}

/**
 * Returns a namespace that rejects every client with a message.
 *
 * @param onReject - called with a client before it is rejected
 */
export function rejectedNamespace(name: string, message: string, onReject: (client: Client) => void): Namespace {
  return new RejectedNamespace(name, message, onReject) as unknown as Namespace;
}

/**
 * Makes a function create the children of a parent namespace, for clients and for `server.of()`.
 *
 * @param create - called with the name of the child and with Socket.IO's own function
 */
export function onCreateChild(
  parent: Namespace,
  create: (name: string, createChild: () => Namespace) => Namespace,
): void {
  const target = parent as unknown as PrivateParent;
  const { createChild } = target;
  target.createChild = (name) => create(name, () => createChild.call(target, name));
}

/** Returns the children of a parent namespace. Empty for any other namespace. */
export function childrenOf(nsp: Namespace): ReadonlySet<Namespace> {
  return (nsp as unknown as Partial<PrivateParent>).children ?? new Set();
}

/** Sets the adapter of a parent namespace. */
export function setAdapter(parent: Namespace, adapter: Adapter): void {
  parent.adapter = adapter;
}

/**
 * Removes a child namespace from its server and its parent.
 *
 * @param adapter - returns the adapter that the removed namespace uses if code still holds it and emits
 */
export function removeChild(child: Namespace, parent: Namespace, adapter: () => Adapter): void {
  (parent as unknown as PrivateParent).children.delete(child);
  (child.server as unknown as PrivateServer)._nsps.delete(child.name);
  Object.defineProperty(child, 'adapter', { get: adapter });
}

/** Functions that are called when clients connect to a namespace and leave it. */
export interface ClientHooks {
  /** Called with a client that connects, and with Socket.IO's own function, which creates its socket and runs the middleware. */
  add(client: Client, admit: () => Promise<void>): Promise<void>;
  /** Called after a socket has disconnected or was refused. */
  removed(): void;
}

/**
 * Installs hooks for the clients of a child namespace. They replace the `_remove` of Socket.IO's option cleanupEmptyChildNamespaces, which
 * removes a namespace without connected sockets, although clients may be connecting to it.
 */
export function hookClients(nsp: Namespace, hooks: ClientHooks): void {
  const { _add, _remove } = Namespace.prototype as unknown as PrivateNamespace;
  const own: Pick<PrivateNamespace, '_add' | '_remove'> = {
    _add: (client, ...args) => hooks.add(client, () => _add.call(nsp as never, client, ...args)),
    _remove: (socket) => {
      _remove.call(nsp as never, socket);
      hooks.removed();
    },
  };
  Object.assign(nsp, own);
}

/** Removes the hooks. */
export function unhookClients(nsp: Namespace): void {
  const own: Partial<PrivateNamespace> = nsp as never;
  delete own._add;
  delete own._remove;
}

/** Whether a namespace has a socket, connected or being admitted. */
export function isOccupied(nsp: Namespace): boolean {
  const { sockets, _preConnectSockets } = nsp as unknown as PrivateNamespace;
  return sockets.size > 0 || _preConnectSockets.size > 0;
}

/** Returns the socket of a namespace, connected or being admitted, that has an id. */
export function socketWithId(nsp: Namespace, id: string): Socket | undefined {
  const { sockets, _preConnectSockets } = nsp as unknown as PrivateNamespace;
  return _preConnectSockets.get(id) ?? sockets.get(id);
}

/** Returns the sockets of a namespace whose clients are being admitted. */
export function connectingSockets(nsp: Namespace): Iterable<Socket> {
  return (nsp as unknown as PrivateNamespace)._preConnectSockets.values();
}

/** Changes the id of a socket that is being admitted. */
export function changeId(socket: Socket, id: string): void {
  const { _preConnectSockets } = socket.nsp as unknown as PrivateNamespace;
  // Socket.IO removes the entry by the id of the socket.
  if (_preConnectSockets.delete(socket.id)) _preConnectSockets.set(id, socket);
  (socket as { id: string }).id = id;
}

/** Emits an event on a namespace of this server, as one that another server has sent by `serverSideEmit`. */
export function receiveServerSideEmit(nsp: Namespace, args: unknown[]): void {
  (nsp as unknown as PrivateNamespace)._onServerSideEmit(args);
}
