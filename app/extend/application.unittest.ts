// The test kit's members of the application. Egg loads this file only in the environment unittest.
import type { Application } from 'egg';
import { kitOf } from '../../lib/testkit/kit';
import type { IoClientFactory, TestKitMembers } from '../../lib/testkit/types';

export default {
  get ioClient(): IoClientFactory {
    return kitOf(this as unknown as Application).ioClient;
  },

  // A getter, not a method: `this` of a method would be egg-mock's proxy of the application.
  get mockIoContext(): TestKitMembers['mockIoContext'] {
    const kit = kitOf(this as unknown as Application);
    return (options) => kit.mockIoContext(options);
  },
};
