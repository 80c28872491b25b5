// The metrics of a worker for Prometheus, by prom-client: app.io.metrics(). The names are those that OpenTelemetry's rules for Prometheus
// make of the names of the instruments, so that one dashboard fits both.
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Application } from 'egg';
import type { MetricsRegister } from '../config/telemetry';
import { ConfigError } from '../errors';
import type { IoStats } from '../worker-stats';
import { type Attributes, type Backend, type Histogram, type Observed, startMetrics } from './metrics';

interface Metric {
  collect?: () => void;
  reset(): void;
}

interface MetricOptions<M = Metric> {
  name: string;
  help: string;
  labelNames: string[];
  registers: never[];
  collect?: (this: M) => void;
}

type Labels = Record<string, string>;

/** What is used of prom-client. Its own types would be required for compiling any application. */
interface Package {
  readonly Registry: new () => MetricsRegister;
  readonly Histogram: new (
    options: MetricOptions & { buckets: number[] },
  ) => Metric & { observe(labels: Labels, value: number): void };
  readonly Counter: new (options: MetricOptions) => Metric & { inc(labels: Labels, value: number): void };
  readonly Gauge: new (options: MetricOptions) => Metric & { set(labels: Labels, value: number): void };
}

const PACKAGE = 'prom-client';

/** The metrics of one worker in a registry of prom-client. */
export class PrometheusMetrics {
  readonly #register: MetricsRegister;
  readonly #stop: () => void;

  /**
   * Durations are recorded from now on.
   *
   * @param register - a registry of the application. Default: one of its own
   * @throws {ConfigError} if prom-client is not installed
   */
  constructor(app: Application, register?: MetricsRegister) {
    const prom = loadPackage(app.baseDir);
    this.#register = register ?? new prom.Registry();
    this.#stop = startMetrics(app, new PrometheusBackend(prom, this.#register));
  }

  /** Returns all metrics of the registry. */
  text(): Promise<string> {
    return this.#register.metrics();
  }

  /** Removes the metrics from the registry. */
  close(): void {
    this.#stop();
  }
}

function loadPackage(baseDir: string): Package {
  try {
    return createRequire(path.join(baseDir, 'package.json'))(PACKAGE);
  } catch (err) {
    const [reason] = (err as Error).message.split('\n', 1);
    const problem = `app.io.metrics() needs the package ${PACKAGE}: run "npm install ${PACKAGE}@15". ${reason}`;
    throw new ConfigError('config.io.metrics', undefined, 'a value if the package is installed', problem);
  }
}

class PrometheusBackend implements Backend {
  readonly #names: string[] = [];

  constructor(
    private readonly prom: Package,
    private readonly register: MetricsRegister,
  ) {}

  histogram(instrument: Histogram): ReturnType<Backend['histogram']> {
    const { prom } = this;
    const histogram = new prom.Histogram({ ...this.#options(instrument), buckets: [...instrument.buckets] });
    this.#add(instrument, histogram);
    // Those of events are the same objects each time.
    const labels = new WeakMap<Attributes, Labels>();
    return (value, attributes) => {
      const found = labels.get(attributes) ?? labelsOf(attributes);
      labels.set(attributes, found);
      histogram.observe(found, value);
    };
  }

  observe(instruments: readonly Observed[], read: () => IoStats): void {
    const { prom } = this;
    const stats = oncePerTurn(read);
    for (const instrument of instruments) {
      const options = this.#options(instrument);
      const observations = () => instrument.read(stats());
      if (instrument.kind === 'counter') {
        const counter = new prom.Counter(options);
        counter.collect = () => {
          counter.reset();
          for (const [value, attributes] of observations()) counter.inc(labelsOf(attributes), value);
        };
        this.#add(instrument, counter);
      } else {
        const gauge = new prom.Gauge(options);
        gauge.collect = () => {
          gauge.reset();
          for (const [value, attributes] of observations()) gauge.set(labelsOf(attributes), value);
        };
        this.#add(instrument, gauge);
      }
    }
  }

  close(): void {
    for (const name of this.#names) this.register.removeSingleMetric(name);
  }

  #options(instrument: Histogram | Observed): MetricOptions {
    const { description: help, attributes } = instrument;
    return { name: prometheusNameOf(instrument), help, labelNames: attributes.map(underscored), registers: [] };
  }

  #add(instrument: Histogram | Observed, metric: Metric): void {
    this.register.registerMetric(metric);
    this.#names.push(prometheusNameOf(instrument));
  }
}

/** Returns a function that calls another one once for all calls in a turn of the event loop: a registry collects its metrics in one. */
function oncePerTurn<T>(fn: () => T): () => T {
  let last: { value: T } | undefined;
  return () => {
    if (last === undefined) {
      last = { value: fn() };
      process.nextTick(() => {
        last = undefined;
      });
    }
    return last.value;
  };
}

const UNITS: Record<string, string> = { s: '_seconds', By: '_bytes' };

/**
 * Returns the name of an instrument in Prometheus.
 *
 * @example
 * prometheusNameOf(CALL_DURATION); // 'rpc_server_call_duration_seconds'
 */
export function prometheusNameOf(instrument: Histogram | Observed): string {
  const isCounter = 'kind' in instrument && instrument.kind === 'counter';
  return underscored(instrument.name) + (UNITS[instrument.unit] ?? '') + (isCounter ? '_total' : '');
}

function labelsOf(attributes: Attributes): Labels {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [underscored(name), value]));
}

function underscored(name: string): string {
  return name.replaceAll('.', '_');
}
