// The metrics of a worker by OpenTelemetry's meter.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';
import type { Application } from 'egg';
import { CONNECTION } from '../diagnostics';
import { type Backend, type Histogram, type Observed, startMetrics } from './metrics';

const debug = debuglog('egg-socket.io:telemetry');

const METER = 'egg-socket.io';

interface Instrument {
  readonly description: string;
  readonly unit: string;
}

interface Observer {
  observe(instrument: object, value: number, attributes: object): void;
}

/** What is used of a meter of `@opentelemetry/api`. Its own types would be required for compiling any application. */
export interface Meter {
  createHistogram(
    name: string,
    options: Instrument & { advice: { explicitBucketBoundaries: number[] } },
  ): { record(value: number, attributes: object): void };
  createObservableCounter(name: string, options: Instrument): object;
  createObservableUpDownCounter(name: string, options: Instrument): object;
  createObservableGauge(name: string, options: Instrument): object;
  addBatchObservableCallback(callback: (observer: Observer) => void, instruments: never[]): void;
  removeBatchObservableCallback(callback: (observer: Observer) => void, instruments: never[]): void;
}

/** What is used of `@opentelemetry/api`. */
export interface MetricsApi {
  readonly metrics: { getMeter(name: string, version?: string): Meter };
  createNoopMeter(): Meter;
}

const CONNECTING = `tracing:${CONNECTION}:start`;

/**
 * Exports the metrics of a worker by the meter provider that the application has registered. Without one, events are not measured: at each
 * new connection it is checked whether there is one.
 *
 * @param api - `@opentelemetry/api`, as the application loads it
 * @returns a function that ends it
 */
export function startOtelMetrics(app: Application, api: MetricsApi): () => void {
  let stop = () => {};
  const start = () => {
    const meter = api.metrics.getMeter(METER);
    if (meter === api.createNoopMeter()) return;
    debug('a meter provider is registered');
    unsubscribe(CONNECTING, start);
    stop = startMetrics(app, new OtelBackend(meter));
  };
  subscribe(CONNECTING, start);
  start();
  return () => {
    unsubscribe(CONNECTING, start);
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
    const all = [...observables.values()] as never[];
    const callback = (observer: Observer) => {
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

  #create({ kind, name, unit, description }: Observed): object {
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
