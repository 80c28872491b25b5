// config.io.compat with several workers: clients of another worker that are still in their connection chain, which the requests of
// socket.io-redis 5 include.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { connected, type Running, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { startInline } from './support/inline';
import { flows, type RedisServer, startRedis } from './support/redis';
import { next, until } from './support/wait';

const MIDDLEWARE = { a: require('./fixtures/apps/compat/app/io/middleware/a.js')() };
const CHAIN = { connectionMiddleware: ['a'] };
const ROUTER = require('./fixtures/apps/compat/app/router.js');

/** Connects to one namespace of two workers. */
interface Workers {
  /** Returns a client of each worker. */
  connect(nsp: string): Promise<[Socket, Socket]>;
  /** Returns a client that its connection chain holds. Its worker is the second one, or either of them. */
  hold(nsp: string): Socket;
}

const sorted = (ids: unknown[]) => [...ids].sort();

function requests({ connect, hold }: Workers): void {
  for (const nsp of ['/', '/room/1']) {
    it(`should count and change a client in its connection chain: ${nsp}`, async () => {
      const both = await connect(nsp);
      const held = hold(nsp);
      // Of two workers that both list it, one is another.
      const lists = async (...args: unknown[]) =>
        Promise.all(both.map((client) => (client.emitWithAck as any)(...args))) as Promise<[unknown, string[]][]>;
      const id = (await until('both workers list the client', async () => {
        const found = await lists('adapter', 'clients', ['held']);
        return found.every(([, ids]) => ids.length === 1) && found[0]?.[1][0];
      })) as string;
      const all = sorted([...both.map((client) => client.id), id]);
      for (const args of [
        ['adapter', 'clients', ['42']],
        ['adapter', 'clients', [42, 'none']],
        ['in', 'held'],
        ['in but', 'held', 'none'],
      ]) {
        for (const answer of await lists(...args)) assert.deepEqual(answer, [null, [id]], String(args));
      }
      for (const answer of await lists('in but', 'held', '42')) assert.deepEqual(answer, [null, []]);
      for (const args of [['adapter', 'clients'], ['nsp']]) {
        for (const [err, ids] of await lists(...args)) assert.deepEqual([err, sorted(ids)], [null, all]);
      }
      for (const [err, rooms] of await lists('adapter', 'allRooms')) {
        assert.equal(err, null);
        for (const room of ['held', '42']) assert(rooms.includes(room), room);
      }

      for (const client of both) {
        assert.deepEqual(await client.emitWithAck('adapter', 'remoteJoin', id, `by ${client.id}`), [null]);
        assert.deepEqual(await client.emitWithAck('adapter', 'clients', [`by ${client.id}`]), [null, [id]]);
        assert.deepEqual(await client.emitWithAck('adapter', 'remoteLeave', id, `by ${client.id}`), [null]);
        assert.deepEqual(await client.emitWithAck('adapter', 'clients', [`by ${client.id}`]), [null, []]);
        assert.deepEqual(await client.emitWithAck('adapter', 'remoteDisconnect', id, false), [null]);
      }
      const order: string[] = [];
      for (const event of ['connect', 'disconnect']) held.on(event, () => order.push(event));
      const gone = next(held, 'disconnect');
      await both[0].emitWithAck('adapter', 'remoteJoin', id, 'go');
      await gone;
      assert.deepEqual(order, ['connect', 'disconnect']);
      await until('no worker lists it', async () => (await lists('nsp')).every(([, ids]) => !ids.includes(id)));
      const [message] = await both[0].emitWithAck('adapter', 'remoteJoin', id, 'x');
      assert.match(message, /adapter\.remoteJoin\(\): no client has the id/);
    });
  }
}

describe('config.io.compat with the adapter cluster, 2 workers', () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster('compat', { workers: 2 });
  });
  after(() => cluster?.close());

  requests({
    async connect(nsp) {
      const clients = new Map<number, Socket>();
      await until('there is a client of each worker', async () => {
        const client = await connected(track(cluster.url + nsp));
        const pid = await client.emitWithAck('pid');
        if (clients.has(pid)) client.disconnect();
        else clients.set(pid, client);
        return clients.size === 2;
      });
      const [one, two] = [...clients.values()] as [Socket, Socket];
      await until('the other clients are released', async () => (await one.emitWithAck('nsp'))[1].length === 2);
      return [one, two];
    },
    hold: (nsp) => track(cluster.url + nsp, { query: { hold: '1' } }),
  });
});

for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
  describe(`config.io.compat with the adapter ${adapter}, 2 workers`, () => {
    let redis: RedisServer;
    let a: Running;
    let b: Running;

    before(async () => {
      redis = await startRedis();
      const start = () =>
        startInline({
          io: { compat: true, adapter, redis: redis.config, namespace: { '/': CHAIN, '/room/:id': CHAIN } },
          middleware: MIDDLEWARE,
          router: ROUTER,
        });
      a = await start();
      b = await start();
      await flows(a, b);
      await flows(b, a);
    });
    after(() => redis?.stop());

    requests({
      async connect(nsp) {
        const both: [Socket, Socket] = [await a.connect(nsp), await b.connect(nsp)];
        await until('all other clients are released', async () => (await both[0].emitWithAck('nsp'))[1].length === 2);
        return both;
      },
      hold: (nsp) => b.client(nsp, { query: { hold: '1' } }),
    });
  });
}

describe('config.io.compat beside a worker without it', () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis?.stop());

  it('should pass an error after requestsTimeout, with the clients of the other workers', async () => {
    const start = (compat: boolean) =>
      startInline({ io: { compat, redis: redis.config, requestsTimeout: 100 }, router: ROUTER });
    const [a, b] = [await start(true), await start(false)];
    await flows(a, b);
    const [one, two] = [await a.connect(), await b.connect()];
    const advice = /timeout reached.* after 100 ms\. A worker without config\.io\.compat does not answer/;
    const [message, ids] = await one.emitWithAck('adapter', 'clients');
    assert.match(message, /^\[egg-socket\.io\] adapter\.clients\(\): /);
    assert.match(message, advice);
    assert.deepEqual(ids, [one.id]);
    assert.match((await one.emitWithAck('adapter', 'remoteJoin', two.id, 'x'))[0], advice);
    assert.deepEqual(await one.emitWithAck('adapter', 'remoteJoin', one.id, 'x'), [null]);
  });

  it('should pass an error if an adapter of the application never answers', async () => {
    const { Adapter } = require('socket.io-adapter');
    class Silent extends Adapter {
      serverSideEmit(): void {}
    }
    const { app } = await startInline({
      io: { compat: true, adapter: () => Silent as never, requestsTimeout: 1 },
    });
    const [err, ids] = await new Promise<unknown[]>((resolve) => {
      (app.io as any).clients((...args: unknown[]) => resolve(args));
    });
    assert.match(String(err), /nsp\.clients\(\): timeout reached: the adapter has not answered/);
    assert.deepEqual(ids, []);
  });
});
