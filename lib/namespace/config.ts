// config.io.namespace, config.io.maxNamespaces and the chains of all namespaces: their types and their checks. Called by
// lib/config.ts.
import { list, object, onlyKeys } from '../check';
import { ConfigError } from '../errors';
import { isPattern, Pattern } from '../pattern';

/** The two chains of a namespace: names of files of `app/io/middleware`, in the order in which they run. */
export interface NamespaceConfig {
  /** Run around each connection of a client to the namespace. */
  connectionMiddleware?: string[];
  /** Run around each event that a client sends to the namespace. */
  packetMiddleware?: string[];
}

/** A namespace's chains, checked and complete. */
export type Chains = Required<NamespaceConfig>;

/** An empty child takes about 3 KiB: 30 MiB at most. One with a client takes less than its client does. */
const MAX_NAMESPACES = 10_000;
const CHAIN_KEYS = ['connectionMiddleware', 'packetMiddleware'];

/** @throws {ConfigError} naming the namespace, and what is wrong with it */
export function resolveNamespaces(raw: Record<string, NamespaceConfig> | undefined): Map<string, Chains> {
  const namespaces = new Map<string, Chains>();
  for (const [key, value] of Object.entries(object('config.io.namespace', raw) ?? {})) {
    const where = `config.io.namespace['${key}']`;
    const chains = object(where, value) ?? {};
    onlyKeys(where, chains, CHAIN_KEYS);
    const name = key.startsWith('/') ? key : `/${key}`;
    if (namespaces.has(name)) {
      throw new ConfigError(where, key, `one entry for ${name}, but there are two: with and without the slash`);
    }
    if (isPattern(name)) new Pattern(name, where);
    namespaces.set(name, resolveChains(where, chains));
  }
  return namespaces;
}

export function resolveMaxNamespaces(value: unknown): number {
  if (value === undefined || value === null) return MAX_NAMESPACES;
  if (value === Infinity || (Number.isInteger(value) && (value as number) > 0)) return value as number;
  throw new ConfigError('config.io.maxNamespaces', value, 'a whole number of at least 1, or Infinity');
}

/** @param where - the key that has the chains, for messages */
export function resolveChains(where: string, raw: NamespaceConfig): Chains {
  return {
    connectionMiddleware: list(where, 'connectionMiddleware', raw.connectionMiddleware),
    packetMiddleware: list(where, 'packetMiddleware', raw.packetMiddleware),
  };
}
