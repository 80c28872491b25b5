// A user of Redis that has the rights which docs/en/redis.md names, and no others.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { IoConfig } from '../lib';
import { logs, ROOT } from './support/app';
import { comeBack, cut } from './support/recovery';
import { flows, inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { startRedisCluster } from './support/redis-cluster';
import { next } from './support/wait';

/** The commands of the docs, each with what it is for. */
const USERS: Array<[string, string]> = Array.from(
  readFileSync(path.join(ROOT, 'docs/en/redis.md'), 'utf8').matchAll(/^# (.*)\n(ACL SETUSER .*)$/gm),
  ([, title, command]) => [title!, command!],
);
const OF_CLUSTER = ['+cluster|slots', '+cluster|info'];

it('docs/en/redis.md should name the rights for each adapter', () => {
  const adapters = USERS.map(([title]) => adapterOf(title));
  assert.deepEqual(adapters, ['redis', 'redis-sharded', 'redis-streams', 'redis-streams']);
});

for (const [title, command] of USERS) {
  const init = title.includes('connectionStateRecovery') ? { connectionStateRecovery: {} } : {};
  const io: IoConfig = { adapter: adapterOf(title), init, namespace: { '/': {}, '/chat': {} } };
  const user = { username: 'egg', password: 'password' };

  it(`a user with the rights in docs/en/redis.md should suffice for ${title}`, async () => {
    const redis = await startRedis();
    try {
      await redis.command(...setUser(command));
      await works(redis, { ...redis.config, ...user }, io);
    } finally {
      await redis.stop();
    }
  });

  it(`a user with the rights in docs/en/redis.md should suffice in a Redis Cluster for ${title}`, async () => {
    const cluster = await startRedisCluster(1);
    const redis = cluster.nodes[0]!;
    try {
      await redis.command(...setUser(command), ...OF_CLUSTER);
      await works(redis, { cluster: true, nodes: [{ host: '127.0.0.1', port: redis.port, ...user }] }, io);
    } finally {
      await cluster.stop();
    }
  });
}

/** Two workers use all that needs rights. */
async function works(redis: RedisServer, config: IoConfig['redis'], io: IoConfig): Promise<void> {
  const lines: unknown[] = [];
  const boot = (app: Parameters<typeof logs>[0]) => {
    const { error, warn } = logs(app);
    lines.push(error, warn);
  };
  const [a, b] = [await startWorker(config, { io, boot }), await startWorker(config, { io, boot })];
  await flows(a, b);
  await flows(b, a);
  const client = await inRoom(a, 'room');
  assert.equal((await b.app.io.in('room').fetchSockets()).length, 1);
  client.on('who', (answer) => answer(client.id));
  assert.deepEqual(await b.app.io.timeout(5000).emitWithAck('who'), [client.id]);
  (a.app.io as unknown as NodeJS.EventEmitter).once('worker', (answer) => answer('a'));
  assert.deepEqual(await b.app.io.serverSideEmitWithAck('worker'), ['a']);
  const chat = await a.connect('/chat');
  const heard = next(chat, 'hello');
  b.app.io.of('/chat').emit('hello');
  await heard;
  if (io.init?.connectionStateRecovery) {
    const offset = next(client, 'offset');
    b.app.io.to('room').emit('offset');
    await offset;
    await cut(client);
    b.app.io.to('room').emit('missed');
    const missed = next(client, 'missed');
    await comeBack(client, b.url);
    await missed;
    assert.equal(client.recovered, true);
  }
  await a.close();
  await b.close();
  assert.deepEqual(lines.flat(), []);
  const refused: string[][] = await redis.command('ACL', 'LOG');
  // ioredis says who it is, and ignores that it is refused.
  assert.deepEqual(
    refused.filter((entry) => !entry.join().includes('client')),
    [],
  );
}

function adapterOf(title: string): 'redis' | 'redis-sharded' | 'redis-streams' {
  return /'(redis[a-z-]*)'/.exec(title)![1] as 'redis';
}

function setUser(command: string): [string, ...string[]] {
  return command.split(' ') as [string, ...string[]];
}
