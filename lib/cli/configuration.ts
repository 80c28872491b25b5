// `config.io` as it is written in the files of config/, and what has to change in it.
import { KEYS } from '../config/config';
import { matchOf } from './api';
import type { Inference } from './inference';
import type { Match, RuleName } from './rules';
import { descendants, type Node, nameOf, node, nodes, text, unwrap, user } from './syntax';

/** A key of an object, by the names that lead to it. */
export interface Entry {
  path: string[];
  key: Node;
  value: Node | undefined;
}

/** The settings of all files of config/ together. Egg merges them by environment, which is not known here. */
export class Configuration {
  allowsOldClients = false;
  /** `config.io.generateId` makes the ids of sockets. */
  generatesIds = false;
  /** Middleware runs first in all namespaces. */
  #everywhere = false;
  /** The namespaces, and whether each has connection middleware of its own. */
  readonly #namespaces = new Map<string, boolean>();
  #guard: { file: string; match: Match } | undefined;

  /** Reads a file. Yields what has to change in it. */
  *read(file: string, root: Node, inference: Inference): Generator<Match> {
    for (const entry of entriesOf(file, root, inference)) {
      this.#note(file, entry, inference);
      const rule = ruleOf(entry, inference);
      if (rule) yield matchOf(rule, shown(entry));
    }
    for (const each of descendants(root)) {
      const name = each.type === 'CallExpression' ? namespaceOf(each, inference) : undefined;
      if (name && !this.#namespaces.has(name)) this.#namespaces.set(name, false);
    }
  }

  /** The guard of `/`, if there are namespaces that it no longer guards. */
  unguarded(): { file: string; match: Match } | undefined {
    const names = [...this.#namespaces].filter(([name, hasOwn]) => name !== '/' && !hasOwn).map(([name]) => name);
    if (!this.#guard || this.#everywhere || names.length === 0) return undefined;
    const { file, match } = this.#guard;
    return { file, match: { ...match, note: `it does not guard ${names.join(', ')}` } };
  }

  #note(file: string, { path, key, value }: Entry, inference: Inference): void {
    const [section, name, chain] = path;
    const isSet = nodes(inference.valueOf(value)?.elements).length > 0;
    if (path.length === 1 && /^(connection|packet)Middleware$/.test(section ?? '')) this.#everywhere ||= isSet;
    if (path.length === 1 && section === 'generateId') this.generatesIds = true;
    if (path.join('.') === 'init.allowEIO3') this.allowsOldClients = inference.valueOf(value)?.value !== false;
    if (section !== 'namespace' || name === undefined) return;
    const namespace = name.startsWith('/') ? name : `/${name}`;
    const isGuarded = chain === 'connectionMiddleware' && isSet;
    this.#namespaces.set(namespace, this.#namespaces.get(namespace) || isGuarded);
    if (namespace === '/' && isGuarded) this.#guard ??= { file, match: matchOf('guard', shown({ path, key, value })) };
  }
}

function ruleOf({ path, value }: Entry, inference: Inference): RuleName | undefined {
  const [section, name, chain] = path;
  const known = inference.valueOf(value);
  if (path.length === 1 && section && !KEYS.includes(section)) return 'unknown-option';
  if (section === 'namespace' && chain && path.length === 3 && !/^(connection|packet)Middleware$/.test(chain)) {
    return 'unknown-option';
  }
  if (path.length !== 2 || !name) return undefined;
  if (section === 'init') {
    if (name === 'origins') return 'origins';
    if (name === 'wsEngine') return text(known) === 'uws' ? 'uws' : undefined;
    if (name === 'cookiePath' || name === 'cookieHttpOnly') return 'cookie';
    if (name === 'cookie') return text(known) === undefined ? undefined : 'cookie';
  }
  if (section === 'redis') {
    if (name === 'pubClient' || name === 'subClient') return 'redis-client';
    if (name === 'uri' || name === 'url') return 'redis-uri';
    if (name.includes('_') && name !== 'auth_pass') return 'redis-option';
  }
  return undefined;
}

/** The keys below `config.io` that a file sets. */
function* entriesOf(file: string, root: Node, inference: Inference): Generator<Entry> {
  const isConfig = /^config\/config\./.test(file);
  for (const each of descendants(root)) {
    if (each.type === 'AssignmentExpression') {
      const path = pathOf(each.left);
      const at = path.indexOf('io');
      // `exports.io`, `config.io.init`; elsewhere `app.config.io`.
      if (at < 1 || !(isConfig || path[at - 1] === 'config')) continue;
      const inner = path.slice(at + 1);
      if (inner.length > 0) yield { path: inner, key: node(each.left) ?? each, value: node(each.right) };
      yield* objectEntries(each.right, inference, inner);
    }
    if (!isConfig) continue;
    if (each.type === 'Property' && nameOf(each.key, each.computed) === 'io' && !isInner(each)) {
      yield* objectEntries(each.value, inference);
    }
    if (each.type === 'ExportNamedDeclaration') {
      for (const declarator of nodes(node(each.declaration)?.declarations)) {
        if (nameOf(declarator.id, false) === 'io') yield* objectEntries(declarator.init, inference);
      }
    }
  }
}

/** The keys of an object and of the objects in it. */
export function* objectEntries(of: unknown, inference?: Inference, path: string[] = []): Generator<Entry> {
  const object = inference ? inference.valueOf(of) : unwrap(of);
  if (object?.type !== 'ObjectExpression') return;
  for (const property of nodes(object.properties)) {
    const name = property.type === 'Property' ? nameOf(property.key, property.computed) : undefined;
    if (name === undefined) continue;
    const inner = [...path, name];
    yield { path: inner, key: property, value: node(property.value) };
    yield* objectEntries(property.value, inference, inner);
  }
}

/** The names of a member expression: `exports.io.init`. */
function pathOf(expression: unknown): string[] {
  const each = unwrap(expression);
  if (each?.type !== 'MemberExpression') return [nameOf(each, false) ?? ''];
  return [...pathOf(each.object), nameOf(each.property, each.computed) ?? ''];
}

/** A property of an object in another one, or of a pattern. */
function isInner(property: Node): boolean {
  const object = property.parent;
  const of = object?.type === 'ObjectExpression' ? user(object).parent : undefined;
  if (!of || of.type === 'Property') return true;
  // `exports.other = { io: … }`
  const left = of.type === 'AssignmentExpression' ? pathOf(of.left) : [];
  return left.length > 1 && left.join('.') !== 'module.exports';
}

/** `app.io.of('/chat')` */
function namespaceOf(call: Node, inference: Inference): string | undefined {
  const callee = unwrap(call.callee);
  if (callee?.type !== 'MemberExpression' || nameOf(callee.property, callee.computed) !== 'of') return undefined;
  if (inference.kindOf(callee.object) !== 'server') return undefined;
  const name = text(nodes(call.arguments)[0]);
  return name === undefined || name.startsWith('/') ? name : `/${name}`;
}

/** The source of an entry that is reported: objects and functions are long, so only their keys are. */
function shown({ key, value }: Entry): Node {
  const isLong = /^(Object|Function|ArrowFunction)Expression$/.test(unwrap(value)?.type ?? '');
  return isLong ? (node(key.key) ?? key) : key;
}
