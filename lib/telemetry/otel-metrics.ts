// The metrics of a worker by OpenTelemetry's meter.
import { debuglog } from 'node:util';
import type * as Api from '@opentelemetry/api';
import type { BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { Application } from 'egg';
import { awaitProvider, SCOPE, VERSION } from './api';
import { type Backend, type Histogram, type Observed, startMetrics } from './metrics';

const debug = debuglog('egg-socket.io:otel');

type MetricsApi = Pick<typeof Api, 'createNoopMeter' | 'metrics'>;

/**
 * Exports the metrics of a worker by the meter provider that the application has registered. Without one, nothing is subscribed to: at each
 * handshake it is checked whether there is one.
 *
 * @param api - `@opentelemetry/api`, as the application loads it
 * @returns a function that ends it
 */
export function startOtelMetrics(app: Application, api: MetricsApi): () => void {
  let stop = () => {};
  const stopWaiting = awaitProvider(app, () => {
    const meter = api.metrics.getMeter(SCOPE, VERSION);
    if (meter === api.createNoopMeter()) return false;
    debug('a provider of meters is registered');
    stop = startMetrics(app, new OtelBackend(meter));
    return true;
  });
  return () => {
    stopWaiting();
    stop();
  };
}

class OtelBackend implements Backend {
  #close = () => {};

  constructor(private readonly meter: Meter) {}

  histogram({ name, unit, description, buckets }: Histogram): ReturnType<Backend['histogram']> {
    const advice = { explicitBucketBoundaries: [...buckets] };
    const histogram = this.meter.createHistogram(name, { unit, description, advice });
    return (value, attributes) => histogram.record(value, attributes);
  }

  observe(instruments: readonly Observed[], read: Parameters<Backend['observe']>[1]): void {
    const { meter } = this;
    const observables = new Map(instruments.map((instrument) => [instrument, this.#create(instrument)]));
    const all = [...observables.values()];
    const callback = (observer: BatchObservableResult) => {
      const stats = read();
      for (const [instrument, observable] of observables) {
        for (const [value, attributes] of instrument.read(stats)) observer.observe(observable, value, attributes);
      }
    };
    meter.addBatchObservableCallback(callback, all);
    this.#close = () => meter.removeBatchObservableCallback(callback, all);
  }

  close(): void {
    this.#close();
  }

  #create({ kind, name, unit, description }: Observed): Observable {
    const { meter } = this;
    const options = { unit, description };
    switch (kind) {
      case 'counter':
        return meter.createObservableCounter(name, options);
      case 'updown':
        return meter.createObservableUpDownCounter(name, options);
      case 'gauge':
        return meter.createObservableGauge(name, options);
    }
  }
}
