// A connected client receives the messages of all workers: the first clients of a namespace wait until Redis has subscribed.
import assert from 'node:assert/strict';
import type { AdapterName } from '../lib';
import { logs } from './support/app';
import { flows, startRedis, startWorker } from './support/redis';
import { next, until } from './support/wait';

for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as AdapterName[]) {
  describe(`${adapter} and the first client of a namespace`, () => {
    for (const nsp of ['/late', '/room/7']) {
      it(`should admit it when Redis has subscribed: ${nsp}`, async () => {
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
        // Clients of other namespaces are admitted.
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

    it('should run no chain if it disconnects or the worker closes before that', async () => {
      const redis = await startRedis();
      const steps: string[] = [];
      const worker = await startWorker(redis.config, {
        io: {
          adapter,
          namespace: { '/': {}, '/room/:id': { connectionMiddleware: ['a'] } },
          user: (ctx) => void steps.push(`user ${ctx.handshake.auth.n}`) as undefined,
        },
        middleware: {
          a: async (ctx, next) => {
            steps.push(`chain ${ctx.handshake.auth.n}`);
            await next();
          },
        },
      });
      const come = (room: string, n: number) => {
        const client = worker.client('/', { multiplex: true, auth: { n: 0 } });
        client.io.socket(room, { auth: { n } });
        return until('the client waits', () => pending(worker.app.io.of(room)) === 1).then(() => client);
      };
      redis.pause();
      const client = await come('/room/1', 1);
      client.io.engine.close();
      await until('no client waits', () => pending(worker.app.io.of('/room/1')) === 0);
      redis.resume();
      await worker.connect('/room/1', { auth: { n: 2 } });
      assert.deepEqual(
        steps.filter((step) => !step.endsWith('0')),
        ['chain 2', 'user 2'],
      );

      redis.pause();
      await come('/room/3', 3);
      steps.length = 0;
      await worker.close();
      await until('no client waits', () => pending(worker.app.io.of('/room/3')) === 0);
      assert.deepEqual(steps, []);
      redis.resume();
      await redis.stop();
    });

    it('should admit it if Redis does not answer within requestsTimeout', async () => {
      const redis = await startRedis();
      const io = { adapter, namespace: { '/room/:id': { connectionMiddleware: [] } } };
      const worker = await startWorker({ ...redis.config, requestsTimeout: 100 }, { io });
      const patient = await startWorker({ ...redis.config, requestsTimeout: 600_000 }, { io });
      const { error } = logs(worker.app);
      redis.pause();
      try {
        const waiting = patient.client('/room/7');
        await until('the client waits', () => pending(patient.app.io.of('/room/7')) === 1);
        const client = await worker.connect('/room/7');
        assert.equal(waiting.connected, false);
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

/** How many clients wait to be admitted. */
function pending(nsp: object): number {
  return (nsp as { _preConnectSockets: Map<string, unknown> })._preConnectSockets.size;
}
