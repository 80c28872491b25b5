// The access log: one line for each connection to a namespace, for each event and for each disconnect. Subscribes to the diagnostics channels.
import { AsyncResource } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io';
import { clientAddress } from './client-address';
import { MAX_NAME, oneLine } from './client-log';
import {
  CONNECTION,
  type ConnectionMessage,
  DISCONNECT,
  type DisconnectMessage,
  EVENT,
  type EventMessage,
  REFUSAL,
  type RefusalMessage,
  Subscriptions,
} from './diagnostics';
import { plainMessage, toError } from './errors';
import { stateOf } from './socket-state';

/** What a line of the access log is made of. */
export interface AccessEntry {
  readonly kind: 'connect' | 'event' | 'disconnect';
  /** The user that `config.io.user` has found, or `ctx.userId`. Undefined if there is none. */
  readonly user: string | undefined;
  /** The address of the client, as `ctx.ip`. */
  readonly address: string;
  /** The name of the namespace, at most 100 characters. */
  readonly namespace: string;
  /** The name of an event, at most 100 characters. It may contain anything: the client has chosen it. */
  readonly event: string | undefined;
  /**
   * Of a connection: `admitted`, `recovered`, `left`, or `refused` with the code or the message of the error. Of an event: `ok`, `no route`,
   * `swallowed`, or `error` with the code of the error, or with its name. Of a disconnect: its reason.
   */
  readonly outcome: string;
  /** Of a connection: until it was decided. Of an event: until its chain has ended. Of a disconnect: since the client has asked for the namespace. In ms. */
  readonly duration: number;
  /** `ctx.tracer.traceId`, as in Egg's logs, or the id of the OpenTelemetry trace. */
  readonly traceId: string | undefined;
  /** What was thrown. */
  readonly error: unknown;
  /** The arguments are `ctx.args`. Undefined for disconnects and for clients that are refused before their connection chain. */
  readonly ctx: Context | undefined;
}

/** Returns a line, or a value that is no string to log nothing. */
export type AccessLine = (entry: AccessEntry) => unknown;

/** Writes one line. */
interface AccessLogger {
  info(line: string): void;
  error(err: unknown): void;
}

/** The logger of an application that gets the lines, if `config.customLogger` has it. */
const LOGGER = 'ioAccessLogger';

/**
 * Starts the access log of an application. Returns a function that ends it.
 *
 * @param line - `config.io.accessLog`
 */
export function startAccessLog(app: Application, line: AccessLine | true): () => void {
  const logger = (app.getLogger(LOGGER) as AccessLogger | undefined) ?? app.logger;
  const log = new AccessLog(app, line === true ? defaultLine : line, logger);
  // The members of an error that was thrown may throw as well.
  const subscriptions = new Subscriptions((thrown) => logger.error(thrown))
    .add<ConnectionMessage>(`tracing:${CONNECTION}:start`, (message) => log.started(message))
    .add<ConnectionMessage>(`tracing:${CONNECTION}:asyncEnd`, (message) => log.connected(message))
    .add<EventMessage>(`tracing:${EVENT}:start`, (message) => log.started(message))
    .add<EventMessage>(`tracing:${EVENT}:asyncEnd`, (message) => log.handled(message))
    .add<DisconnectMessage>(DISCONNECT, (message) => log.disconnected(message))
    .add<RefusalMessage>(REFUSAL, (message) => log.refused(message));
  return () => subscriptions.end();
}

/** Under which a message has the time at which its operation has started. */
const STARTED = Symbol('egg-socket.io:started');

interface Timed {
  [STARTED]?: number;
}

class AccessLog {
  /** Egg's logger begins a line with the URL of the current context, whose query may contain a secret. */
  readonly #noContext = new AsyncResource('egg-socket.io:access-log');

  constructor(
    private readonly app: Application,
    private readonly line: AccessLine,
    private readonly logger: AccessLogger,
  ) {}

  started(message: (ConnectionMessage | EventMessage) & Timed): void {
    message[STARTED] = performance.now();
  }

  connected(message: ConnectionMessage & Timed): void {
    const { socket, outcome = 'refused', error, [STARTED]: since } = message;
    if (since === undefined || !this.#isOwn(socket)) return;
    const duration = performance.now() - since;
    const reason = error === undefined ? outcome : `${outcome}: ${codeOf(error) ?? plainMessage(toError(error))}`;
    this.#write({
      ...this.#client(socket, message),
      kind: 'connect',
      event: undefined,
      outcome: reason,
      duration,
      error,
    });
  }

  handled(message: EventMessage & Timed): void {
    const { socket, event, outcome = 'ok', error, isSystem, [STARTED]: since } = message;
    // Connections and disconnects have lines of their own.
    if (since === undefined || isSystem || !this.#isOwn(socket)) return;
    const duration = performance.now() - since;
    const result = outcome === 'error' ? `error ${codeOf(error) ?? toError(error).name}` : outcome;
    const name = typeof event === 'string' ? event.slice(0, MAX_NAME) : `(${typeof event})`;
    this.#write({ ...this.#client(socket, message), kind: 'event', event: name, outcome: result, duration, error });
  }

  disconnected({ socket, reason, duration }: DisconnectMessage): void {
    if (!this.#isOwn(socket)) return;
    const client = this.#client(socket, {});
    this.#write({ ...client, kind: 'disconnect', event: undefined, outcome: reason, duration, error: undefined });
  }

  /** A client without a line of its admission. */
  refused({ app, request, reason, namespace, requested, ctx }: RefusalMessage): void {
    if (ctx !== undefined || app !== this.app) return;
    this.#write({
      kind: 'connect',
      user: undefined,
      address: clientAddress(this.app, request),
      namespace: (requested ?? namespace ?? '-').slice(0, MAX_NAME),
      event: undefined,
      outcome: `refused: ${reason}`,
      duration: 0,
      traceId: undefined,
      error: undefined,
      ctx,
    });
  }

  /** A process may have several applications, as tests do. */
  #isOwn(socket: Socket): boolean {
    return socket.nsp.server === this.app.io;
  }

  #client(socket: Socket, { ctx, traceId }: { ctx?: Context; traceId?: string }) {
    const { userId, tracer } = (ctx ?? {}) as { userId?: unknown; tracer?: { traceId?: unknown } };
    const user = stateOf(socket)?.userId ?? userId;
    return {
      user: textOf(user),
      address: clientAddress(this.app, socket.request, socket.handshake.address),
      namespace: socket.nsp.name.slice(0, MAX_NAME),
      traceId: textOf(tracer?.traceId) ?? traceId,
      ctx,
    };
  }

  #write(entry: AccessEntry): void {
    const line = this.line(entry);
    if (typeof line === 'string') this.#noContext.runInAsyncScope(() => this.logger.info(oneLine(line)));
  }
}

/** The characters of names that are logged without quotes. */
const PLAIN_NAME = /^[\w/.:@~%-]+$/;
/** The same for a user and an address, which end with a slash. */
const PLAIN_PART = /^[\w.:@~%|+-]+$/;

/**
 * Returns the line of an entry in the form of the lines of Egg's context logger: `[userId/ip/traceId/use ms METHOD url] message`.
 *
 * @example
 * defaultLine(entry); // "[42/127.0.0.1/-/3.1ms EVENT /chat say] ok"
 */
export function defaultLine({ kind, user, address, traceId, duration, ...entry }: AccessEntry): string {
  const { namespace, event, outcome } = entry;
  const names = [namespace, event].filter((name) => name !== undefined).map((name) => quoted(name, PLAIN_NAME));
  const [who, where] = [user ?? '-', address].map((part) => quoted(part, PLAIN_PART));
  const request = [kind.toUpperCase(), ...names].join(' ');
  return `[${who}/${where}/${traceId ?? '-'}/${Math.round(duration * 10) / 10}ms ${request}] ${outcome}`;
}

/** Puts a text in quotes that would otherwise be able to imitate other parts of the line. */
function quoted(text: string, plain: RegExp): string {
  return plain.test(text) ? text : JSON.stringify(text);
}

/** Returns the code of an error, or its status. */
function codeOf(error: unknown): string | undefined {
  const { code, status } = (error ?? {}) as { code?: unknown; status?: unknown };
  return textOf(code ?? status);
}

/** Returns a text or a number as a short text. */
function textOf(value: unknown): string | undefined {
  const isText = typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint';
  return isText && value !== '' ? String(value).slice(0, MAX_NAME) : undefined;
}
