// A Redis Cluster of which one node hangs or is killed: it is noticed if the worker depends on that node.
import assert from 'node:assert/strict';
import type { IoConfig } from '../lib';
import { logs, type Running } from './support/app';
import { startProxy } from './support/proxy';
import { flows, inRoom, type RedisServer, startWorker } from './support/redis';
import { type RedisCluster, startRedisCluster } from './support/redis-cluster';
import { until } from './support/wait';

/** In ms. A busy machine delays messages for less. */
const healthTimeout = 900;

const FAULTS = {
  killed: (node: RedisServer) => node.kill(),
  hung: async (node: RedisServer) => node.pause(),
};

for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
  describe(`${adapter} in a Redis Cluster`, () => {
    let redis: RedisCluster;

    beforeEach(async () => {
      redis = await startRedisCluster();
    });
    afterEach(() => redis.stop());

    /** Returns two workers. */
    async function start(): Promise<[Running, Running]> {
      const nodes = redis.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
      const config = { cluster: true, nodes, healthTimeout };
      const io: IoConfig = { adapter };
      const workers: [Running, Running] = [await startWorker(config, { io }), await startWorker(config, { io })];
      await flows(workers[0], workers[1]);
      await flows(workers[1], workers[0]);
      return workers;
    }

    /** Returns the node that the adapter needs: the one of the workers' subscriptions, of the channel or of the stream. */
    async function needed(): Promise<RedisServer> {
      for (const node of redis.nodes) {
        const { length } =
          adapter === 'redis-streams'
            ? await node
                .command('CLUSTER', 'COUNTKEYSINSLOT', await node.command('CLUSTER', 'KEYSLOT', 'socket.io'))
                .then((count: number) => Array(count))
            : adapter === 'redis-sharded'
              ? await node.command('PUBSUB', 'SHARDCHANNELS', 'socket.io#/#')
              : node.clients().filter((line) => / psub=[1-9]/.test(line));
        if (length > 0) return node;
      }
      return assert.fail('no node is needed');
    }

    for (const [fault, fail] of Object.entries(FAULTS)) {
      it(`should work ${adapter === 'redis' ? 'without' : 'again with'} a node that it needs and that is ${fault}`, async () => {
        const [a, b] = await start();
        const log = [logs(a.app), logs(b.app)];
        await Promise.all([inRoom(a, 'room'), inRoom(b, 'room')]);
        const node = await needed();
        await fail(node);
        if (adapter !== 'redis') {
          await until('requests to other workers are rejected', async () => {
            const error: Error | undefined = await a.app.io
              .in('room')
              .fetchSockets()
              .then(
                () => undefined,
                (err) => err,
              );
            return /is not connected: other workers can't be asked/.test(`${error?.message}`);
          });
          await until('both workers have logged it', () => log.every(({ error }) => error.length > 0));
          if (fault === 'hung') node.resume();
          else await node.start();
          await redis.ready();
        }
        await flows(a, b);
        await flows(b, a);
        // While a node hangs, nobody knows how many workers subscribe there.
        node.resume();
        await until('the others can be asked', async () => {
          const sockets = await a.app.io
            .in('room')
            .fetchSockets()
            .catch(() => []);
          return sockets.length === 2;
        });
        for (const { error } of log) assert(error.length <= 10, `${error}`);
      });
    }

    it('should notice that its subscriber is frozen, and receive messages on new connections', async () => {
      const proxies = await Promise.all(redis.nodes.map(({ port }) => startProxy(port)));
      const natMap = Object.fromEntries(redis.nodes.map(({ port }, n) => [`127.0.0.1:${port}`, proxies[n]!.config]));
      const nodes = proxies.map(({ config }) => config);
      const io: IoConfig = { adapter };
      const a = await startWorker({ cluster: true, nodes, natMap, healthTimeout }, { io });
      const b = await startWorker({ ...redis.config, healthTimeout: 10_000 }, { io });
      await flows(a, b);
      await flows(b, a);
      const { error } = logs(a.app);
      for (const proxy of proxies) proxy.freeze('subscriber');
      await until('it is logged', () => error.length > 0);
      assert.match(error[0], /no (answer|message was delivered) for 900 ms/);
      await flows(b, a);
      await flows(a, b);
      await a.close();
      await Promise.all(proxies.map((proxy) => proxy.stop()));
    });
  });
}
