// How many events clients may send in a time: `config.io.limits.events` and `app.io.limit()`. The package rate-limiter-flexible counts, in
// the memory of a worker or in Redis for all workers. It is loaded when a limit is configured.

/** Whose events are counted together: those of a socket, of a user (`config.io.user`), or of an address. */
export type RateLimitKey = 'socket' | 'user' | 'address';

/** How many events may be sent. */
export interface RateLimit {
  /** How many events may be sent in `duration` ms. */
  points: number;
  /**
   * In ms. Redis counts in whole seconds: it is rounded up.
   *
   * @default 1000
   */
  duration?: number;
  /**
   * Whose events are counted together. A client without a user is counted by its address.
   *
   * @default 'socket'
   */
  by?: RateLimitKey;
}
