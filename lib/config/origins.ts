// `config.io.allowedOrigins`: its type, its checks, and warnings of origins that can match nothing.
import type { IncomingMessage } from 'node:http';
import { types } from 'node:util';
import type { ServerOptions } from 'socket.io';
import { ConfigError } from '../errors';

/** Decides about an origin that is not the host of the request. */
export type CheckOrigin = (origin: string, request: IncomingMessage) => boolean | Promise<boolean>;

/** `config.io.allowedOrigins`. */
export type AllowedOrigins =
  | 'same-host'
  | (string & {})
  | RegExp
  | ReadonlyArray<string | RegExp>
  | CheckOrigin
  | false;

const KEY = 'config.io.allowedOrigins';
export const SAME_HOST = 'same-host';
/** All origins. */
export const ALL = '*';
/** An origin of an app or of an extension, such as `capacitor://localhost`. */
const OTHER_SCHEME = /^(?!https?:)[a-z][a-z\d+.-]*:\/\/[^\s/?#@*]*$/;

/** @throws {ConfigError} naming the allowed values */
export function resolveAllowedOrigins(value: unknown, warnings: string[]): AllowedOrigins {
  if (value === undefined || value === null) return SAME_HOST;
  const isList = Array.isArray(value) && value.every(isOrigin);
  const isFunction = typeof value === 'function' && !types.isGeneratorFunction(value);
  if (value !== false && !isOrigin(value) && !isFunction && !isList) {
    const allowed =
      "'same-host', an origin such as 'https://example.com', a RegExp, an array of them, a function (origin, request) => boolean, or false";
    throw new ConfigError(KEY, value, allowed);
  }
  warnings.push(...mistakes(KEY, value));
  return value as AllowedOrigins;
}

function isOrigin(value: unknown): boolean {
  return typeof value === 'string' || value instanceof RegExp;
}

/** Returns warnings of an `init.cors` that browsers or the check of origins can match with nothing. */
export function corsMistakes(cors: ServerOptions['cors'] | undefined): string[] {
  if (typeof cors !== 'object' || cors === null) return [];
  const key = 'config.io.init.cors';
  const found = mistakes(`${key}.origin`, cors.origin);
  if (cors.origin === ALL && cors.credentials === true) {
    found.push(
      `${key}: browsers refuse origin '*' with credentials: true. Name the origins, or set origin: true, which lets all origins in`,
    );
  }
  return found;
}

/** Browsers send an origin in one form alone: another form of it matches nothing. */
function mistakes(key: string, value: unknown): string[] {
  const isList = Array.isArray(value);
  return [value].flat().flatMap((origin) => {
    if (typeof origin !== 'string' || origin === SAME_HOST || (origin === ALL && !isList)) return [];
    const advice = correction(origin);
    return advice === undefined ? [] : [`${key}: '${origin}' matches no origin. ${advice}`];
  });
}

/** Returns what to write in place of an origin that no browser sends. */
function correction(origin: string): string | undefined {
  if (origin === 'null' || OTHER_SCHEME.test(origin)) return undefined;
  if (origin.includes('*')) {
    return `A RegExp matches several origins, such as /^https:\\/\\/[a-z]+\\.example\\.com$/${origin === ALL ? ", and '*' outside of an array all of them" : ''}`;
  }
  if (!/^https?:/i.test(origin) || !URL.canParse(origin)) {
    return "An origin is a scheme, a host and a port, such as 'http://localhost:8080' or 'https://example.com'";
  }
  const url = new URL(origin);
  return url.origin === origin ? undefined : `Write '${url.origin}'`;
}
