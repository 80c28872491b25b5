// The client of a Redis Cluster that subscribes to sharded channels. ioredis's own reconnects, too, but where it does so while
// it is connecting to a node it may wait for that node for ever: here each connection to the Cluster is a new client. Made by
// connect.ts.
import { EventEmitter } from 'node:events';
import type { Cluster } from 'ioredis';

const EVENTS = ['ready', 'close', 'error', 'subscribersReady', 'smessageBuffer'];

/** How long it waits before the next attempt, in ms; anything but a number: there is none. */
type RetryStrategy = (times: number) => unknown;

/** As much of a client as a link takes. */
export class RenewedCluster extends EventEmitter {
  readonly isCluster = true;

  #client: Cluster;
  #times = 0;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  /**
   * @param make - makes a client that does not reconnect
   * @param retry - as ioredis's `clusterRetryStrategy`
   */
  constructor(
    private readonly make: () => Cluster,
    private readonly retry: RetryStrategy,
  ) {
    super();
    this.#client = this.#open();
  }

  get status(): string {
    return this.#timer ? 'reconnecting' : this.#client.status;
  }

  ssubscribe(channel: string): Promise<unknown> {
    return this.#client.ssubscribe(channel);
  }

  sunsubscribe(channel: string): Promise<unknown> {
    return this.#client.sunsubscribe(channel);
  }

  nodes(): ReturnType<Cluster['nodes']> {
    return this.#client.nodes();
  }

  quit(): Promise<unknown> {
    this.#closing = true;
    return this.#client.quit();
  }

  disconnect(): void {
    this.#closing = true;
    clearTimeout(this.#timer);
    this.#client.disconnect();
    if (this.#timer) this.emit('end');
    this.#timer = undefined;
  }

  #open(): Cluster {
    const client = this.make();
    client.once('ready', () => {
      this.#times = 0;
    });
    for (const event of EVENTS) client.on(event, (...args) => this.emit(event, ...args));
    client.once('end', () => this.#ended());
    return client;
  }

  #ended(): void {
    const delay = this.#closing ? undefined : this.retry(++this.#times);
    if (typeof delay !== 'number') {
      this.emit('end');
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#client = this.#open();
    }, delay);
  }
}
