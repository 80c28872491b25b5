// An Egg worker, as `egg.start` makes it: `node egg.cjs <application> <major>`.
const http = require('node:http');
const path = require('node:path');
const { serve } = require('./control.cjs');

const [, , application, major] = process.argv;

async function main() {
  const egg = require(major === '4' ? 'egg4' : 'egg');
  const app = await egg.start({ baseDir: path.join(__dirname, '../apps', application), mode: 'single' });
  const server = http.createServer(app.callback());
  app.emit('server', server);
  serve(server);
}

main();
