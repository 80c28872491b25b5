// What this process is among those of its host, and what follows from that. Asked at boot.

import { ConfigError } from '../errors';
import { loadsAsynchronously } from '../internals/egg';
import { type AdapterConfig, type AdapterName, configOf, type DrainConfig, type IoConfig } from './config';

/** An application or an agent. */
interface Process {
  config: { io: IoConfig };
}

/** What Egg's master was started with. */
interface Options extends Partial<Host> {
  clusterPort?: number;
  mode?: string;
}

function optionsOf(app: Process): Options {
  return (app as { options?: Options }).options ?? {};
}

/** How many workers there are, and whether Egg's `--sticky` shares the connections among them. */
export function hostOf(app: Process): Host {
  const { workers = 1, sticky } = optionsOf(app);
  return { workers: isCluster(app) ? workers : 1, sticky: sticky === true };
}

/** Whether agent and workers are processes of their own; not in Egg's single mode, which has no use for a number of workers. */
export function isCluster(app: Process): boolean {
  const { mode, workers } = optionsOf(app);
  return mode !== 'single' && workers !== undefined;
}

/** What the processes of one master have in common, and those of two masters have not. */
export function masterOf(app: Process): number {
  return optionsOf(app).clusterPort ?? process.ppid;
}

/**
 * Which adapter an application has.
 *
 * @throws {ConfigError} where config.io asks for what can't be
 */
export function adapterOf(app: Process): AdapterKind {
  return chooseAdapter(configOf(app), hostOf(app));
}

/** Whether requests of one client may reach several workers: not where it has a single connection, or --sticky. */
export function needsHandover(app: Process): boolean {
  const { workers, sticky } = hostOf(app);
  const { transports } = configOf(app).init;
  return workers > 1 && !sticky && (transports === undefined || transports.includes('polling'));
}

/** What is no error but looks like a mistake on this host, for the log. */
export function hostWarnings(app: Process): string[] {
  const { init, generateId, adapter } = configOf(app);
  const { workers } = hostOf(app);
  const warnings: string[] = [];
  if (generateId && init.allowEIO3 && needsHandover(app)) {
    warnings.push(
      'clients of Socket.IO 2 that begin with long-polling reach their worker only with --sticky: config.io.generateId makes their session ids, which then do not tell it. Others are not concerned',
    );
  }
  if (workers > 1 && adapter === 'memory') {
    warnings.push(
      `config.io.adapter 'memory' carries nothing to other workers, and there are ${workers}: 'cluster' does`,
    );
  }
  return warnings;
}

// config.io.adapter: its type, and its checks. Called by lib/config.ts for what is wrong in itself, and by lib/adapter.ts for
// what it is on this host.

/** `'own'` is one that the application brings along. */
export type AdapterKind = AdapterName | 'own';

/** What of `config.io.init` matters here. */
interface Init {
  adapter?: unknown;
  connectionStateRecovery?: unknown;
}

/** What else the choice depends on. */
export interface Host {
  /** How many workers this host's master starts. */
  workers: number;
  /** Whether the master gives all connections of an address to one worker. */
  sticky: boolean;
}

/**
 * Which adapter this application has on this host.
 *
 * @throws {ConfigError} where it can't do what `config.io.init` asks for
 */
export function chooseAdapter(
  { init, adapter, redis }: { init: Init; adapter: AdapterConfig | undefined; redis: unknown },
  host: Host,
): AdapterKind {
  const kind = kindOf(adapter, init, redis !== undefined, host);
  if (init.connectionStateRecovery) mustRecover(kind, host);
  return kind;
}

function kindOf(adapter: AdapterConfig | undefined, init: Init, hasRedis: boolean, { workers }: Host): AdapterKind {
  if (typeof adapter === 'function' || init.adapter !== undefined) return 'own';
  if (adapter === undefined) return hasRedis ? 'redis' : workers > 1 ? 'cluster' : 'memory';
  // One worker has nobody to talk to.
  return adapter === 'cluster' && workers === 1 ? 'memory' : adapter;
}

/** A client that comes back gets what it has missed only where the adapter keeps it, and wherever the client comes back to. */
function mustRecover(kind: AdapterKind, { workers, sticky }: Host): void {
  if (kind === 'own' || kind === 'redis-streams' || (kind === 'memory' && (workers === 1 || sticky))) return;
  const recovers = "config.io.adapter 'redis-streams', or 'memory' with one worker or with --sticky";
  throw new ConfigError(
    'config.io.init.connectionStateRecovery',
    true,
    'nothing, with this adapter',
    `connectionStateRecovery does not work with the adapter '${kind}' and ${workers} worker${workers === 1 ? '' : 's'}, which keeps no messages. What can carry it: ${recovers}`,
  );
}

// How long a worker may take to close: what config.io.drain says, and what Egg allows. Called by app.ts for the warnings, and by
// who closes something.

/** What of an application is needed here. */
interface Closing {
  config: { io: IoConfig };
  loader: object;
}

/** Both in ms. */
export type DrainTimes = Required<DrainConfig>;

/** How much of Egg's time is for draining; the rest is for adapters, for Redis and for whatever else the application closes. */
const SHARE = 0.8;
/** What Egg waits for by default, in ms. */
const EGG_DEFAULT = 5000;

/** How long this application may take to drain. Undefined where it closes connections at once. */
export function drainOf(app: Closing, env = process.env): DrainTimes | undefined {
  const { drain } = configOf(app);
  if (drain === undefined) return undefined;
  const timeout = drain.timeout ?? Math.floor(limitOf(app, env) * SHARE);
  return { timeout, spread: drain.spread ?? Math.floor(timeout / 2) };
}

/** The environment variables that give a worker more time to close. */
export function variablesOf(app: Closing): string[] {
  return Array.from(limits(app, {}), ([name]) => name);
}

/** What looks like a mistake, for the log. */
export function drainWarnings(app: Closing, env = process.env): string[] {
  const { timeout = 0 } = drainOf(app, env) ?? {};
  const needed = Math.ceil(timeout / SHARE);
  const short = limits(app, env).filter(([, limit]) => limit < needed);
  if (short.length === 0) return [];
  const names = short.map(([name]) => name).join(' and ');
  return [
    `config.io.drain.timeout is ${timeout} ms, but Egg ends a worker ${limitOf(app, env)} ms after it has asked it to: set ${names} in the environment to ${needed} or more`,
  ];
}

function limitOf(app: Closing, env: NodeJS.ProcessEnv): number {
  return Math.min(...limits(app, env).map(([, limit]) => limit));
}

/** Who ends a worker that takes too long: the variable that says when, and what it says, in ms. */
function limits(app: Closing, env: NodeJS.ProcessEnv): Array<[name: string, limit: number]> {
  const master: [string, number] = [
    'EGG_APP_CLOSE_TIMEOUT',
    milliseconds(env.EGG_APP_CLOSE_TIMEOUT || env.EGG_MASTER_CLOSE_TIMEOUT),
  ];
  // From Egg 4 on, which loads asynchronously, the worker itself has a limit: that of its graceful-process 2.
  if (!loadsAsynchronously(app)) return [master];
  return [master, ['GRACEFUL_TIMEOUT', milliseconds(env.GRACEFUL_TIMEOUT)]];
}

function milliseconds(variable: string | undefined): number {
  const set = Number.parseInt(variable ?? '', 10);
  return set >= 0 ? set : EGG_DEFAULT;
}
