// The variants of `npm run bench -- --observability`: the keys of config.io of each, and the SDK that it registers.

const CONFIG = {
  'access-log': { otel: false, accessLog: true },
  prometheus: { otel: false, metrics: true },
  api: { otel: true },
  'otel-metrics': { otel: true },
  tracing: { otel: true },
  'tracing-sampled': { otel: true },
};

const variant = process.env.BENCH_OBSERVE;

/** Keys of config.io. Without a variant, no subscriber: the API is among the dependencies of the repository. */
const io = CONFIG[variant] ?? { otel: false };

/** Registers the SDK of the variant, with an exporter that drops all spans. Must be called before Egg starts. */
function register() {
  if (variant === 'otel-metrics') registerMetrics();
  if (!variant?.startsWith('tracing')) return;
  const {
    BatchSpanProcessor,
    NodeTracerProvider,
    ParentBasedSampler,
    TraceIdRatioBasedSampler,
  } = require('@opentelemetry/sdk-trace-node');
  const exporter = { export: (_spans, done) => done({ code: 0 }), shutdown: async () => {} };
  const ratio = variant === 'tracing' ? 1 : 0.01;
  new NodeTracerProvider({
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    // All events of a slice fit in the queue.
    spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 50_000, scheduledDelayMillis: 500 })],
  }).register();
}

/** Metrics are collected each second, and dropped. */
function registerMetrics() {
  const { metrics } = require('@opentelemetry/api');
  const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
  const exporter = {
    export: (_metrics, done) => done({ code: 0 }),
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1000, exportTimeoutMillis: 1000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
}

module.exports = { io, register };
