// `egg-socket.io routes`: prints the namespaces of an application with their middleware, events and controllers.
import type { IoRoute, IoRoutes, NamespaceRoutes } from '../route-table';
import { readApplication } from './application';
import { command } from './command';

const HELP = `Usage: egg-socket.io routes [directory] [--json]

Loads an application and prints its namespaces, their middleware, events and controllers, as app.io.routes() returns them. The application
does not start: it listens on no port and connects to nothing, since no hook after configDidLoad runs. Routes that such a hook adds are
missing. The environment is local, unless EGG_SERVER_ENV says otherwise.

  directory   The application. Default: the current directory.
  --json      Prints what app.io.routes() returns.
  --help      Prints this text.

Exit code: 0, or 1 if the application cannot be loaded, 2 for a wrong call.
`;

/** The command. */
export const routes = command({
  name: 'routes',
  help: HELP,
  formats: ['json'],
  run: async (directory, format) => {
    const loaded = await readApplication<IoRoutes>(directory, 'routes');
    if ('error' in loaded) {
      return { code: 1, stderr: `egg-socket.io routes: can't load ${directory}: ${loaded.error}\n` };
    }
    const table = loaded.result;
    return { code: 0, stdout: format === 'json' ? `${JSON.stringify(table, null, 2)}\n` : `${report(table)}\n` };
  },
});

function report(table: IoRoutes): string {
  return table.map(describe).join('\n\n');
}

function describe(table: NamespaceRoutes): string {
  const { routes: all } = table;
  const width = Math.max(0, ...all.map(({ event }) => event.length));
  const lines = all.map(
    (route) => `  ${route.event.padEnd(width)}  ${handlers(route)}${route.schema ? '  (schema)' : ''}`,
  );
  return [...heading(table), ...(lines.length > 0 ? lines : ['  no routes'])].join('\n');
}

/** Returns the lines about a namespace above those of its events. */
export function heading({ namespace, connectionMiddleware, packetMiddleware }: NamespaceRoutes): string[] {
  const chains = [
    ['connection', connectionMiddleware],
    ['packet', packetMiddleware],
  ] as const;
  const named = chains.flatMap(([kind, names]) =>
    names.length > 0 ? [`  ${kind} middleware: ${names.join(' → ')}`] : [],
  );
  return [namespace, ...named];
}

/** Returns what handles an event. */
export function handlers({ middleware, controller, system }: IoRoute): string {
  return [...middleware, controller].join(' → ') + (system ? '  (system event)' : '');
}
