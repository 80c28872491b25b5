// Which plugins the application has.
import path from 'node:path';
import type { EggPlugin } from 'egg';

const plugin: EggPlugin = {
  io: {
    enable: true,
    // This example lives in the plugin's own repository. Your application writes: package: 'egg-socket.io'
    path: path.join(__dirname, '../../..'),
  },
};

export default plugin;
