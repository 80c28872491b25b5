// An application whose configuration, routes and middlewares stand in the test itself: test/fixtures/apps/inline.
import assert from 'node:assert/strict';
import type { Application, Context } from 'egg';
import type { IoConfig } from '../../lib';
import { type Running, start } from './app';

/** What an inline application consists of. */
export interface Inline {
  io?: IoConfig;
  /** The rest of its configuration. */
  config?: Record<string, unknown>;
  /** app/io/middleware: at most the names a, b, c and guard. */
  middleware?: Record<string, (ctx: Context, next: () => Promise<void>) => unknown>;
  /** app/router */
  router?: (app: Application) => void;
  /** app.js, run in configDidLoad */
  boot?: (app: Application) => void;
}

const current = globalThis as { inlineApp?: Inline };

/** Starts an inline application. */
export async function startInline(inline: Inline): Promise<Running> {
  current.inlineApp = inline;
  try {
    return await start('inline');
  } finally {
    current.inlineApp = undefined;
  }
}

/** A middleware that notes when it begins and when it ends. */
export function noting(steps: string[], name: string, ended = () => {}) {
  return async (_ctx: Context, next: () => Promise<void>): Promise<void> => {
    steps.push(`${name} in`);
    await next();
    steps.push(`${name} out`);
    ended();
  };
}

/** The error with which the boot of an inline application fails. */
export async function bootError(inline: Inline): Promise<Error> {
  // Egg 4's mm.app throws what fails in its agent at the process, beside rejecting.
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', () => {});
  try {
    await startInline(inline);
  } catch (err) {
    return err as Error;
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return assert.fail('the application has started');
}
