// Spans of OpenTelemetry for connections, events, broadcasts and their deliveries. Subscribes to the diagnostics channels.
import { debuglog } from 'node:util';
import type * as Api from '@opentelemetry/api';
import type { Attributes, Context as OtelContext, Span, SpanContext, Tracer } from '@opentelemetry/api';
import type { Application } from 'egg';
import type { Socket } from 'socket.io';
import { clientAddress } from '../client-address';
import { MAX_NAME, MAX_TEXT } from '../client-log';
import type { ResolvedOtel } from '../config/telemetry';
import {
  AROUND,
  BROADCAST,
  type BroadcastMessage,
  CONNECTION,
  type ConnectionMessage,
  DELIVERY,
  type DeliveryMessage,
  EVENT,
  type EventMessage,
  Subscriptions,
} from '../diagnostics';
import { plainMessage, toError } from '../errors';
import { awaitProvider, logFault, SCOPE, VERSION } from './api';
import { failureOf, methodOf, nameOf, SYSTEM } from './attributes';
import { contextOf, sentInHandshake, takeFromPacket } from './trace-context';

const debug = debuglog('egg-socket.io:otel');

/** The instrumentation whose spans of broadcasts are used in place of own ones. */
const INSTRUMENTATION = '@opentelemetry/instrumentation-socket.io';

/** How many characters of the header `User-Agent` a span has. */
const MAX_USER_AGENT = 200;
/** How many characters of a stack a span has. A stack begins with the message, which may contain what a client has sent. */
const MAX_STACK = 10_000;

/** The property of a message that has its span. */
const SPAN = Symbol('egg-socket.io:span');
/** The property of a socket that has the context of the span of its connection. */
const CONNECTION_SPAN = Symbol('egg-socket.io:connection-span');

/** A message with its span, and for an event with the route by which the span is named. */
type Spanned<Message> = Message & {
  [SPAN]?: { readonly span: Span; readonly route?: string | undefined };
  [AROUND]?: (run: () => Promise<void>) => Promise<void>;
  traceId?: string;
};

type FailedMessage = Parameters<typeof failureOf>[0];

type SpannedSocket = Socket & { [CONNECTION_SPAN]?: SpanContext };

/** Starts the tracing of an application. Returns a function that ends it. */
export function startTracing(app: Application, api: typeof Api, options: ResolvedOtel): () => void {
  const tracing = new Tracing(app, api, options);
  tracing.start();
  return () => tracing.end();
}

class Tracing {
  /** A fault of the SDK is logged. */
  readonly #subscriptions = new Subscriptions((thrown) => logFault(this.app, thrown));
  #stopWaiting = () => {};
  /** Undefined until the application has registered a provider of tracers. */
  #tracer: Tracer | undefined;
  #hasWarned = false;

  constructor(
    private readonly app: Application,
    private readonly api: typeof Api,
    private readonly options: ResolvedOtel,
  ) {}

  /** Subscribes to the channels if a provider of tracers is registered. If not, looks for one at each handshake. */
  start(): void {
    // Also removes the contexts of clients from the arguments, with or without a provider.
    if (this.options.parentFromEvents) this.#subscribeToEvents();
    this.#stopWaiting = awaitProvider(this.app, () => this.#begin());
  }

  end(): void {
    this.#stopWaiting();
    this.#subscriptions.end();
  }

  /** Subscribes to the channels if a provider is registered. Returns whether it is. */
  #begin(): boolean {
    if (!isRegistered(this.api)) return false;
    debug('a provider of tracers is registered');
    this.#tracer = this.api.trace.getTracer(SCOPE, VERSION);
    if (!this.options.parentFromEvents) this.#subscribeToEvents();
    this.#subscriptions
      .add<ConnectionMessage>(`tracing:${CONNECTION}:start`, (message) => this.#connecting(message))
      .add<ConnectionMessage>(`tracing:${CONNECTION}:asyncEnd`, (message) => this.#connected(message))
      .add<EventMessage>(`tracing:${EVENT}:asyncEnd`, (message) => this.#handled(message))
      .add<BroadcastMessage>(BROADCAST, (message) => this.#broadcast(message))
      .add<DeliveryMessage>(`tracing:${DELIVERY}:start`, (message) => this.#delivering(message))
      .add<DeliveryMessage>(`tracing:${DELIVERY}:end`, (message) => this.#delivered(message));
    return true;
  }

  #subscribeToEvents(): void {
    this.#subscriptions.add<EventMessage>(`tracing:${EVENT}:start`, (message) => this.#handling(message));
  }

  #connecting(message: Spanned<ConnectionMessage>): void {
    const { socket, namespace } = message;
    const tracer = this.#tracer;
    if (tracer === undefined || !this.#isOwn(socket.nsp.server)) return;
    const { handshake, request } = socket;
    const sent = this.options.parentFromHandshake ? sentInHandshake(socket) : undefined;
    const parent = contextOf(this.api, sent);
    const userAgent = handshake.headers['user-agent'];
    const attributes: Attributes = {
      'rpc.system.name': SYSTEM,
      'socketio.namespace': namespace,
      'network.protocol.name': protocolOf(socket),
      'client.address': clientAddress(this.app, request, handshake.address),
      ...(userAgent !== undefined && { 'user_agent.original': userAgent.slice(0, MAX_USER_AGENT) }),
    };
    const kind = this.api.SpanKind.SERVER;
    const span = tracer.startSpan(
      `connect ${namespace}`,
      { kind, attributes, startTime: new Date(handshake.issued) },
      parent,
    );
    (socket as SpannedSocket)[CONNECTION_SPAN] = span.spanContext();
    message[SPAN] = { span };
    this.#surround(message, span, parent);
  }

  #connected(message: Spanned<ConnectionMessage>): void {
    const { [SPAN]: spanned, outcome = 'refused' } = message;
    if (spanned !== undefined) this.#end(spanned.span, outcome, message);
  }

  #handling(message: Spanned<EventMessage>): void {
    const { ctx, socket, namespace, event, route, isSystem } = message;
    if (!this.#isOwn(socket.nsp.server)) return;
    const sent = this.options.parentFromEvents && !isSystem ? takeFromPacket(ctx.packet) : undefined;
    const tracer = this.#tracer;
    if (tracer === undefined) return;
    const { SpanKind, TraceFlags } = this.api;
    const parent = contextOf(this.api, sent);
    const attributes: Attributes = {
      'rpc.system.name': SYSTEM,
      'rpc.method': methodOf(namespace, route),
      'socketio.namespace': namespace,
      'network.protocol.name': protocolOf(socket),
    };
    const connection = (socket as SpannedSocket)[CONNECTION_SPAN];
    const isSampled = connection !== undefined && (connection.traceFlags & TraceFlags.SAMPLED) !== 0;
    const links = isSampled ? [{ context: connection }] : [];
    const span = tracer.startSpan(nameOf(namespace, route), { kind: SpanKind.SERVER, attributes, links }, parent);
    if (event !== route && typeof event === 'string') {
      span.setAttribute('rpc.method_original', event.slice(0, MAX_NAME));
    }
    message[SPAN] = { span, route };
    this.#surround(message, span, parent);
  }

  #handled(message: Spanned<EventMessage>): void {
    const { [SPAN]: spanned, namespace, route, outcome = 'ok' } = message;
    if (spanned === undefined) return;
    const { span } = spanned;
    // A middleware has renamed the event.
    if (route !== spanned.route) {
      span.updateName(nameOf(namespace, route)).setAttribute('rpc.method', methodOf(namespace, route));
    }
    this.#end(span, outcome, message);
  }

  /** Ends a span. Only an error that is not meant for the client makes it a failed one. */
  #end(span: Span, outcome: string, message: FailedMessage): void {
    try {
      span.setAttribute('socketio.outcome', outcome);
      if (span.isRecording()) this.#setFailure(span, message);
    } finally {
      span.end();
    }
  }

  #setFailure(span: Span, message: FailedMessage): void {
    const failure = failureOf(message);
    if (failure === undefined) return;
    const { code, type } = failure;
    if (code !== undefined) span.setAttribute('rpc.response.status_code', code);
    if (type === undefined) return;
    const err = toError(message.error);
    const text = plainMessage(err).slice(0, MAX_TEXT);
    span.setAttribute('error.type', type);
    span.recordException({ name: type, message: text, stack: String(err.stack).slice(0, MAX_STACK) });
    span.setStatus({ code: this.api.SpanStatusCode.ERROR, message: text });
  }

  /** Makes a span the active one in an operation. */
  #surround(message: Spanned<object>, span: Span, parent: OtelContext): void {
    const { context, isSpanContextValid, trace } = this.api;
    const spanContext = span.spanContext();
    if (isSpanContextValid(spanContext)) message.traceId = spanContext.traceId;
    const active = trace.setSpan(parent, span);
    message[AROUND] = (run) => {
      let running: Promise<void> | undefined;
      try {
        context.with(active, () => {
          running = run();
        });
      } catch (thrown) {
        logFault(this.app, thrown);
      }
      return running ?? run();
    };
  }

  /** Makes the span of a broadcast, and passes its context on to the workers that deliver the broadcast. */
  #broadcast(message: BroadcastMessage): void {
    if (this.#tracer === undefined || !this.#isOwn(message.server)) return;
    const { context, propagation, SpanKind, trace } = this.api;
    const { namespace, event, isLocal, withAck } = message;
    const attributes = {
      ...messagingAttributes('broadcast', 'send', message),
      'socketio.event.name': textOf(event),
      'socketio.with_ack': withAck,
    };
    let span = trace.getActiveSpan();
    if (span !== undefined && this.#isInstrumented(span)) {
      span.setAttributes(attributes);
    } else {
      span = this.#tracer.startSpan(`broadcast ${namespace}`, { kind: SpanKind.PRODUCER, attributes });
      span.end();
    }
    if (isLocal) return;
    const carrier: Record<string, string> = {};
    propagation.inject(trace.setSpan(context.active(), span), carrier);
    if (Object.keys(carrier).length > 0) message.carrier = carrier;
  }

  /** A broadcast without a trace context is one of a worker that traces nothing: its delivery would be a trace of its own. */
  #delivering(message: Spanned<DeliveryMessage>): void {
    const { namespace, carrier, server } = message;
    if (carrier === undefined || this.#tracer === undefined || !this.#isOwn(server)) return;
    const { propagation, ROOT_CONTEXT, SpanKind } = this.api;
    const attributes = messagingAttributes('deliver', 'process', message);
    const parent = propagation.extract(ROOT_CONTEXT, carrier);
    const span = this.#tracer.startSpan(`deliver ${namespace}`, { kind: SpanKind.CONSUMER, attributes }, parent);
    message[SPAN] = { span };
  }

  #delivered(message: Spanned<DeliveryMessage>): void {
    const spanned = message[SPAN];
    if (spanned !== undefined) this.#end(spanned.span, 'error' in message ? 'error' : 'ok', message);
  }

  /** Whether a span is the one that the instrumentation of Socket.IO has made for the broadcast. */
  #isInstrumented(span: Span): boolean {
    const { kind, instrumentationScope, instrumentationLibrary } = span as Span & SdkSpan;
    const { name } = instrumentationScope ?? instrumentationLibrary ?? {};
    if (name !== INSTRUMENTATION || kind !== this.api.SpanKind.PRODUCER) return false;
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      this.app.coreLogger.warn(
        `[egg-socket.io] ${INSTRUMENTATION} is enabled. Its spans contain the names of rooms, also those of users. Disable it: config.io.otel replaces it, see docs/en/observability.md`,
      );
    }
    return true;
  }

  /** A process may have several applications, as tests do. */
  #isOwn(server: object | undefined): boolean {
    return server === this.app.io;
  }
}

/** The members of a span of the SDK that say what has made it. SDK 1 has the second one. */
interface SdkSpan {
  readonly kind?: number;
  readonly instrumentationScope?: { readonly name?: string };
  readonly instrumentationLibrary?: { readonly name?: string };
}

/** Whether a provider of tracers is registered. The proxy that the API returns until then has no tracer to pass calls to. */
function isRegistered({ ProxyTracerProvider, trace }: typeof Api): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(SCOPE) !== undefined;
}

/** The attributes of a broadcast and of its delivery, for which the event would have to be decoded. */
function messagingAttributes(
  name: string,
  type: 'send' | 'process',
  { namespace, rooms, except }: Pick<BroadcastMessage, 'namespace' | 'rooms' | 'except'>,
): Attributes {
  return {
    'messaging.system': SYSTEM,
    'messaging.operation.name': name,
    'messaging.operation.type': type,
    'messaging.destination.name': namespace,
    'socketio.rooms.count': rooms,
    'socketio.rooms.except_count': except,
  };
}

function protocolOf({ conn }: Socket): string {
  const { name } = conn.transport;
  return name === 'polling' ? 'http' : name;
}

function textOf(event: unknown): string {
  return typeof event === 'string' ? event.slice(0, MAX_NAME) : `(${typeof event})`;
}
