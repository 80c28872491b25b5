// What is under way on behalf of clients, counted: a worker that leaves waits for it. Counted by packet.ts, system.ts,
// connection/way.ts and ends.ts, waited for by drain.ts.

/** How many of something are running. */
export class Count {
  running = 0;
  /** Made when somebody waits: there are many of these, and few are waited for. */
  #waiting: Array<() => void> | undefined;

  begin(): void {
    this.running++;
  }

  end(): void {
    if (--this.running === 0 && this.#waiting !== undefined) this.#release(this.#waiting);
  }

  /** Fulfilled when none is running. */
  none(): Promise<void> {
    if (this.running === 0) return Promise.resolve();
    this.#waiting ??= [];
    const waiting = this.#waiting;
    return new Promise((resolve) => waiting.push(resolve));
  }

  #release(waiting: Array<() => void>): void {
    this.#waiting = undefined;
    for (const done of waiting) done();
  }
}

/** The packets of one connection of Engine.IO, chain and controller: its sockets in all namespaces share it. */
export class ConnectionWork extends Count {
  /** Set when its turn to leave has come: its packets are no longer taken. */
  leaving = false;
}

const WORK = Symbol('egg-socket.io:work');

/** What is under way in an application. */
export class Work {
  /** Packets, and handlers of system events. */
  readonly handlers = new Count();
  /** Connections, from the first middleware of the chain to the last of what comes after its `await next()`. */
  readonly chains = new Count();

  /** @param conn - a connection of Engine.IO: `socket.conn` */
  of(conn: object): ConnectionWork {
    const known = (conn as { [WORK]?: ConnectionWork })[WORK];
    if (known !== undefined) return known;
    const work = new ConnectionWork();
    // Not in a WeakMap, whose entries cost the garbage collector 4.5 µs a connection where these come and go.
    Object.defineProperty(conn, WORK, { value: work });
    return work;
  }
}

const all = new WeakMap<object, Work>();

/** @param io - `app.io` */
export function workOf(io: object): Work {
  let work = all.get(io);
  if (work === undefined) {
    work = new Work();
    all.set(io, work);
  }
  return work;
}
