// Warns of connection chains that take long to admit or refuse their client. Without a warning such a client waits in silence.
import type { Context } from 'egg';

/** A warning about the same middleware of the same namespace is repeated after that many ms at the earliest. */
const WARNING_PERIOD = 60_000;

/** A client whose connection chain is running. */
interface WaitingClient {
  readonly ctx: Context;
  /** The step of the admission that has begun last, such as a middleware. */
  readonly step: string;
  /** Whether the client is connected, and its chain runs for `ctx.reauthenticate()`. */
  readonly isReauthentication?: boolean;
}

/** The slow connection chains of an application. */
export class SlowConnections {
  /** Until when a warning is not repeated, and how many of them were left out, by namespace and step. */
  readonly #warned = new Map<string, { until: number; omitted: number }>();

  /** @param limit - `config.io.slowConnection`, in ms */
  constructor(
    private readonly limit: number,
    private readonly log: { warn(message: string): void },
  ) {}

  /**
   * Warns if the returned timer is not cleared in time.
   *
   * @param namespace - the name of the namespace, or its pattern
   */
  watch(namespace: string, client: WaitingClient): NodeJS.Timeout {
    return setTimeout(() => this.#warn(namespace, client), this.limit).unref();
  }

  #warn(namespace: string, { ctx, step, isReauthentication }: WaitingClient): void {
    const key = `${namespace} ${step}`;
    const last = this.#warned.get(key);
    if (last !== undefined && performance.now() < last.until) {
      last.omitted++;
      return;
    }
    const others = last?.omitted ? `; ${last.omitted} other clients since the last warning` : '';
    this.#warned.set(key, { until: performance.now() + WARNING_PERIOD, omitted: 0 });
    const problem = isReauthentication
      ? `ctx.reauthenticate() of a client of ${namespace} has not ended`
      : `a client of ${namespace} is neither admitted nor refused`;
    this.log.warn(
      `[egg-socket.io] ${problem} after ${this.limit} ms: the last step of its connection chain that has begun is ${step} (client ${ctx.ip}${others}). Middleware must call next(), return or throw. config.io.slowConnection sets the limit`,
    );
  }
}
