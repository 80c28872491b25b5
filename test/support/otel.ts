// OpenTelemetry in tests: an SDK whose spans stay in memory.
import { context, propagation, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { until } from './wait';

/** The spans of a test. */
export class Spans {
  readonly #exporter = new InMemorySpanExporter();
  readonly provider: NodeTracerProvider;

  constructor(more: SpanProcessor[] = []) {
    this.provider = new NodeTracerProvider({ spanProcessors: [...more, new SimpleSpanProcessor(this.#exporter)] });
    this.provider.register();
  }

  /** The spans that have ended, in the order of their ends. */
  get all(): ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  /** Returns the spans of that name that have ended. */
  named(name: string): ReadableSpan[] {
    return this.all.filter((span) => span.name === name);
  }

  /** Waits for a span that has ended. */
  async ended(name: string): Promise<ReadableSpan> {
    return (await until(`the span ${name} to end`, () => this.named(name)[0])) as ReadableSpan;
  }
}

/** Removes the SDK that a test has registered. */
export function removeSdk(): void {
  trace.disable();
  context.disable();
  propagation.disable();
}
