// The types of an application's events for clients: a declaration file, which needs neither the application nor the plugin.
import type { DescribedArgument, DescribedEvent, DescribedRoute, DescribedValue, IoDescription } from '../description';
import { ACK_ERROR, PLUGIN_EVENTS } from './plugin-events';
import { propertyName, quoted, SchemaTypes } from './schema-types';

/**
 * Returns the text of a declaration file with `ClientEvents` and `ServerEvents`.
 *
 * @param name - the name of the application
 */
export function declarations(description: IoDescription, name: string): string {
  const described = withUniqueNames(description);
  const types = new SchemaTypes();
  const namespaces = described.map(({ namespace, routes, emits }) => {
    const sent = routes
      .filter(isSent)
      .map((route) => member(route.event, notesOf(route), clientSignature(route, types)));
    const emitted = emits.map(({ event, args }) => member(event, args.flatMap(noteOf), serverSignature(args, types)));
    return `  ${quoted(namespace)}: {\n    client: ${block(sent)};\n    server: ${pluginEventsBeside(emits)}${emitted.length > 0 ? ` & ${block(emitted)}` : ''};\n  };\n`;
  });
  const parameter = `N extends keyof Namespaces${defaultOf(described)}`;
  return `// Events of ${oneLine(name)}, written by \`npx egg-socket.io describe --types\`.

/** The content of an acknowledgement whose event has failed. */
export type AckError = ${types.typeOf(ACK_ERROR)};

/** The events that egg-socket.io emits. */
export interface PluginEvents {
${PLUGIN_EVENTS.map(pluginEvent(types)).join('')}}

/** The events of each namespace. */
export interface Namespaces {
${namespaces.join('')}}

/** The events that clients send, for \`Socket<ServerEvents, ClientEvents>\` of socket.io-client. */
export type ClientEvents<${parameter}> = Namespaces[N]['client'];

/** The events that clients receive: those that the application declares by emits(), and those of egg-socket.io. */
export type ServerEvents<${parameter}> = Namespaces[N]['server'];
${Array.from(types.named, ([type, text]) => `\ntype ${type} = ${text};\n`).join('')}`;
}

function pluginEvent(types: SchemaTypes) {
  return ({ event, args, about }: (typeof PLUGIN_EVENTS)[number]) =>
    `  /** ${about} */\n  ${event}: ${serverSignature(args, types)};\n`;
}

/** Numbers namespaces of the same name: the parents of several functions have one, and those of equal regular expressions. */
function withUniqueNames(description: IoDescription): IoDescription {
  const names = new Set<string>();
  return description.map((each) => {
    let namespace = each.namespace;
    for (let n = 2; names.has(namespace); n++) namespace = `${each.namespace} (${n})`;
    names.add(namespace);
    return { ...each, namespace };
  });
}

/** Returns the type of the plugin's events. A declaration of the application replaces one of them. */
function pluginEventsBeside(emits: readonly DescribedEvent[]): string {
  const replaced = PLUGIN_EVENTS.filter(({ event }) => emits.some((each) => each.event === event));
  if (replaced.length === 0) return 'PluginEvents';
  return `Omit<PluginEvents, ${replaced.map(({ event }) => quoted(event)).join(' | ')}>`;
}

/** Whether clients send an event of that name. */
function isSent({ event, system }: DescribedRoute): boolean {
  return !system && event !== '*';
}

/** The namespace of `ClientEvents` without a parameter: `/`, or the only one that has events. */
function defaultOf(description: IoDescription): string {
  const used = description.filter(({ routes, emits }) => routes.some(isSent) || emits.length > 0);
  const name = used.length === 1 ? used[0]?.namespace : used.find(({ namespace }) => namespace === '/')?.namespace;
  return name === undefined ? '' : ` = ${quoted(name)}`;
}

function clientSignature({ args, ack }: DescribedRoute, types: SchemaTypes): string {
  const answer = ack && `(answer: ${types.typeOf(ack.schema)} | { error: AckError }) => void`;
  const last = answer === undefined ? [] : [answer];
  if (args === undefined) return `(...args: ${answer === undefined ? 'any[]' : `[...any[], ${answer}]`}) => void`;
  const all = args.map(({ schema }) => types.typeOf(schema));
  const required = requiredCount(args);
  if (required === args.length) {
    const parameters = [...all.map((type, index) => `arg${index}: ${type}`), ...last.map((type) => `ack: ${type}`)];
    return `(${parameters.join(', ')}) => void`;
  }
  // An optional argument is left out: undefined would arrive as null.
  const counts = Array.from({ length: args.length - required + 1 }, (_, index) => required + index);
  const variants = counts.map((count) => `[${[...all.slice(0, count), ...last].join(', ')}]`);
  return `(...args: ${variants.join(' | ')}) => void`;
}

function serverSignature(args: DescribedArgument[], types: SchemaTypes): string {
  const required = requiredCount(args);
  const parameters = args.map(({ schema, optional }, index) => {
    const type = types.typeOf(schema);
    if (index >= required) return `arg${index}?: ${type}`;
    return `arg${index}: ${optional && type !== 'unknown' ? `${type} | null` : type}`;
  });
  return `(${parameters.join(', ')}) => void`;
}

/** Returns how many arguments cannot be left out. */
export function requiredCount(args: readonly DescribedArgument[]): number {
  return args.findLastIndex(({ optional }) => !optional) + 1;
}

/** Returns the notes about a route, with the places of what they are about. */
export function notesOf({ args, ack }: DescribedRoute): string[] {
  const ofArguments = (args ?? []).flatMap(({ note }, index) =>
    note === undefined ? [] : [`argument ${index}: ${note}`],
  );
  return [...ofArguments, ...(ack?.note === undefined ? [] : [`answer: ${ack.note}`])];
}

function noteOf({ note }: DescribedValue): string[] {
  return note === undefined ? [] : [note];
}

function member(event: string, comments: string[], signature: string): string {
  const comment = comments.length > 0 ? `      /** ${oneLine(comments.join('. ')).replaceAll('*/', '* /')} */\n` : '';
  return `${comment}      ${propertyName(event)}: ${signature};\n`;
}

function block(members: string[]): string {
  return members.length > 0 ? `{\n${members.join('')}    }` : '{}';
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\u2028\u2029]+/g, ' ');
}
