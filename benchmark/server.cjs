// One server under test, in a process of its own: answers the event `echo` with what came. Started by run.cjs.
const http = require('node:http');
const path = require('node:path');

const [, , kind] = process.argv;

async function makeServer() {
  if (kind === 'bare') {
    const server = http.createServer();
    const { Server } = require('socket.io');
    new Server(server, { serveClient: false }).on('connection', (socket) => {
      socket.on('echo', (data, answer) => answer(data));
    });
    return server;
  }
  require('../test/support/register.cjs');
  const egg = require('egg');
  const app = await egg.start({ baseDir: path.join(__dirname, 'apps', kind), mode: 'single' });
  const server = http.createServer(app.callback());
  app.emit('server', server);
  return server;
}

makeServer().then((server) => {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
});
