// Child namespaces: those that a parent namespace creates when a client, or code, asks for a name that it matches. Limits their number,
// removes idle ones, and rejects clients at the limit.
import { debuglog } from 'node:util';
import type { Namespace } from 'socket.io';
import { type ErrorReporting, reportRefused } from '../error-response';
import { type Client, sendConnectError } from '../internals/client';
import { hookClients, isOccupied, rejectedNamespace, removeChild, unhookClients } from '../internals/namespaces';
import type { IoNamespace } from '../types/namespace';

const debug = debuglog('egg-socket.io:namespaces');

/** When an idle child is removed: after a timeout, as soon as its last client has left, or only to stay within the limit. */
export type Removal = 'after-timeout' | 'when-empty' | 'at-limit';

interface Child {
  readonly parent: Namespace;
  readonly removal: Removal;
  /** How many clients are connecting for whom Socket.IO has not created a socket yet. */
  connecting: number;
}

/** How many idle children are removed in one turn of the event loop. One client may have left all of them at the same time. */
const MAX_REMOVALS = 100;

/** The longest timeout of Node's timers, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1;

const TOO_MANY = 'too many namespaces';

/** The child namespaces of one application. */
export class ChildNamespaces {
  /**
   * After how many ms an idle child is removed. A child waits less for responses of other workers, and a client takes less to reconnect.
   */
  static idleTimeout = 30_000;

  readonly #all = new Map<IoNamespace, Child>();
  readonly #idle = new IdleNamespaces();
  readonly #timeout: number;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * @param limit - `config.io.maxNamespaces`
   * @param recoveryDuration - how long a client may be disconnected and still be recovered, in ms
   * @param find - returns the namespace of a name, and creates it if it does not exist
   */
  constructor(
    private readonly limit: number,
    recoveryDuration: number | undefined,
    private readonly reporting: ErrorReporting,
    private readonly find: (name: string) => Namespace,
  ) {
    this.#timeout = Math.min(Math.max(ChildNamespaces.idleTimeout, recoveryDuration ?? 0), LONGEST_TIMER);
  }

  has(nsp: IoNamespace): boolean {
    return this.#all.has(nsp);
  }

  /** Removes idle children so that one more can be created. Returns whether the limit allows it. */
  ensureCapacity(): boolean {
    return this.#shrink(this.limit - 1);
  }

  /** Returns a namespace that rejects its client, since the limit is reached. */
  reject(name: string): Namespace {
    return rejectedNamespace(name, TOO_MANY, (client) => this.#reportRejection(client, name));
  }

  /** Adds a child that was just created. */
  add(nsp: IoNamespace, parent: Namespace, removal: Removal): void {
    const child: Child = { parent, removal, connecting: 0 };
    this.#all.set(nsp, child);
    debug('create %s (%d of %d)', nsp.name, this.#all.size, this.limit);
    hookClients(nsp, {
      add: (client, admit) => this.#connect(nsp, child, client, admit),
      removed: () => this.#update(nsp),
    });
    // Code may be about to add listeners to the child that it has asked for. As in Socket.IO, it stays until its first client has left.
    if (removal === 'when-empty') this.#idle.add(nsp, true);
    else this.#update(nsp);
  }

  /** Makes a child permanent: it is neither counted nor removed. */
  makePermanent(nsp: IoNamespace): void {
    if (!this.#all.has(nsp)) return;
    this.#forget(nsp);
    unhookClients(nsp);
  }

  /** Restarts the timeout of an idle child. Must be called when code asks for a child: code may be about to use it. */
  touch(nsp: IoNamespace): void {
    this.#idle.touch(nsp);
  }

  /** Stops the removal of idle children: the server is about to close all namespaces. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #connect(nsp: IoNamespace, child: Child, client: Client, admit: () => Promise<void>): Promise<void> {
    const isFirst = isIdle(nsp, child);
    child.connecting++;
    this.#update(nsp);
    try {
      // Code may have created the namespace beyond the limit.
      if (!isFirst || this.#shrink(this.limit)) await admit();
      else {
        this.#reportRejection(client, nsp.name);
        sendConnectError(client, nsp.name, TOO_MANY);
      }
    } finally {
      child.connecting--;
      this.#update(nsp);
    }
  }

  #reportRejection(client: Client, name: string): void {
    debug('reject a client of %s (%d of %d)', name, this.#all.size, this.limit);
    const cause = `${TOO_MANY}: ${this.limit} namespaces that clients have created are in use. config.io.maxNamespaces sets the limit`;
    reportRefused(this.reporting, client, name, cause);
  }

  /** Must be called when a client connects to a child, and when a socket is removed. */
  #update(nsp: IoNamespace): void {
    const child = this.#all.get(nsp);
    if (child === undefined || this.#isClosed) return;
    this.#idle.delete(nsp);
    if (!isIdle(nsp, child)) return;
    this.#idle.add(nsp, child.removal === 'at-limit');
    if (child.removal === 'when-empty') setImmediate(() => this.#idle.isExpiring(nsp) && this.#remove(nsp));
    else this.#schedule();
  }

  #schedule(): void {
    const [, since] = this.#idle.nextExpiring() ?? [];
    if (this.#timer !== undefined || since === undefined) return;
    const delay = Math.max(1, since + this.#timeout - performance.now());
    this.#timer = setTimeout(() => this.#removeExpired(), delay).unref();
  }

  #removeExpired(): void {
    this.#timer = undefined;
    for (let left = MAX_REMOVALS; left > 0; left--) {
      const [nsp, since] = this.#idle.nextExpiring() ?? [];
      if (nsp === undefined || since === undefined || since + this.#timeout > performance.now()) break;
      this.#remove(nsp);
    }
    this.#schedule();
  }

  /** Removes idle children until there are at most `size` children. Returns whether that is possible. */
  #shrink(size: number): boolean {
    while (this.#all.size > size) {
      const oldest = this.#idle.oldest();
      if (oldest === undefined) return false;
      this.#remove(oldest);
    }
    return true;
  }

  #forget(nsp: IoNamespace): Child | undefined {
    const child = this.#all.get(nsp);
    this.#all.delete(nsp);
    this.#idle.delete(nsp);
    return child;
  }

  #remove(nsp: IoNamespace): void {
    const child = this.#forget(nsp);
    if (child === undefined) return;
    const { name, adapter } = nsp;
    debug('remove %s (%d left)', name, this.#all.size);
    // Code may still hold the namespace: its events go to the clients of the current one.
    removeChild(nsp, child.parent, () => this.find(name).adapter);
    // At once: the adapter of the next namespace of that name subscribes to the same channels. An application's own adapter may throw.
    const close = async () => adapter.close();
    close().catch((err) => this.reporting.log.error(err));
  }
}

function isIdle(nsp: Namespace, { connecting }: Child): boolean {
  return connecting === 0 && !isOccupied(nsp);
}

/** The time since when a namespace is idle, as `performance.now()`. Oldest first. */
type IdleSince = Map<IoNamespace, number>;

/** The idle child namespaces. */
class IdleNamespaces {
  /** The children that are removed after a timeout, or at once. */
  readonly #expiring: IdleSince = new Map();
  /** The children that are removed only at the limit. */
  readonly #staying: IdleSince = new Map();

  add(nsp: IoNamespace, stays: boolean): void {
    (stays ? this.#staying : this.#expiring).set(nsp, performance.now());
  }

  delete(nsp: IoNamespace): void {
    if (!this.#expiring.delete(nsp)) this.#staying.delete(nsp);
  }

  /** Moves an idle child to the end. */
  touch(nsp: IoNamespace): void {
    if (this.#expiring.delete(nsp)) this.add(nsp, false);
    else if (this.#staying.delete(nsp)) this.add(nsp, true);
  }

  isExpiring(nsp: IoNamespace): boolean {
    return this.#expiring.has(nsp);
  }

  /** Returns the child that has been idle longest. */
  oldest(): IoNamespace | undefined {
    const [[expiring, expiringSince] = [undefined, Number.POSITIVE_INFINITY]] = this.#expiring;
    const [[staying, stayingSince] = [undefined, Number.POSITIVE_INFINITY]] = this.#staying;
    return expiringSince <= stayingSince ? expiring : staying;
  }

  /** Returns the child that is removed next, and since when it is idle. */
  nextExpiring(): [nsp: IoNamespace, since: number] | undefined {
    const [first] = this.#expiring;
    return first;
  }
}
