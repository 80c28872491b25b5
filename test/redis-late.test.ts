// config.io.redis as a function: the options of Redis are found while the application boots.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Application } from 'egg';
import { Adapter } from 'socket.io-adapter';
import type { Socket } from 'socket.io-client';
import { ConfigError, type IoConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { connected, logs, track } from './support/app';
import { startCluster } from './support/cluster';
import { bootError, startInline } from './support/inline';
import { flows, type RedisServer, startRedis } from './support/redis';
import { DEADLINE, next, until } from './support/wait';

describe('config.io.redis as a function', () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis({ requirepass: 'the secret' });
  });
  after(() => redis.stop());

  it('should be called once, with the application, and connect to what its promise resolves to', async () => {
    const given: Application[] = [];
    const find = async (app: Application) => {
      given.push(app);
      await turn();
      return { ...redis.config, key: 'late' };
    };
    const { app, ...a } = await startInline({ io: { redis: find } });
    assert(given.length === 1 && given[0]?.io === app.io);
    const b = await startInline({ io: { redis: { ...redis.config, key: 'late' } } });
    await flows({ app, ...a }, b);
    await flows(b, { app, ...a });
  });

  it('should be accepted without a promise, with each Redis adapter', async () => {
    for (const adapter of ['redis-sharded', 'redis-streams'] as const) {
      const worker = () => startInline({ io: { adapter, redis: () => redis.config } });
      // One after the other: an inline application reads its definition from a global while it boots.
      const [a, b] = [await worker(), await worker()];
      await flows(a, b);
    }
  });

  it('should fail the boot if it rejects, and name the key, the reason without a password, and the line', async () => {
    async function findRedis(): Promise<never> {
      await turn();
      throw new Error('GET: redis://user:the secret@10.0.0.1:6379\nfailed');
    }
    const { name, message, stack } = await bootError({ io: { redis: findRedis } });
    assert.equal(name, 'EggSocketIOConfigError');
    assert.equal(
      message,
      '[egg-socket.io] the function config.io.redis has failed: GET: redis://user:***@10.0.0.1:6379\nfailed (config.io.redis is [AsyncFunction: findRedis]; allowed: a function (app) => { host, port, auth_pass, db }, or a promise of it)',
    );
    assert.match(stack as string, /at findRedis \(.*redis-late\.test\.ts/);
    assert.doesNotMatch(stack as string, /the secret/);
  });

  it('should fail the boot if it throws what is no error', async () => {
    const find = () => {
      throw 'nothing found';
    };
    assert.match((await bootError({ io: { redis: find } })).message, /config\.io\.redis has failed: nothing found \(/);
  });

  for (const [what, found, expected] of [
    ['nothing', undefined, /the function config\.io\.redis has returned no options \(config\.io\.redis is undefined;/],
    ['false', false, /the function config\.io\.redis has returned no options \(config\.io\.redis is false;/],
    ['a URL', 'redis://:the secret@host', /config\.io\.redis is 'redis:\/\/:\*\*\*@host'; allowed: an object/],
    ['a wrong port', { port: 'six' }, /config\.io\.redis\.port is 'six'; allowed: a port number/],
    ['a wrong password', { auth_pass: { 'the secret': 1 } }, /config\.io\.redis\.auth_pass is '\*\*\*'; allowed/],
    [
      'a client of egg-redis that does not exist',
      { clientName: 'x' },
      /the plugin redis is missing: .*clientName is 'x'/,
    ],
  ] as Array<[string, unknown, RegExp]>) {
    it(`should fail the boot as the same value would if it returns ${what}`, async () => {
      const err = await bootError({ io: { redis: async () => found as never } });
      assert.equal(err.name, 'EggSocketIOConfigError');
      assert.match(err.message, expected);
      assert.doesNotMatch(err.message, /the secret/);
    });
  }

  it('should log the warnings of what it returns', async () => {
    let warnings: unknown[] = [];
    await startInline({
      io: { redis: () => ({ ...redis.config, maxLen: 7 }) },
      boot: (app) => {
        warnings = logs(app).warn;
      },
    });
    assert.deepEqual(warnings, [
      "[egg-socket.io] config.io.redis.maxLen has no effect: it is for config.io.adapter 'redis-streams'",
    ]);
  });

  it('should choose the adapter as options do', () => {
    const find = async () => ({});
    const init = { adapter: Adapter } as unknown as IoConfig['init'];
    assert.throws(() => resolveConfig({ redis: find, init }), /config\.io\.init\.adapter is .*remove one/);
    assert.doesNotThrow(() => resolveConfig({ redis: find, adapter: 'redis-sharded' }));
    const { warnings } = resolveConfig({ redis: find, adapter: 'memory' });
    assert.deepEqual(warnings, ["config.io.redis has no effect: config.io.adapter is 'memory'"]);
  });

  it('should not be called if another adapter is used', async () => {
    const redis = () => assert.fail('it was called');
    await startInline({ io: { redis, adapter: 'cluster' } });
    await startInline({ io: { redis }, boot: (app) => void app.io.adapter(Adapter) });
  });

  it('should leave the password out of the files and the log of Egg', async () => {
    let log: unknown;
    const rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
    await startInline({
      io: { redis: async () => redis.config },
      boot: (app) => {
        log = logs(app);
      },
      config: { rundir },
    });
    for (const name of ['application', 'agent']) {
      const file = path.join(rundir, `${name}_config.json`);
      const written = await until(`${file} is written`, () => readFileSync(file, 'utf8'));
      assert.match(written, /"redis": "<AsyncFunction redis>"/, name);
      assert.doesNotMatch(written, /the secret/, name);
    }
    assert.doesNotMatch(JSON.stringify(log), /the secret/);
    rmSync(rundir, { recursive: true });
  });

  it('should connect several workers, and let the agent emit', async () => {
    const open = await startRedis();
    const cluster = await startCluster('redis-late', { workers: 2 }, { REDIS_PORT: `${open.port}` });
    try {
      const clients = new Map<number, Socket>();
      while (clients.size < 2) {
        const client = await connected(track(cluster.url, { transports: ['websocket'] }));
        const pid: number = await client.timeout(DEADLINE).emitWithAck('pid');
        if (clients.has(pid)) client.disconnect();
        else clients.set(pid, client);
      }
      const [one, other] = [...clients.values()] as [Socket, Socket];
      for (const event of ['say', 'say by the agent']) {
        const said = [one, other].map((client) => next(client, 'said'));
        one.emit(event, event);
        assert.deepEqual(await Promise.all(said), [[event], [event]]);
      }
      // Each worker has a client that publishes and one that subscribes.
      assert.equal(open.clients().length, 4);
    } finally {
      await cluster.close();
      await open.stop();
    }
  });

  it('should be a ConfigError that applications can import', async () => {
    const loading = resolveConfig({ redis: async () => ({ port: 0 }) }).loadRedis?.({} as Application);
    await assert.rejects(loading as Promise<unknown>, ConfigError);
  });
});
