// `config.io.namespace`: the namespaces and their chains.
import { ConfigError } from '../errors';
import { isPattern, Pattern } from '../namespaces/path-pattern';
import { list, object, onlyKeys } from './validate';

/** The chains of a namespace: names of files of `app/io/middleware`, in the order in which they run. */
export interface NamespaceConfig {
  /** Middleware that runs around each connection of a client to the namespace. */
  connectionMiddleware?: string[];
  /** Middleware that runs around each event that a client sends to the namespace. */
  packetMiddleware?: string[];
}

/** The chains of a namespace, checked and complete. */
export type Chains = Required<NamespaceConfig>;

/** @throws {ConfigError} naming the namespace */
export function resolveNamespaces(raw: Record<string, NamespaceConfig> | undefined): Map<string, Chains> {
  const namespaces = new Map<string, Chains>();
  for (const [key, value] of Object.entries(object('config.io.namespace', raw) ?? {})) {
    const where = `config.io.namespace['${key}']`;
    const chains = object(where, value) ?? {};
    onlyKeys(where, chains, ['connectionMiddleware', 'packetMiddleware']);
    const name = key.startsWith('/') ? key : `/${key}`;
    if (namespaces.has(name)) {
      throw new ConfigError(where, key, `one entry for ${name}, but there are two: with and without the slash`);
    }
    // Throws if the pattern cannot be parsed.
    if (isPattern(name)) new Pattern(name, where);
    namespaces.set(name, resolveChains(where, chains));
  }
  return namespaces;
}

/** @param where - the key that has the chains, for messages */
export function resolveChains(where: string, raw: NamespaceConfig): Chains {
  return {
    connectionMiddleware: list(where, 'connectionMiddleware', raw.connectionMiddleware),
    packetMiddleware: list(where, 'packetMiddleware', raw.packetMiddleware),
  };
}

/** An empty child namespace takes about 3 KiB, all of them 30 MiB. A client takes more than its namespace. */
const MAX_NAMESPACES = 10_000;

export function resolveMaxNamespaces(value: unknown): number {
  if (value === undefined || value === null) return MAX_NAMESPACES;
  if (value === Infinity || (Number.isInteger(value) && (value as number) > 0)) return value as number;
  throw new ConfigError('config.io.maxNamespaces', value, 'a whole number of at least 1, or Infinity');
}
