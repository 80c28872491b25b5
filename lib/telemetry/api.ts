// Loads @opentelemetry/api from the application: that copy is compatible with the application's SDK and instrumentations.
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as Api from '@opentelemetry/api';
import { OTEL_KEY, type ResolvedOtel } from '../config/otel';
import { ConfigError } from '../errors';

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
    return requireOfApp(file);
  } catch (err) {
    const [reason] = String((err as Error).message).split('\n', 1);
    if (isRequired) {
      const problem = `can't load ${PACKAGE}: run "npm install ${PACKAGE}", or remove ${OTEL_KEY}. ${reason}`;
      throw new ConfigError(OTEL_KEY, true, 'undefined or false if the package is not installed', problem);
    }
    if (file !== undefined) app.coreLogger.warn(`[egg-socket.io] no OpenTelemetry: can't load ${file}: ${reason}`);
    return undefined;
  }
}
