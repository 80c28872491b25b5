// A socket's way into its namespace, from the first middleware of its connection chain until it is in. A leaf.

/** What a connection chain tells of itself. */
export interface Entering {
  /** The middle of the onion: what middlewares wait for in `await next()`. */
  core(): Promise<void>;
  /** The onion has ended before it was decided. */
  over(failure?: { thrown: unknown }): void;
}

/** What is kept of a socket that isn't in: one that is in has none, unless its chain has disconnected it. */
export class Entry {
  /** Its connection chain, until that is decided. */
  chain: Entering | undefined = undefined;
  /** Whether the chain has got to its core. */
  isReached = false;
  /** Whether the chain has kept the client out. */
  isRefused = false;
  /** Set where the connection chain has disconnected the socket; `close`: and the connection below. */
  dismissed: { close: boolean } | undefined = undefined;
  /** Whether later middlewares of the namespace may still decide. */
  isPending = false;
  /** Set while that takes time: to be called when it is decided. */
  #decided: (() => void) | undefined = undefined;

  /** Calls `decided` when the client is in, or it never will be. */
  onDecided(decided: () => void): void {
    this.#decided = decided;
  }

  /** The client is in, or it never will be. */
  decided(): void {
    this.isPending = false;
    this.#decided?.();
    this.#decided = undefined;
  }
}
