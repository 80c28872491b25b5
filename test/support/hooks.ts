// Mocha's root hooks: they close the applications and clients of each test, and restore mocks.
import { closeApps, mm, testBegins, testEnds } from './app';

export const mochaHooks = {
  beforeEach: testBegins,
  async afterEach(): Promise<void> {
    await testEnds();
    await mm.restore();
  },
  async afterAll(): Promise<void> {
    await closeApps();
  },
};
