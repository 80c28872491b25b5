// `config.io.metrics`: the metrics for Prometheus.
import { ConfigError } from '../errors';
import { onlyKeys } from './validate';

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

const KEY = 'config.io.metrics';
const METHODS = ['registerMetric', 'removeSingleMetric', 'metrics'] as const;

/** @returns undefined if events are not measured before the first call of `app.io.metrics()` */
export function resolveMetrics(raw: unknown): MetricsConfig | undefined {
  if (raw === undefined || raw === null || raw === false) return undefined;
  if (raw === true) return {};
  if (typeof raw !== 'object' || Array.isArray(raw)) throw new ConfigError(KEY, raw, 'true, false or { register }');
  onlyKeys(KEY, raw, ['register']);
  const { register } = raw as { register?: unknown };
  if (register === undefined) return {};
  const isRegistry = METHODS.every((name) => typeof (register as MetricsRegister | null)?.[name] === 'function');
  if (isRegistry) return { register: register as MetricsRegister };
  throw new ConfigError(`${KEY}.register`, register, 'a registry of prom-client, such as its `register`');
}
