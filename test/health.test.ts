// app.io.health(): whether new clients should connect to this worker, and the state of its adapter and of its links.
import assert from 'node:assert/strict';
import { Adapter } from 'socket.io-adapter';
import type { Socket } from 'socket.io-client';
import type { IoConfig, IoHealth } from '../lib';
import { connected, EGG_MAJOR, mm, type Running, track } from './support/app';
import { startCluster } from './support/cluster';
import { startInline } from './support/inline';
import { startRedis, startWorker } from './support/redis';
import { signal, until } from './support/wait';

describe('app.io.health()', () => {
  it('should count connections, and be plain JSON', async () => {
    const begin = Date.now();
    const running = await startInline({ io: { namespace: { '/': {}, '/chat': {} } } });
    const { app } = running;
    const { adapter, ...rest } = app.io.health();
    const links = { expected: 0, up: 0 };
    assert.deepEqual(rest, { ok: true, draining: false, connections: 0, links });
    assert.deepEqual({ ...adapter, since: '' }, { name: 'memory', up: true, since: '' });
    assert(Date.parse(adapter.since) >= begin && Date.parse(adapter.since) <= Date.now(), adapter.since);

    const client = await running.connect();
    await connected(client.io.socket('/chat') as Socket);
    assert.equal(app.io.health().connections, 1);
    client.io.engine.close();
    await until('the client has disconnected', () => app.io.health().connections === 0);
    assert.deepEqual(JSON.parse(JSON.stringify(app.io.health())), app.io.health());
  });

  it('should not walk over the connections', async () => {
    const running = await startInline({});
    await running.connect();
    const engine = running.app.io.engine as unknown as { clients: object };
    let walks = 0;
    const ownKeys = (clients: object) => {
      walks++;
      return Reflect.ownKeys(clients);
    };
    mm(engine, 'clients', new Proxy(engine.clients, { ownKeys }));
    assert.equal(running.app.io.health().connections, 1);
    assert.equal(walks, 0);
    assert.equal(running.app.io.stats().connections.now, 1);
    assert.equal(walks, 1);
  });

  it('should be down until the boot has installed the adapter', async () => {
    let early: IoHealth | undefined;
    await startInline({
      boot: (app) => {
        early = app.io.health();
      },
    });
    assert.deepEqual([early?.ok, early?.adapter.up], [false, false]);
  });

  it('should name an adapter of the application', async () => {
    const configured = await startInline({ io: { adapter: () => Adapter } });
    assert.deepEqual([configured.app.io.health().adapter.name, configured.app.io.health().ok], ['own', true]);
    const { app } = await startInline({});
    app.io.adapter(Adapter);
    assert.equal(app.io.health().adapter.name, 'own');
  });

  it('should not be ok while the worker drains', async () => {
    for (const name of ['EGG_APP_CLOSE_TIMEOUT', 'GRACEFUL_TIMEOUT']) mm(process.env, name, '1000000');
    const started = signal();
    const release = signal();
    const running = await startInline({
      io: { drain: { timeout: 600_000 } },
      router: (app) =>
        app.io.route('work', async () => {
          started.resolve();
          await release.promise;
        }),
    });
    const { app } = running;
    const client = await running.connect();
    client.emit('work');
    await started.promise;
    const closed = running.close();
    try {
      await until('the worker drains', () => app.io.health().draining);
      const { ok, connections, adapter } = app.io.health();
      assert.deepEqual({ ok, connections, up: adapter.up }, { ok: false, connections: 1, up: true });
    } finally {
      release.resolve();
      await closed;
    }
  });
});

describe('app.io.health() with Redis', () => {
  // The adapters do not depend on Egg.
  const kinds = (EGG_MAJOR === 4 ? ['redis', 'redis-sharded', 'redis-streams'] : ['redis']) as IoConfig['adapter'][];
  for (const adapter of kinds) {
    it(`should tell since when Redis is down, and since when it is up again: ${adapter}`, async () => {
      const redis = await startRedis();
      try {
        const { app } = await startWorker(redis.config, { io: { adapter } });
        const up = await healthOf(app, true);
        assert.deepEqual([up.ok, up.adapter.name], [true, adapter]);

        const killed = Date.now();
        await redis.kill();
        const down = await healthOf(app, false);
        assert.equal(down.ok, false);
        assert(Date.parse(down.adapter.since) >= killed, `${down.adapter.since}, killed at ${killed}`);
        assert.equal(app.io.health().adapter.since, down.adapter.since);

        const started = Date.now();
        await redis.start();
        const again = await healthOf(app, true);
        assert.equal(again.ok, true);
        assert(Date.parse(again.adapter.since) >= started, `${again.adapter.since}, started at ${started}`);
      } finally {
        await redis.stop();
      }
    });
  }

  async function healthOf({ io }: Running['app'], up: boolean): Promise<IoHealth> {
    await until(`the adapter is ${up ? 'up' : 'down'}`, () => io.health().adapter.up === up);
    return io.health();
  }
});

describe('app.io.health() with links', () => {
  const WORKERS = 3;

  it('should count the workers that are linked and answer: one is killed, one hangs', async () => {
    const cluster = await startCluster('cluster', { workers: WORKERS });
    let hung: number | undefined;
    try {
      const clients = new Map<number, Socket>();
      await until('there is a client of each worker', async () => {
        const client = await connected(track(cluster.url, { transports: ['websocket'], reconnection: false }));
        const pid = await client.emitWithAck('pid');
        if (clients.has(pid)) client.disconnect();
        else clients.set(pid, client);
        return clients.size === WORKERS;
      });
      const [[pid, one], [other]] = [...clients] as [[number, Socket], [number, Socket]];
      const linked = (up: number) =>
        until(`${up} workers are linked`, async () => {
          const { ok, adapter, links }: IoHealth = await one.emitWithAck('health');
          assert.deepEqual([ok, adapter.name, adapter.up, links.expected], [true, 'cluster', true, WORKERS - 1]);
          return links.up === up;
        });
      await linked(WORKERS - 1);
      assert.notEqual(pid, other);

      hung = other;
      process.kill(hung, 'SIGSTOP');
      await linked(WORKERS - 2);
      process.kill(hung, 'SIGCONT');
      await linked(WORKERS - 1);

      // The master starts another one.
      process.kill(hung, 'SIGKILL');
      hung = undefined;
      await linked(WORKERS - 2);
      await linked(WORKERS - 1);
    } finally {
      if (hung) process.kill(hung, 'SIGCONT');
      await cluster.close();
    }
  });
});
