// config.io.redis in an outage: the process does not end, each worker serves its own clients, and the connection is restored.
import assert from 'node:assert/strict';
import type { RedisAdapter } from '@socket.io/redis-adapter';
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import { logs, mm, type Running } from './support/app';
import { freePort } from './support/port';
import { flows, inRoom, RedisServer, startRedis, startWorker } from './support/redis';
import { next, times, until, within } from './support/wait';

type Adapter = Namespace['adapter'];

/** Sockets and connection attempts of this process. */
function handles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP') && name !== 'TCPServerWrap');
}

describe('redis outages', () => {
  let redis: RedisServer;
  const wild: unknown[] = [];
  const catchWild = (err: unknown) => wild.push(err);

  beforeEach(() => {
    wild.length = 0;
    for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, catchWild);
  });

  afterEach(async () => {
    await redis.stop();
    for (const event of ['unhandledRejection', 'uncaughtException']) process.off(event, catchWild);
    assert.deepEqual(wild, []);
  });

  it('should boot without Redis, log that, serve its own clients, and share rooms when Redis is started', async () => {
    redis = new RedisServer(await freePort());
    let log = { error: [] as string[], warn: [] as string[] };
    const boot = (app: Application) => {
      log = logs(app);
    };
    const a = await startWorker(redis.config, { boot });
    const b = await startWorker(redis.config);

    assert.equal(log.error.length, 1);
    assert.match(
      log.error[0]!,
      new RegExp(`^\\[egg-socket\\.io\\] Redis 127\\.0\\.0\\.1:${redis.port}: .*ECONNREFUSED`),
    );
    assert.match(log.error[0]!, /reach the clients of this worker only, until a new attempt to connect succeeds$/);
    const client = await inRoom(a, 'room');
    const heard = next(client, 'hello');
    a.app.io.to('room').emit('hello');
    await heard;
    // Created in the outage, subscribed to after it.
    for (const worker of [a, b]) worker.app.io.of('/late');
    const late = await a.connect('/late');

    await redis.start();
    await flows(a, b);
    await flows(b, a);
    const lateHeard = next(late, 'hello');
    b.app.io.of('/late').emit('hello');
    await lateHeard;
    assert.equal(log.error.length, 1);
    assert.match(log.warn.at(-1)!, /connected; messages to other workers lost in the meantime: [1-9]/);
  });

  it('should survive that Redis is killed under traffic, and share rooms when it is started again', async () => {
    redis = await startRedis();
    const [a, b] = [await startWorker(redis.config), await startWorker(redis.config)];
    const log = logs(a.app);
    const [near, far] = [await inRoom(a, 'room'), await inRoom(b, 'room')];
    let sent = 0;
    const traffic = setInterval(() => {
      for (let n = 0; n < 20; n++) a.app.io.to('room').emit('n', sent++);
    }, 2);
    try {
      await Promise.all([times(near, 'n', 100), times(far, 'n', 100)]);
      for (let round = 0; round < 2; round++) {
        await redis.kill();
        const refused = () => log.error.filter((line) => /ECONNREFUSED/.test(line)).length;
        await until('the outage is logged', () => refused() === round + 1);
        await times(near, 'n', 500);
        await redis.start();
        await times(far, 'n', 500);
      }
    } finally {
      clearInterval(traffic);
    }
    // Each time: the two connections were lost, for any reason, and attempts to connect were refused.
    assert(log.error.length <= 6, `${log.error}`);
    assert.equal(log.warn.filter((line) => /connected/.test(line)).length, 2);
    await flows(b, a);
  });

  it('should deliver each local event once in an outage', async () => {
    redis = await startRedis();
    const a = await startWorker(redis.config);
    const client = await inRoom(a, 'room');
    const numbers = times(client, 'n', 300);

    for (let n = 0; n < 100; n++) a.app.io.to('room').emit('n', n);
    await redis.kill();
    for (let n = 100; n < 200; n++) a.app.io.to('room').emit('n', n);
    await redis.start();
    await flows(a, a);
    for (let n = 200; n < 300; n++) a.app.io.to('room').emit('n', n);

    assert.deepEqual(
      (await numbers).flat(),
      Array.from({ length: 300 }, (_, n) => n),
    );
  });

  it('should deliver no event of an outage afterwards', async () => {
    redis = await startRedis();
    const [a, b] = [await startWorker(redis.config), await startWorker(redis.config)];
    const far = await b.connect();
    const heard: string[] = [];
    far.onAny((event) => heard.push(event));

    redis.pause();
    a.app.io.emit('on its way');
    await redis.kill();
    await redis.start();
    await flows(a, b);
    const { pubClient } = a.app.io.sockets.adapter as RedisAdapter & Adapter;
    pubClient.client.stream.destroy();
    a.app.io.emit('into a dead connection');
    await flows(a, b);

    const end = next(far, 'end');
    a.app.io.emit('end');
    await end;
    assert.deepEqual(
      heard.filter((event) => event !== 'flows'),
      ['end'],
    );
  });

  it('should wait for Redis at boot, 3 seconds at most', async () => {
    redis = await startRedis();
    const b = await startWorker(redis.config);
    const heard = next(await b.connect(), 'first');
    redis.pause();
    let resumed = false;
    const boot = () => {
      setTimeout(() => {
        resumed = true;
        redis.resume();
      }, 1000);
    };
    const a = await startWorker(redis.config, { boot });
    assert(resumed, 'it has waited');
    a.app.io.emit('first');
    await heard;
  });

  it('should log that the password is wrong without the password, and connect when Redis accepts it', async () => {
    redis = await startRedis({ requirepass: 'right' });
    const config = { ...redis.config, auth_pass: 'the wrong one' };
    const lines: unknown[] = [];
    const boot = (app: Application) => {
      for (const level of ['error', 'warn', 'info'])
        mm(app.coreLogger, level, (...args: unknown[]) => lines.push(...args));
    };
    const a = await startWorker(config, { boot });

    const said = lines.filter((line) => /Redis 127\.0\.0\.1:\d+: WRONGPASS/.test(String(line)));
    assert.equal(said.length, 1);
    assert.doesNotMatch(JSON.stringify(lines), /the wrong one/);
    const client = await inRoom(a, 'room');
    const heard = next(client, 'hello');
    a.app.io.to('room').emit('hello');
    await heard;

    await redis.command('CONFIG', 'SET', 'requirepass', 'the wrong one');
    redis.settings.requirepass = 'the wrong one';
    const b = await startWorker(config);
    await flows(b, a);
    await flows(a, b);
  });

  it('should move and disconnect its own sockets in an outage, and reject requests to other workers', async () => {
    redis = new RedisServer(await freePort());
    const { app, connect } = await startWorker({ ...redis.config, requestsTimeout: 100 });
    const client = await connect();
    client.on('ask', (answer) => answer());

    app.io.in(client.id!).socketsJoin(['x', 'y']);
    app.io.in('x').socketsLeave('y');
    assert.deepEqual([...app.io.sockets.sockets.get(client.id!)!.rooms], [client.id, 'x']);

    const down = /Redis 127\.0\.0\.1:\d+ is not connected: other workers can't be asked/;
    await assert.rejects(app.io.in('x').fetchSockets(), down);
    await assert.rejects((app.io.sockets.adapter as RedisAdapter & Adapter).allRooms(), down);
    assert.equal((await app.io.local.in('x').fetchSockets()).length, 1);
    await assert.rejects(app.io.timeout(50).emitWithAck('ask'), /timed out/);
    await assert.rejects(app.io.serverSideEmitWithAck('ask'), down);

    const gone = next(client, 'disconnect');
    app.io.in('x').disconnectSockets(true);
    await gone;
  });

  it('should log that there is no new attempt if retryStrategy returns none', async () => {
    redis = await startRedis();
    const a = await startWorker({ ...redis.config, retryStrategy: () => null });
    const log = logs(a.app);
    await redis.kill();
    await until('it is logged', () =>
      log.error.some((line) => /: no connection, and no new attempt\. .* only$/.test(line)),
    );
  });

  it('should close in time and leave no connection open, also if Redis hangs or is gone', async () => {
    redis = await startRedis();
    const open = handles();
    const close = async (worker: Running) => {
      await within('the end of the worker', worker.close());
      await until(`nothing is open but ${open}`, () => handles().length <= open.length);
    };

    await close(await startWorker(redis.config));

    const hanging = await startWorker(redis.config);
    redis.pause();
    hanging.app.io.emit('x', Buffer.alloc(1 << 20));
    await close(hanging);
    redis.resume();

    const cut = await startWorker(redis.config);
    await redis.kill();
    await close(cut);
    await close(await startWorker(redis.config));
  });
});
