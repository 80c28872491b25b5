// Whoever has been let in hears what other workers send: the first clients of a namespace wait for Redis.
import assert from 'node:assert/strict';
import type { AdapterName } from '../lib';
import { logs } from './support/app';
import { flows, startRedis, startWorker } from './support/redis';
import { next, until } from './support/wait';

for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as AdapterName[]) {
  describe(`${adapter} and the first client of a namespace`, () => {
    for (const nsp of ['/late', '/room/7']) {
      it(`should let it in when Redis has subscribed: ${nsp}`, async () => {
        const redis = await startRedis();
        const io = { adapter, namespace: { '/': {}, '/room/:id': {} } };
        const [a, b] = [await startWorker(redis.config, { io }), await startWorker(redis.config, { io })];
        await flows(b, a);
        const client = await a.connect('/', { multiplex: true });

        redis.pause();
        if (nsp === '/late') a.app.io.of(nsp);
        const socket = client.io.socket(nsp);
        const isIn = next(socket, 'connect');
        await until('the client waits', () => pending(a.app.io.of(nsp)) === 1);
        // Meanwhile others come in elsewhere.
        await a.connect();
        assert.equal(socket.connected, false);
        redis.resume();
        await isIn;

        const heard = next(socket, 'hello');
        b.app.io.of(nsp).emit('hello');
        await heard;
        await a.close();
        await b.close();
        await redis.stop();
      });
    }

    it('should let it in where Redis says nothing for as long as requestsTimeout', async () => {
      const redis = await startRedis();
      const io = { adapter, namespace: { '/room/:id': { connectionMiddleware: [] } } };
      const worker = await startWorker({ ...redis.config, requestsTimeout: 100 }, { io });
      const { error } = logs(worker.app);
      redis.pause();
      try {
        const client = await worker.connect('/room/7');
        const heard = next(client, 'hello');
        worker.app.io.of('/room/7').emit('hello');
        await heard;
        assert.deepEqual(error, []);
      } finally {
        redis.resume();
      }
      await worker.close();
      await redis.stop();
    });
  });
}

/** How many clients wait to be let in. */
function pending(nsp: object): number {
  return (nsp as { _preConnectSockets: Map<string, unknown> })._preConnectSockets.size;
}
