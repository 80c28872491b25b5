// The connection of a worker to Redis: a client that publishes, one that subscribes and, with streams, one that reads. It is up if each
// of them works. Failures are logged and never thrown.
import type { Application } from 'egg';
import type { Cluster, Redis } from 'ioredis';
import type { AdapterMessages, AdapterState } from '../../health';
import { debug, OutageLog } from './outage-log';
import { Probe, type ProbeOptions } from './probe';
import { type Count, Publisher, waitFor } from './publisher';
import { Subscriber } from './subscriber';

/** The clients of a connection, connecting or connected. */
export interface Clients {
  pub: Redis;
  /** Whether `pub` is closed with the connection. A client of egg-redis is not. */
  ownsPub: boolean;
  sub: Redis;
  /** Creates the next `sub` if it does not reconnect by itself, after `delay` ms. There is none if that is not a number. */
  next?: { sub: () => Redis; delay: (attempt: number) => unknown };
  /** For the log, such as `127.0.0.1:6379`. */
  name: string;
  /** Never logged. */
  password?: string | null;
}

/** One side of a connection: the work of one client. */
interface Side {
  readonly up: boolean;
  /** How many messages were received. Undefined for one that receives none. */
  readonly received?: number;
  /** Called when the client is connected. */
  restore?(): void;
  /** Called when the connection of the client is lost. */
  reset(): void;
}

/** How long closing waits for Redis, in ms. */
const CLOSE_TIMEOUT = 1000;

/** A connection to Redis that is restored after each outage. */
export class RedisConnection {
  readonly log: OutageLog;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
  readonly #sides: Side[] = [];
  readonly #probe: Probe;
  /** Called when the connection is closed. */
  readonly cleanups: Array<() => void> = [];
  #isClosed = false;
  readonly #noAnswer: string;
  /** Attempts to connect since the subscriber was connected. */
  #attempts = 0;
  #state: AdapterState = { up: false, since: Date.now() };

  constructor(
    private readonly clients: Clients,
    app: Application,
    private readonly options: ProbeOptions,
  ) {
    const { pub, sub, name, password } = clients;
    const { healthTimeout } = options;
    this.#noAnswer = `no answer for ${healthTimeout} ms`;
    this.log = new OutageLog(app, name, password, () => this.#confirmUp());
    this.publisher = new Publisher(pub, this.log, healthTimeout, () => this.#renew(this.#noAnswer));
    this.subscriber = new Subscriber(this.log, healthTimeout, () => this.#reconnect(this.clients.sub, this.#noAnswer));
    this.add(this.publisher, pub);
    this.add(this.subscriber, sub);
    this.#probe = new Probe(this.publisher, this.subscriber, options, {
      isConnected: () => this.#isConnected,
      failed: (reason) => {
        this.#noteState();
        this.#renew(reason);
      },
      recovered: () => this.log.recovered(),
    });
    this.cleanups.push(() => this.#probe.stop());
  }

  /** Whether messages are sent and received. */
  get up(): boolean {
    return this.#isConnected && this.#probe.isHealthy;
  }

  /** Whether messages are sent and received, and since when. */
  get state(): AdapterState {
    this.#noteState();
    return this.#state;
  }

  get messages(): AdapterMessages {
    const { sent, lost } = this.publisher;
    return { sent, lost, received: this.#sides.reduce((sum, { received = 0 }) => sum + received, 0) };
  }

  /** @throws {Error} if other workers cannot be asked */
  assertUp(): void {
    if (this.up) return;
    throw new Error(`[egg-socket.io] Redis ${this.clients.name} is not connected: other workers can't be asked`);
  }

  /**
   * During an outage, calls the acknowledgement of `serverSideEmit`, if there is one, with an error. Returns whether it did.
   *
   * @param packet - the event and its arguments
   */
  rejectEmit(packet: unknown[]): boolean {
    const ack = packet.at(-1);
    if (typeof ack !== 'function') return false;
    try {
      this.assertUp();
      return false;
    } catch (err) {
      ack(err, []);
      return true;
    }
  }

  /** Adds a side. From now on the connection is up only if the side is. */
  add(side: Side, client: Redis): void {
    this.#sides.push(side);
    this.#listen(client, side);
  }

  /**
   * Returns how many workers subscribe to a channel. Socket.IO does not catch an error, so the count is infinite if Redis does not
   * answer within `timeout` ms, and the request of the caller ends by its own timeout. The same if it counts none: this worker
   * subscribes as well, so Redis has lost subscriptions.
   */
  async count(channel: string, timeout: number, command?: Count): Promise<number> {
    const unknown = Number.POSITIVE_INFINITY;
    if (!this.up) return unknown;
    try {
      return (await waitFor(this.publisher.count(channel, command), timeout)) || unknown;
    } catch (err) {
      this.log.failed(err as Error);
      return unknown;
    }
  }

  /** Waits for the first connection or the first failure, that many ms at most. */
  async settled(ms: number): Promise<void> {
    if (!(await waitFor(this.log.settled, ms))) this.log.failed(new Error(`no answer for ${ms} ms`));
  }

  /** Closes the clients, by force if Redis does not answer. */
  async close(): Promise<void> {
    this.log.close();
    this.#isClosed = true;
    for (const cleanup of this.cleanups) cleanup();
    this.publisher.reset();
    const { pub, sub, ownsPub } = this.clients;
    await Promise.all((ownsPub ? [pub, sub] : [sub]).map(quit));
  }

  /** Whether each client is connected and does its work. */
  get #isConnected(): boolean {
    return this.#sides.every(({ up }) => up);
  }

  /** Returns whether messages are sent and received. If that is unknown, a probe is sent, which calls `log.recovered` when it comes back. */
  #confirmUp(): boolean {
    if (this.#isConnected && !this.#probe.isHealthy) this.#probe.send();
    this.#noteState();
    return this.up;
  }

  /** Must be called when the connection may have been lost or restored. */
  #noteState(): void {
    const { up } = this;
    if (up !== this.#state.up) this.#state = { up, since: Date.now() };
  }

  /** Replaces the connections, long before TCP gives up. With Sentinel, the new ones are to the current master. */
  #renew(reason: string): void {
    const { pub, sub } = this.clients;
    for (const client of [pub, sub]) this.#reconnect(client, reason);
  }

  /** A client of egg-redis is left alone. */
  #reconnect(client: Redis, reason: string): void {
    if (this.#isClosed) return;
    const { pub, ownsPub } = this.clients;
    this.log.failed(new Error(reason));
    if (client !== pub || ownsPub) reconnect(client);
    else if (client.isCluster) this.publisher.reset();
  }

  #listen(client: Redis, side: Side): void {
    const { pub, ownsPub } = this.clients;
    let handshake: NodeJS.Timeout | undefined;
    const listeners: Record<string, (err: Error) => void> = {
      connect: () => {
        // ioredis waits for the answers to AUTH and INFO forever.
        const check = () => client.status === 'connect' && this.#reconnect(client, this.#noAnswer);
        handshake = setTimeout(() => setImmediate(check), this.options.healthTimeout).unref();
      },
      ready: () => {
        debug('%s connected', side.constructor.name);
        clearTimeout(handshake);
        if (side === this.subscriber) this.#attempts = 0;
        side.restore?.();
        this.log.recovered();
      },
      close: () => {
        debug('%s disconnected', side.constructor.name);
        clearTimeout(handshake);
        side.reset();
        this.#probe.reset();
        this.#noteState();
        this.log.failed();
      },
      error: (err) => this.log.failed(err),
      end: () => this.#ended(client),
    };
    if (side === this.subscriber) this.subscriber.use(client);
    for (const [event, listener] of Object.entries(listeners)) {
      client.on(event, listener);
      if (client === pub && !ownsPub) this.cleanups.push(() => client.off(event, listener));
    }
    // A client of the application may wait for its first command. Its errors are emitted as well.
    if (client.status === 'wait') client.connect().catch(() => {});
  }

  #ended(client: Redis): void {
    const { sub, next } = this.clients;
    const ms = client === sub ? next?.delay(++this.#attempts) : undefined;
    const connect = () => {
      if (next === undefined || this.#isClosed) return;
      this.clients.sub = next.sub();
      this.#listen(this.clients.sub, this.subscriber);
    };
    if (typeof ms === 'number') setTimeout(connect, ms).unref();
    else this.log.failed(new Error('no connection, and no new attempt'), false);
  }
}

/** Closes the connections of a client, if it has any, and has it connect anew. */
export function reconnect(client: Redis): void {
  // In other states ioredis connects by itself; with Sentinel it would give up for good.
  if (client.status !== 'ready' && client.status !== 'connect') return;
  const nodes = nodesOf(client);
  client.disconnect(true);
  // The other side may never close it.
  for (const node of nodes) node.stream?.destroy();
}

async function quit(client: Redis): Promise<void> {
  if (client.status === 'end') return;
  const ended = new Promise<true>((resolve) => client.once('end', () => resolve(true)));
  const nodes = nodesOf(client);
  if (client.status === 'ready') client.quit().catch(() => {});
  else client.disconnect();
  if (await waitFor(ended, CLOSE_TIMEOUT)) return;
  client.disconnect();
  for (const node of nodes) node.stream?.destroy();
}

function nodesOf(client: Redis): Redis[] {
  return client.isCluster ? (client as unknown as Cluster).nodes() : [client];
}
