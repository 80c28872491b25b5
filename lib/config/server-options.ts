// `config.io.init`: the options of Socket.IO and Engine.IO. Options that would mislead are checked; the WebSocket engine is loaded.
import { createRequire } from 'node:module';
import path from 'node:path';
import type { ServerOptions } from 'socket.io';
import type { Origins, OriginsValue } from '../compat/origins';
import { ConfigError } from '../errors';
import { corsMistakes } from './origins';
import { LONGEST_TIMER, object } from './validate';

/** The options of Socket.IO and Engine.IO. */
export interface InitConfig extends Omit<Partial<ServerOptions>, 'wsEngine'> {
  /** The constructor of a WebSocket server, or the name of a package that exports one as `Server`. Default: ws. */
  wsEngine?: string | (new (...args: never[]) => unknown);
  /**
   * Socket.IO 2's origins: `'*:*'`, a list, or a function. It needs `config.io.compat`.
   *
   * @deprecated write `cors`, or `config.io.allowedOrigins`
   */
  origins?: OriginsValue;
}

/** Options of Socket.IO and Engine.IO that an application may have put beside `init`. */
export const INIT_KEYS: readonly string[] = [
  'allowEIO3',
  'allowRequest',
  'allowUpgrades',
  'connectTimeout',
  'connectionStateRecovery',
  'cookie',
  'cors',
  'httpCompression',
  'maxHttpBufferSize',
  'origins',
  'parser',
  'path',
  'perMessageDeflate',
  'pingInterval',
  'pingTimeout',
  'serveClient',
  'transports',
  'upgradeTimeout',
  'wsEngine',
];

/** Options of Socket.IO 2, and what replaces them. */
const DROPPED: Record<string, string> = {
  cookiePath: 'config.io.init.cookie = { name, path }',
  cookieHttpOnly: 'config.io.init.cookie = { name, httpOnly }',
};

/** WebSocket engines that cannot be installed any more, and what to do. The newest release of uws on npm is an empty package. */
const REPLACED_ENGINES: Record<string, string> = {
  uws: 'remove config.io.init.wsEngine to use ws, which is as fast, or install eiows and set "eiows": uws is no longer published',
};

type Check = [isValid: (value: unknown) => boolean, allowed: string];

const MS: Check = [(value) => isPositive(value) && value <= LONGEST_TIMER, 'a number of ms greater than 0'];
const BOOLEAN: Check = [(value) => typeof value === 'boolean', 'true or false'];
const TRANSPORTS: readonly unknown[] = ['polling', 'websocket', 'webtransport'];

/** Options whose mistakes Socket.IO and Engine.IO do not report: no client could connect, or the worker would end at the first request. */
const CHECKS: Record<string, Check> = {
  path: [
    (value) => typeof value === 'string' && /^\/./.test(value),
    "a path that begins with a slash, such as '/socket.io', and is not '/', which the HTTP routes need",
  ],
  transports: [
    (value) => Array.isArray(value) && value.length > 0 && value.every((name) => TRANSPORTS.includes(name)),
    "an array of 'polling', 'websocket', 'webtransport'",
  ],
  allowRequest: [(value) => typeof value === 'function', 'a function (request, callback)'],
  pingInterval: MS,
  pingTimeout: MS,
  connectTimeout: MS,
  upgradeTimeout: MS,
  maxHttpBufferSize: [isPositive, 'a number of bytes greater than 0'],
  allowEIO3: BOOLEAN,
  allowUpgrades: BOOLEAN,
  serveClient: BOOLEAN,
};

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && value > 0;
}

/**
 * Checks `config.io.init` and sets the defaults of the plugin.
 *
 * @throws {ConfigError} naming the key, its value and the allowed values
 */
export function resolveInit(
  raw: InitConfig | undefined,
  compat: unknown,
  warnings: string[],
): { init: InitConfig; cors: InitConfig['cors']; origins: Origins | undefined } {
  const { origins: value, ...init } = { ...object('config.io.init', raw) };
  const origins = resolveOrigins(value, compat, warnings);
  if (init.adapter !== undefined && typeof init.adapter !== 'function') {
    throw new ConfigError('config.io.init.adapter', init.adapter, 'an adapter constructor, as Socket.IO takes it');
  }
  // The package cors reads any other value as "every origin".
  if (init.cors && typeof init.cors !== 'function' && !(typeof init.cors === 'object' && 'origin' in init.cors)) {
    throw new ConfigError(
      'config.io.init.cors',
      init.cors,
      "an object with an origin: { origin: 'https://example.com' }",
    );
  }
  for (const [key, [isValid, allowed]] of Object.entries(CHECKS)) {
    const value: unknown = Reflect.get(init, key);
    if (value !== undefined && value !== null && !isValid(value)) {
      throw new ConfigError(`config.io.init.${key}`, value, allowed);
    }
  }
  for (const [key, instead] of Object.entries(DROPPED)) {
    if (key in init) warnings.push(`config.io.init.${key} has no effect since Socket.IO 3: set ${instead}`);
  }
  if (typeof init.cookie === 'string') {
    warnings.push(`config.io.init.cookie has no effect as a string since Socket.IO 3: set { name: '${init.cookie}' }`);
  }
  if (init.destroyUpgradeTimeout !== undefined) {
    warnings.push(
      'config.io.init.destroyUpgradeTimeout has no effect: remove it. Upgrades of other paths belong to the other listeners of the HTTP server, and are answered by 404 at once if there are none',
    );
  }
  // Socket.IO serves its client bundle by default. An Egg application serves its own static files.
  init.serveClient ??= false;
  const recovery = init.connectionStateRecovery;
  // Socket.IO skips middleware for a recovered client by default. Middleware that refuses clients must run for it, too.
  if (recovery) init.connectionStateRecovery = { skipMiddlewares: false, ...recovery };
  const { cors } = init;
  warnings.push(...corsMistakes(cors));
  if (origins !== undefined) init.cors ??= loadOrigins().corsOf(origins);
  return { init, cors, origins };
}

/** @throws {ConfigError} if `config.io.compat` is not a boolean */
function resolveOrigins(value: OriginsValue | undefined, compat: unknown, warnings: string[]): Origins | undefined {
  if (compat !== undefined && compat !== null && typeof compat !== 'boolean') {
    throw new ConfigError('config.io.compat', compat, 'true or false');
  }
  if (compat === true) return new (loadOrigins().Origins)(value);
  if (value !== undefined) {
    warnings.push(
      "config.io.init.origins has no effect since Socket.IO 3: set config.io.init.cors = { origin: ['https://example.com'] }, or config.io.compat = true",
    );
  }
  return undefined;
}

/** Loaded only with `config.io.compat`. */
function loadOrigins(): typeof import('../compat/origins') {
  return require('../compat/origins');
}

/**
 * Replaces the name of a WebSocket engine, which Socket.IO 2 accepted, by its constructor, which Engine.IO 6 expects.
 *
 * @param baseDir - the directory of the application, whose packages are searched
 * @throws {ConfigError} if the package cannot be loaded or has no `Server`
 */
export function loadWsEngine(init: InitConfig, baseDir: string): InitConfig {
  const { wsEngine, ...rest } = init;
  if (wsEngine === undefined || wsEngine === null) return rest;
  if (typeof wsEngine === 'function') return init;
  const key = 'config.io.init.wsEngine';
  if (typeof wsEngine !== 'string') throw new ConfigError(key, wsEngine, "a constructor or a package's name");
  // Engine.IO's default.
  if (wsEngine === 'ws') return rest;
  let loaded: { Server?: unknown };
  try {
    loaded = createRequire(path.join(baseDir, 'package.json'))(wsEngine);
  } catch (err) {
    const advice = REPLACED_ENGINES[wsEngine] ?? `run "npm install ${wsEngine}", or remove ${key} to use ws`;
    const problem = `can't load the WebSocket engine ${wsEngine}: ${advice}`;
    const [reason] = (err as Error).message.split('\n', 1);
    throw new ConfigError(key, wsEngine, 'a package that can be loaded', `${problem}. ${reason}`);
  }
  const WsServer = loaded.Server ?? loaded;
  if (typeof WsServer !== 'function') {
    throw new ConfigError(key, wsEngine, REPLACED_ENGINES[wsEngine] ?? 'a package that exports a Server');
  }
  return { ...rest, wsEngine: WsServer as Exclude<InitConfig['wsEngine'], string> };
}
