// The topology of the host: how many workers there are, which adapter connects them, whether they forward requests to each other, and
// how long Egg lets a worker close.
import { ConfigError } from '../errors';
import { loadsAsynchronously, masterOptionsOf } from '../internals/egg';
import { type AdapterConfig, type AdapterName, configOf, type IoConfig, type ResolvedConfig } from './config';
import type { DrainConfig } from './drain-options';

/** An application or an agent. */
interface EggProcess {
  config: { io: IoConfig };
}

/** An adapter of the plugin, or `'own'`: an adapter of the application. */
type AdapterKind = AdapterName | 'own';

/** The workers of a host. */
export interface Host {
  /** How many workers the master of this host starts. */
  workers: number;
  /** Whether the master sends all connections of an address to one worker: Egg's `--sticky`. */
  sticky: boolean;
}

/** Returns the workers of this host. */
export function hostOf(app: EggProcess): Host {
  const { workers = 1, sticky } = masterOptionsOf(app);
  return { workers: isCluster(app) ? workers : 1, sticky: sticky === true };
}

/** Whether agent and workers are separate processes. In Egg's single mode they are not. */
export function isCluster(app: EggProcess): boolean {
  const { mode, workers } = masterOptionsOf(app);
  return mode !== 'single' && workers !== undefined;
}

/** Returns a number that the processes of one master share, and that no other master on this host has. */
export function masterOf(app: EggProcess): number {
  return masterOptionsOf(app).clusterPort ?? process.ppid;
}

/**
 * Returns which adapter an application has on this host.
 *
 * @throws {ConfigError} if the adapter does not support what `config.io.init` enables
 */
export function adapterOf(app: EggProcess): AdapterKind {
  return chooseAdapter(configOf(app), hostOf(app));
}

/** The options of `config.io.init` that concern the adapter. */
interface AdapterInit {
  adapter?: unknown;
  connectionStateRecovery?: unknown;
}

/** The same for a given configuration and host. */
export function chooseAdapter(
  { init, adapter, redis, loadRedis }: Pick<ResolvedConfig, 'adapter' | 'redis' | 'loadRedis'> & { init: AdapterInit },
  host: Host,
): AdapterKind {
  const kind = kindOf(adapter, init, (loadRedis ?? redis) !== undefined, host);
  if (init.connectionStateRecovery) assertRecovers(kind, host);
  return kind;
}

function kindOf(
  adapter: AdapterConfig | undefined,
  init: AdapterInit,
  hasRedis: boolean,
  { workers }: Host,
): AdapterKind {
  if (typeof adapter === 'function' || init.adapter !== undefined) return 'own';
  if (adapter === undefined) return hasRedis ? 'redis' : workers > 1 ? 'cluster' : 'memory';
  return adapter === 'cluster' && workers === 1 ? 'memory' : adapter;
}

/** A client that reconnects gets the events it has missed only if the adapter stores them, for each worker it may reconnect to. */
function assertRecovers(kind: AdapterKind, { workers, sticky }: Host): void {
  if (kind === 'own' || kind === 'redis-streams' || (kind === 'memory' && (workers === 1 || sticky))) return;
  const supported = "config.io.adapter 'redis-streams', or 'memory' with one worker or with --sticky";
  throw new ConfigError(
    'config.io.init.connectionStateRecovery',
    true,
    'nothing, with this adapter',
    `connectionStateRecovery does not work with the adapter '${kind}' and ${workers} worker${workers === 1 ? '' : 's'}: the adapter stores no messages. It works with ${supported}`,
  );
}

/**
 * Whether the requests of one client may reach several workers, which then forward them to the worker of the client. They do not if
 * the client has one connection only, or with `--sticky`.
 */
export function needsForwarding(app: EggProcess): boolean {
  const { workers, sticky } = hostOf(app);
  const { transports } = configOf(app).init;
  return workers > 1 && !sticky && (transports === undefined || transports.includes('polling'));
}

/** Returns warnings of settings that do not fit this host. */
export function hostWarnings(app: EggProcess): string[] {
  const { init, generateId, adapter } = configOf(app);
  const { workers } = hostOf(app);
  const warnings: string[] = [];
  if (generateId && init.allowEIO3 && needsForwarding(app)) {
    warnings.push(
      'clients of Socket.IO 2 that start with long-polling need --sticky: config.io.generateId makes their session ids, which do not contain the id of their worker. Other clients are not affected',
    );
  }
  if (workers > 1 && adapter === 'memory') {
    warnings.push(
      `config.io.adapter 'memory' sends no broadcasts to other workers, and there are ${workers}: set it to 'cluster'`,
    );
  }
  return warnings;
}

/** An application that closes. */
interface ClosingApp extends EggProcess {
  loader: object;
}

/** Both in ms. */
type DrainTimes = Required<DrainConfig>;

/** The share of Egg's time limit that a worker drains for. In the rest it closes adapters, Redis and what the application has. */
const DRAIN_SHARE = 0.8;
/** Egg's default time limit, in ms. */
const EGG_LIMIT = 5000;

/** Returns how long an application may drain, or undefined if it closes its connections at once. */
export function drainTimesOf(app: ClosingApp, env = process.env): DrainTimes | undefined {
  const { drain } = configOf(app);
  if (drain === undefined) return undefined;
  const timeout = drain.timeout ?? Math.floor(closeLimitOf(app, env) * DRAIN_SHARE);
  return { timeout, spread: drain.spread ?? Math.floor(timeout / 2) };
}

/** Returns the environment variables that give a worker more time to close. */
export function closeVariablesOf(app: ClosingApp): string[] {
  return Array.from(closeLimits(app, {}), ([name]) => name);
}

/** Returns warnings of a drain that takes longer than Egg lets a worker close. */
export function drainWarnings(app: ClosingApp, env = process.env): string[] {
  const { timeout = 0 } = drainTimesOf(app, env) ?? {};
  const needed = Math.ceil(timeout / DRAIN_SHARE);
  const short = closeLimits(app, env).filter(([, limit]) => limit < needed);
  if (short.length === 0) return [];
  const names = short.map(([name]) => name).join(' and ');
  return [
    `config.io.drain.timeout is ${timeout} ms, but Egg ends a worker ${closeLimitOf(app, env)} ms after it has asked it to close: set ${names} in the environment to ${needed} or more`,
  ];
}

function closeLimitOf(app: ClosingApp, env: NodeJS.ProcessEnv): number {
  return Math.min(...closeLimits(app, env).map(([, limit]) => limit));
}

/** The time limits of a closing worker: the environment variable of each, and its value in ms. */
function closeLimits(app: ClosingApp, env: NodeJS.ProcessEnv): Array<[name: string, limit: number]> {
  const ofMaster: [string, number] = [
    'EGG_APP_CLOSE_TIMEOUT',
    milliseconds(env.EGG_APP_CLOSE_TIMEOUT || env.EGG_MASTER_CLOSE_TIMEOUT),
  ];
  // On Egg 4 the worker has a limit of its own, that of graceful-process 2.
  if (!loadsAsynchronously(app)) return [ofMaster];
  return [ofMaster, ['GRACEFUL_TIMEOUT', milliseconds(env.GRACEFUL_TIMEOUT)]];
}

function milliseconds(variable: string | undefined): number {
  const value = Number.parseInt(variable ?? '', 10);
  return value >= 0 ? value : EGG_LIMIT;
}
