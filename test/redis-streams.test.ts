// config.io.adapter 'redis-streams': broadcasts through a stream. Its recovery is tested in redis-streams-recovery.test.ts.
import assert from 'node:assert/strict';
import { setImmediate as immediate } from 'node:timers/promises';
import type { IoConfig } from '../lib';
import { Reader } from '../lib/adapters/redis/streams-adapter';
import { logs, type Running } from './support/app';
import { numbersOf } from './support/recovery';
import { flows, inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { type RedisCluster, startRedisCluster } from './support/redis-cluster';
import { sharesRooms, waitsForSubscription } from './support/redis-suite';
import { next, times, until } from './support/wait';

const adapter = 'redis-streams';

function startStreams(redis: IoConfig['redis'], io: IoConfig = {}): Promise<Running> {
  const namespace = { '/': {}, '/chat': {}, '/early': {} };
  return startWorker(redis, { io: { namespace, adapter, ...io } });
}

for (const init of [{}, { connectionStateRecovery: {} }]) {
  describe(`redis-streams, ${Object.keys(init).join() || 'without recovery'}`, () => {
    let redis: RedisServer;
    let [a, b]: Running[] = [];

    before(async () => {
      redis = await startRedis({ requirepass: 'secret' });
      a = await startStreams(redis.config, { init });
      b = await startStreams(redis.config, { init });
    });
    after(async () => {
      await a?.close();
      await b?.close();
      await redis.stop();
    });

    sharesRooms(() => [a!, b!]);
    waitsForSubscription(() => [a!, b!], 'subscribe');

    it('should log and ignore a message that no adapter has sent', async () => {
      const client = await a!.connect();
      const heard = next(client, 'after');
      const { warn } = logs(a!.app);
      const { uid } = a!.app.io.sockets.adapter as unknown as { uid: string };

      const entry = (type: string, data: string) => ['uid', 'x', 'nsp', '/', 'type', type, 'data', data];
      const entries = [
        ['garbage', ''],
        ['nsp', '/'],
        ['nsp', '/', 'type', '3'],
        ['nsp', '__proto__', 'type', '3', 'data', '{}'],
        entry('3', '{'),
        entry('3', '{}'),
        entry('3', '{"packet":null,"opts":{}}'),
        entry('3', '{"packet":{"type":2,"data":{}},"opts":{"rooms":5}}'),
        entry('3', '3f//////'),
        ...['4', '5', '6', '7', '9', '99', 'x'].map((type) => entry(type, '{"opts":null}')),
      ];
      for (const fields of entries) await redis.command('XADD', 'socket.io', '*', ...fields);
      for (const channel of ['socket.io#/#', `socket.io#/#${uid}#`]) {
        for (const message of ['garbage', '', '{}', Buffer.from([0xc0]), Buffer.from([0xdd, 255, 255, 255, 255])]) {
          await redis.command('PUBLISH', channel, message);
        }
      }
      b!.app.io.emit('after');

      await heard;
      assert(warn.length > 0);
      for (const line of warn) assert.match(line, /a message on the adapter's channels was ignored: /);
      assert.equal((await b!.app.io.fetchSockets()).length, 1);
    });

    it('should deliver the events of other workers in order although its connections are lost meanwhile', async () => {
      const client = await inRoom(a!, 'room');
      const before = new Set(redis.clients().map(idOf));
      const c = await startStreams(redis.config, { init });
      const far = await inRoom(c, 'room');
      const numbers = times(far, 'n', 100);
      const near = times(client, 'n', 100);
      const connections = redis
        .clients()
        .map(idOf)
        .filter((id) => !before.has(id));
      assert.equal(connections.length, 3);
      for (let n = 0; n < 100; n++) {
        if (n % 20 === 10) await cutOff(redis, before);
        a!.app.io.to('room').emit('n', n);
      }
      for (const heard of [await numbers, await near]) {
        assert.deepEqual(
          heard.map(([n]) => n),
          Array.from({ length: 100 }, (_, n) => n),
        );
      }
    });

    it('should separate applications with different keys', async () => {
      const other = await startStreams({ ...redis.config, key: 'other' }, { init });
      const client = await a!.connect();
      const stray: string[] = [];
      client.onAny((event) => stray.push(event));
      const end = next(client, 'end');
      other.app.io.emit('stray');
      await other.app.io.fetchSockets();
      b!.app.io.emit('end');
      await end;
      assert.deepEqual(stray, ['end']);
      assert.equal(await redis.command('EXISTS', 'other'), 1);
    });

    it('should keep about maxLen messages', async () => {
      const config = { ...redis.config, key: 'short', maxLen: 100, readCount: 10 };
      const [c, d] = [await startStreams(config, { init }), await startStreams(config, { init })];
      const client = await inRoom(d, 'room');
      const numbers = numbersOf(client);
      for (let n = 0; n < 1000; n++) {
        c.app.io.to('room').emit('n', n);
        // A reader that is more than maxLen behind misses some.
        if (n % 50 === 49) await until('they have arrived', () => numbers.length === n + 1);
      }
      const kept: number = await redis.command('XLEN', 'short');
      // Redis removes whole nodes of its tree.
      assert(kept >= 100 && kept < 300, `${kept}`);
    });

    it('should leave no connection, no channel and no listener when it is closed', async () => {
      const before = redis.clients().length;
      const worker = await startStreams({ ...redis.config, key: 'gone' }, { init });
      await inRoom(worker, 'room');
      assert.equal(redis.clients().length, before + 3);
      await worker.close();
      assert.equal(redis.clients().length, before);
      assert.deepEqual(await redis.command('PUBSUB', 'CHANNELS', 'gone*'), []);
    });

    it('should release a namespace that is removed', async () => {
      const io = { init: { ...init, cleanupEmptyChildNamespaces: true } };
      const worker = await startWorker({ ...redis.config, key: 'child' }, { io: { ...io, adapter } });
      worker.app.io.of(/^\/child-\d+$/);
      for (let n = 0; n < 5; n++) (await worker.connect(`/child-${n}`)).disconnect();
      await until('the channels of the children are gone', async () => {
        const channels: string[] = await redis.command('PUBSUB', 'CHANNELS', 'child#/child*');
        return channels.length === 0 && worker.app.io._nsps.size < 3;
      });
    });
  });
}

it('redis-streams should not read after it is closed', async () => {
  const client = { status: 'end', disconnect() {} };
  const reader = new Reader(client as never, { name: 'stream', count: 1 }, {} as never, 1000);
  reader.close();
  // If it got an answer, the loop would read again, and block the event loop.
  const answered = reader.next().then(() => true);
  assert.equal(await Promise.race([answered, immediate(false)]), false);
});

describe('redis-streams and the content of Redis', () => {
  let redis: RedisServer;

  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.stop());

  it('should log that its key is no stream, and continue when it is', async () => {
    await redis.command('SET', 'socket.io', 'something else');
    const a = await startStreams(redis.config);
    const { error } = logs(a.app);
    const client = await inRoom(a, 'room');
    const heard = next(client, 'own');
    a.app.io.emit('own');
    await heard;
    await redis.command('DEL', 'socket.io');
    await flows(a, await startStreams(redis.config));
    assert(error.length <= 1, `${error}`);
  });

  it('should continue after its stream was deleted, and after one with lower ids has replaced it', async () => {
    const [a, b] = [await startStreams(redis.config), await startStreams(redis.config)];
    await flows(a, b);
    await redis.command('DEL', 'socket.io');
    await flows(a, b);
    // The ids after it are lower than those that were read, as after a failover to a server whose clock is behind.
    await redis.command('XADD', 'socket.io', '9999999999999-1', 'nsp', '');
    await flows(a, b);
    await flows(b, a);
    await redis.kill();
    await redis.start();
    // In one step: a worker may add entries meanwhile.
    const anew = "redis.call('DEL', KEYS[1]) return redis.call('XADD', KEYS[1], '1-1', 'nsp', '')";
    await redis.command('EVAL', anew, '1', 'socket.io');
    await flows(a, b);
    await flows(b, a);
  });
});

describe('redis-streams in a Redis Cluster', () => {
  let redis: RedisCluster;
  let [a, b]: Running[] = [];

  before(async () => {
    redis = await startRedisCluster();
    a = await startStreams(redis.config, { init: { connectionStateRecovery: {} } });
    b = await startStreams(redis.config, { init: { connectionStateRecovery: {} } });
  });
  after(async () => {
    await a?.close();
    await b?.close();
    await redis.stop();
  });

  sharesRooms(() => [a!, b!]);

  it('should survive an outage of the whole Cluster', async () => {
    await Promise.all(redis.nodes.map((node) => node.kill()));
    const asks = () => a!.app.io.fetchSockets().then(Boolean, () => false);
    await until('the outage is noticed', async () => {
      a!.app.io.emit('x');
      return !(await asks());
    });
    await Promise.all(redis.nodes.map((node) => node.start()));
    await redis.ready();
    await flows(a!, b!);
    await flows(b!, a!);
    await until('the others can be asked', asks);
  });
});

function idOf(line: string): string {
  return /^id=(\d+)/.exec(line)?.[1] ?? '';
}

/** Closes all connections but some. */
async function cutOff(redis: RedisServer, before: Set<string>): Promise<void> {
  for (const id of redis.clients().map(idOf)) if (!before.has(id)) await redis.command('CLIENT', 'KILL', 'ID', id);
}
