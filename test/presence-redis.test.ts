// Presence on several hosts: workers that exchange it through Redis, with each adapter, also if Redis is away for a while.
import assert from 'node:assert/strict';
import type { AdapterName, IoConfig, PresenceEntries } from '../lib';
import { logs, type Running } from './support/app';
import { startInline } from './support/inline';
import { startProxy, type TcpProxy } from './support/proxy';
import { type RedisServer, startRedis } from './support/redis';
import { next, until } from './support/wait';

/** Longer than a test. */
const NEVER = 600_000;

for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as AdapterName[]) {
  describe(`presence with the adapter ${adapter}`, () => {
    let redis: RedisServer;
    let proxy: TcpProxy | undefined;

    before(async () => {
      redis = await startRedis();
    });
    after(() => redis.stop());
    afterEach(async () => {
      await proxy?.stop();
      proxy = undefined;
    });

    const startHost = (heartbeat: number, config: object = redis.config): Promise<Running> => {
      const io: IoConfig = {
        adapter,
        redis: { ...config, key: 'presence', healthTimeout: 1000 } as IoConfig['redis'],
        presence: { heartbeat, interval: 20 },
      };
      return startInline({
        io,
        router: (app) => {
          app.io.route('track', async (ctx) => {
            const [key, answer] = ctx.args;
            await app.io.presence('lobby').track(ctx, key);
            answer();
          });
        },
      });
    };

    const here = ({ app }: Running) => app.io.presence('lobby');

    const lists = (host: Running, keys: string[]) =>
      until(`${keys} are present`, async () => String(Object.keys(await here(host).list()).sort()) === String(keys));

    async function join(host: Running, key: string) {
      const client = await host.connect();
      const joins: string[] = [];
      const leaves: string[] = [];
      client.on('presence_diff', (diff: { joins: PresenceEntries; leaves: PresenceEntries }) => {
        joins.push(...Object.keys(diff.joins));
        leaves.push(...Object.keys(diff.leaves));
      });
      const state = next(client, 'presence_state');
      await client.emitWithAck('track', key);
      await state;
      return { client, joins, leaves };
    }

    it('should list the clients of all hosts, send them the diffs, and remove a host that ends', async () => {
      const [a, b] = [await startHost(NEVER), await startHost(NEVER)];
      const ann = await join(a, 'ann');
      await lists(b, ['ann']);
      const bob = await join(b, 'bob');
      await until('the diff arrives', () => ann.joins.includes('bob'));
      for (const host of [a, b]) await lists(host, ['ann', 'bob']);
      // A host that starts later asks the others once.
      const late = await startHost(NEVER);
      assert.deepEqual(await here(late).list(), { ann: [{}], bob: [{}] });
      ann.client.disconnect();
      await until('the diff arrives', () => bob.leaves.includes('ann'));
      for (const host of [a, b, late]) await lists(host, ['bob']);
      await b.close();
      for (const host of [a, late]) await lists(host, []);
      assert.equal(await redis.command('EXISTS', 'presence'), adapter === 'redis-streams' ? 1 : 0);
    });

    it('should remove a host that is silent, and list it again when it is not', async () => {
      proxy = await startProxy(redis.port);
      const [a, b] = [await startHost(300), await startHost(300, proxy.config)];
      for (const { app } of [a, b]) logs(app);
      const ann = await join(a, 'ann');
      await join(b, 'bob');
      for (const host of [a, b]) await lists(host, ['ann', 'bob']);
      proxy.freezeAll();
      await lists(a, ['ann']);
      await lists(b, ['bob']);
      await until('the diff arrives', () => ann.leaves.includes('bob'));
      const cat = await join(a, 'cat');
      await join(b, 'dan');
      proxy.thaw();
      for (const host of [a, b]) await lists(host, ['ann', 'bob', 'cat', 'dan']);
      await until('the diff arrives', () => ['bob', 'dan'].every((key) => cat.joins.includes(key)));
    });

    it('should exchange what has changed in an outage when Redis is back, without waiting for a heartbeat', async () => {
      const [a, b] = [await startHost(NEVER), await startHost(NEVER)];
      for (const { app } of [a, b]) logs(app);
      const ann = await join(a, 'ann');
      await join(b, 'bob');
      for (const host of [a, b]) await lists(host, ['ann', 'bob']);
      await redis.kill();
      await until('the outage is noticed', () => [a, b].every(({ app }) => !app.io.health().adapter.up));
      ann.client.disconnect();
      await join(b, 'cat');
      await lists(a, ['bob']);
      await redis.start();
      for (const host of [a, b]) await lists(host, ['bob', 'cat']);
    });
  });
}
