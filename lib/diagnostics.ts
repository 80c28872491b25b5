// The diagnostics channels: what happens to the connections and events of a worker, for tracing, metrics and logs. Without subscribers,
// publishers read a flag and create nothing.
import { AsyncResource } from 'node:async_hooks';
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { Application, Context } from 'egg';
import type { Server, Socket } from 'socket.io';
import type { BroadcastOptions } from 'socket.io-adapter';

/** What has become of an event. */
export type EventOutcome =
  /** Its handler or a listener has run, and nothing was thrown. */
  | 'ok'
  /** A middleware, the handler or a limit has thrown, or `config.io.ackTimeout` was up. */
  | 'error'
  /** The event has neither a route nor a listener. */
  | 'no route'
  /** A middleware has not called `next()`, and nothing was thrown. */
  | 'swallowed';

/** The message of `tracing:egg-socket.io:event:*`. One object for all channels of an event. */
export interface EventMessage {
  readonly ctx: Context;
  readonly socket: Socket;
  /** The name of the namespace, or its pattern: `/room/:id`. */
  readonly namespace: string;
  /** The event as the client has sent it: any text, with some parsers any value. */
  readonly event: unknown;
  /** The route of the event: its name, or `'*'`. Undefined if it has none. */
  route: string | undefined;
  /** Whether it is `connect`, `disconnecting`, `disconnect` or `error`, which no client sends. Only routed ones are published. */
  readonly isSystem: boolean;
  /** Undefined until the event has ended. */
  outcome?: EventOutcome;
  /** What was thrown, as the application has thrown it. */
  error?: unknown;
  /** The id of its trace, for logs. A subscriber that traces sets it in the part `start`. */
  traceId?: string;
}

/** What has become of a connection to a namespace. */
export type ConnectionOutcome =
  | 'admitted'
  /** Admitted with its previous state and without the connection middleware: `skipMiddlewares` of `connectionStateRecovery`. */
  | 'recovered'
  /** A middleware has thrown, or has disconnected the client. */
  | 'refused'
  /** The client has disconnected before the decision. */
  | 'left';

/** The message of `tracing:egg-socket.io:connection:*`. One object for all channels of an admission. */
export interface ConnectionMessage {
  readonly ctx: Context;
  readonly socket: Socket;
  /** The name of the namespace, or its pattern. */
  readonly namespace: string;
  /** Undefined until it is decided. */
  outcome?: ConnectionOutcome;
  /** What was thrown. */
  error?: unknown;
  /** The id of its trace, for logs. A subscriber that traces sets it in the part `start`. */
  traceId?: string;
}

/** The message of `egg-socket.io:disconnect`. */
export interface DisconnectMessage {
  readonly socket: Socket;
  /** The name of the namespace, or its pattern. */
  readonly namespace: string;
  /** Socket.IO's reason, such as `transport close`, or `expired`. */
  readonly reason: string;
  /** How long ago the client has asked for the namespace, in ms: its admission is included. */
  readonly duration: number;
}

/** The message of `egg-socket.io:refusal`. */
export interface RefusalMessage {
  readonly app: Application;
  /** What has refused the client: Engine.IO, the lookup of the namespace, or the admission to the namespace. */
  readonly stage: 'handshake' | 'namespace' | 'admission';
  /** The request of the client. Undefined if it was too broken to read. */
  readonly request: IncomingMessage | undefined;
  /** Why, in one line. It may contain what the client has sent. */
  readonly reason: string;
  /** The name of the namespace, or its pattern. Undefined if there is none. */
  readonly namespace?: string | undefined;
  /** The name that the client has asked for, if there is no such namespace. */
  readonly requested?: string;
  /** The next three are set in the stage `admission`. `ctx` is undefined if the application's `createContext` has failed. */
  readonly socket?: Socket;
  readonly ctx?: Context | undefined;
  readonly error?: unknown;
}

/** The message of `egg-socket.io:limit`. */
export interface LimitMessage {
  readonly app: Application;
  /** The key of `config.io.limits`, or `routes` for `app.io.limit()`. */
  readonly limit: string;
  /** The handshake of the client. Undefined for `packetsPerTurn`. */
  readonly request: IncomingMessage | undefined;
}

/** The message of `egg-socket.io:broadcast`. The names of rooms are not published: those of users are secret. */
export interface BroadcastMessage {
  /** The `app.io` that broadcasts. Undefined in the agent. */
  readonly server: Server | undefined;
  /** The name of the namespace, or its pattern. */
  readonly namespace: string;
  readonly event: unknown;
  /** How many rooms are addressed. 0: the whole namespace. */
  readonly rooms: number;
  /** How many rooms are left out. */
  readonly except: number;
  /** Whether it is for the clients of this worker alone. */
  readonly isLocal: boolean;
  /** Whether clients acknowledge it. */
  readonly withAck: boolean;
  /**
   * What a subscriber sets is sent to the other workers with the broadcast, and never to clients: the fields of a trace context, such as
   * `traceparent`. See `Carrier` for the limits.
   */
  carrier?: Carrier;
}

/**
 * The fields of a trace context. At most 8 fields are sent. The name of a field begins with a letter and has at most 64 letters, digits,
 * `-` and `_`; its value has at most 512 characters. Other fields are dropped.
 */
export type Carrier = Record<string, string>;

/**
 * The message of `tracing:egg-socket.io:delivery:start`, `:end` and `:error`: a broadcast of another worker, or of the agent, is delivered to
 * the clients of this worker.
 */
export interface DeliveryMessage {
  /** The `app.io` that delivers. */
  readonly server: Server;
  /** The name of the namespace, or its pattern. */
  readonly namespace: string;
  /** The event. It is decoded when it is read. Undefined if the other worker has sent none. */
  readonly event: unknown;
  /** How many rooms are addressed. 0: the whole namespace. */
  readonly rooms: number;
  /** How many rooms are left out. */
  readonly except: number;
  /** What a subscriber of the other worker has set. */
  readonly carrier: Readonly<Carrier> | undefined;
  /** What an adapter has thrown. */
  error?: unknown;
}

/** The message of `egg-socket.io:adapter-outage`. */
export interface OutageMessage {
  /** The application whose worker has lost the connection. */
  readonly app: Application;
  /** What is not reachable: `127.0.0.1:6379`, or `worker 4711`, another worker of the host by its process id. */
  readonly name: string;
  /** False: the outage begins, or has another reason. True: it has ended. */
  readonly up: boolean;
  /** Why, without passwords. Undefined if `up` is true. */
  readonly reason?: string;
  /** How many messages to other workers were not sent because of the outage. 0 until it has ended. */
  readonly lost: number;
}

/** A channel that publishes messages of one type. */
interface TypedChannel<Message> {
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
}

const typed = <Message>(name: string): TypedChannel<Message> => channel(name);

export const CONNECTION = 'egg-socket.io:connection';
export const EVENT = 'egg-socket.io:event';
export const DELIVERY = 'egg-socket.io:delivery';
export const DISCONNECT = 'egg-socket.io:disconnect';
export const REFUSAL = 'egg-socket.io:refusal';
export const BROADCAST = 'egg-socket.io:broadcast';
export const OUTAGE = 'egg-socket.io:adapter-outage';

export const connections = tracingChannel<unknown, ConnectionMessage>(CONNECTION);
export const events = tracingChannel<unknown, EventMessage>(EVENT);
export const deliveries = tracingChannel<unknown, DeliveryMessage>(DELIVERY);
export const disconnects = typed<DisconnectMessage>(DISCONNECT);
export const refusals = typed<RefusalMessage>(REFUSAL);
export const limits = typed<LimitMessage>('egg-socket.io:limit');
export const broadcasts = typed<BroadcastMessage>(BROADCAST);
export const outages = typed<OutageMessage>(OUTAGE);

/** The channels of an operation, each with a flag. Node 18 has no flag for all of them. */
interface Traceable {
  readonly start: { readonly hasSubscribers: boolean };
  readonly end: { readonly hasSubscribers: boolean };
  readonly asyncStart: { readonly hasSubscribers: boolean };
  readonly asyncEnd: { readonly hasSubscribers: boolean };
  readonly error: { readonly hasSubscribers: boolean };
}

/** Whether one of the channels of an operation has subscribers or bound stores. */
export function isTraced({ start, end, asyncStart, asyncEnd, error }: Traceable): boolean {
  return (
    start.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    error.hasSubscribers
  );
}

/** Traces the admission of a client. `run` sets outcome and error of the message. Rejects with what `run` rejects with. */
export function traceConnection(message: ConnectionMessage, run: () => Promise<void>): Promise<void> {
  return trace((fn) => connections.tracePromise(fn, message), message, run);
}

/** Traces an event. `run` sets outcome and error of the message. Rejects with what `run` rejects with. */
export function traceEvent(message: EventMessage, run: () => Promise<void>): Promise<void> {
  return trace((fn) => events.tracePromise(fn, message), message, run);
}

/**
 * Under which a subscriber of a start channel sets a function that calls the operation and returns its promise. The context manager of
 * OpenTelemetry calls a function in a context, and hides the AsyncLocalStorage that `bindStore()` would need.
 */
export const AROUND = Symbol('egg-socket.io:around');

interface Traced {
  error?: unknown;
  [AROUND]?: (run: () => Promise<void>) => Promise<void>;
}

/**
 * Calls `run` at once, in the async context that stores bound to the start channel have. An operation whose error was handled
 * fulfils: the traced promise rejects nevertheless, so that the error channel is published.
 */
async function trace(
  tracePromise: (fn: () => Promise<void>) => PromiseLike<unknown>,
  message: Traced,
  run: () => Promise<void>,
): Promise<void> {
  let running: Promise<void> | undefined;
  await tracePromise(async () => {
    running = message[AROUND]?.(run) ?? run();
    await running;
    if ('error' in message) throw message.error;
  }).then(undefined, () => {});
  return running;
}

/** Made at boot, when no event is being handled. */
const NO_EVENT = new AsyncResource('egg-socket.io:untraced');

/**
 * Calls a function outside of the async context of an event. For commands to Redis: an instrumentation of ioredis would add them to the trace
 * of the event with channels and keys, which contain the names of rooms and of users.
 */
export function untraced<Result>(send: () => Result): Result {
  return NO_EVENT.runInAsyncScope(send);
}

/** Traces the delivery of a broadcast of another worker. Returns what `deliver` returns, and throws what it throws. */
export function traceDelivery<Result>(message: DeliveryMessage, deliver: () => Result): Result {
  return deliveries.traceSync(deliver, message);
}

/**
 * Publishes a broadcast. The caller checks that there are subscribers.
 *
 * @returns what a subscriber has set, for the other workers
 */
export function publishBroadcast(
  server: Server | undefined,
  namespace: string,
  event: unknown,
  { rooms, except, flags }: BroadcastOptions,
  withAck: boolean,
): Carrier | undefined {
  const isLocal = flags?.local === true;
  const target = { rooms: rooms.size, except: except?.size ?? 0, isLocal };
  const message: BroadcastMessage = { server, namespace, event, ...target, withAck };
  broadcasts.publish(message);
  return isLocal ? undefined : carrierOf(message.carrier);
}

const MAX_FIELDS = 8;
const FIELD_NAME = /^[a-z][\w-]{0,63}$/i;
const MAX_FIELD_LENGTH = 512;

/** Returns the valid fields of a carrier, which a subscriber or another worker has set. Undefined if there are none. */
export function carrierOf(value: unknown): Carrier | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Array<[string, string]> = [];
  for (const [name, field] of Object.entries(value)) {
    if (typeof field !== 'string' || field.length > MAX_FIELD_LENGTH || !FIELD_NAME.test(name)) continue;
    if (fields.push([name, field]) === MAX_FIELDS) break;
  }
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
}

/** The subscriptions of one subscriber. What it throws is passed to `failed`: Node reports it as an uncaught exception, which ends a worker. */
export class Subscriptions {
  readonly #all: Array<[name: string, subscriber: (message: unknown) => void]> = [];

  constructor(private readonly failed: (thrown: unknown) => void) {}

  /** @param name - the name of a channel. That of a part of a tracing channel begins with `tracing:` */
  add<Message>(name: string, handle: (message: Message) => void): this {
    const subscriber = (message: unknown) => {
      try {
        handle(message as Message);
      } catch (thrown) {
        this.failed(thrown);
      }
    };
    subscribe(name, subscriber);
    this.#all.push([name, subscriber]);
    return this;
  }

  end(): void {
    for (const [name, subscriber] of this.#all.splice(0)) unsubscribe(name, subscriber);
  }
}
