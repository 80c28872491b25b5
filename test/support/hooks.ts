// What every test leaves behind goes with it.
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
