// An Egg worker in single process mode: `node egg.cjs <application> <major version of Egg> [variant of observe.cjs]`.
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const { report } = require('./control.cjs');

const [, , application, major, variant] = process.argv;
if (variant !== undefined) process.env.BENCH_OBSERVE = variant;

async function main() {
  require('./observe.cjs').register();
  const egg = require(major === '4' ? 'egg4' : 'egg');
  const app = await egg.start({ baseDir: path.join(__dirname, '../apps', application), mode: 'single' });
  const server = http.createServer(app.callback());
  app.emit('server', server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  report({ port, cookie: await visit(port) });
}

/**
 * Sends an HTTP request, as a health check does. From the first request on, Egg uses its AsyncLocalStorage, and Node before 24 then
 * runs a hook for each promise of the process, so a worker that never had a request would be faster than those in production.
 *
 * @returns the cookies of the response, or undefined if it sets none
 */
async function visit(port) {
  const [response] = await once(http.get({ host: '127.0.0.1', port, agent: false }), 'response');
  await once(response.resume(), 'end');
  return response.headers['set-cookie']?.map((cookie) => cookie.split(';', 1)[0]).join('; ');
}

main();
