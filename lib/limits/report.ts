// Reports what a limit has refused: a counter of `app.io.stats().limited`, and a log line that repeats are summed up in.
import type { IncomingMessage } from 'node:http';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { clientAddress } from '../client-address';
import { type ClientLog, clientLogOf } from '../client-log';
import { limits } from '../diagnostics';
import type { LimitError } from '../errors';
import { type LimitedStats, statsOf } from '../stats';

const debug = debuglog('egg-socket.io:limits');

export class LimitReport {
  constructor(
    private readonly app: Application,
    private readonly counts: LimitedStats,
    private readonly log: Pick<ClientLog, 'warn'>,
  ) {}

  /** @param io - `app.io`, which may not be readable yet */
  static of(app: Application, io: object): LimitReport {
    return new LimitReport(app, statsOf(io).limited, clientLogOf(app));
  }

  /** Counts and publishes, without a log line. */
  count(limit: keyof LimitedStats, request?: IncomingMessage): void {
    this.counts[limit]++;
    if (limits.hasSubscribers) limits.publish({ app: this.app, limit, request });
  }

  /** Counts an error that is about to be thrown, which is logged as any error of an event or of a connection. Returns it. */
  refused(limit: keyof LimitedStats, err: LimitError, request: IncomingMessage): LimitError {
    this.count(limit, request);
    debug('%s: %s', limit, err.message);
    return err;
  }

  /**
   * Counts, publishes and logs.
   *
   * @param request - the handshake of the client
   * @param what - what the limit allows, such as `100 namespaces of one connection`
   */
  limited(limit: keyof LimitedStats, request: IncomingMessage, what: string): void {
    this.count(limit, request);
    debug('%s: a client has exceeded %s', limit, what);
    this.log.warn(
      `limit ${limit}`,
      `a client has exceeded ${what} (client ${clientAddress(this.app, request)}). config.io.limits.${limit} sets the limit`,
    );
  }
}
