// config.io.redis.clientName: a client of egg-redis (on Egg 4: @eggjs/redis), which is installed.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import type { AdapterName } from '../lib/config/config';
import { EGG_MAJOR, type Running, start } from './support/app';
import { startInline } from './support/inline';
import { freePort } from './support/port';
import { flows, type RedisServer, startRedis } from './support/redis';
import { until } from './support/wait';

interface EggRedis {
  client?: object;
  clients?: Record<string, object>;
  default?: object;
  app?: boolean;
}

// The ioredis of egg-redis, 4 or 5, which lists the clients that are created: egg-redis closes none.
const plugin = require.resolve(EGG_MAJOR === 4 ? '@eggjs/redis' : 'egg-redis/package.json');
const loaded = createRequire(plugin)('ioredis');
const opened = new Set<Redis>();
const Base: typeof Redis = loaded.Redis ?? loaded;
class Listed extends Base {
  constructor(options: RedisOptions) {
    super(options);
    opened.add(this);
  }
}
class ListedCluster extends Base.Cluster {
  constructor(nodes: ClusterNode[], options: ClusterOptions) {
    super(nodes, options);
    opened.add(this as unknown as Redis);
  }
}
Object.defineProperty(Listed, 'Cluster', { value: ListedCluster });

const current = globalThis as { redisEgg?: object };

async function startWith(redis: EggRedis, clientName: string, adapter?: AdapterName): Promise<Running> {
  current.redisEgg = { redis: { ...redis, Redis: Listed }, io: { redis: { clientName }, adapter } };
  return start('redis-egg');
}

function closeClients(): void {
  for (const client of opened) client.disconnect();
  opened.clear();
}

describe('redis with egg-redis', () => {
  let redis: RedisServer;
  let settings: object;

  before(async () => {
    redis = await startRedis({ requirepass: 'secret' });
    settings = { host: '127.0.0.1', port: redis.port, password: 'secret', db: 0, keyPrefix: 'prefix:' };
  });
  afterEach(closeClients);
  after(() => redis.stop());

  it("should share rooms by the client of config.redis.client, 'default', and leave it open", async () => {
    const a = await startWith({ client: settings }, 'default');
    const b = await startWith({ client: settings }, 'default');
    const own = (a.app as unknown as { redis: Redis }).redis;
    await flows(a, b);
    await flows(b, a);
    const plugins = Object.keys((a.app as unknown as { plugins: object }).plugins);
    assert(plugins.indexOf('redis') < plugins.indexOf('io'), 'egg-redis is loaded first');
    // Each application: the client of egg-redis and its duplicate for subscribing.
    assert.equal(redis.clients().length, 4);

    const listeners = own.listenerCount('error');
    await a.close();
    await until('the duplicate is closed', () => redis.clients().length === 3);
    assert.equal(own.status, 'ready');
    assert.equal(own.listenerCount('error'), listeners - 1);
    assert.equal(await own.set('x', 'y'), 'OK');
  });

  it('should share rooms by a client of config.redis.clients', async () => {
    const clients = { one: { db: 1 }, two: { db: 2 } };
    const a = await startWith({ default: settings, clients }, 'two');
    const b = await startWith({ default: settings, clients }, 'two');
    await flows(a, b);
    await flows(b, a);
    const databases = redis.clients().map((line) => / db=(\d) /.exec(line)?.[1]);
    assert.deepEqual(databases.sort(), ['1', '1', '2', '2', '2', '2']);
  });

  for (const adapter of ['redis-sharded', 'redis-streams'] as const) {
    it(`should share rooms by connections with the options of that client: ${adapter}`, async () => {
      const lazy = { client: { ...settings, db: 3, lazyConnect: true, weakDependent: true } };
      const a = await startWith(lazy, 'default', adapter);
      const b = await startWith(lazy, 'default', adapter);
      await flows(a, b);
      await flows(b, a);
      await b.connect();
      assert.equal((await a.app.io.fetchSockets()).length, 1);
      for (const line of redis.clients()) assert.match(line, / db=3 /);
      await Promise.all([a.close(), b.close()]);
      assert.equal(redis.clients().length, 0);
    });
  }

  for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
    it(`should put the keyPrefix of that client before the key: ${adapter}`, async () => {
      const [one, two] = ['one:', 'two:'].map((keyPrefix) => ({ client: { ...settings, keyPrefix } }));
      const [a, b] = [await startWith(one!, 'default', adapter), await startWith(one!, 'default', adapter)];
      const other = await startWith(two!, 'default', adapter);
      await flows(a, b);
      await flows(b, a);
      await a.connect();
      await other.connect();
      assert.equal((await b.app.io.fetchSockets()).length, 1);
      assert.equal((await other.app.io.fetchSockets()).length, 1);
      const kind = adapter === 'redis-sharded' ? 'SHARDCHANNELS' : 'CHANNELS';
      for (const name of await redis.command('PUBSUB', kind)) assert.match(name, /^(one|two):socket\.io/);
    });
  }

  it('should connect a client that waits for its first command', async () => {
    const lazy = { client: { ...settings, lazyConnect: true, weakDependent: true } };
    const a = await startWith(lazy, 'default');
    const b = await startWith(lazy, 'default');
    await flows(a, b);
  });

  it('should fail the boot without egg-redis', async () => {
    const message = /the plugin redis is missing: install egg-redis .*config\.io\.redis\.clientName is 'default'/;
    await assert.rejects(startInline({ io: { redis: { clientName: 'default' } } }), message);
  });

  const wrong: Array<[string, () => EggRedis, string, RegExp]> = [
    ['egg-redis that is off', () => ({ app: false, client: settings }), 'default', /the plugin redis is missing/],
    ['an unknown name', () => ({ clients: { one: settings } }), 'two', /no client two of egg-redis .*: 'one'\)/],
    ['a name beside one client', () => ({ client: settings }), 'one', /no client one of egg-redis .*: 'default'\)/],
    ['no client', () => ({}), 'default', /no client default of egg-redis .*config\.redis: none\)/],
    ['what every object has', () => ({ client: settings }), 'toString', /no client toString of egg-redis/],
  ];
  for (const [what, config, clientName, message] of wrong) {
    it(`should fail the boot: ${what}`, async () => {
      await assert.rejects(startWith(config(), clientName), message);
    });
  }
});

describe('redis with egg-redis and a cluster', () => {
  let redis: RedisServer;

  before(async () => {
    const bus = String(await freePort());
    redis = await startRedis({ 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1', 'cluster-port': bus });
    await redis.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await until('the cluster is up', async () => /cluster_state:ok/.test(await redis.command('CLUSTER', 'INFO')));
  });
  after(async () => {
    closeClients();
    await redis.stop();
  });

  for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
    it(`should share rooms: ${adapter}`, () => shares(adapter));
  }

  async function shares(adapter: AdapterName): Promise<void> {
    const client = { cluster: true, nodes: [{ host: '127.0.0.1', port: redis.port, password: '', db: 0 }] };
    const [a, b] = [await startWith({ client }, 'default', adapter), await startWith({ client }, 'default', adapter)];
    await flows(a, b);
    await flows(b, a);
    await b.connect();
    assert.equal((await a.app.io.fetchSockets()).length, 1);
    await redis.kill();
    await redis.start();
    await until('the cluster is up', async () => /cluster_state:ok/.test(await redis.command('CLUSTER', 'INFO')));
    await flows(a, b);
  }
});
