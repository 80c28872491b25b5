// The description of an application: app.io.describe(), which `egg-socket.io describe` prints. The routes with their schemas as JSON Schema.
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Namespace } from 'socket.io';
import { isPromise } from './errors';
import type { IoRoute, NamespaceRoutes } from './route-table';
import { routerOf } from './router';
import type { EventSchema, StandardSchema } from './types/schema';

/** JSON Schema, draft-07. */
export type JsonSchema = Record<string, unknown>;

/** What a schema accepts. */
export interface DescribedValue {
  /** `{}` accepts anything. */
  schema: JsonSchema;
  /** Why the schema, or a part of it, accepts anything: its library cannot describe it. */
  note?: string;
}

/** An argument of an event. */
export interface DescribedArgument extends DescribedValue {
  /** Whether it may be undefined. If all that follow are optional as well, it may be left out. */
  optional: boolean;
}

/** An event that a namespace emits. */
export interface DescribedEvent {
  event: string;
  args: DescribedArgument[];
}

/** The route of an event, with its schema. */
export interface DescribedRoute extends IoRoute {
  /** The arguments as clients send them. Missing if they have no schema. */
  args?: DescribedArgument[];
  /** The answer as clients receive it, if the event has not failed. Missing if it has no schema. */
  ack?: DescribedValue;
}

/** A namespace with its chains, its routes and what it emits. */
export interface DescribedNamespace extends NamespaceRoutes {
  routes: DescribedRoute[];
  /** The events that `app.io.of(name).emits()` declares. */
  emits: DescribedEvent[];
}

/** The description of an application: `app.io.describe()`. It can be encoded as JSON. */
export type IoDescription = DescribedNamespace[];

const MAX_NOTE = 200;

/** Makes parts that JSON Schema cannot describe accept anything: an option of zod, one of arktype, and one of valibot. */
const LENIENT = {
  unrepresentable: 'any',
  fallback: ({ base }: { base?: JsonSchema }) => base ?? {},
  errorMode: 'ignore',
};

/** Converts a schema. Without options it throws if JSON Schema cannot describe a part. */
type Converter = (schema: StandardSchema, options?: Record<string, unknown>) => JsonSchema;

/** Describes the namespaces of an application. */
export class Describer {
  /** Converters for libraries, or versions of them, without Standard JSON Schema. */
  readonly #converters: ReadonlyMap<string, Converter>;

  /** @param baseDir - the directory of the application, from which the packages of its schemas are loaded */
  constructor(baseDir: string) {
    const load = createRequire(path.join(baseDir, 'package.json'));
    this.#converters = new Map<string, Converter>([
      [
        'zod',
        (schema, options) => {
          if (!('_zod' in schema)) throw new TypeError('zod 3 cannot describe its schemas as JSON Schema');
          // The package zod 3.25 has zod 4 under this name alone.
          return load('zod/v4').toJSONSchema(schema, { target: 'draft-7', io: 'input', ...options });
        },
      ],
      [
        'valibot',
        (schema, options) => load('@valibot/to-json-schema').toJsonSchema(schema, { typeMode: 'input', ...options }),
      ],
      ['arktype', (schema, options) => (schema as unknown as Arktype).toJsonSchema(options)],
    ]);
  }

  /** Adds the schemas of a namespace to its routes. */
  namespace(nsp: Namespace, table: NamespaceRoutes): DescribedNamespace {
    const router = routerOf(nsp);
    return {
      ...table,
      routes: table.routes.map((route) => ({
        ...route,
        ...this.#event(router?.routes.get(route.event)?.validator?.schema),
      })),
      emits: Array.from(router?.emitted ?? [], ([event, args]) => ({ event, args: this.#arguments(args) })),
    };
  }

  #event(schema: EventSchema | undefined): Pick<DescribedRoute, 'args' | 'ack'> {
    return {
      ...(schema?.args && { args: this.#arguments(schema.args) }),
      ...(schema?.ack && { ack: this.#value(schema.ack) }),
    };
  }

  #arguments(schemas: readonly StandardSchema[]): DescribedArgument[] {
    return schemas.map((schema) => ({ ...this.#value(schema), optional: acceptsUndefined(schema) }));
  }

  #value(schema: StandardSchema): DescribedValue {
    const { vendor, jsonSchema } = schema['~standard'];
    const convert = jsonSchema === undefined ? this.#converters.get(vendor) : standardConverter;
    if (convert === undefined) return { schema: {}, note: `${vendor} does not implement Standard JSON Schema` };
    try {
      return { schema: plain(convert(schema)) };
    } catch (err) {
      const note = noteOf(err);
      try {
        return { schema: plain(convert(schema, LENIENT)), note };
      } catch {
        return { schema: {}, note };
      }
    }
  }
}

interface Arktype {
  toJsonSchema(options: object | undefined): JsonSchema;
}

/** Describes the input, also of an answer and of what is emitted: their schemas change nothing. */
const standardConverter: Converter = (schema, libraryOptions) =>
  schema['~standard'].jsonSchema?.input({ target: 'draft-07', libraryOptions }) ?? {};

/** Returns a copy of a JSON Schema without `$schema`: it is a part of a larger document. */
function plain(schema: JsonSchema): JsonSchema {
  const { $schema, ...rest } = JSON.parse(JSON.stringify(schema)) as JsonSchema;
  return rest;
}

function noteOf(failure: unknown): string {
  const message = failure instanceof Error ? failure.message : String(failure);
  return (message.trim().split('\n')[0] ?? '').slice(0, MAX_NOTE);
}

/** Whether an argument may be missing. An async schema says it too late, and counts as one that does not accept it. */
function acceptsUndefined(schema: StandardSchema): boolean {
  try {
    const result = schema['~standard'].validate(undefined);
    if (!isPromise(result)) return !result.issues;
    result.then(undefined, () => {});
  } catch {
    // The schema itself fails.
  }
  return false;
}
