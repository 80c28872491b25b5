// An Egg cluster of two workers: `node egg-cluster.cjs <application> <port>`.
const path = require('node:path');
const { startCluster } = require('egg');

const [, , application, port] = process.argv;

process.on('disconnect', () => process.exit());
startCluster({ baseDir: path.join(__dirname, '../apps', application), port: Number(port), workers: 2 }, () =>
  process.send('ready'),
);
