// The children of parent namespaces, which are made when somebody asks for them: how many there are, and which of them nobody
// needs any more. Made by server.ts.

import { Namespace, type Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';
import type { ErrorLog } from '../errors';
import type { IoNamespace } from '../types/namespace';

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

/** The longest timer that Node has, in ms. */
const LONGEST = 2 ** 31 - 1;

const { _add, _remove } = innerOf(Namespace.prototype as never);

export class Children {
  /**
   * How long an empty child stays, in ms: longer than it waits for the answers of other workers, and than a client takes to
   * come back.
   */
  static idle = 30_000;

  readonly #all = new Map<IoNamespace, Child>();
  readonly #empty = new Empty();
  readonly #refusals: Refusals;
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
    private readonly log: ErrorLog & { warn(message: string): void },
    private readonly again: (name: string) => Namespace,
  ) {
    this.#wait = Math.min(Math.max(Children.idle, away ?? 0), LONGEST);
    this.#refusals = new Refusals(log);
  }

  has(nsp: IoNamespace): boolean {
    return this.#all.has(nsp);
  }

  /** Makes place for one more: those that have been empty longest go. Whether there is one now. */
  makePlace(): boolean {
    return this.#shrink(this.max - 1);
  }

  /** What a client gets for whom there is no place. */
  refuse(name: string): Refused {
    this.#refusals.add(this.max);
    return new Refused(name, 'too many namespaces');
  }

  /** Takes care of a child that was just made. */
  add(nsp: IoNamespace, parent: Parent, life: Life): void {
    const child: Child = { parent, life, arriving: 0 };
    this.#all.set(nsp, child);
    // Those of Socket.IO, in place of what cleanupEmptyChildNamespaces has put there: that one doesn't look who is coming.
    const inner = innerOf(nsp);
    inner._add = async (...args) => {
      const isFirst = isEmpty(inner, child);
      child.arriving++;
      this.#settle(nsp);
      try {
        // One that code has asked for when all places were taken.
        const fits = !isFirst || this.#shrink(this.max);
        if (fits) await _add.apply(inner, args);
        else this.refuse(nsp.name)._add(args[0] as Socket['client']);
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
    if (life === 'in use') this.#empty.add(nsp, true);
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
    this.#empty.touch(nsp);
  }

  /** From now on none goes: all of them do. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #settle(nsp: IoNamespace): void {
    const child = this.#all.get(nsp);
    if (child === undefined || this.#isOver) return;
    this.#empty.delete(nsp);
    if (!isEmpty(innerOf(nsp), child)) return;
    this.#empty.add(nsp, child.life === 'long');
    if (child.life === 'in use') setImmediate(() => this.#empty.isGoing(nsp) && this.#remove(nsp));
    else this.#schedule();
  }

  #schedule(): void {
    const [, since] = this.#empty.next() ?? [];
    if (this.#timer !== undefined || since === undefined) return;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(1, since + this.#wait - performance.now())).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    for (let left = BATCH; left > 0; left--) {
      const [nsp, since] = this.#empty.next() ?? [];
      if (nsp === undefined || since === undefined || since + this.#wait > performance.now()) break;
      this.#remove(nsp);
    }
    this.#schedule();
  }

  /** Empty ones go until there are no more than so many. Whether that was possible. */
  #shrink(size: number): boolean {
    while (this.#all.size > size) {
      const oldest = this.#empty.oldest();
      if (oldest === undefined) return false;
      this.#remove(oldest);
    }
    return true;
  }

  #forget(nsp: IoNamespace): Child | undefined {
    const child = this.#all.get(nsp);
    this.#all.delete(nsp);
    this.#empty.delete(nsp);
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

// The children of parent namespaces that have nobody in them, each with the time since when. Made by children.ts.

/** Since when somebody last needed it, in ms of `performance.now()`; in that order. */
type Since = Map<IoNamespace, number>;

export class Empty {
  /** Those that go after a while. */
  readonly #going: Since = new Map();
  /** Those that stay until their place is needed. */
  readonly #staying: Since = new Map();

  add(nsp: IoNamespace, stays: boolean): void {
    (stays ? this.#staying : this.#going).set(nsp, performance.now());
  }

  delete(nsp: IoNamespace): void {
    if (!this.#going.delete(nsp)) this.#staying.delete(nsp);
  }

  /** Somebody has asked for one: if it is empty, it is so from now on. */
  touch(nsp: IoNamespace): void {
    if (this.#going.delete(nsp)) this.add(nsp, false);
    else if (this.#staying.delete(nsp)) this.add(nsp, true);
  }

  isGoing(nsp: IoNamespace): boolean {
    return this.#going.has(nsp);
  }

  /** The one that has been empty longest. */
  oldest(): IoNamespace | undefined {
    const [[going, left] = [undefined, Number.POSITIVE_INFINITY]] = this.#going;
    const [[staying, since] = [undefined, Number.POSITIVE_INFINITY]] = this.#staying;
    return left <= since ? going : staying;
  }

  /** Of those that go, the one that has been empty longest, and since when. */
  next(): [nsp: IoNamespace, since: number] | undefined {
    const [first] = this.#going;
    return first;
  }
}

// What a client gets that has asked for a namespace that is not made for it. Made by parents.ts.

/** What of Socket.IO's client is private. */
interface Client {
  _packet(packet: object): void;
}

/** Stands where Socket.IO expects the namespace, and says why there is none. */
export class Refused {
  constructor(
    private readonly name: string,
    private readonly message: string,
  ) {}

  /** Called by Socket.IO instead of a namespace's own. */
  _add(client: Socket['client']): void {
    const { message } = this;
    // As Socket.IO says that a chain has refused a client, also to those of Socket.IO 2.
    const data = client.conn.protocol === 3 ? message : { message };
    (client as unknown as Client)._packet({ type: PacketType.CONNECT_ERROR, nsp: this.name, data });
  }
}

/** No more than one line in so many ms. */
const PERIOD = 60_000;

/** Says in the log that clients are refused for want of a place. */
export class Refusals {
  #count = 0;
  #said = Number.NEGATIVE_INFINITY;

  /** @param log - `app.coreLogger` */
  constructor(private readonly log: { warn(message: string): void }) {}

  /** @param max - `config.io.maxNamespaces` */
  add(max: number): void {
    this.#count++;
    if (performance.now() - this.#said < PERIOD) return;
    this.#said = performance.now();
    this.log.warn(
      `[egg-socket.io] too many namespaces: ${max} that clients have asked for are in use, which is config.io.maxNamespaces. Clients that were refused another one since this was last said: ${this.#count}`,
    );
    this.#count = 0;
  }
}
