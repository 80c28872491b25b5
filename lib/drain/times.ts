// How long a worker may take to close: what config.io.drain says, and what Egg allows. Called by app.ts for the warnings, and by
// who closes something.
import { types } from 'node:util';
import { type IoConfig, resolveConfig } from '../config';
import type { DrainConfig } from './config';

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
  const { drain } = resolveConfig(app.config.io);
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
  if (!types.isAsyncFunction((app.loader as { loadRouter?: unknown }).loadRouter)) return [master];
  return [master, ['GRACEFUL_TIMEOUT', milliseconds(env.GRACEFUL_TIMEOUT)]];
}

function milliseconds(variable: string | undefined): number {
  const set = Number.parseInt(variable ?? '', 10);
  return set >= 0 ? set : EGG_DEFAULT;
}
