// Warns of connection chains that take long to admit or refuse their client. Without a warning such a client waits in silence.
import type { Context } from 'egg';
import type { ClientLog } from './client-log';

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
  /** @param limit - `config.io.slowConnection`, in ms */
  constructor(
    private readonly limit: number,
    private readonly clientLog: ClientLog,
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
    const problem = isReauthentication
      ? `ctx.reauthenticate() of a client of ${namespace} has not ended`
      : `a client of ${namespace} is neither admitted nor refused`;
    this.clientLog.warn(
      `slow connection ${namespace} ${step} ${isReauthentication}`,
      `${problem} after ${this.limit} ms: the last step of its connection chain that has begun is ${step} (client ${ctx.ip}). Middleware must call next(), return or throw. config.io.slowConnection sets the limit`,
    );
  }
}
