// Applications with configuration, routes and middleware that are defined in the test: see test/fixtures/apps/inline.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Application, Context } from 'egg';
import type { IoConfig, Middleware } from '../../lib';
import { type Running, start } from './app';

/** The definition of an inline application. */
export interface Inline {
  io?: IoConfig;
  /** The rest of its configuration. */
  config?: Record<string, unknown>;
  /** app/io/middleware. The names are a, b, c and guard. */
  middleware?: Record<string, Middleware>;
  /** app/io/controller/chat.js */
  controller?: (app: Application) => object;
  /** app/router */
  router?: (app: Application) => void;
  /** A function app.js, which Egg runs as configDidLoad. */
  boot?: (app: Application) => void;
}

/** The definition of the application that is being started. Its files read it as `inlineApp`. */
const starting = new AsyncLocalStorage<Inline>();
Object.defineProperty(globalThis, 'inlineApp', { configurable: true, get: () => starting.getStore() });

/**
 * Starts an inline application.
 *
 * @param options - options of egg-mock
 */
export function startInline(inline: Inline, options: Record<string, unknown> = {}): Promise<Running> {
  return starting.run(inline, () => start('inline', options));
}

/** Returns a middleware that records when it begins and when it ends. */
export function noting(steps: string[], name: string, ended = () => {}) {
  return async (_ctx: Context, next: () => Promise<void>): Promise<void> => {
    steps.push(`${name} in`);
    await next();
    steps.push(`${name} out`);
    ended();
  };
}

/**
 * Returns the error with which the boot of an inline application fails.
 *
 * @param options - options of egg-mock
 */
export async function bootError(inline: Inline, options: Record<string, unknown> = {}): Promise<Error> {
  // If the agent fails, mm.app of Egg 4 rejects and also causes an uncaught exception.
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', () => {});
  try {
    await startInline(inline, options);
  } catch (err) {
    return err as Error;
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return assert.fail('the application has started');
}
