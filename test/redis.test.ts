// config.io.redis: applications that share rooms through Redis.
import assert from 'node:assert/strict';
import { logs, type Running } from './support/app';
import { startInline } from './support/inline';
import { inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { sharesRooms, waitsForSubscription } from './support/redis-suite';
import { next } from './support/wait';

describe('redis', () => {
  let redis: RedisServer;
  let [a, b]: Running[] = [];

  before(async () => {
    redis = await startRedis();
    const rest = {
      io: { namespace: { '/': {}, '/chat': {} } },
      // Created before the adapter is installed.
      boot: (app: Running['app']) => void app.io.of('/early'),
    };
    a = await startWorker(redis.config, rest);
    b = await startWorker(redis.config, rest);
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

    for (let n = 0; n < 3; n++) {
      await redis.command('PUBLISH', 'socket.io#/#', 'garbage');
      // A request without rooms.
      await redis.command('PUBLISH', 'socket.io-request#/#', '{"type":5}');
      await redis.command('PUBLISH', 'socket.io-response#/#', '{');
    }
    b!.app.io.emit('after');

    await heard;
    assert.equal(warn.length, 2);
    assert.match(warn[0], /a message on the adapter's channels was ignored: .*config\.io\.redis\.key/);
    assert.match(warn[1], /ignored: Cannot read properties of undefined/);
  });

  it('should separate applications with different keys', async () => {
    const other = await startWorker({ ...redis.config, key: 'other' });
    const client = await a!.connect();
    const stray: string[] = [];
    client.onAny((event) => stray.push(event));
    const end = next(client, 'end');
    other.app.io.emit('stray');
    // After an answer on the same connection, Redis has delivered the message.
    await other.app.io.fetchSockets();
    b!.app.io.emit('end');
    await end;
    assert.deepEqual(stray, ['end']);
    assert.match((await redis.command('PUBSUB', 'CHANNELS')).join(), /other-request#\/#/);
  });

  it('should leave no connection when the application is closed', async () => {
    const before = redis.clients().length;
    const worker = await startWorker(redis.config);
    assert.equal(redis.clients().length, before + 2);
    await worker.close();
    assert.equal(redis.clients().length, before);
  });

  it('should close the connections of a boot that fails later', async () => {
    const before = redis.clients().length;
    const io = { namespace: { '/': { connectionMiddleware: ['nobody'] } } };
    await assert.rejects(startWorker(redis.config, { io }), /can't find middleware: nobody !/);
    assert.equal(redis.clients().length, before);
  });

  for (const off of [undefined, false] as const) {
    it(`should not connect if config.io.redis is ${off}`, async () => {
      const before = redis.clients().length;
      const worker = await startInline({ io: { redis: off } });
      assert.equal(worker.app.io.of('/').adapter.constructor.name, 'Adapter');
      assert.equal(redis.clients().length, before);
    });
  }
});

describe('redis with a password', () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis({ requirepass: 'open sesame' });
  });
  after(() => redis.stop());

  for (const key of ['auth_pass', 'password']) {
    it(`should read it from ${key}, and use the database db`, async () => {
      const config = { host: '127.0.0.1', port: redis.port, db: 1, [key]: 'open sesame' };
      const [a, b] = [await startWorker(config), await startWorker(config)];
      const client = await inRoom(a, 'room');
      const heard = next(client, 'hello');
      b.app.io.to('room').emit('hello');
      await heard;

      const clients = redis.clients();
      assert.deepEqual(
        clients.map((line) => / db=(\d) /.exec(line)?.[1]),
        ['1', '1', '1', '1'],
      );
    });
  }
});
