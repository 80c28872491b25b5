// The name of a namespace with parameters, '/room/:id', and what a child's own name says of them. Called by config.ts for
// what is wrong, by server.ts, and by context.ts for `ctx.params`.
import { parse, pathToRegexp, type Token } from 'path-to-regexp';
import type { Namespace } from 'socket.io';
import { ConfigError } from '../errors';

/** `ctx.params`: by name, or by number where a regular expression has not named its groups. Decoded, and frozen. */
export type Params = Readonly<Record<string, string | readonly string[]>>;

/** A colon inside a segment ('/chat:lobby') is part of a plain name, as it was before there were parameters. */
const PARAMETER = /\/:[$_\p{ID_Start}"]/u;

/** Whether a name has parameters: a segment of it begins with `:name`. */
export function isPattern(name: string): boolean {
  return PARAMETER.test(name);
}

/** A pattern of names, in the syntax of path-to-regexp 8. */
export class Pattern {
  readonly regexp: RegExp;
  readonly #keys: ReadonlyArray<{ type: string; name: string }>;

  /**
   * @param name - with its leading slash
   * @param where - what has the name, for messages
   * @throws {ConfigError} where path-to-regexp can't read it
   */
  constructor(
    readonly name: string,
    where: string,
  ) {
    const { regexp, keys } = read(name, where);
    this.regexp = regexp;
    this.#keys = keys;
  }

  /**
   * The parameters of a name that matches.
   *
   * @throws {URIError} where its percent-encoding is wrong
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

// A namespace's name is the same one only letter by letter: neither another case nor one more slash.
function read(name: string, where: string) {
  try {
    const keys = keysOf(parse(name).tokens);
    const twice = keys.find((key, i) => keys.indexOf(key) < i);
    if (twice) throw new TypeError(`two parameters are called ${twice}`);
    return pathToRegexp(name, { sensitive: true, trailing: false });
  } catch (err) {
    const problem = (err as Error).message.split(';', 1)[0];
    throw new ConfigError(
      where,
      name,
      'a pattern of path-to-regexp 8, such as /room/:id, in which a backslash takes the meaning of ( ) [ ] { } ? + ! : * away',
      `can't read the parameters of a namespace: ${problem}`,
    );
  }
}

function keysOf(tokens: Token[]): string[] {
  return tokens.flatMap((token) => {
    if (token.type === 'text') return [];
    return token.type === 'group' ? keysOf(token.tokens) : [token.name];
  });
}

/** What the groups of a regular expression caught: by name and, from '0' on, by number. Undefined where it has none. */
export function captures(regexp: RegExp, name: string): Params | undefined {
  const match = regexp.exec(name);
  if (match === null || match.length === 1) return undefined;
  const params: Record<string, string> = Object.create(null);
  for (const [key, value] of [...match.slice(1).entries(), ...Object.entries(match.groups ?? {})]) {
    if (value !== undefined) params[key] = decoded(value);
  }
  return Object.freeze(params);
}

/** Socket.IO lets any name in that the regular expression takes. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const known = new WeakMap<Namespace, Params>();

/** The parameters of a namespace, where it has any. */
export function paramsOf(nsp: Namespace): Params | undefined {
  return known.get(nsp);
}

/** Gives a namespace its parameters. */
export function setParams(nsp: Namespace, params: Params): void {
  known.set(nsp, params);
}
