// Tracks clients, emits to a room of the same clients, and tracks sockets without a network to measure the memory of entries.
const path = require('node:path');
const { randomBytes } = require('node:crypto');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

const PLUGIN = path.join(__dirname, '../../../build/egg-socket.io');
const { SocketState, stateOf } = require(path.join(PLUGIN, 'lib/socket-state.js'));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

module.exports = ({ io }) => {
  const here = io.presence('lobby');
  const many = io.presence('many');
  const route = (event, handler) =>
    io.route(event, async (ctx) => {
      const answer = ctx.args.pop();
      answer((await handler(ctx, ...ctx.args)) ?? null);
    });
  let sockets = [];

  route('pid', () => process.pid);
  route('cpu', () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  });
  route('enter', async (ctx, key) => {
    await ctx.join('room');
    await here.track(ctx, key, metaOf(key));
  });
  route('track', (ctx, key) => here.track(ctx, key, metaOf(key)));
  route('untrack', (ctx) => here.untrack(ctx));
  // As large as the diff of one client that joins.
  route(
    'emit',
    (_ctx, key) =>
      void io
        .to('room')
        .emit('presence_diff', { topic: 'lobby', joins: { [key]: [{ ref: 1, meta: metaOf(key) }] }, leaves: {} }),
  );
  route('count', () => many.count());
  route('heap', () => {
    collect();
    return process.memoryUsage().heapUsed;
  });
  route('prepare', (ctx, count) => {
    const { runtime } = stateOf(ctx.socket);
    const nsp = { name: '/' };
    sockets = Array.from({ length: count }, () => {
      const socket = { id: randomBytes(15).toString('base64url'), connected: true, nsp, rooms: new Set() };
      new SocketState(runtime, socket);
      return socket;
    });
  });
  route('fill', async (_ctx, prefix) => {
    for (const [i, socket] of sockets.entries()) await many.track({ socket }, `${prefix}-${i}`, metaOf(i));
  });
  // How long list() takes, in ms.
  route('list', async () => {
    const begin = performance.now();
    for (let n = 0; n < 20; n++) await many.list();
    return (performance.now() - begin) / 20;
  });
};

function metaOf(key) {
  return { name: `Ada Lovelace ${key}`, device: 'phone' };
}
