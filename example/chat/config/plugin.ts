// The plugins of the application.
import path from 'node:path';
import type { EggPlugin } from 'egg';

const plugin: EggPlugin = {
  io: {
    enable: true,
    // This example is part of the plugin's repository. In your application, write: package: 'egg-socket.io'
    path: path.join(__dirname, '../../..'),
  },
};

export default plugin;
