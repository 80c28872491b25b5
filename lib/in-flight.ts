// Counts in-flight chains and handlers so that a closing worker can wait for them.

/** Counts how many of something are running. */
export class InFlight {
  running = 0;
  /** Created when something waits: there are many of these objects, and few are waited for. */
  #waiting: Array<() => void> | undefined;

  begin(): void {
    this.running++;
  }

  end(): void {
    if (--this.running === 0 && this.#waiting !== undefined) this.#release(this.#waiting);
  }

  /** Returns a promise that resolves when none is running. */
  idle(): Promise<void> {
    if (this.running === 0) return Promise.resolve();
    this.#waiting ??= [];
    const waiting = this.#waiting;
    return new Promise((resolve) => waiting.push(resolve));
  }

  #release(waiting: Array<() => void>): void {
    this.#waiting = undefined;
    for (const resolve of waiting) resolve();
  }
}

/** The packets of one Engine.IO connection that are being handled. The sockets of all its namespaces share it. */
export class ConnectionInFlight extends InFlight {
  /** Set when the drain closes the connection: its packets are dropped. */
  isClosing = false;
}

const CONNECTION = Symbol('egg-socket.io:in-flight');

/** What is running in an application. */
export class ServerInFlight {
  /** Chains of packets with their controllers, and handlers of system events. */
  readonly handlers = new InFlight();
  /** Connection chains, from the first middleware until the code after its `await next()` has ended. */
  readonly chains = new InFlight();

  /** @param conn - a connection of Engine.IO: `socket.conn` */
  of(conn: object): ConnectionInFlight {
    const holder = conn as { [CONNECTION]?: ConnectionInFlight };
    if (holder[CONNECTION] === undefined) {
      // A WeakMap would cost the garbage collector 4.5 µs for each connection.
      Object.defineProperty(conn, CONNECTION, { value: new ConnectionInFlight() });
    }
    return holder[CONNECTION] as ConnectionInFlight;
  }
}

const SERVER = Symbol('egg-socket.io:server-in-flight');

/**
 * Returns what is running in an application.
 *
 * @param io - `app.io`
 */
export function inFlightOf(io: object): ServerInFlight {
  const holder = io as { [SERVER]?: ServerInFlight };
  holder[SERVER] ??= new ServerInFlight();
  return holder[SERVER];
}
