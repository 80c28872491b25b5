// The events that the plugin itself emits to clients.
import type { DescribedEvent, JsonSchema } from '../description';

const text = { type: 'string' };
const integer = { type: 'integer' };
const object = (properties: Record<string, JsonSchema>, required = Object.keys(properties)): JsonSchema => ({
  type: 'object',
  properties,
  required,
});
const entries = {
  type: 'object',
  additionalProperties: { type: 'array', items: object({ ref: integer, meta: { type: 'object' } }) },
};

/** The content of an acknowledgement whose event has failed, under `error`. */
export const ACK_ERROR = object({ message: text, code: { type: ['string', 'number'] }, data: {}, errors: {} }, [
  'message',
]);

interface PluginEvent extends DescribedEvent {
  about: string;
}

const event = (name: string, about: string, schema: JsonSchema): PluginEvent => ({
  event: name,
  about,
  args: [{ schema, optional: false }],
});

/** The events, in the order in which they are printed. */
export const PLUGIN_EVENTS: readonly PluginEvent[] = [
  event(
    'error',
    'An event without an acknowledgement has failed: its message, what config.io.onerror returns, or an object.',
    {},
  ),
  event('expired', 'The authentication has ended. Sent only with config.io.expires.', object({ grace: integer })),
  event('presence_state', 'Who is present. Sent only to tracked clients.', object({ topic: text, state: entries })),
  event(
    'presence_diff',
    'Who has joined and left since. Sent only to tracked clients.',
    object({ topic: text, joins: entries, leaves: entries }),
  ),
];
