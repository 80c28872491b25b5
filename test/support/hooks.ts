// Mocha's root hooks: they close what a test has started and left open. And errors that no test can be blamed for are reported.
import type { EventEmitter } from 'node:events';
import { appendFileSync } from 'node:fs';
import { closeApps, mm, testBegins, testEnds } from './app';
import { cancelDeadlines } from './wait';

/** Whether a test of the current file has failed. Whatever it was waiting for may reject when its clients and applications are closed. */
let hasFailed = false;

export const mochaHooks = {
  beforeAll(): void {
    hasFailed = false;
    process.on('unhandledRejection', report);
  },
  beforeEach: testBegins,
  async afterEach(this: Mocha.Context): Promise<void> {
    hasFailed ||= this.currentTest?.state === 'failed';
    cancelDeadlines();
    await testEnds();
    await mm.restore();
  },
  async afterAll(): Promise<void> {
    await closeApps();
    cancelDeadlines();
  },
};

// In its worker processes Mocha listens for uncaught errors only while tests run. An error between two files, or while a file is
// loaded, would end the process, and the file's tests with it.
process.setUncaughtExceptionCaptureCallback((err) => {
  const { emit } = process as EventEmitter;
  if (!emit.call(process, 'uncaughtException', err, 'uncaughtException')) report(err);
});

/** Has test/run.cjs count an error as a failure. Mocha ignores unhandled rejections in its worker processes. */
function report(err: unknown): void {
  if (hasFailed) return;
  console.error('an error outside of all tests:', err);
  const stack = err instanceof Error ? err.stack : String(err);
  if (process.env.TEST_STRAY) appendFileSync(process.env.TEST_STRAY, `${stack}\n`);
}
