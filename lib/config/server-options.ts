// config.io.init: the options of Socket.IO and Engine.IO, of which those that mislead are checked. Called by config.ts; the
// WebSocket engine is loaded when app.io is made.
import { createRequire } from 'node:module';
import path from 'node:path';
import type { ServerOptions } from 'socket.io';
import { ConfigError } from '../errors';
import { object } from './validate';

/** What `config.io.init` takes: the options of Socket.IO and Engine.IO. */
export interface InitConfig extends Omit<Partial<ServerOptions>, 'wsEngine'> {
  /** A WebSocket server's constructor, or the name of a package whose `Server` is one. Default: ws. */
  wsEngine?: string | (new (...args: never[]) => unknown);
}

/** Options of Socket.IO 2, and what to write instead. */
const DROPPED: Record<string, string> = {
  origins: "config.io.init.cors = { origin: ['https://example.com'] }, and allowRequest for WebSocket",
  cookiePath: 'config.io.init.cookie = { name, path }',
  cookieHttpOnly: 'config.io.init.cookie = { name, httpOnly }',
};

/**
 * Checks `config.io.init` and sets the plugin's own defaults.
 *
 * @throws {ConfigError} naming the key, its value and what is allowed
 */
export function resolveInit(raw: InitConfig | undefined, warnings: string[]): InitConfig {
  const init = { ...object('config.io.init', raw) };
  if (init.adapter !== undefined && typeof init.adapter !== 'function') {
    throw new ConfigError('config.io.init.adapter', init.adapter, 'an adapter constructor, as Socket.IO takes it');
  }
  // The package that reads it takes anything else for "every origin".
  if (init.cors && typeof init.cors !== 'function' && !(typeof init.cors === 'object' && 'origin' in init.cors)) {
    throw new ConfigError(
      'config.io.init.cors',
      init.cors,
      "an object with an origin: { origin: 'https://example.com' }",
    );
  }
  for (const [key, instead] of Object.entries(DROPPED)) {
    if (key in init) warnings.push(`config.io.init.${key} has no effect since Socket.IO 3: set ${instead}`);
  }
  if (typeof init.cookie === 'string') {
    warnings.push(`config.io.init.cookie has no effect as a string since Socket.IO 3: set { name: '${init.cookie}' }`);
  }
  // Socket.IO serves its client bundle unless told otherwise; an Egg application has its own static files.
  init.serveClient ??= false;
  const recovery = init.connectionStateRecovery;
  // A middleware that keeps somebody out has to see who comes back, too; Socket.IO's own default skips it.
  if (recovery) init.connectionStateRecovery = { skipMiddlewares: false, ...recovery };
  return init;
}

/**
 * `init.wsEngine` as Engine.IO 6 takes it: a constructor. Socket.IO 2 took a package's name.
 *
 * @throws {ConfigError} where the package can't be loaded or has no `Server`
 */
export function loadWsEngine(init: InitConfig, baseDir: string): InitConfig {
  const { wsEngine, ...rest } = init;
  if (wsEngine === undefined || wsEngine === null) return rest;
  if (typeof wsEngine === 'function') return init;
  const key = 'config.io.init.wsEngine';
  if (typeof wsEngine !== 'string') throw new ConfigError(key, wsEngine, "a constructor or a package's name");
  // The engine that Engine.IO brings along.
  if (wsEngine === 'ws') return rest;
  let loaded: { Server?: unknown };
  try {
    loaded = createRequire(path.join(baseDir, 'package.json'))(wsEngine);
  } catch (err) {
    const problem = `can't load the WebSocket engine ${wsEngine}: run "npm install ${wsEngine}", or remove ${key} to use ws`;
    throw new ConfigError(
      key,
      wsEngine,
      'a package that can be loaded',
      `${problem}. ${(err as Error).message.split('\n', 1)[0]}`,
    );
  }
  const WsServer = loaded.Server ?? loaded;
  if (typeof WsServer !== 'function') throw new ConfigError(key, wsEngine, 'a package that exports a Server');
  return { ...rest, wsEngine: WsServer as Exclude<InitConfig['wsEngine'], string> };
}
