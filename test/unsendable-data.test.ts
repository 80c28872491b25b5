// What other workers receive of sockets whose data cannot be sent, and how long they wait for a response: with each adapter.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Socket } from 'socket.io';
import type { Socket as ClientSocket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { connected, fixture, logs, type Running, track } from './support/app';
import { startCluster } from './support/cluster';
import { startInline } from './support/inline';
import { type RedisServer, startRedis } from './support/redis';
import { until } from './support/wait';

const REDIS_ADAPTERS = ['redis', 'redis-sharded', 'redis-streams'] as const;
/** In ms. */
const BRIEF = 200;

let redis: RedisServer | undefined;

before(async () => {
  redis = await startRedis();
});
after(async () => {
  await redis?.stop();
});

for (const adapter of REDIS_ADAPTERS) {
  describe(`requests to other workers with the adapter ${adapter}`, () => {
    let a: Running;
    let b: Running;

    /** @param io - more of `config.io` */
    async function start(io: IoConfig = {}): Promise<[Running, Running]> {
      const options = { adapter, redis: { ...redis?.config, key: adapter } };
      const worker = () => startInline({ io: { user: (ctx) => ctx.query.user, ...options, ...io } });
      const workers: [Running, Running] = [await worker(), await worker()];
      for (const { app } of workers) {
        await until('the workers reach each other', async () => (await app.io.of('/').adapter.serverCount()) === 2);
      }
      return workers;
    }

    /** Returns a connected client's socket of a worker. */
    async function socketOf(worker: Running, user = 'ann'): Promise<Socket> {
      const client = await worker.connect('/', { query: { user } });
      return worker.app.io.sockets.sockets.get(client.id!) as unknown as Socket;
    }

    before(async () => {
      [a, b] = await start();
    });

    it('should list sockets without the data that cannot be sent, and log it once', async () => {
      const broken = await socketOf(a);
      const circular: Record<string, unknown> = {};
      circular.self = circular;
      Object.assign(broken.data, { name: 'ann', circular, big: 1n, nested: { list: [1, { at: 2n }] }, at: [1, 'x'] });
      Object.defineProperty(broken.data, 'getter', {
        enumerable: true,
        get() {
          throw new Error('a bug');
        },
      });
      const sound = await socketOf(a, 'bob');
      sound.data.name = 'bob';
      const { warn } = logs(a.app);
      for (let round = 0; round < 2; round++) {
        const sockets = new Map((await b.app.io.fetchSockets()).map((socket) => [socket.id, socket]));
        assert.deepEqual(sockets.get(broken.id)?.data, { name: 'ann', at: [1, 'x'] });
        assert.deepEqual(sockets.get(sound.id)?.data, { name: 'bob' });
        assert(sockets.get(broken.id)?.rooms.has(broken.id));
        assert.equal((await b.app.io.user('ann').fetchSockets()).length, 1);
      }
      assert.deepEqual(
        warn.map((line) => /sockets of \/ without socket\.(data\.\w+): .+ \(socket \S+\)$/.exec(line)?.[1]).sort(),
        ['data.big', 'data.circular', 'data.getter', 'data.nested'],
      );
    });

    it('should reject serverSideEmitWithAck after config.io.requestsTimeout', async () => {
      const [c, d] = await start({
        requestsTimeout: BRIEF,
        redis: { ...redis?.config, key: `${adapter}2` },
      });
      d.app.io.on('silence', () => {});
      const begin = performance.now();
      await assert.rejects(c.app.io.serverSideEmitWithAck('silence'), /timeout reached/);
      assert(performance.now() - begin < 4000, 'it is not the timeout of 5 s');
      d.app.io.on('answer', (done: (answer: string) => void) => done('answered'));
      assert((await c.app.io.serverSideEmitWithAck('answer')).includes('answered'));
    });
  });
}

describe('requests to other workers with the adapter cluster', () => {
  const log = path.join(fixture('members'), 'logs/members/egg-web.log');

  it('should list sockets without the data that cannot be sent, and end after config.io.requestsTimeout', async () => {
    const { url, close } = await startCluster('members', { workers: 2 }, { REQUESTS_TIMEOUT: `${BRIEF}` });
    try {
      const clients = new Map<number, ClientSocket>();
      await until('a client of each worker is connected, and they are linked', async () => {
        const client = await connected(track(url, { transports: ['websocket'] }));
        clients.set((await client.emitWithAck('pids')).worker, client);
        return clients.size === 2 && (await client.emitWithAck('count')) === 2;
      });
      const [one, other] = [...clients.values()] as [ClientSocket, ClientSocket];
      const { worker } = await one.emitWithAck('pids');
      await one.emitWithAck('spoil');
      const found: object[] = await other.emitWithAck('data');
      assert.deepEqual(
        found.filter((data) => 'name' in data),
        [{ name: 'ann' }],
      );
      // Egg writes its log files once a second.
      const lines = (key: string) =>
        readFileSync(log, 'utf8')
          .split('\n')
          .filter(
            (line) => line.includes(`WARN ${worker} `) && line.includes(`sockets of / without socket.data.${key}: `),
          );
      for (const key of ['big', 'circular']) await until(`${key} is logged`, () => lines(key).length === 1);
      assert.match(await one.emitWithAck('silence'), /timeout reached: only 0 responses received out of 1/);
    } finally {
      await close();
    }
  });
});
