// `egg-socket.io describe`: prints the events of an application with their arguments and answers.
import type { DescribedArgument, DescribedNamespace, DescribedRoute, IoDescription } from '../description';
import { readApplication, readManifest } from './application';
import { asyncApi } from './async-api';
import { command } from './command';
import { declarations, notesOf } from './declarations';
import { handlers, heading } from './routes';
import { SchemaTypes } from './schema-types';

const HELP = `Usage: egg-socket.io describe [directory] [--json | --asyncapi | --types]

Loads an application and prints its namespaces, their middleware, and the events that clients and the server send, with the types of
the arguments and of the answers. The types follow from the schemas of the routes and of app.io.of(name).emits(). The application does
not start: see egg-socket.io routes --help.

  directory   The application. Default: the current directory.
  --json      Prints what app.io.describe() returns.
  --asyncapi  Prints an AsyncAPI 3 document in JSON.
  --types     Prints a declaration file (.d.ts) with ClientEvents and ServerEvents for clients in TypeScript.
  --help      Prints this text.

Exit code: 0, or 1 if the application cannot be loaded, 2 for a wrong call.
`;

/** The command. */
export const describe = command({
  name: 'describe',
  help: HELP,
  formats: ['json', 'asyncapi', 'types'],
  run: async (directory, format) => {
    const loaded = await readApplication<IoDescription>(directory, 'describe');
    if ('error' in loaded) {
      return { code: 1, stderr: `egg-socket.io describe: can't load ${directory}: ${loaded.error}\n` };
    }
    const { name = 'application', version = '0.0.0' } = readManifest(directory);
    return { code: 0, stdout: PRINTERS[format ?? 'text'](loaded.result, name, version) };
  },
});

const PRINTERS = {
  text: (description: IoDescription) => `${description.map(namespaceText).join('\n\n')}\n`,
  json: (description: IoDescription) => `${JSON.stringify(description, null, 2)}\n`,
  asyncapi: (description: IoDescription, name: string, version: string) =>
    `${JSON.stringify(asyncApi(description, name, version), null, 2)}\n`,
  types: (description: IoDescription, name: string) => declarations(description, name),
};

function namespaceText(namespace: DescribedNamespace): string {
  const { routes, emits } = namespace;
  const types = new SchemaTypes();
  const received = routes.map((route) => [route.event, signature(route, types), handlers(route)]);
  const sent = emits.map(({ event, args }) => [event, argumentsText(args, types)]);
  const notes = routes.flatMap((route) => notesOf(route).map((note) => `  note: ${route.event}, ${note}`));
  return [
    ...heading(namespace),
    ...(received.length > 0 ? columns(received) : ['  no routes']),
    ...(sent.length > 0 ? ['  emits:', ...columns(sent).map((line) => `  ${line}`)] : []),
    ...Array.from(types.named, ([name, type]) => `  type ${name} = ${type}`),
    ...notes,
  ].join('\n');
}

/** Returns the arguments and the answer of an event. `(...)` are arguments without a schema. System events come from no client. */
function signature({ args, ack, system }: DescribedRoute, types: SchemaTypes): string {
  if (system) return '';
  const given = args === undefined ? '(...)' : argumentsText(args, types);
  return ack === undefined ? given : `${given} => ${types.typeOf(ack.schema)}`;
}

function argumentsText(args: readonly DescribedArgument[], types: SchemaTypes): string {
  return `(${args.map(({ schema, optional }) => types.typeOf(schema) + (optional ? '?' : '')).join(', ')})`;
}

/** The longest text that widens its column. */
const MAX_WIDTH = 60;

function columns(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, index) =>
    Math.max(...rows.map((row) => row[index]?.length ?? 0).filter((width) => width <= MAX_WIDTH), 0),
  );
  return rows.map(
    (row) =>
      `  ${row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd()}`,
  );
}
