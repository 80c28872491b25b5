// The events of an application as an AsyncAPI document: https://www.asyncapi.com/docs/reference/specification/v3.0.0
import type { DescribedArgument, DescribedNamespace, DescribedRoute, IoDescription, JsonSchema } from '../description';
import { notesOf, requiredCount } from './declarations';
import { ACK_ERROR, PLUGIN_EVENTS } from './plugin-events';

type Json = Record<string, unknown>;

/**
 * Returns an AsyncAPI 3 document. A namespace is a channel, an event a message whose payload is the array of its arguments, and an
 * acknowledgement the reply.
 */
export function asyncApi(description: IoDescription, title: string, version: string): Json {
  const channels: Json = {};
  const operations: Json = {};
  for (const each of description) {
    const id = uniqueId(each.namespace === '/' ? 'root' : each.namespace, channels);
    channels[id] = new Channel(id, each, operations).document();
  }
  return { asyncapi: '3.0.0', info: { title, version }, defaultContentType: 'application/json', channels, operations };
}

/** One namespace. */
class Channel {
  readonly #messages: Json = {};
  readonly #pointer: string;

  constructor(
    private readonly id: string,
    private readonly described: DescribedNamespace,
    private readonly operations: Json,
  ) {
    this.#pointer = `#/channels/${id}`;
  }

  document(): Json {
    const { namespace, routes, emits } = this.described;
    for (const route of routes) if (!route.system) this.#receive(route);
    const own = PLUGIN_EVENTS.filter(({ event }) => !emits.some((each) => each.event === event));
    for (const { event, args, about } of own) this.#send(event, args, [about]);
    for (const { event, args } of emits)
      this.#send(
        event,
        args,
        args.map(({ note }) => note),
      );
    return { ...addressOf(namespace), messages: this.#messages };
  }

  #receive(route: DescribedRoute): void {
    const { event, args, ack } = route;
    // The specification has no pattern for names.
    const name = event === '*' ? 'any other event' : event;
    const message = this.#message(event, name, (pointer) => argumentsOf(args, pointer), notesOf(route));
    const answer =
      ack &&
      this.#message(`${event}_ack`, `acknowledgement of ${name}`, (pointer) => {
        const failed = { type: 'object', properties: { error: ACK_ERROR }, required: ['error'] };
        return { anyOf: [relocated(ack.schema, `${pointer}/anyOf/0`), failed] };
      });
    const channel = { $ref: this.#pointer };
    this.#operation(
      `receive_${this.id}_${event}`,
      'receive',
      message,
      answer && { reply: { channel, messages: [answer] } },
    );
  }

  #send(event: string, args: readonly DescribedArgument[], notes: (string | undefined)[]): void {
    const message = this.#message(event, event, (pointer) => argumentsOf(args, pointer), notes);
    this.#operation(`send_${this.id}_${event}`, 'send', message);
  }

  /** Adds a message, and returns a reference to it. */
  #message(
    key: string,
    name: string,
    payload: (pointer: string) => JsonSchema,
    notes: (string | undefined)[] = [],
  ): Json {
    const id = uniqueId(key, this.#messages);
    const description = notes.filter(Boolean).join('. ');
    const reference = `${this.#pointer}/messages/${id}`;
    this.#messages[id] = { name, ...(description && { description }), payload: payload(`${reference}/payload`) };
    return { $ref: reference };
  }

  #operation(key: string, action: 'send' | 'receive', message: Json, more: Json | undefined = {}): void {
    this.operations[uniqueId(key, this.operations)] = {
      action,
      channel: { $ref: this.#pointer },
      messages: [message],
      ...more,
    };
  }
}

/** Returns the address of a channel. A regular expression and a function have none, nor has a pattern that AsyncAPI cannot express. */
function addressOf(namespace: string): Json {
  const parameters: Json = {};
  const withBraces = namespace.replace(/:([A-Za-z_]\w*)/g, (_, name: string) => {
    parameters[name] = {};
    return `{${name}}`;
  });
  // Other colons are a part of a plain name.
  const isPlain = !namespace.includes('/:');
  if (!/^\/[^{}^$\\()*+?[\]|]*$/.test(namespace) || (!isPlain && withBraces.includes('/:')))
    return { address: null, description: `Namespaces of ${namespace}` };
  return isPlain ? { address: namespace } : { address: withBraces, parameters };
}

/** Returns the schema of the arguments of an event, as an array. */
function argumentsOf(args: readonly DescribedArgument[] | undefined, pointer: string): JsonSchema {
  if (args === undefined) return { type: 'array' };
  const items = args.map(({ schema }, index) => relocated(schema, `${pointer}/items/${index}`));
  const bounds = { minItems: requiredCount(args), maxItems: args.length };
  // An empty array of items is no valid schema.
  return items.length > 0 ? { type: 'array', items, additionalItems: false, ...bounds } : { type: 'array', ...bounds };
}

/** Keywords of JSON Schema whose values are data. */
const DATA: ReadonlySet<string> = new Set(['const', 'default', 'enum', 'example', 'examples']);
/** Keywords whose values are schemas by name. A name may be that of a keyword. */
const BY_NAME: ReadonlySet<string> = new Set(['$defs', 'definitions', 'patternProperties', 'properties']);

/** Returns a schema whose references within itself refer to where it is in the document. */
function relocated(schema: JsonSchema, pointer: string): JsonSchema {
  const move = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(move);
    return mapValues(node, (value, key) => {
      if (key === '$ref' && typeof value === 'string' && value.startsWith('#')) return pointer + value.slice(1);
      if (DATA.has(key)) return value;
      return BY_NAME.has(key) ? mapValues(value, move) : move(value);
    });
  };
  return move(schema) as JsonSchema;
}

/** Returns a copy of an object with other values. Any other value is returned as it is. */
function mapValues(node: unknown, change: (value: unknown, key: string) => unknown): unknown {
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, change(value, key)]));
}

/** Returns a key of the characters that keys of AsyncAPI may have. */
function uniqueId(name: string, taken: Json): string {
  const id = name.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^_+(?=.)/, '') || 'event';
  let unique = id;
  for (let n = 2; Object.hasOwn(taken, unique); n++) unique = `${id}_${n}`;
  return unique;
}
