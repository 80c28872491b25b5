// What the log says of an outage of Redis: each reason once, and what it has cost when it is over. Called by link.ts.

/** Where it is written: `app.coreLogger`. */
export interface RedisLog {
  error(message: unknown): void;
  warn(message: string): void;
  info(message: string): void;
}

/** How many different reasons are logged: of one outage, and of messages that can't be read. */
const MAX_REASONS = 10;

/** What ioredis says of a command for which there is no connection any more. */
const NO_CONNECTION = /^(Stream isn't writeable|Connection is closed)/;
const LOST = 'connection lost';

/** What a Redis before 7.0 says of sharded channels. */
const TOO_OLD = /^ERR unknown (command|subcommand) .*(s(un)?subscribe|spublish|shardnumsub)/i;
const SHARDED = "config.io.adapter 'redis-sharded' needs Redis 7.0 or later";
/** What a node of a Redis Cluster says to who takes it for the whole. */
const CROSS_SLOT = /^CROSSSLOT /;
export const IN_CLUSTER = 'it is a node of a Redis Cluster: set config.io.redis.cluster = true, and nodes';

/** Logs outages. No line contains the password. */
export class OutageLog {
  #reasons: Set<string> | undefined;
  #lost = 0;
  readonly #warned = new Set<string>();

  /**
   * @param log - `app.coreLogger`
   * @param name - which Redis, such as `127.0.0.1:6379`
   * @param password - what is never printed
   */
  constructor(
    private readonly log: RedisLog,
    private readonly name: string,
    private readonly password?: string | null,
  ) {}

  /**
   * A reason why broadcasts don't flow; ioredis repeats it with each attempt to connect.
   *
   * @param err - none: the connection is lost
   * @param retries - whether there is another attempt
   */
  failed(err?: Error, retries = true): void {
    const reason = err ? this.#reason(err) : LOST;
    this.#reasons ??= new Set();
    const reasons = this.#reasons;
    const known = reasons.has(reason) || reasons.size >= MAX_REASONS || (reason === LOST && reasons.size > 0);
    if (known) return;
    reasons.add(reason);
    this.log.error(
      `[egg-socket.io] Redis ${this.name}: ${reason}. Broadcasts reach the clients of this worker only${retries ? ', until a new attempt to connect succeeds' : ''}`,
    );
  }

  /** A message was not published. Why is in the log already: there is no outage without a reason. */
  lost(): void {
    this.#lost++;
  }

  /** A message was ignored. Who publishes one publishes many: each reason is logged once. */
  unreadable(err: Error): void {
    this.#warnOnce(
      `a message on the adapter's channels was ignored: ${this.#reason(err)}. Applications that share Redis and no rooms need different config.io.redis.key`,
    );
  }

  /** Something of the application can't be sent. */
  unsendable(what: string, err: Error): void {
    this.#warnOnce(`${what}: ${this.#reason(err)}`);
  }

  /** Broadcasts flow. */
  over(): void {
    if (this.#reasons === undefined) return;
    const line = `[egg-socket.io] Redis ${this.name}: connected`;
    if (this.#lost > 0) this.log.warn(`${line}; messages to other workers lost meanwhile: ${this.#lost}`);
    else this.log.info(line);
    this.#reasons = undefined;
    this.#lost = 0;
  }

  #warnOnce(warning: string): void {
    if (this.#warned.has(warning) || this.#warned.size >= MAX_REASONS) return;
    this.#warned.add(warning);
    this.log.warn(`[egg-socket.io] Redis ${this.name}: ${warning}`);
  }

  /** The message alone: ioredis keeps the arguments of a failed command, AUTH's among them, in the error. */
  #reason(err: Error & { code?: string; lastNodeError?: Error }): string {
    if (NO_CONNECTION.test(err.message)) return LOST;
    if (TOO_OLD.test(err.message)) return `${err.message.split(',', 1)[0]}: ${SHARDED}`;
    if (CROSS_SLOT.test(err.message)) return IN_CLUSTER;
    // Of a Redis Cluster none of the nodes can be asked: this is why.
    if (err.lastNodeError) return this.#reason(err.lastNodeError);
    // Where a host has several addresses, the error of all attempts has no message.
    const reason = err.message || err.code || err.name;
    return this.password ? reason.replaceAll(this.password, '***') : reason;
  }
}
