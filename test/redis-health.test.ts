// A connection to Redis that is open and delivers nothing: it is noticed within redis.healthTimeout, replaced, and works again.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import type { IoConfig } from '../lib';
import { mm, type Running } from './support/app';
import { startProxy, type TcpProxy, type Use } from './support/proxy';
import { flows, inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { type RedisSentinel, startRedisSentinel } from './support/redis-sentinel';
import { next, until } from './support/wait';

/** In ms. A busy machine delays messages for less. */
const healthTimeout = 900;

const USES: Record<string, Use[]> = {
  redis: ['publisher', 'subscriber'],
  'redis-sharded': ['publisher', 'subscriber'],
  'redis-streams': ['publisher', 'subscriber', 'reader'],
};

for (const [adapter, uses] of Object.entries(USES)) {
  describe(`${adapter} behind a proxy that stops forwarding`, () => {
    let redis: RedisServer;
    let proxy: TcpProxy;
    let [a, b]: Running[] = [];
    let lines: string[] = [];

    before(async () => {
      redis = await startRedis();
      proxy = await startProxy(redis.port);
    });
    beforeEach(async () => {
      const io = { adapter } as IoConfig;
      const boot = (app: Application) => {
        lines = recordRedis(app);
      };
      a = await startWorker({ ...proxy.config, healthTimeout }, { io, boot });
      b = await startWorker({ ...redis.config, healthTimeout: 10_000 }, { io });
      await flows(a, b);
      await flows(b, a);
    });
    after(async () => {
      await proxy.stop();
      await redis.stop();
    });

    for (const use of uses) {
      it(`should notice that its ${use} is frozen, log that once, and receive messages on new connections`, async () => {
        const near = await a!.connect();
        const far = await inRoom(b!, 'room');
        proxy.freeze(use);
        // The reader continues behind the last entry that it has read.
        const late = use === 'reader' && next(near, 'late');
        if (late) b!.app.io.emit('late');

        await until('it is logged', () => lines.length > 0);
        assert.match(lines[0]!, new RegExp(`no (answer|message was delivered) for ${healthTimeout} ms`));
        await until('it is connected again', () => lines.some((line) => /connected/.test(line)));
        assert.equal(lines.length, 2, `${lines}`);
        await late;

        const [heard, heardFar] = [next(near, 'hello'), next(far, 'hello')];
        b!.app.io.emit('hello');
        await heard;
        a!.app.io.to('room').emit('hello');
        await heardFar;
        assert.equal((await a!.app.io.in('room').fetchSockets()).length, 1);
      });
    }

    it('should reject requests to other workers, and serve its own clients, for as long as nothing is forwarded', async () => {
      const near = await inRoom(a!, 'room');
      await inRoom(b!, 'room');
      proxy.freezeAll();
      await until('it is logged', () => lines.length > 0);
      const heard = next(near, 'hello');
      a!.app.io.emit('hello');
      await heard;
      await assert.rejects(a!.app.io.in('room').fetchSockets(), /is not connected: other workers can't be asked/);
      // New connections are accepted and stay silent as well.
      const { accepted } = proxy;
      await until('attempts to connect are replaced', () => proxy.accepted >= accepted + 2 * uses.length);
      await assert.rejects(a!.app.io.in('room').fetchSockets(), /is not connected/);

      proxy.thaw();
      await flows(a!, b!);
      await flows(b!, a!);
      await until('it is connected again', () => lines.some((line) => /connected/.test(line)));
      assert.equal((await a!.app.io.in('room').fetchSockets()).length, 2);
    });
  });
}

for (const adapter of Object.keys(USES)) {
  describe(`${adapter} with Sentinel`, () => {
    let redis: RedisSentinel;

    beforeEach(async () => {
      redis = await startRedisSentinel();
    });
    afterEach(() => redis.stop());

    for (const [fault, fail] of [
      ['killed', (master: RedisServer) => master.kill()],
      ['hung', (master: RedisServer) => master.pause()],
    ] as const) {
      it(`should use the new master if the old one is ${fault}`, async () => {
        const config = { ...redis.config, healthTimeout };
        const io = { adapter } as IoConfig;
        const [a, b] = [await startWorker(config, { io }), await startWorker(config, { io })];
        await flows(a, b);
        await flows(b, a);
        const lines = recordRedis(a.app);
        await fail(redis.master);
        await redis.failedOver();
        await flows(a, b);
        await flows(b, a);
        await until('it is logged', () => lines.some((line) => /connected/.test(line)));
        await Promise.all([inRoom(a, 'room'), inRoom(b, 'room')]);
        await until('the others can be asked', async () => {
          const sockets = await a.app.io
            .in('room')
            .fetchSockets()
            .catch(() => []);
          return sockets.length === 2;
        });
      });
    }
  });
}

it('redis should ask another Sentinel if one hangs', async () => {
  const redis = await startRedisSentinel();
  const hanging = await startRedis();
  hanging.pause();
  const sentinels = [{ host: '127.0.0.1', port: hanging.port }, ...redis.config.sentinels!];
  const config = { ...redis.config, sentinels, healthTimeout };
  const [a, b] = [await startWorker(config), await startWorker(config)];
  await flows(a, b);
  await Promise.all([a.close(), b.close()]);
  await hanging.stop();
  await redis.stop();
});

describe('a worker that was blocked', () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  for (const adapter of Object.keys(USES)) {
    it(`should not take its own pause for an outage: ${adapter}`, async () => {
      let lines: string[] = [];
      const boot = (app: Application) => {
        lines = recordRedis(app);
      };
      const { app, connect } = await startWorker(
        { ...redis.config, healthTimeout },
        { io: { adapter } as IoConfig, boot },
      );
      const client = await connect();
      for (let n = 0; n < 2; n++) {
        const heard = next(client, 'hello');
        app.io.emit('hello');
        const end = Date.now() + 1.5 * healthTimeout;
        while (Date.now() < end);
        await heard;
        await app.io.fetchSockets();
      }
      assert.deepEqual(lines, []);
    });
  }
});

/** Records what is logged about Redis at any level. */
function recordRedis(app: Application): string[] {
  const lines: string[] = [];
  for (const level of ['error', 'warn', 'info']) {
    const write = (line: unknown) => {
      if (/\[egg-socket\.io\] Redis /.test(String(line))) lines.push(String(line));
    };
    mm(app.coreLogger, level, write);
  }
  return lines;
}
