// The log of outages of Redis: each reason once, and at the end how many messages were lost.
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { outages } from '../../diagnostics';

export const debug = debuglog('egg-socket.io:redis');

/** How many different reasons are logged: of one outage, and of messages that are ignored. */
const MAX_REASONS = 10;
/** If no connection is lost (Redis refuses a command, say), an outage is over after that many ms without another failure. */
const CALM = 5000;

/** The errors of ioredis for a command whose connection is lost. */
const NO_CONNECTION = /^(Stream isn't writeable|Connection is closed)/;
const LOST = 'connection lost';
/** The error of ioredis after each round through the Sentinels, also if it was to none of them. */
const SENTINELS = /^All sentinels are unreachable\. Retrying from scratch after \d+ms\.( Last error: )?/;
/** The errors of a Redis before 7.0 for the commands of sharded channels. */
const TOO_OLD = /^ERR unknown (command|subcommand) .*(s(un)?subscribe|spublish|shardnumsub)/i;
const SHARDED = "config.io.adapter 'redis-sharded' needs Redis 7.0 or later";
/** The error of a node of a Redis Cluster for a client that does not know the other nodes. */
const CROSS_SLOT = /^CROSSSLOT /;
export const IN_CLUSTER = 'it is a node of a Redis Cluster: set config.io.redis.cluster = true, and nodes';

/** The error of a command that the rights of the user do not allow. */
const NO_PERMISSION = /^NOPERM /;
const ACL = 'docs/en/redis.md of egg-socket.io names the rights that the user of Redis needs';
/** How many channels of a refused command are logged. */
const MAX_CHANNELS = 3;

/** An error of ioredis. */
type CommandError = Error & {
  code?: string;
  lastNodeError?: Error;
  command?: { name: string; args: unknown[] };
};

/** Logs outages. No line contains the password. */
export class OutageLog {
  readonly logger: Application['coreLogger'];
  /** Resolves at the first connection or at the first failure. */
  readonly settled: Promise<true>;
  #settle = (_settled: true) => {};
  /** The reasons of the current outage. */
  #reasons: Set<string> | undefined;
  /** How many messages were not published in the current outage. */
  lost = 0;
  #closed = false;
  readonly #warned = new Set<string>();
  readonly #calm = setTimeout(() => this.recovered(), CALM).unref();

  /** @param isUp - whether messages are sent and received */
  constructor(
    private readonly app: Application,
    private readonly name: string,
    private readonly password: string | null | undefined,
    private readonly isUp: () => boolean,
  ) {
    this.logger = app.coreLogger;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /**
   * Logs a failure, once in an outage: ioredis repeats it at each attempt to connect.
   *
   * @param err - undefined if the connection was lost
   * @param retries - whether there is another attempt to connect
   */
  failed(err?: Error, retries = true): void {
    if (this.#closed) return;
    this.#settle(true);
    this.#calm.refresh();
    const reason = err ? this.#reason(err).replace(/\.$/, '') : LOST;
    if (reason === '') return;
    debug('%s failed: %s', this.name, reason);
    this.#reasons ??= new Set();
    const { size } = this.#reasons;
    if (this.#reasons.has(reason) || size >= MAX_REASONS || (reason === LOST && size > 0)) return;
    this.#reasons.add(reason);
    if (outages.hasSubscribers) outages.publish({ app: this.app, name: this.name, up: false, reason, lost: 0 });
    const effect = 'Broadcasts reach the clients of this worker only';
    const until = retries && !NO_PERMISSION.test(reason) ? ', until a new attempt to connect succeeds' : '';
    this.logger.error(`[egg-socket.io] Redis ${this.name}: ${reason}. ${effect}${until}`);
  }

  /** Logs the end of the outage, if messages are sent and received again. */
  recovered(): void {
    if (this.#closed || !this.isUp()) return;
    this.#settle(true);
    if (this.#reasons === undefined) return;
    if (outages.hasSubscribers) outages.publish({ app: this.app, name: this.name, up: true, lost: this.lost });
    const line = `[egg-socket.io] Redis ${this.name}: connected`;
    if (this.lost > 0) this.logger.warn(`${line}; messages to other workers lost in the meantime: ${this.lost}`);
    else this.logger.info(line);
    this.#reasons = undefined;
    this.lost = 0;
  }

  /** Logs that a message was ignored. */
  unreadable(err: Error): void {
    const advice = 'Applications that share Redis and no rooms need different config.io.redis.key';
    this.#warnOnce(`a message on the adapter's channels was ignored: ${this.#reason(err)}. ${advice}`);
  }

  /** Logs that a value of the application is not sent. */
  unsendable(problem: string, err: Error): void {
    this.#warnOnce(`${problem}: ${this.#reason(err)}`);
  }

  /** From now on a lost connection is no failure. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#calm);
  }

  #warnOnce(warning: string): void {
    debug('%s: %s', this.name, warning);
    if (this.#warned.has(warning) || this.#warned.size >= MAX_REASONS) return;
    this.#warned.add(warning);
    this.logger.warn(`[egg-socket.io] Redis ${this.name}: ${warning}`);
  }

  /** Returns the message alone: the error of a failed command has its arguments, and those of AUTH are the password. */
  #reason(err: CommandError): string {
    if (NO_CONNECTION.test(err.message)) return LOST;
    if (TOO_OLD.test(err.message)) return `${err.message.split(',', 1)[0]}: ${SHARDED}`;
    if (CROSS_SLOT.test(err.message)) return IN_CLUSTER;
    if (SENTINELS.test(err.message))
      return err.message.replace(SENTINELS, (_, last) => (last ? 'no Sentinel answers: ' : ''));
    if (NO_PERMISSION.test(err.message) && err.command) return `${err.message}: ${shown(err.command)}. ${ACL}`;
    // The reason why no node of a Redis Cluster can be reached.
    if (err.lastNodeError) return this.#reason(err.lastNodeError);
    // If a host has several addresses, the error of all attempts has no message.
    const reason = err.message || err.code || err.name;
    return this.password ? reason.replaceAll(this.password, '***') : reason;
  }
}

/** Returns a command and its channels or its key, without a message. */
function shown({ name, args }: { name: string; args: unknown[] }): string {
  const channels = /subscribe$/.test(name) ? args : args.slice(0, 1);
  const rest = channels.length - MAX_CHANNELS;
  const more = rest > 0 ? ` and ${rest} others` : '';
  return `${name.toUpperCase()} ${channels.slice(0, MAX_CHANNELS).join(' ')}${more}`;
}
