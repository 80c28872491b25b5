// Telemetry in `config.io`: `otel` and `metrics`. The packages are optional, and this file loads none of them.
import { ConfigError } from '../errors';
import { onlyKeys } from './validate';

/** `config.io.otel`. */
export interface OtelConfig {
  /**
   * Whether the parent of a connection's span is the one that the client names: `traceparent` and `tracestate` of the handshake's `auth`, else
   * those of its headers. If not, the span of a connection begins a trace.
   *
   * @default true
   */
  parentFromHandshake?: boolean;
  /**
   * Whether the parent of an event's span is the one that the client names: the last argument `{ traceparent, tracestate? }`, which is removed
   * before middleware and listeners run. If not, the span of an event begins a trace, with a link to the span of its connection.
   *
   * @default false
   */
  parentFromEvents?: boolean;
}

/** `config.io.otel`, checked. */
export interface ResolvedOtel extends Required<OtelConfig> {
  /** Whether the boot fails without `@opentelemetry/api`. */
  readonly isRequired: boolean;
}

export const OTEL_KEY = 'config.io.otel';
const FLAGS = ['parentFromHandshake', 'parentFromEvents'] as const;

/** Checks `config.io.otel`. Returns undefined if it is off. */
export function resolveOtel(raw: unknown): ResolvedOtel | undefined {
  if (raw === false) return undefined;
  const isRequired = raw !== undefined && raw !== null;
  const given = isRequired && raw !== true ? raw : {};
  if (typeof given !== 'object' || Array.isArray(given)) {
    throw new ConfigError(OTEL_KEY, raw, `true, false or { ${FLAGS.join(', ')} }`);
  }
  onlyKeys(OTEL_KEY, given, [...FLAGS]);
  const flag = (name: (typeof FLAGS)[number], byDefault: boolean): boolean => {
    const value = (given as OtelConfig)[name] ?? byDefault;
    if (typeof value !== 'boolean') throw new ConfigError(`${OTEL_KEY}.${name}`, value, 'true or false');
    return value;
  };
  return {
    isRequired,
    parentFromHandshake: flag('parentFromHandshake', true),
    parentFromEvents: flag('parentFromEvents', false),
  };
}

/** A registry of prom-client, as far as it is used. */
export interface MetricsRegister {
  registerMetric(metric: object): void;
  removeSingleMetric(name: string): void;
  /** Returns the text of all its metrics. */
  metrics(): Promise<string>;
}

/** `config.io.metrics`. */
export interface MetricsConfig {
  /**
   * The registry that contains the metrics. Default: a registry of its own, which `app.io.metrics()` returns.
   *
   * @example
   * metrics: { register: require('prom-client').register }
   */
  register?: MetricsRegister;
}

const METRICS_KEY = 'config.io.metrics';
const METHODS = ['registerMetric', 'removeSingleMetric', 'metrics'] as const;

/** @returns undefined if events are not measured before the first call of `app.io.metrics()` */
export function resolveMetrics(raw: unknown): MetricsConfig | undefined {
  if (raw === undefined || raw === null || raw === false) return undefined;
  if (raw === true) return {};
  if (typeof raw !== 'object' || Array.isArray(raw))
    throw new ConfigError(METRICS_KEY, raw, 'true, false or { register }');
  onlyKeys(METRICS_KEY, raw, ['register']);
  const { register } = raw as { register?: unknown };
  if (register === undefined) return {};
  const isRegistry = METHODS.every((name) => typeof (register as MetricsRegister | null)?.[name] === 'function');
  if (isRegistry) return { register: register as MetricsRegister };
  throw new ConfigError(`${METRICS_KEY}.register`, register, 'a registry of prom-client, such as its `register`');
}
