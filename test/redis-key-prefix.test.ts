// config.io.redis.keyPrefix separates applications that share a Redis server, as a part of config.io.redis.key.
import assert from 'node:assert/strict';
import type { AdapterName, IoConfig } from '../lib';
import type { Running } from './support/app';
import { comeBack, cut } from './support/recovery';
import { flows, inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { type RedisCluster, startRedisCluster } from './support/redis-cluster';
import { next } from './support/wait';

const ADAPTERS: AdapterName[] = ['redis', 'redis-sharded', 'redis-streams'];

for (const adapter of ADAPTERS) {
  const init = adapter === 'redis-streams' ? { connectionStateRecovery: {} } : {};
  const start = (redis: IoConfig['redis']) => startWorker(redis, { io: { adapter, init } });

  describe(`keyPrefix with ${adapter}`, () => {
    let redis: RedisServer;
    /** The first two are one application. */
    let [a, b, other]: Running[] = [];

    before(async () => {
      redis = await startRedis();
      a = await start({ ...redis.config, keyPrefix: 'a:' });
      b = await start({ ...redis.config, keyPrefix: 'a:' });
      other = await start({ ...redis.config, keyPrefix: 'other:' });
    });
    after(async () => {
      for (const worker of [a, b, other]) await worker?.close();
      await redis.stop();
    });

    it('should separate broadcasts', async () => {
      const client = await inRoom(a!, 'room');
      const events: string[] = [];
      client.onAny((event) => events.push(event));
      const end = next(client, 'end');
      other!.app.io.emit('stray');
      other!.app.io.to('room').emit('stray');
      other!.app.io.in('room').disconnectSockets();
      // Its messages have been delivered.
      await other!.app.io.fetchSockets();
      b!.app.io.to('room').emit('end');
      await end;
      assert.deepEqual(events, ['end']);
    });

    it('should separate fetchSockets and serverSideEmit', async () => {
      const client = await inRoom(a!, 'asked');
      await inRoom(other!, 'asked');
      const found = await b!.app.io.in('asked').fetchSockets();
      assert.deepEqual(
        found.map(({ id }) => id),
        [client.id],
      );
      for (const worker of [a, other]) {
        const io = worker!.app.io as unknown as NodeJS.EventEmitter;
        io.on('who', (answer) => answer(worker === a ? 'a' : 'other'));
      }
      assert.deepEqual(await b!.app.io.serverSideEmitWithAck('who'), ['a']);
      assert.deepEqual(await other!.app.io.serverSideEmitWithAck('who'), []);
    });

    it('should begin all names in Redis with the prefix, once', async () => {
      const names = await namesIn(redis);
      assert(names.some((name) => name.startsWith('a:')) && names.some((name) => name.startsWith('other:')));
      for (const name of names) assert.match(name, /^(a|other):socket\.io/);
    });

    if (adapter === 'redis-streams') {
      it('should separate sessions', async () => {
        for (const [to, isRecovered] of [
          [other, false],
          [b, true],
        ] as const) {
          const client = await a!.connect();
          const heard = next(client, 'hello');
          a!.app.io.emit('hello');
          await heard;
          await cut(client);
          await comeBack(client, to!.url);
          assert.equal(client.recovered, isRecovered);
        }
      });
    }
  });
}

describe('keyPrefix in a Redis Cluster', () => {
  let cluster: RedisCluster;

  before(async () => {
    cluster = await startRedisCluster();
  });
  after(() => cluster.stop());

  for (const adapter of ADAPTERS) {
    for (const options of [{ keyPrefix: 'a:' }, { redisOptions: { keyPrefix: 'a:' } }]) {
      it(`should be a part of the key: ${adapter}, ${Object.keys(options)}`, async () => {
        const config = { ...cluster.config, ...options };
        const [a, b] = [await startWorker(config, { io: { adapter } }), await startWorker(config, { io: { adapter } })];
        await flows(a, b);
        await flows(b, a);
        const client = await inRoom(a, 'room');
        assert.deepEqual(
          (await b.app.io.in('room').fetchSockets()).map(({ id }) => id),
          [client.id],
        );
        const names = (await Promise.all(cluster.nodes.map(namesIn))).flat();
        assert(names.length > 0);
        for (const name of names) assert.match(name, /^a:socket\.io/);
      });
    }
  }
});

/** Returns the names of the channels and keys of a server. A pattern has no channel. */
async function namesIn(server: RedisServer): Promise<string[]> {
  const names: string[][] = [
    await server.command('PUBSUB', 'CHANNELS'),
    await server.command('PUBSUB', 'SHARDCHANNELS'),
    await server.command('KEYS', '*'),
  ];
  return names.flat();
}
