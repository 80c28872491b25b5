// What happens to clients when egg-development replaces the workers, since a file has changed: docs/en/observability.md.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ROOT, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { next } from './support/wait';

/** app/router.js, the file that changes. */
const routerOf = (version: number) => `module.exports = ({ io }) => {
  io.route('connect', (ctx) => {
    const { auth, id, rooms, data, recovered } = ctx.socket;
    ctx.emit('welcome', { pid: process.pid, version: ${version}, isAlone: [...rooms].join() === id, data: { ...data }, recovered });
  });
  io.route('enter', (ctx) => {
    ctx.join('room');
    ctx.socket.data.entered = true;
    return true;
  });
};`;

/** The files of the application. */
const FILES = {
  'package.json': '{ "name": "reloaded" }',
  'config/plugin.js': `exports.io = { enable: true, path: ${JSON.stringify(ROOT)} };`,
  'config/config.default.js': `exports.keys = 'x';
exports.io = { ack: 'auto', connectionMiddleware: ['count'], init: { connectionStateRecovery: {} } };`,
  'app/io/middleware/count.js': `module.exports = () => async (ctx, next) => {
  ctx.socket.data.hasChain = true;
  await next();
};`,
  'app/router.js': routerOf(1),
};

describe('a hot reload in development', () => {
  let directory = '';
  let cluster: Cluster | undefined;

  before(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-reload-'));
    for (const [name, text] of Object.entries(FILES)) {
      fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      fs.writeFileSync(path.join(directory, name), text);
    }
    const env = { EGG_SERVER_ENV: 'local', EGG_HOME: directory };
    cluster = await startCluster('cluster', { baseDir: directory, workers: 1 }, env);
  });

  after(async () => {
    await cluster?.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  it('should disconnect clients, which connect again to a worker with the new code, without their rooms and data', async () => {
    const client = track(cluster?.url as string, {
      reconnection: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 500,
      // The default is 20 s. On Egg 4 a connection may reach the worker that is ending, and get no response.
      timeout: 2_000,
    });
    const [before] = await next(client, 'welcome');
    assert.deepEqual(before, {
      pid: before.pid,
      version: 1,
      isAlone: true,
      data: { hasChain: true },
      recovered: false,
    });
    await client.emitWithAck('enter');

    const disconnected = next(client, 'disconnect');
    const welcome = next(client, 'welcome');
    fs.writeFileSync(path.join(directory, 'app/router.js'), routerOf(2));
    const [reason] = await disconnected;
    const [after] = await welcome;
    assert.equal(reason, 'transport close');
    assert.deepEqual(after, { ...before, pid: after.pid, version: 2 });
    assert.notEqual(after.pid, before.pid);
  });
});
