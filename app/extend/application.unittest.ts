// app.ioClient() and app.mockIoContext(), for tests: Egg loads this file in the environment unittest only.
import type { Application } from 'egg';
import { kitOf } from '../../lib/testkit/kit';
import type { IoClientFactory, TestKitMembers } from '../../lib/testkit/types';

export default {
  get ioClient(): IoClientFactory {
    return kitOf(this as unknown as Application).ioClient;
  },

  // A getter: a method would be called with egg-mock's proxy of the application for `this`.
  get mockIoContext(): TestKitMembers['mockIoContext'] {
    const kit = kitOf(this as unknown as Application);
    return (options) => kit.mockIoContext(options);
  },
};
