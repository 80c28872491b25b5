// An Egg cluster: `node egg-cluster.cjs <application> <port> <workers>`.
const path = require('node:path');
const { startCluster } = require('egg');

const [, , application, port, workers] = process.argv;

process.on('disconnect', () => process.exit());
startCluster(
  { baseDir: path.join(__dirname, '../apps', application), port: Number(port), workers: Number(workers) },
  () => process.send('ready'),
);
