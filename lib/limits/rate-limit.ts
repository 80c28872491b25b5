// How many events clients may send in a time: `config.io.limits.events` and `app.io.limit()`. The package rate-limiter-flexible counts, in
// the memory of a worker or in Redis for all workers. It is loaded when a limit is configured.
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io';
import { networkOf } from '../client-address';
import { clientLogOf } from '../client-log';
import { limits, untraced } from '../diagnostics';
import { ConfigError, LimitError } from '../errors';
import { statsOf } from '../stats';
import type { Middleware } from '../types/context';
import { userRoomOf } from '../users';

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

/** A client of ioredis, and what stands before its keys. */
export interface CountingRedis {
  readonly client: {
    on(event: 'error', listener: (err: Error) => void): unknown;
    disconnect(): void;
  };
  readonly prefix: string;
}

/** A limiter of rate-limiter-flexible. */
interface Counter {
  /** Rejects with `{ msBeforeNext }` if the points are used up. */
  consume(key: string): Promise<unknown>;
  delete(key: string): unknown;
}

interface CounterOptions {
  points: number;
  /** In seconds. */
  duration: number;
  keyPrefix?: string;
}

/** What is used of rate-limiter-flexible. Its own types would be required for compiling any application. */
interface Package {
  readonly RateLimiterMemory: new (options: CounterOptions) => Counter;
  readonly RateLimiterRedis: new (
    options: CounterOptions & {
      storeClient: object;
      insuranceLimiter: Counter;
      rejectIfRedisNotReady: boolean;
      inMemoryBlockOnConsumed: number;
    },
  ) => Counter;
}

const PACKAGE = 'rate-limiter-flexible';

/** The rate limits of one application. */
export class RateLimits {
  #package: Package | undefined;
  /** Undefined until the first event is counted. */
  #redis: { readonly found: CountingRedis | undefined } | undefined;
  /** How many limits have no name of their own. */
  #unnamed = 0;

  /**
   * @param connect - returns a client of Redis, or undefined if each worker counts for itself
   * @param check - checks what is passed to `app.io.limit()`, and completes it
   */
  constructor(
    private readonly app: Application,
    private readonly connect: () => CountingRedis | undefined,
    private readonly check: (where: string, limit: unknown) => Required<RateLimit>,
  ) {}

  /** `app.io.limit()` */
  middleware(options: RateLimit): Middleware {
    const where = 'app.io.limit()';
    const count = this.create(where, this.check(where, options));
    // app.io.routes() returns the name of the function.
    const limit: Middleware = async (ctx, next) => {
      try {
        await count(ctx, ctx.socket);
      } catch (err) {
        if (err instanceof LimitError) {
          statsOf(this.app.io).limited.routes++;
          if (limits.hasSubscribers) {
            limits.publish({ app: this.app, limit: 'routes', request: ctx.socket.request });
          }
        }
        throw err;
      }
      return next();
    };
    return limit;
  }

  /**
   * Returns a function that counts an event.
   *
   * @param where - the key or the call that sets the limit, for messages
   * @param name - what distinguishes its keys in Redis. Default: a number, which is the same in all workers that run the same code
   * @throws {ConfigError} if rate-limiter-flexible is not installed
   */
  create(where: string, limit: Required<RateLimit>, name?: string): CountEvent {
    this.#package ??= loadPackage(where, limit, this.app.baseDir);
    const { points, duration, by } = limit;
    const id = `${name ?? `limit-${++this.#unnamed}`}:${by}:${points}:${duration}`;
    let counter: Counter | undefined;
    // A client may connect to a namespace again and again: what is counted for a socket must not stay until the duration is over.
    const counted = new WeakSet<Socket>();
    const forget = function (this: Socket) {
      counter?.delete(this.id);
    };
    return async (ctx, socket) => {
      // Not earlier: the function config.io.redis may not have been called.
      counter ??= this.#counter(limit, id);
      if (by === 'socket' && !counted.has(socket)) {
        counted.add(socket);
        socket.once('disconnect', forget);
      }
      try {
        await counter.consume(keyOf(by, ctx, socket));
      } catch (rejected) {
        throw rateLimited(rejected);
      }
    };
  }

  /** Closes the connection to Redis. */
  close(): void {
    this.#redis?.found?.client.disconnect();
  }

  #counter({ points, duration, by }: Required<RateLimit>, id: string): Counter {
    const { RateLimiterMemory, RateLimiterRedis } = this.#package as Package;
    const memory = new RateLimiterMemory({ points, duration: duration / 1000 });
    // All events of a socket are handled by this worker.
    if (by === 'socket') return memory;
    this.#redis ??= { found: this.#connect() };
    const { found } = this.#redis;
    if (found === undefined) return memory;
    const counter = new RateLimiterRedis({
      points,
      duration: Math.ceil(duration / 1000),
      keyPrefix: `${found.prefix}:limit:${id}`,
      storeClient: found.client,
      rejectIfRedisNotReady: true,
      // While Redis is unreachable, each worker counts for itself.
      insuranceLimiter: memory,
      // Further events of the client cause no more commands.
      inMemoryBlockOnConsumed: points,
    });
    return {
      consume: (key) => untraced(() => counter.consume(key)),
      delete: (key) => untraced(() => counter.delete(key)),
    };
  }

  #connect(): CountingRedis | undefined {
    const found = this.connect();
    found?.client.on('error', ({ message }) => {
      clientLogOf(this.app).warn(
        'limits without Redis',
        `Redis is unreachable: each worker counts events for itself (${message})`,
      );
    });
    return found;
  }
}

/**
 * Counts an event of a socket.
 *
 * @throws {LimitError} if there were too many
 */
export type CountEvent = (ctx: Context, socket: Socket) => Promise<void>;

/** Returns what the events are counted under. */
function keyOf(by: RateLimitKey, ctx: Context, socket: Socket): string {
  if (by === 'socket') return socket.id;
  const user = by === 'user' ? userRoomOf(socket.rooms) : undefined;
  return user ?? networkOf(ctx.ip);
}

function rateLimited(rejected: unknown): unknown {
  const { msBeforeNext } = (rejected ?? {}) as { msBeforeNext?: unknown };
  if (typeof msBeforeNext !== 'number') return rejected;
  const retryAfter = Math.max(1, Math.ceil(msBeforeNext));
  return new LimitError(`too many events: try again in ${retryAfter} ms`, 'RATE_LIMITED', { retryAfter });
}

/** Loads the package from the dependencies of the application, or from those of the plugin. */
function loadPackage(where: string, limit: object, baseDir: string): Package {
  const failures: string[] = [];
  for (const file of [path.join(baseDir, 'package.json'), __filename]) {
    try {
      return createRequire(file)(PACKAGE);
    } catch (err) {
      failures.push((err as Error).message.split('\n', 1)[0] as string);
    }
  }
  const problem = `${where} needs the package ${PACKAGE}: run "npm install ${PACKAGE}". ${failures[0]}`;
  throw new ConfigError(where, limit, 'a limit if the package is installed', problem);
}
