// What every test leaves behind goes with it.
import { closeApps, closeClients, mm } from './app';

export const mochaHooks = {
  async afterEach(): Promise<void> {
    closeClients();
    await mm.restore();
  },
  async afterAll(): Promise<void> {
    await closeApps();
  },
};
