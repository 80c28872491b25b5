// `npm start`: runs the example from its TypeScript sources on http://127.0.0.1:7001. PORT sets another port, WORKERS the number of
// workers.
process.env.EGG_TYPESCRIPT = 'true';
require('./ctrl-c.cjs');
const { startCluster } = require('egg');

const port = Number(process.env.PORT) || 7001;

startCluster(
  {
    baseDir: __dirname,
    port,
    workers: Number(process.env.WORKERS) || 2,
    title: 'egg-socket.io-chat',
    require: [require.resolve('tsx/cjs'), require.resolve('./ctrl-c.cjs')],
  },
  () => console.log(`\n  The chat is ready: open http://127.0.0.1:${port} in two browsers. Ctrl-C stops it.\n`),
);
