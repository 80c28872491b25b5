// The faults of Redis in docs/en/reliability.md, for each adapter: no client is disconnected, events of its own worker reach it, and when the
// fault is over broadcasts reach the other workers again, and requests all sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { IoConfig } from '../lib';
import { logs, ROOT, type Running } from './support/app';
import { flows, inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { next, until } from './support/wait';

/** In ms. A busy machine delays messages for less. */
const healthTimeout = 900;

for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
  describe(`${adapter}: when Redis`, () => {
    let redis: RedisServer;
    let [a, b]: Running[] = [];
    let error: string[] = [];

    beforeEach(async () => {
      redis = await startRedis({ requirepass: 'old' });
      const io: IoConfig = { adapter };
      a = await startWorker({ ...redis.config, healthTimeout }, { io });
      b = await startWorker({ ...redis.config, healthTimeout }, { io });
      await flows(a, b);
      error = logs(a.app).error;
    });
    afterEach(async () => {
      redis.resume();
      await redis.stop();
    });

    /** Runs a fault. `during` waits until it has an effect. */
    async function survives(begin: () => unknown, during: () => Promise<unknown>, end: () => unknown): Promise<void> {
      const clients = [await inRoom(a!, 'room'), await inRoom(b!, 'room')];
      const gone: unknown[] = [];
      for (const client of clients) client.on('disconnect', (reason) => gone.push(reason));
      await begin();
      await during();
      const heard = next(clients[0]!, 'own');
      a!.app.io.to('room').emit('own');
      await heard;
      await end();
      await flows(a!, b!);
      await flows(b!, a!);
      await until('the others can be asked', async () => {
        const sockets = await a!.app.io
          .in('room')
          .fetchSockets()
          .catch(() => []);
        return sockets.length === 2;
      });
      assert.deepEqual(gone, []);
    }

    const logged = (pattern: RegExp) => () => until('it is logged', () => error.some((line) => pattern.test(line)));
    const rejects = () => assert.rejects(a!.app.io.fetchSockets(), /is not connected: other workers can't be asked/);

    it('is stopped and started again', async () => {
      const stop = async () => {
        const exit = once(redis.child!, 'exit');
        redis.child!.kill('SIGTERM');
        await exit;
      };
      const during = async () => {
        await logged(/ECONNREFUSED/)();
        await rejects();
      };
      await survives(stop, during, () => redis.start());
    });

    it('hangs for a while', async () => {
      const during = async () => {
        await logged(new RegExp(`no answer for ${healthTimeout} ms`))();
        await rejects();
      };
      await survives(
        () => redis.pause(),
        during,
        () => redis.resume(),
      );
      assert.equal(error.length, 1, `${error}`);
    });

    it('has no memory left', async () => {
      const set = (bytes: string) => redis.command('CONFIG', 'SET', 'maxmemory', bytes);
      const during =
        adapter === 'redis-streams'
          ? async () => {
              a!.app.io.emit('lost');
              await logged(/OOM command not allowed/)();
            }
          : async () => {
              await flows(a!, b!);
              assert.equal((await a!.app.io.in('room').fetchSockets()).length, 2);
              assert.deepEqual(error, []);
            };
      await survives(
        () => set('1'),
        during,
        () => set('0'),
      );
    });

    it('has another password, which open connections do not need', async () => {
      const set = async (password: string) => {
        await redis.command('CONFIG', 'SET', 'requirepass', password);
        redis.settings.requirepass = password;
      };
      const during = async () => {
        await flows(a!, b!);
        assert.deepEqual(error, []);
        // Each connection of another client.
        await redis.command('CLIENT', 'KILL', 'SKIPME', 'yes');
        await logged(/WRONGPASS/)();
        await rejects();
      };
      await survives(
        () => set('new'),
        during,
        () => set('old'),
      );
      assert.doesNotMatch(error.join(), /\bold\b/);
    });
  });
}

it('docs/en/reliability.md should name tests that exist', () => {
  const text = readFileSync(path.join(ROOT, 'docs/en/reliability.md'), 'utf8');
  const [, section = ''] = /^## Redis\n(.*?)^## /ms.exec(text) ?? [];
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| fault '));
  assert(rows.length > 15, `${rows.length}`);
  for (const row of rows) {
    const [, file, title] = /\| `([^`]+)`: ([^|]+) \|$/.exec(row) ?? assert.fail(`no test in ${row}`);
    const source = readFileSync(path.join(ROOT, 'test', file!), 'utf8');
    for (const part of title!.split('…')) assert(source.includes(part), `no ${part} in ${file}`);
  }
});
