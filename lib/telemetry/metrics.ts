// The metrics of a worker: one list of instruments for all backends. Durations are recorded by subscribers of the diagnostics channels.
// Everything else is read from app.io.stats() when a backend collects it.
import { performance } from 'node:perf_hooks';
import type { Application } from 'egg';
import { clientLogOf } from '../client-log';
import { DISCONNECT, type DisconnectMessage, EVENT, type EventMessage, Subscriptions } from '../diagnostics';
import { toError } from '../errors';
import type { LimitedStats } from '../stats';
import type { IoStats } from '../worker-stats';
import { type Failure, failureOf, methodOf, OTHER, SYSTEM } from './attributes';

export type Attributes = Readonly<Record<string, string>>;

interface Described {
  /** In OpenTelemetry. Prometheus has `prometheusNameOf(instrument)`. */
  readonly name: string;
  /** Of UCUM: `s`, `By`, or a word in braces for what is counted. */
  readonly unit: string;
  readonly description: string;
  readonly attributes: readonly string[];
}

/** An instrument whose values are recorded when they occur. */
export interface Histogram extends Described {
  readonly buckets: readonly number[];
}

/** An instrument whose values are read when they are collected. */
export interface Observed extends Described {
  /** A counter only grows. An up-down counter can be added up over workers, a gauge cannot. */
  readonly kind: 'counter' | 'updown' | 'gauge';
  read(stats: IoStats): Iterable<readonly [value: number, attributes: Attributes]>;
}

/** Exports metrics, to Prometheus or by OpenTelemetry's meter. */
export interface Backend {
  /** Returns a function that records a value. */
  histogram(instrument: Histogram): (value: number, attributes: Attributes) => void;
  /** Exports the instruments. `read` returns the statistics to read their values from, once for each collection. */
  observe(instruments: readonly Observed[], read: () => IoStats): void;
  /** Removes all instruments. */
  close(): void;
}

/** From OpenTelemetry's semantic conventions. */
export const CALL_DURATION: Histogram = {
  name: 'rpc.server.call.duration',
  unit: 's',
  description: 'Duration of an event, from its first middleware to the end of its packet chain.',
  attributes: ['rpc.system.name', 'rpc.method', 'rpc.response.status_code', 'error.type'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
};

/** Connections last for seconds to days. */
export const CONNECTION_DURATION: Histogram = {
  name: 'socketio.server.connection.duration',
  unit: 's',
  description: 'How long a client was connected to a namespace, by how that has ended.',
  attributes: ['socketio.disconnect.reason', 'socketio.transport'],
  buckets: [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400],
};

const TRANSPORTS = ['polling', 'websocket', 'webtransport'] as const;
const PROTOCOLS = [3, 4] as const;

/** The reasons of Socket.IO, and that of `config.io.expires`. */
const REASONS = new Set([
  'transport error',
  'transport close',
  'forced close',
  'ping timeout',
  'parse error',
  'server shutting down',
  'forced server close',
  'client namespace disconnect',
  'server namespace disconnect',
  'expired',
]);

function ofNamespaces(read: (nsp: IoStats['namespaces'][string]) => number): Observed['read'] {
  return ({ namespaces }) =>
    Object.entries(namespaces).map(([name, nsp]) => [read(nsp), { 'socketio.namespace': name }]);
}

function ofAdapter(read: (adapter: IoStats['adapter']) => number): Observed['read'] {
  return ({ adapter }) => [[read(adapter), { 'socketio.adapter': adapter.name }]];
}

/** The instruments whose values are read from the statistics. */
export const OBSERVED: readonly Observed[] = [
  {
    name: 'socketio.server.active_connections',
    kind: 'updown',
    unit: '{connection}',
    description: 'Open connections. The protocol is that of Engine.IO: 3 for clients of Socket.IO 1 and 2.',
    attributes: ['socketio.transport', 'socketio.protocol'],
    *read({ protocols }) {
      for (const protocol of PROTOCOLS) {
        for (const transport of TRANSPORTS) {
          const attributes = { 'socketio.transport': transport, 'socketio.protocol': String(protocol) };
          yield [protocols[protocol][transport], attributes];
        }
      }
    },
  },
  {
    name: 'socketio.server.handshakes',
    kind: 'counter',
    unit: '{handshake}',
    description: 'Handshakes that were accepted or refused, and requests for unknown sessions.',
    attributes: ['socketio.handshake.outcome'],
    read: ({ handshakes }) =>
      Object.entries(handshakes).map(([outcome, count]) => [
        count as number,
        { 'socketio.handshake.outcome': snakeCase(outcome) },
      ]),
  },
  {
    name: 'socketio.server.admissions',
    kind: 'counter',
    unit: '{client}',
    description: 'Clients that a namespace has admitted or refused.',
    attributes: ['socketio.namespace', 'socketio.admission.outcome'],
    *read({ namespaces }) {
      for (const [name, { total, refused }] of Object.entries(namespaces)) {
        yield [total, { 'socketio.namespace': name, 'socketio.admission.outcome': 'admitted' }];
        yield [refused, { 'socketio.namespace': name, 'socketio.admission.outcome': 'refused' }];
      }
    },
  },
  {
    name: 'socketio.server.sockets',
    kind: 'updown',
    unit: '{socket}',
    description: 'Connected sockets.',
    attributes: ['socketio.namespace'],
    read: ofNamespaces(({ now }) => now),
  },
  {
    name: 'socketio.server.rooms',
    kind: 'updown',
    unit: '{room}',
    description: 'Rooms that have sockets.',
    attributes: ['socketio.namespace'],
    read: ofNamespaces(({ rooms }) => rooms),
  },
  {
    name: 'socketio.server.active_events',
    kind: 'updown',
    unit: '{event}',
    description: 'Events that are being handled.',
    attributes: [],
    read: ({ events }) => [[events.inFlight, {}]],
  },
  {
    name: 'socketio.server.unsent',
    kind: 'updown',
    unit: 'By',
    description: 'Bytes that wait to be sent to clients.',
    attributes: [],
    read: ({ connections }) => [[connections.unsentBytes, {}]],
  },
  {
    name: 'socketio.server.limited',
    kind: 'counter',
    unit: '{excess}',
    description: 'How often a limit has refused or held back something.',
    attributes: ['socketio.limit'],
    read: ({ limited }) =>
      (Object.keys(limited) as Array<keyof LimitedStats>).map((limit) => [
        limited[limit],
        { 'socketio.limit': snakeCase(limit) },
      ]),
  },
  {
    name: 'socketio.server.adapter.up',
    kind: 'gauge',
    unit: '',
    description: '1 if the adapter exchanges messages with other workers, else 0.',
    attributes: ['socketio.adapter'],
    read: ofAdapter(({ up }) => Number(up)),
  },
  {
    name: 'socketio.server.adapter.messages.sent',
    kind: 'counter',
    unit: '{message}',
    description: 'Messages to other workers, with those that were lost.',
    attributes: ['socketio.adapter'],
    read: ofAdapter(({ sent }) => sent),
  },
  {
    name: 'socketio.server.adapter.messages.received',
    kind: 'counter',
    unit: '{message}',
    description: 'Messages of other workers. With Redis, those of this worker are counted as well.',
    attributes: ['socketio.adapter'],
    read: ofAdapter(({ received }) => received),
  },
  {
    name: 'socketio.server.adapter.messages.lost',
    kind: 'counter',
    unit: '{message}',
    description: 'Messages to other workers that could not be sent.',
    attributes: ['socketio.adapter'],
    read: ofAdapter(({ lost }) => lost),
  },
  {
    name: 'socketio.server.links.expected',
    kind: 'updown',
    unit: '{link}',
    description: 'Other workers of the host that this worker should be linked with.',
    attributes: [],
    read: ({ links }) => [[links.expected, {}]],
  },
  {
    name: 'socketio.server.links.up',
    kind: 'updown',
    unit: '{link}',
    description: 'Other workers of the host that are linked with this worker and answer.',
    attributes: [],
    read: ({ links }) => [[links.up, {}]],
  },
  {
    name: 'socketio.server.forwarded',
    kind: 'counter',
    unit: '{request}',
    description: 'Requests and upgrades of clients that were forwarded to the worker that has their session.',
    attributes: [],
    read: ({ forwarded }) => [[forwarded, {}]],
  },
];

/** Exports the metrics of a worker by a backend. Durations are recorded from now on. Returns a function that ends it. */
export function startMetrics(app: Application, backend: Backend): () => void {
  const recorder = new Recorder(app, backend);
  backend.observe(OBSERVED, () => app.io.stats());
  // A fault of the SDK.
  const failed = (thrown: unknown) =>
    clientLogOf(app).error('metrics', toError(thrown), 'a metric could not be recorded');
  const subscriptions = new Subscriptions(failed)
    .add<EventMessage>(`tracing:${EVENT}:start`, (message) => recorder.started(message))
    .add<EventMessage>(`tracing:${EVENT}:asyncEnd`, (message) => recorder.handled(message))
    .add<DisconnectMessage>(DISCONNECT, (message) => recorder.disconnected(message));
  return () => {
    subscriptions.end();
    backend.close();
  };
}

/** The property of a message that has the time at which its event has started. */
const STARTED = Symbol('egg-socket.io:metrics-started');

interface Timed {
  [STARTED]?: number;
}

/** The maximum number of values of an attribute of errors. */
const MAX_VALUES = 100;

/** Records durations. */
class Recorder {
  readonly #call: ReturnType<Backend['histogram']>;
  readonly #connection: ReturnType<Backend['histogram']>;
  /** The attributes of events that have not failed, by namespace and route. */
  readonly #attributes = new Map<string, Map<string | undefined, Attributes>>();
  readonly #codes = new LimitedValues();
  readonly #errorTypes = new LimitedValues();

  constructor(
    private readonly app: Application,
    backend: Backend,
  ) {
    this.#call = backend.histogram(CALL_DURATION);
    this.#connection = backend.histogram(CONNECTION_DURATION);
  }

  started(message: EventMessage & Timed): void {
    message[STARTED] ??= performance.now();
  }

  handled(message: EventMessage & Timed): void {
    const { [STARTED]: since, socket, isSystem, namespace, route } = message;
    // A process may have several applications, as tests do.
    if (since === undefined || isSystem || socket.nsp.server !== this.app.io) return;
    const seconds = (performance.now() - since) / 1000;
    const attributes = this.#attributesOf(namespace, route);
    const failure = failureOf(message);
    this.#call(seconds, failure === undefined ? attributes : this.#failed(attributes, failure));
  }

  disconnected({ socket, reason, duration }: DisconnectMessage): void {
    if (socket.nsp.server !== this.app.io) return;
    const { name } = socket.conn.transport;
    this.#connection(duration / 1000, {
      'socketio.disconnect.reason': REASONS.has(reason) ? reason : OTHER,
      'socketio.transport': name,
    });
  }

  #attributesOf(namespace: string, route: string | undefined): Attributes {
    const found = this.#attributes.get(namespace)?.get(route);
    if (found !== undefined) return found;
    const attributes = { 'rpc.system.name': SYSTEM, 'rpc.method': methodOf(namespace, route) };
    const ofNamespace = this.#attributes.get(namespace) ?? new Map();
    this.#attributes.set(namespace, ofNamespace.set(route, attributes));
    return attributes;
  }

  #failed(attributes: Attributes, { code, type }: Failure): Attributes {
    return {
      ...attributes,
      ...(code !== undefined && { 'rpc.response.status_code': this.#codes.limit(code) }),
      ...(type !== undefined && { 'error.type': this.#errorTypes.limit(type) }),
    };
  }
}

/** The values of an attribute. Further ones are `_OTHER`. */
class LimitedValues {
  readonly #values = new Set<string>();

  limit(value: string): string {
    if (this.#values.has(value)) return value;
    if (this.#values.size >= MAX_VALUES) return OTHER;
    this.#values.add(value);
    return value;
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
