// The API of OpenTelemetry. It is loaded from the application: that copy is compatible with the application's SDK and instrumentations, which may
// be registered at any time.
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as Api from '@opentelemetry/api';
import type { Application } from 'egg';
import { clientLogOf } from '../client-log';
import { OTEL_KEY, type ResolvedOtel } from '../config/telemetry';
import { enginesOf } from '../engine';
import { ConfigError, toError } from '../errors';

const PACKAGE = '@opentelemetry/api';

/** The name of the tracer and of the meter. */
export const SCOPE = 'egg-socket.io';
export const VERSION: string = require('../../package.json').version;

/** An application or an agent. */
interface EggProcess {
  readonly baseDir: string;
  readonly coreLogger: { warn(message: string): void };
}

/**
 * Returns the API, or undefined if the application does not have it.
 *
 * @throws {ConfigError} if the configuration requires the package, and it cannot be loaded
 */
export function loadApi(app: EggProcess, { isRequired }: ResolvedOtel): typeof Api | undefined {
  const requireOfApp = createRequire(path.join(app.baseDir, 'package.json'));
  let file: string | undefined;
  try {
    file = requireOfApp.resolve(PACKAGE);
    const api: Partial<typeof Api> = requireOfApp(file);
    // A package of the application may have brought in an old version, without metrics.
    if (api.createNoopMeter === undefined) throw new Error('Its version is too old: 1.9 or later is needed');
    return api as typeof Api;
  } catch (err) {
    const [reason] = String((err as Error).message).split('\n', 1);
    if (isRequired) {
      const problem = `can't load ${PACKAGE}: run "npm install ${PACKAGE}@1", or remove ${OTEL_KEY}. ${reason}`;
      throw new ConfigError(OTEL_KEY, true, 'undefined or false if the package is not installed', problem);
    }
    if (file !== undefined) app.coreLogger.warn(`[egg-socket.io] no OpenTelemetry: can't load ${file}: ${reason}`);
    return undefined;
  }
}

/** Logs a fault of the SDK. */
export function logFault(app: Application, thrown: unknown): void {
  clientLogOf(app).error('OpenTelemetry', toError(thrown), 'OpenTelemetry, see config.io.otel');
}

/**
 * Calls `begin` now, and with each new connection until it returns true, also with those of engines that are attached later. What it throws
 * is logged.
 *
 * @param begin - returns whether the application has registered a provider
 * @returns a function that ends it
 */
export function awaitProvider(app: Application, begin: () => boolean): () => void {
  const stop = () => {
    app.off('server', watch);
    for (const engine of enginesOf(app)) engine.off('connection', look);
  };
  const look = () => {
    try {
      if (begin()) stop();
    } catch (thrown) {
      logFault(app, thrown);
    }
  };
  const watch = () => {
    for (const engine of enginesOf(app)) {
      engine.off('connection', look);
      engine.on('connection', look);
    }
  };
  watch();
  app.on('server', watch);
  look();
  return stop;
}
