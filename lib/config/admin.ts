// `config.io.admin`: the admin UI of Socket.IO, whose package is loaded only if it is configured.
import { createRequire } from 'node:module';
import path from 'node:path';
import { inspect } from 'node:util';
import type { Server } from 'socket.io';
import { ConfigError } from '../errors';
import { isPattern } from '../namespaces/path-pattern';
import { onlyKeys } from './validate';

/** `config.io.admin`. */
export interface AdminConfig {
  /**
   * Who may connect: a name, and the bcrypt hash of a password. false: everyone who reaches the server, which the boot refuses outside of the
   * environments local and unittest.
   *
   * @example
   * auth: { username: 'admin', password: process.env.ADMIN_PASSWORD_HASH }
   */
  auth: { type?: 'basic'; username: string; password: string | undefined } | false;
  /**
   * The namespace that the UI connects to. It has none of the application's middleware, and the application can't route events in it.
   *
   * @default '/admin'
   */
  namespaceName?: string;
  /**
   * `'development'`: the UI shows each socket with its headers and data, and each event. `'production'`: it shows how many there are.
   *
   * @default 'development' in the environments local and unittest, else 'production'
   */
  mode?: 'development' | 'production';
  /**
   * Whether the UI may only look. If not, it may emit events, change rooms and disconnect sockets.
   *
   * @default false in the environments local and unittest, else true
   */
  readonly?: boolean;
  /** The name of this worker in the UI. Default: the name of the host and the process id. */
  serverId?: string;
}

/** `config.io.admin`, checked. What depends on the environment is still undefined. */
export interface ResolvedAdmin {
  auth: { type: 'basic'; username: string; password: string } | false;
  namespaceName: string;
  mode: AdminConfig['mode'];
  readonly: boolean | undefined;
  serverId: string | undefined;
}

const KEY = 'config.io.admin';
const PACKAGE = '@socket.io/admin-ui';
const MODES: unknown[] = ['development', 'production'];
const BCRYPT = /^\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}$/;
const HIDDEN = { [inspect.custom]: () => '{…}' };

/**
 * Checks `config.io.admin`.
 *
 * @param namespaces - the names of the configured namespaces
 * @throws {ConfigError} naming the key; the value of `auth` is not shown
 */
export function resolveAdmin(raw: unknown, namespaces: Iterable<string>): ResolvedAdmin | undefined {
  if (raw === undefined || raw === null || raw === false) return undefined;
  if (typeof raw !== 'object' || Array.isArray(raw)) {
    const allowed = '{ auth: { username, password } }, with the bcrypt hash of the password';
    throw new ConfigError(KEY, raw === true || HIDDEN, allowed);
  }
  const given = raw as Record<keyof AdminConfig, unknown>;
  onlyKeys(KEY, given, ['auth', 'namespaceName', 'mode', 'readonly', 'serverId']);
  const { namespaceName = '/admin', mode, readonly, serverId } = given;
  if (typeof namespaceName !== 'string' || !/^\/./.test(namespaceName) || isPattern(namespaceName)) {
    throw new ConfigError(`${KEY}.namespaceName`, namespaceName, "a name with a leading slash, other than '/'");
  }
  if ([...namespaces].includes(namespaceName)) {
    const problem = `the admin UI needs a namespace of its own, and config.io.namespace has ${namespaceName}`;
    throw new ConfigError(`${KEY}.namespaceName`, namespaceName, 'a name that the application does not use', problem);
  }
  if (mode !== undefined && !MODES.includes(mode)) {
    throw new ConfigError(`${KEY}.mode`, mode, "'development' or 'production'");
  }
  if (readonly !== undefined && typeof readonly !== 'boolean') {
    throw new ConfigError(`${KEY}.readonly`, readonly, 'true or false');
  }
  if (serverId !== undefined && typeof serverId !== 'string') {
    throw new ConfigError(`${KEY}.serverId`, serverId, 'a string');
  }
  return { auth: resolveAuth(given.auth), namespaceName, mode: mode as AdminConfig['mode'], readonly, serverId };
}

function resolveAuth(raw: unknown): ResolvedAdmin['auth'] {
  if (raw === false) return false;
  const key = `${KEY}.auth`;
  const allowed = '{ username, password }, with the bcrypt hash of the password, or false in development';
  if (typeof raw !== 'object' || raw === null) throw new ConfigError(key, raw && HIDDEN, allowed, `${key} must be set`);
  onlyKeys(key, raw, ['type', 'username', 'password']);
  const { type = 'basic', username, password } = raw as Record<string, unknown>;
  if (type !== 'basic') throw new ConfigError(`${key}.type`, type, "'basic'");
  if (typeof username !== 'string' || username === '') throw new ConfigError(`${key}.username`, username, 'a name');
  if (typeof password !== 'string' || !BCRYPT.test(password)) {
    const problem = `${key}.password must be the bcrypt hash of the password, and not the password itself`;
    throw new ConfigError(`${key}.password`, HIDDEN, 'a bcrypt hash, which begins with $2', problem);
  }
  return { type, username, password };
}

/** An application or an agent. */
interface EggProcess {
  config: { env: string };
  baseDir: string;
}

/** Whether other people than the developer may reach the server. */
function isDeployed({ config: { env } }: Pick<EggProcess, 'config'>): boolean {
  return env !== 'local' && env !== 'unittest';
}

/** The options of admin-ui. */
type Instrument = (io: Server, options: object) => void;

/** What admin-ui is called with. */
export interface AdminUi {
  instrument: Instrument;
  options: {
    auth: ResolvedAdmin['auth'];
    namespaceName: string;
    mode: 'development' | 'production';
    readonly: boolean;
    serverId?: string;
  };
}

/**
 * Loads admin-ui from the application.
 *
 * @throws {ConfigError} if the package cannot be loaded, or if everyone could connect to a server that is deployed
 */
export function loadAdminUi(app: EggProcess, admin: ResolvedAdmin): AdminUi {
  const deployed = isDeployed(app);
  if (admin.auth === false && deployed) {
    const problem = `everyone could connect to the admin UI in the environment ${app.config.env}`;
    throw new ConfigError(
      `${KEY}.auth`,
      false,
      '{ username, password }, with the bcrypt hash of the password',
      problem,
    );
  }
  let loaded: { instrument: Instrument };
  try {
    loaded = createRequire(path.join(app.baseDir, 'package.json'))(PACKAGE);
  } catch (err) {
    const [reason] = (err as Error).message.split('\n', 1);
    const problem = `can't load the admin UI: run "npm install ${PACKAGE}", or remove ${KEY}. ${reason}`;
    throw new ConfigError(KEY, HIDDEN, 'nothing if the package is not installed', problem);
  }
  const { readonly = deployed, ...rest } = admin;
  return { instrument: loaded.instrument, options: { ...rest, mode: modeOf(app, admin), readonly } };
}

/** Returns `config.io.admin.mode`, or its default. */
export function modeOf(
  app: Pick<EggProcess, 'config'>,
  { mode }: Pick<ResolvedAdmin, 'mode'>,
): 'development' | 'production' {
  return mode ?? (isDeployed(app) ? 'production' : 'development');
}
