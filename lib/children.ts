// The children of parent namespaces, which are made when somebody asks for them: how many there are, and which of them nobody
// needs any more. Made by server.ts.
import { Namespace, type Socket } from 'socket.io';
import type { ErrorLog } from './errors';
import type { IoNamespace } from './typings';

/** Socket.IO's parent namespace. */
export type Parent = IoNamespace & { children: Set<IoNamespace>; createChild: (name: string) => IoNamespace };

/** What becomes of an empty child: it goes after a while, as soon as it is empty, or only when its place is needed. */
export type Life = 'a while' | 'in use' | 'long';

/** What of a namespace Socket.IO keeps private. */
interface Inner {
  sockets: Map<string, Socket>;
  _preConnectSockets: Map<string, Socket>;
  _add(...args: unknown[]): Promise<void>;
  _remove(socket: Socket): void;
}

interface Child {
  readonly parent: Parent;
  readonly life: Life;
  /** How many clients are coming of whom Socket.IO's own lists don't know yet. */
  arriving: number;
}

/** How many go in one turn of the event loop: one client may have left all of them at once. */
const BATCH = 100;

const { _add, _remove } = innerOf(Namespace.prototype as never);

export class Children {
  /**
   * How long an empty child stays, in ms: longer than it waits for the answers of other workers, and than a client takes to
   * come back.
   */
  static idle = 30_000;

  readonly #all = new Map<IoNamespace, Child>();
  /** The empty ones that go after a while, with the time at which they were last needed, in that order. */
  readonly #idle = new Map<IoNamespace, number>();
  /** The empty ones that stay until their place is needed. */
  readonly #spare = new Set<IoNamespace>();
  readonly #wait: number;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /**
   * @param max - `config.io.maxNamespaces`
   * @param away - how long a client may be away and be recovered, in ms
   * @param again - the namespace of that name as it is now, made if there is none
   */
  constructor(
    readonly max: number,
    away: number | undefined,
    private readonly log: ErrorLog,
    private readonly again: (name: string) => Namespace,
  ) {
    this.#wait = Math.max(Children.idle, away ?? 0);
  }

  has(nsp: IoNamespace): boolean {
    return this.#all.has(nsp);
  }

  /** Makes place for one more: the child that has been empty longest goes. Whether there is one now. */
  makePlace(): boolean {
    if (this.#all.size < this.max) return true;
    const [spare = this.#spare.values().next().value] = this.#idle.keys();
    if (spare === undefined) return false;
    this.#remove(spare);
    return true;
  }

  /** Takes care of a child that was just made. */
  add(nsp: IoNamespace, parent: Parent, life: Life): void {
    const child: Child = { parent, life, arriving: 0 };
    this.#all.set(nsp, child);
    // Those of Socket.IO, in place of what cleanupEmptyChildNamespaces has put there: that one doesn't look who is coming.
    const inner = innerOf(nsp);
    inner._add = async (...args) => {
      child.arriving++;
      this.#settle(nsp);
      try {
        await _add.apply(inner, args);
      } finally {
        child.arriving--;
        this.#settle(nsp);
      }
    };
    inner._remove = (socket) => {
      _remove.call(inner, socket);
      this.#settle(nsp);
    };
    // One that code has asked for may have listeners of its own; Socket.IO looks at it when its first client leaves.
    if (life === 'in use') this.#spare.add(nsp);
    else this.#settle(nsp);
  }

  /** A child that stays, whoever is in it. */
  keep(nsp: IoNamespace): void {
    if (!this.#all.has(nsp)) return;
    this.#forget(nsp);
    const inner: Partial<Inner> = innerOf(nsp);
    delete inner._add;
    delete inner._remove;
  }

  /** Somebody has asked for it, and may be about to use it. */
  touch(nsp: IoNamespace): void {
    if (this.#idle.delete(nsp)) this.#idle.set(nsp, performance.now());
    if (this.#spare.delete(nsp)) this.#spare.add(nsp);
  }

  /** From now on none goes: all of them do. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #settle(nsp: IoNamespace): void {
    const child = this.#all.get(nsp);
    if (child === undefined || this.#isOver) return;
    this.#idle.delete(nsp);
    this.#spare.delete(nsp);
    if (!isEmpty(innerOf(nsp), child)) return;
    if (child.life === 'long') this.#spare.add(nsp);
    else this.#idle.set(nsp, performance.now());
    if (child.life === 'in use') setImmediate(() => this.#idle.has(nsp) && this.#remove(nsp));
    else this.#schedule();
  }

  #schedule(): void {
    const [since] = this.#idle.values();
    if (this.#timer !== undefined || since === undefined) return;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(1, since + this.#wait - performance.now())).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    let left = BATCH;
    for (const [nsp, since] of this.#idle) {
      if (since + this.#wait > performance.now() || left-- === 0) break;
      this.#remove(nsp);
    }
    this.#schedule();
  }

  #forget(nsp: IoNamespace): Child | undefined {
    const child = this.#all.get(nsp);
    this.#all.delete(nsp);
    this.#idle.delete(nsp);
    this.#spare.delete(nsp);
    return child;
  }

  #remove(nsp: IoNamespace): void {
    this.#forget(nsp)?.parent.children.delete(nsp);
    const { name, server, adapter } = nsp;
    server._nsps.delete(name);
    // Who goes on holding it emits through the one that is there then.
    Object.defineProperty(nsp, 'adapter', { get: () => this.again(name).adapter });
    // At once: the next child of that name listens where this one has listened. An application's own adapter may fail.
    const close = async () => adapter.close();
    close().catch((err) => this.log.error(err));
  }
}

function innerOf(nsp: IoNamespace): Inner {
  return nsp as unknown as Inner;
}

function isEmpty({ sockets, _preConnectSockets }: Inner, { arriving }: Child): boolean {
  return arriving === 0 && sockets.size === 0 && _preConnectSockets.size === 0;
}
