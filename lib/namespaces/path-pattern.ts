// The pattern of a parent namespace, such as '/room/:id', and the parameters in the name of a child: ctx.params.
import type { Namespace } from 'socket.io';
import { ConfigError } from '../errors';

/** `ctx.params`: by name, or by number if the groups of a regular expression have no names. Decoded and frozen. */
export type Params = Readonly<Record<string, string | readonly string[]>>;

/** A colon within a segment ('/chat:lobby') is part of a plain name. */
const PARAMETER = /\/:[$_\p{ID_Start}"]/u;

/** Whether a name has parameters: one of its segments begins with `:name`. */
export function isPattern(name: string): boolean {
  return PARAMETER.test(name);
}

type PathToRegexp = typeof import('path-to-regexp');
type Token = import('path-to-regexp').Token;

/** A pattern of names, in the syntax of path-to-regexp 8. */
export class Pattern {
  readonly regexp: RegExp;
  readonly #keys: ReadonlyArray<{ type: string; name: string }>;

  /**
   * @param name - with its leading slash
   * @param where - where the name is set, for messages
   * @throws {ConfigError} if path-to-regexp cannot parse it
   */
  constructor(
    readonly name: string,
    where: string,
  ) {
    const { regexp, keys } = parsePattern(name, where);
    this.regexp = regexp;
    this.#keys = keys;
  }

  matches(name: string): boolean {
    return this.regexp.test(name);
  }

  /**
   * Returns the parameters of a matching name.
   *
   * @throws {URIError} if the percent-encoding of the name is malformed
   */
  params(name: string): Params {
    const values = this.regexp.exec(name)?.slice(1) ?? [];
    const params: Record<string, string | readonly string[]> = Object.create(null);
    for (const [i, { type, name: key }] of this.#keys.entries()) {
      const value = values[i];
      if (value === undefined) continue;
      params[key] =
        type === 'wildcard' ? Object.freeze(value.split('/').map(decodeURIComponent)) : decodeURIComponent(value);
    }
    return Object.freeze(params);
  }
}

function parsePattern(name: string, where: string) {
  // Loaded only if a namespace has parameters.
  const { parse, pathToRegexp }: PathToRegexp = require('path-to-regexp');
  try {
    const keys = keysOf(parse(name).tokens);
    const twice = keys.find((key, i) => keys.indexOf(key) < i);
    if (twice) throw new TypeError(`two parameters are called ${twice}`);
    // Names of namespaces are case-sensitive, and a trailing slash makes another name.
    return pathToRegexp(name, { sensitive: true, trailing: false });
  } catch (err) {
    const problem = (err as Error).message.split(';', 1)[0];
    throw new ConfigError(
      where,
      name,
      'a pattern of path-to-regexp 8, such as /room/:id, in which ( ) [ ] { } ? + ! : * are written with a backslash if they are not syntax',
      `can't parse the parameters of a namespace: ${problem}`,
    );
  }
}

function keysOf(tokens: Token[]): string[] {
  return tokens.flatMap((token) => {
    if (token.type === 'text') return [];
    return token.type === 'group' ? keysOf(token.tokens) : [token.name];
  });
}

/** Returns what the groups of a regular expression capture, by name and, from '0' on, by number. Undefined if there are no groups. */
export function captures(regexp: RegExp, name: string): Params | undefined {
  const match = regexp.exec(name);
  if (match === null || match.length === 1) return undefined;
  const params: Record<string, string> = Object.create(null);
  for (const [key, value] of [...match.slice(1).entries(), ...Object.entries(match.groups ?? {})]) {
    if (value !== undefined) params[key] = decode(value);
  }
  return Object.freeze(params);
}

/** Decodes a value, if it is encoded correctly: Socket.IO creates a child for any name that the regular expression matches. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const PARAMS = Symbol('egg-socket.io:params');

type WithParams = Namespace & { [PARAMS]?: Params };

/** Returns the parameters of a namespace, or undefined if it has none. */
export function paramsOf(nsp: Namespace): Params | undefined {
  return (nsp as WithParams)[PARAMS];
}

/** Sets the parameters of a namespace. */
export function setParams(nsp: Namespace, params: Params): void {
  (nsp as WithParams)[PARAMS] = params;
}
