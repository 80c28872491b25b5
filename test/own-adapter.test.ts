// app.io.adapter(): an adapter that the application installs takes the place of the plugin's.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import { Adapter } from 'socket.io-adapter';
import type { Socket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { connected, logs, mm, type Running, start, track } from './support/app';
import { startCluster } from './support/cluster';
import { bootError, startInline } from './support/inline';
import { flows, type RedisServer, startRedis } from './support/redis';
import { DEADLINE, next, until } from './support/wait';

const PLACES = [
  ...['configDidLoad', 'router', 'didLoad', 'didLoad, later', 'beforeStart', 'beforeStart, later', 'willReady'],
  'willReady, later',
];

describe('an adapter that the application installs', () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  /** @param place - where the application installs it: see the fixture */
  const settings = (place: string, io: IoConfig = {}) => JSON.stringify({ place, port: redis.port, io });

  async function startAt(place: string, io?: IoConfig): Promise<Running> {
    mm(process.env, 'OWN_ADAPTER', settings(place, io));
    return start('own-adapter');
  }

  for (const place of PLACES) {
    it(`should take the place of that of config.io.redis: ${place}`, async () => {
      const workers = [await startAt(place, { redis: redis.config }), await startAt(place, { redis: redis.config })];
      const [a, b] = workers as [Running, Running];
      for (const name of ['/', '/chat', '/late', '/room/1']) {
        assert.equal(a.app.io.of(name).adapter.constructor.name, 'RedisAdapter', name);
      }
      await until(
        'only the adapters of the applications are connected, two clients each',
        () => redis.clients().length === 4,
      );
      await flows(a, b);
      await flows(b, a);
    });
  }

  it('should be warned of once, although the application installs one twice after the boot', async () => {
    class Own extends Adapter {}
    const { app } = await startInline({ io: { redis: redis.config } });
    const { warn, error } = logs(app);
    app.io.adapter(Own);
    app.io.adapter(Own);
    assert.deepEqual(warn, [
      '[egg-socket.io] config.io.redis has no effect: the application has called app.io.adapter()',
    ]);
    await app.close();
    assert.deepEqual(error, []);
  });

  for (const place of ['configDidLoad', 'willReady, later']) {
    it(`should be the adapter of two workers, between which requests are forwarded: ${place}`, async () => {
      const cluster = await startCluster('own-adapter', { workers: 2 }, { OWN_ADAPTER: settings(place) });
      try {
        const clients = new Map<number, Socket>();
        while (clients.size < 2) {
          // Its requests reach either worker.
          const client = await connected(track(`${cluster.url}/chat`, { transports: ['polling'] }));
          const pid: number = await client.timeout(DEADLINE).emitWithAck('pid');
          assert.equal(await client.timeout(DEADLINE).emitWithAck('adapter'), 'RedisAdapter');
          if (clients.has(pid)) client.disconnect();
          else clients.set(pid, client);
        }
        const [from, to] = [...clients.values()] as [Socket, Socket];
        const said = next(to, 'said');
        from.emit('say', 'to the other worker');
        assert.deepEqual(await said, ['to the other worker']);
        const room = await connected(track(`${cluster.url}/room/1`));
        assert.equal(await room.timeout(DEADLINE).emitWithAck('adapter'), 'RedisAdapter');
        assert.equal(redis.clients().length, 4, 'each worker has the two clients of its adapter');
      } finally {
        await cluster.close();
      }
    });
  }
});

describe('app.io.adapter() of the application', () => {
  class Own extends Adapter {}
  const boot = (app: Application) => void app.io.adapter(Own);

  it('should keep its own methods, although Socket.IO 2 had methods of these names', async () => {
    class WithRemoteJoin extends Adapter {
      remoteJoin(id: string, room: string): string {
        return `${id} joins ${room}`;
      }
    }
    const { app } = await startInline({
      boot: (app) => void app.io.adapter(WithRemoteJoin),
      router: ({ io }) => void io.of('/chat').route('x', () => {}),
    });
    for (const name of ['/', '/chat']) {
      const adapter = app.io.of(name).adapter as WithRemoteJoin & { remoteDisconnect(): void };
      assert.equal(adapter.remoteJoin('a', 'lobby'), 'a joins lobby');
      assert.throws(() => adapter.remoteDisconnect(), /Socket\.IO 4 has no adapter\.remoteDisconnect\(\)/);
    }
  });

  it('should be named in the log line at boot', async () => {
    const lines: string[] = [];
    const { app } = await startInline({
      boot: (app) => {
        boot(app);
        mm(app.coreLogger, 'info', (line: string) => lines.push(line));
      },
    });
    assert.equal(app.io.adapter(), Own);
    assert.match(lines.join(), /; adapter: the application's own \(Own\); workers: 1/);
  });

  it('should be warned of once if config.io.redis is set', async () => {
    let warnings: unknown[] = [];
    await startInline({
      io: { redis: {} },
      boot: (app) => {
        warnings = logs(app).warn;
        boot(app);
        boot(app);
      },
    });
    assert.deepEqual(warnings, [
      '[egg-socket.io] config.io.redis has no effect: the application has called app.io.adapter()',
    ]);
  });

  it('should fail the boot if the configuration names an adapter', async () => {
    const named: Array<[key: string, value: string, io: IoConfig]> = [
      ['config.io.adapter', "'memory'", { adapter: 'memory' }],
      ['config.io.adapter', '[Function: adapter]', { adapter: () => Adapter }],
      ['config.io.init.adapter', '[class Adapter extends EventEmitter]', { init: { adapter: Adapter as never } }],
    ];
    for (const [key, value, io] of named) {
      const { name, message } = await bootError({ io, boot });
      assert.equal(name, 'EggSocketIOConfigError');
      assert.equal(
        message,
        `[egg-socket.io] the application calls app.io.adapter(), although ${key} is set: remove one (${key} is ${value}; allowed: nothing if the application calls app.io.adapter())`,
      );
    }
  });

  it('should return the constructor without an argument, also with config.io.adapter', async () => {
    const { app } = await startInline({ io: { adapter: () => Own } });
    assert.equal(app.io.adapter(), Own);
  });
});
