// A controller by its path, as routes may name it: 'chat.say' is app.io.controller.chat.say. Called by server.ts.
import { ConfigError } from './errors';
import type { Handler } from './route';

/** How many controllers a message lists. */
const LISTED = 50;

/**
 * The controller's method at a path.
 *
 * @param path - the names on the way to it, with dots between them
 * @param controllers - `app.io.controller`
 * @param where - the route that names it, for messages
 * @throws {ConfigError} where there is none, with those that there are
 */
export function controllerAt(path: string, controllers: object, where: string): Handler {
  const found = path.split('.').reduce<unknown>(member, controllers);
  if (typeof found === 'function') return found as Handler;
  const known = pathsIn(controllers).sort();
  const more = known.length > LISTED ? `, and ${known.length - LISTED} more` : '';
  throw new ConfigError(
    `handler of ${where}`,
    path,
    `the methods of app/io/controller: ${known.slice(0, LISTED).join(', ') || 'there are none'}${more}`,
    `can't find controller: ${path} !`,
  );
}

function member(of: unknown, name: string): unknown {
  const has = typeof of === 'object' && of !== null && Object.hasOwn(of, name);
  return has ? (of as Record<string, unknown>)[name] : undefined;
}

/** The paths of all methods, those of nested folders among them. */
function pathsIn(controllers: object, prefix = '', above: object[] = []): string[] {
  return Object.entries(controllers).flatMap(([name, value]) => {
    if (typeof value === 'function') return [prefix + name];
    if (typeof value !== 'object' || value === null || above.includes(value)) return [];
    return pathsIn(value, `${prefix}${name}.`, [...above, controllers]);
  });
}
