// Expiry: `config.io.expires` returns when the authentication of a client ends. At that time the client receives the event `expired`; after a
// grace period it is disconnected. One timer per worker serves all sockets.
import { AsyncResource } from 'node:async_hooks';
import { debuglog } from 'node:util';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import type { ErrorSource } from './error-response';
import { ConfigError, ExpiredError, isPromise } from './errors';
import { disconnectFor, emitToClient } from './internals/socketio';
import { hasClosed, unlessClosed } from './on-close';
import type { Counts } from './stats';

const debug = debuglog('egg-socket.io:expiry');

/**
 * What `config.io.expires` returns: a Date, or a number of ms since 1970 as `Date.now()` has it. The authentication does not end if it is
 * `undefined`, `null` or `Infinity`.
 */
export type FoundExpiry = Date | number | null | undefined;

/** Returns when the authentication of a client ends: `config.io.expires`. */
export type FindExpiry = (ctx: Context) => FoundExpiry | PromiseLike<FoundExpiry>;

/** `config.io.expires`, resolved. */
export interface ExpiryConfig {
  readonly at: FindExpiry;
  /** In ms. */
  readonly grace: number;
}

/** The reason of the disconnect. */
export const EXPIRED = 'expired';

/** 100,000,000,000 ms since 1970 is the year 1973. As seconds it is the year 5138: smaller numbers are seconds. */
const SMALLEST_TIME = 1e11;

const ALLOWED =
  'a Date, a number of ms since 1970 as Date.now() has it; undefined, null or Infinity if the authentication does not end';

/** The state of a socket, as far as its expiry needs it. */
interface Owner {
  readonly socket: Socket;
  readonly runtime: { readonly counts: Counts };
}

/** A socket whose authentication ends. */
interface Deadline {
  readonly owner: Owner;
  /** In ms since 1970. */
  readonly at: number;
  /** The number of the period at whose beginning the socket is visited next. */
  period: number;
}

/**
 * The expiries of an application, as a timer wheel: sockets are grouped by the period in which they are visited next, and one timer visits the
 * groups. Adding and removing a socket takes constant time.
 */
export class Expiry {
  /** The length of a period, in ms: a socket expires that late at most, and never early. */
  static resolution = 1_000;

  readonly #resolution = Expiry.resolution;
  readonly #deadlines = new Map<Owner, Deadline>();
  readonly #periods = new Map<number, Set<Deadline>>();
  /** The period that was visited last. */
  #visited = 0;
  #timer: NodeJS.Timeout | undefined;
  /** In the context of a client, the timer would keep that context, and other clients would expire in it. */
  readonly #noContext = new AsyncResource('egg-socket.io:expiry');

  constructor(
    private readonly config: ExpiryConfig,
    private readonly report: (source: ErrorSource, thrown: unknown) => void,
  ) {}

  /**
   * Calls `config.io.expires`. Resolves early if the connection closes meanwhile.
   *
   * @returns when the authentication ends, in ms since 1970, or Infinity
   * @throws {ConfigError} if the function does not return a time
   * @throws {ExpiredError} if the grace period has ended already
   */
  async find(ctx: Context, socket: Socket): Promise<number> {
    const { conn, nsp } = socket;
    const { at: find, grace } = this.config;
    if (hasClosed(conn)) return Infinity;
    const returned = find(ctx);
    const found = isPromise(returned)
      ? await unlessClosed(conn, returned, (thrown) => this.report({ socket }, thrown))
      : returned;
    const at = timeOf(found, find, nsp.name);
    if (at + grace <= Date.now()) throw new ExpiredError('the authentication has expired');
    return at;
  }

  /** Sets when the authentication of a socket ends, in ms since 1970. `Infinity`: it does not end. */
  set(owner: Owner, at: number): void {
    this.delete(owner);
    if (at === Infinity) return;
    debug('%s of %s expires at %d', owner.socket.id, owner.socket.nsp.name, at);
    const deadline = { owner, at, period: 0 };
    this.#deadlines.set(owner, deadline);
    if (this.#timer === undefined) this.#start();
    this.#schedule(deadline, at);
  }

  /** Must be called when a socket is released. */
  delete(owner: Owner): void {
    const deadline = this.#deadlines.get(owner);
    if (deadline === undefined) return;
    this.#deadlines.delete(owner);
    const group = this.#periods.get(deadline.period);
    group?.delete(deadline);
    if (group?.size === 0) this.#periods.delete(deadline.period);
    if (this.#deadlines.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Groups a socket with the others that are visited at this time. A time in the past is visited at the next period. */
  #schedule(deadline: Deadline, time: number): void {
    // The clock of the host may have been set back.
    this.#visited = Math.min(this.#visited, this.#current());
    deadline.period = Math.max(Math.ceil(time / this.#resolution), this.#visited + 1);
    const group = this.#periods.get(deadline.period);
    if (group === undefined) this.#periods.set(deadline.period, new Set([deadline]));
    else group.add(deadline);
  }

  #start(): void {
    this.#visited = this.#current();
    this.#noContext.runInAsyncScope(() => this.#wait());
  }

  /** The period that has begun last. */
  #current(): number {
    return Math.floor(Date.now() / this.#resolution);
  }

  #wait(): void {
    const delay = (this.#current() + 1) * this.#resolution - Date.now();
    this.#timer = setTimeout(() => this.#visit(), delay).unref();
  }

  #visit(): void {
    this.#timer = undefined;
    const current = this.#current();
    const begun = current - this.#visited;
    this.#visited = current;
    // After the host was suspended there are more periods than groups.
    const due =
      begun > this.#periods.size
        ? [...this.#periods.keys()].filter((period) => period <= current).sort((a, b) => a - b)
        : Array.from({ length: Math.max(0, begun) }, (_, i) => current - i).reverse();
    for (const period of due) this.#visitGroup(period);
    if (this.#deadlines.size > 0 && this.#timer === undefined) this.#wait();
  }

  #visitGroup(period: number): void {
    const group = this.#periods.get(period);
    if (group === undefined) return;
    this.#periods.delete(period);
    for (const deadline of group) {
      // The disconnect of another socket may have released it.
      if (this.#deadlines.get(deadline.owner) !== deadline) continue;
      try {
        this.#expire(deadline);
      } catch (thrown) {
        // A listener of the application has thrown.
        this.report(deadline.owner, thrown);
      }
    }
  }

  /** Sends the event `expired`, and disconnects the client if its grace period has ended. */
  #expire(deadline: Deadline): void {
    const { owner, at } = deadline;
    const { socket } = owner;
    if (!socket.connected) {
      // A later middleware of the namespace has not decided about the client yet.
      if (hasClosed(socket.conn)) this.delete(owner);
      else this.#schedule(deadline, 0);
      return;
    }
    const end = at + this.config.grace;
    const grace = Math.max(0, end - Date.now());
    debug('%s of %s has expired, grace %d ms', socket.id, socket.nsp.name, grace);
    // Also if the grace period has ended: a listener that throws may prevent the disconnect.
    this.#schedule(deadline, end);
    if (grace > 0) emitToClient(socket, EXPIRED, { grace });
    else disconnectExpired(owner);
  }
}

/** Disconnects a client whose authentication has ended. */
export function disconnectExpired({ socket, runtime }: Owner): void {
  try {
    emitToClient(socket, EXPIRED, { grace: 0 });
  } finally {
    disconnectFor(socket, EXPIRED);
    runtime.counts.of(socket).expired++;
  }
}

/** @throws {ConfigError} if it is not a time */
function timeOf(found: unknown, find: FindExpiry, namespace: string): number {
  if (found === undefined || found === null) return Infinity;
  const time = found instanceof Date ? found.getTime() : found;
  if (typeof time === 'number' && time >= SMALLEST_TIME) return time;
  const isSeconds = typeof time === 'number' && time > 0;
  const what =
    typeof time === 'number' ? `${time}${found instanceof Date ? ' (a Date)' : ''}` : `a value of type ${typeof time}`;
  throw new ConfigError(
    'config.io.expires',
    find,
    `a function that returns ${ALLOWED}`,
    `config.io.expires returned ${what} for a client of ${namespace}${isSeconds ? ': these are seconds, such as the exp of a JWT, so multiply by 1000' : ''}`,
  );
}
