// The table of routes: app.io.routes(), which `egg-socket.io routes` prints.
import type { Namespace } from 'socket.io';
import type { AddedChains } from './compose';
import { isSystemEvent, routerOf } from './router';

/** The route of an event. */
export interface IoRoute {
  /** The name of the event. `'*'` stands for all events without a route. */
  event: string;
  /** Whether Socket.IO emits it, and no client: `connect`, `disconnecting`, `disconnect` and `error`. */
  system: boolean;
  /** Whether the arguments, the answer or both have a schema. */
  schema: boolean;
  /** The middleware of this route, in the order in which it runs. */
  middleware: string[];
  /** The path of a method of `app.io.controller`, such as `chat.say`. Of another function its name, or `inline function`. */
  controller: string;
}

/** A namespace with its chains and its routes. */
export interface NamespaceRoutes {
  /** Its name, or what stands for several namespaces: `/room/:id`, a regular expression, or `those of a function`. */
  namespace: string;
  /** The middleware around each connection, in the order in which it runs: that of all namespaces first. */
  connectionMiddleware: string[];
  /** The middleware around each event. */
  packetMiddleware: string[];
  routes: IoRoute[];
}

/** The routes of an application: `app.io.routes()`. It can be encoded as JSON. */
export type IoRoutes = NamespaceRoutes[];

/** The names of the middleware of a namespace. */
type ChainNames = Readonly<Record<'connectionMiddleware' | 'packetMiddleware', readonly string[]>>;

/** The middleware of all namespaces. */
interface Chains {
  readonly everywhere: ChainNames;
  /** By the name of the namespace. */
  readonly namespace: ReadonlyMap<string, ChainNames>;
  /** What decorated controllers add, by the name of the namespace. */
  readonly added: ReadonlyMap<string, AddedChains>;
}

/** `app.io`, as far as functions are looked up in it. */
interface LoadedFiles {
  readonly controller: object;
  readonly middleware: object;
}

/** The chains and the routes of the namespaces of a server. */
export class RouteTable {
  constructor(
    private readonly files: LoadedFiles,
    private readonly chains: Chains,
  ) {}

  /**
   * Returns the chains and the routes of a namespace.
   *
   * @param name - the name of the namespace. Of a parent, what it stands for
   */
  of(nsp: Namespace, name: string): NamespaceRoutes {
    const controllers = pathsOf(this.files.controller);
    const middlewares = pathsOf(this.files.middleware);
    const routes = Array.from(routerOf(nsp)?.routes ?? [], ([event, { handler, middlewares: own, validator }]) => ({
      event: String(event),
      system: isSystemEvent(event),
      schema: validator !== undefined,
      middleware: own.map((each) => middlewares.get(each) ?? nameOf(each)),
      controller: controllers.get(handler) ?? nameOf(handler),
    }));
    return {
      namespace: name,
      connectionMiddleware: this.#chain(name, 'connection'),
      packetMiddleware: this.#chain(name, 'packet'),
      routes,
    };
  }

  #chain(name: string, kind: 'connection' | 'packet'): string[] {
    const { added, everywhere, namespace } = this.chains;
    const key = `${kind}Middleware` as const;
    return [...everywhere[key], ...(namespace.get(name)?.[key] ?? []), ...(added.get(name)?.[kind].map(nameOf) ?? [])];
  }
}

/** Returns the name of a function, for people. */
export function nameOf({ name }: { readonly name: string }): string {
  return name || 'inline function';
}

/** Returns the paths of all functions in an object, including those of nested objects. */
function pathsOf(object: object): Map<unknown, string> {
  const paths = new Map<unknown, string>();
  const seen = new Set<unknown>();
  const walk = (at: object, prefix: string) => {
    seen.add(at);
    for (const [key, value] of Object.entries(at)) {
      if (typeof value === 'function' && !paths.has(value)) paths.set(value, prefix + key);
      else if (typeof value === 'object' && value !== null && !seen.has(value)) walk(value, `${prefix}${key}.`);
    }
  };
  walk(object, '');
  return paths;
}
