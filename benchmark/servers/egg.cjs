// An Egg worker, as `egg.start` makes it: `node egg.cjs <application> <major>`.
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const { report } = require('./control.cjs');

const [, , application, major] = process.argv;

async function main() {
  const egg = require(major === '4' ? 'egg4' : 'egg');
  const app = await egg.start({ baseDir: path.join(__dirname, '../apps', application), mode: 'single' });
  const server = http.createServer(app.callback());
  app.emit('server', server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  await visit(port);
  report(port);
}

/**
 * The first HTTP request of a worker, such as a health check's, makes Egg use its AsyncLocalStorage; from then on Node before 24
 * has a hook for each promise of the process. No worker in production is without.
 */
async function visit(port) {
  const [response] = await once(http.get({ host: '127.0.0.1', port, agent: false }), 'response');
  await once(response.resume(), 'end');
}

main();
