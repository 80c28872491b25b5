// Child namespaces: when idle ones are removed, and how config.io.maxNamespaces limits their number.
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Application } from 'egg';
import type { Namespace } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { Socket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { type LinkedNamespaces, LinksAdapter } from '../lib/adapters/links-adapter';
import { recoveryAdapter } from '../lib/adapters/memory-adapter';
import { resolveConfig } from '../lib/config/config';
import { ChildNamespaces } from '../lib/namespaces/child-namespaces';
import { connected, logs, mm, type Running, refused } from './support/app';
import { type Inline, startInline } from './support/inline';
import { type RedisServer, startRedis } from './support/redis';
import { next, signal, until, within } from './support/wait';

/** What the adapter of connection state recovery stores. */
type RecoveryAdapter = Adapter & { sessions: Map<string, unknown>; packets: unknown[] };

const connectOld = require('socket.io-client2') as (url: string, options: object) => Socket;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const room: Pick<Inline, 'router'> = {
  router: (app) => app.io.of('/room/:id').route('where', (ctx) => ctx.args[0](ctx.params.id)),
};

const names = ({ app }: Running) => [...app.io._nsps.keys()].filter((name) => name !== '/');
const childrenOf = (app: Application, parent: string | Namespace) =>
  (typeof parent === 'string' ? app.io.of(parent) : parent) as unknown as { children: Set<Namespace> };
const gone = (running: Running) => until('the children are removed', () => names(running).length === 0);

/** An adapter that adds the name of its namespace to `open`, and removes it when it is closed. */
function noting(open: string[]): Pick<IoConfig, 'adapter'> {
  return {
    adapter: () =>
      class extends Adapter {
        constructor(nsp: Namespace) {
          super(nsp);
          open.push(nsp.name);
        }
        override close() {
          open.splice(open.indexOf(this.nsp.name), 1);
        }
      },
  };
}

/** Disconnects a client from its namespace. Its connection stays open. */
async function visit(socket: Socket): Promise<void> {
  await connected(socket);
  socket.disconnect();
}

describe('what children leave behind', () => {
  it('should be removed from the adapter of connection state recovery when it has expired', () => {
    let now = 1_000_000;
    let sweep = () => {};
    mm(Date, 'now', () => now);
    mm(globalThis, 'setInterval', (run: () => void) => {
      sweep = run;
      return { unref: () => undefined };
    });
    const nsp = { server: { encoder: { encode: () => [] } }, sockets: new Map() };
    const adapter = new (recoveryAdapter(1000) as never as new (nsp: unknown) => RecoveryAdapter)(nsp);
    const kept = () => [adapter.sessions.size, adapter.packets.length];
    const keep = () => {
      adapter.persistSession({ sid: `${now}`, pid: `${now}`, rooms: [], data: {}, missedPackets: [] } as never);
      adapter.broadcast({ type: 2, nsp: '/', data: ['news'] } as never, { rooms: new Set(), except: new Set() });
    };
    keep();
    now += 600;
    keep();
    sweep();
    assert.deepEqual(kept(), [2, 2]);
    now += 600;
    sweep();
    assert.deepEqual(kept(), [1, 1]);
    now += 600;
    sweep();
    assert.deepEqual(kept(), [0, 0]);
  });
});

describe('an idle child of a namespace with parameters', () => {
  it('should be removed after a timeout, with its adapter', async () => {
    mm(ChildNamespaces, 'idleTimeout', 20);
    const open: string[] = [];
    const running = await startInline({ io: noting(open), ...room });
    const stays = await running.connect('/room/stays');
    for (const id of [1, 2, 3]) await visit(await running.connect(`/room/${id}`));
    await until('the others are removed', () => names(running).length === 1);
    assert.deepEqual(names(running), ['/room/stays']);
    assert.equal(childrenOf(running.app, '/room/:id').children.size, 1);
    assert.deepEqual(open, ['/', '/room/stays']);
    assert.equal(await stays.emitWithAck('where'), 'stays');
    assert.equal(await (await running.connect('/room/1')).emitWithAck('where'), '1');
  });

  it('should stay until the timeout, so that a client that reconnects finds it', async () => {
    const running = await startInline(room);
    await visit(await running.connect('/room/1'));
    const { io } = running.app;
    await until('its client has disconnected', () => io.of('/room/1').sockets.size === 0);
    const child = io._nsps.get('/room/1');
    await running.connect('/room/1');
    assert(child && io._nsps.get('/room/1') === child);
  });

  it('should stay as long as its client may be disconnected and be recovered', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const warnings: Error[] = [];
    const note = (warning: Error) => void warnings.push(warning);
    process.on('warning', note);
    try {
      const recovered = { init: { connectionStateRecovery: { maxDisconnectionDuration: 2 ** 40 } } };
      const [long, short] = [await startInline({ io: recovered, ...room }), await startInline(room)];
      for (const running of [long, short]) {
        await visit(await running.connect('/room/1'));
        await until('its client has disconnected', () => !running.app.io._nsps.get('/room/1')?.sockets.size);
      }
      await gone(short);
      assert.deepEqual(names(long), ['/room/1']);
      // Node warns of a timeout that is longer than its timers allow.
      assert.deepEqual(warnings, []);
    } finally {
      process.off('warning', note);
    }
  });

  it('should be removed if its client was refused, has left while the chain ran, or never connected', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const leaving = signal();
    const running = await startInline({
      io: { namespace: { '/room/:id': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx) => {
          if (ctx.params.id === 'refused') throw new Error('not you');
          const closed = new Promise<void>((resolve) => ctx.conn.once('close', () => resolve()));
          leaving.resolve();
          await closed;
        },
      },
      ...room,
    });
    logs(running.app);
    assert.equal((await refused(running.client('/room/refused'))).message, 'not you');
    await gone(running);
    const early = running.client('/room/early');
    await leaving.promise;
    assert.deepEqual(names(running), ['/room/early']);
    early.disconnect();
    await gone(running);
    running.app.io.of('/room/code').emit('x');
    assert.deepEqual(names(running), ['/room/code']);
    await gone(running);
    assert.equal(childrenOf(running.app, '/room/:id').children.size, 0);
  });

  it('should stay while a client is connecting, which gets the same namespace', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const asked = signal();
    const go = signal();
    const running = await startInline({
      io: { namespace: { '/room/:id': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx, next) => {
          if (ctx.query.slow) {
            asked.resolve();
            await go.promise;
          }
          await next();
        },
      },
      ...room,
    });
    const first = await running.connect('/room/1');
    const slow = running.client('/room/1', { query: { slow: '1' } });
    await asked.promise;
    first.disconnect();
    // Another child is created and removed meanwhile.
    await visit(await running.connect('/room/2'));
    await until('the other one is removed', () => names(running).length === 1);
    const child = running.app.io._nsps.get('/room/1');
    go.resolve();
    await connected(slow);
    assert(child && running.app.io._nsps.get('/room/1') === child);
    const heard = next(slow, 'news');
    running.app.io.of('/room/1').emit('news', 1);
    assert.deepEqual(await heard, [1]);
  });

  it('should stay while the adapter looks up the session of a client', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const asked = signal();
    const go = signal();
    const running = await startInline({
      io: {
        init: { connectionStateRecovery: { maxDisconnectionDuration: 1 } },
        adapter: () =>
          class extends Adapter {
            override async restoreSession() {
              asked.resolve();
              await go.promise;
              return null as never;
            }
            override persistSession() {}
          },
      },
      ...room,
    });
    const slow = running.client('/room/1', { auth: { pid: 'x', offset: 'y' } });
    await asked.promise;
    await visit(await running.connect('/room/2'));
    await until('the other one is removed', () => names(running).length === 1);
    assert.deepEqual(names(running), ['/room/1']);
    go.resolve();
    await connected(slow);
    assert.equal(await slow.emitWithAck('where'), '1');
  });

  it('should emit to the current namespace if code still holds it after its removal', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const running = await startInline(room);
    const held = running.app.io.of('/room/1');
    await gone(running);
    const client = await running.connect('/room/1');
    const heard = next(client, 'news');
    held.emit('news', 1);
    assert.deepEqual(await heard, [1]);
    assert.equal((await held.fetchSockets()).length, 1);
    assert.notEqual(running.app.io.of('/room/1'), held);
  });

  it('should be removed although its adapter fails, which is logged', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const failing = class extends Adapter {
      override close() {
        if (this.nsp.name !== '/') throw new Error('it will not close');
      }
    };
    const running = await startInline({ io: { adapter: () => failing }, ...room });
    const { error } = logs(running.app);
    await visit(await running.connect('/room/1'));
    await gone(running);
    await until('the error is logged', () => error.length === 1);
    assert.match(error[0].message, /will not close/);
  });

  it('should not be removed by itself when the application is closing', async () => {
    mm(ChildNamespaces, 'idleTimeout', 100);
    let closed = 0;
    const counting = class extends Adapter {
      override close() {
        if (this.nsp.name !== '/') closed++;
      }
    };
    const running = await startInline({ io: { adapter: () => counting, drain: false }, ...room });
    await running.connect('/room/1');
    await running.close();
    // Started later and longer than the timer of the child: by then that would have run.
    await new Promise((resolve) => setTimeout(resolve, 110));
    assert.equal(closed, 1);
  });
});

describe('children of a regular expression', () => {
  const dynamic = (app: Application) => app.io.of(/^\/room-\d+$/);

  it('should stay when they are idle, as in Socket.IO', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const running = await startInline({
      router: (app) => {
        dynamic(app);
        room.router?.(app);
      },
    });
    await visit(await running.connect('/room-1'));
    await visit(await running.connect('/room/1'));
    await until('the other one is removed', () => names(running).length === 1);
    assert.deepEqual(names(running), ['/room-1']);
  });

  it('should be removed as soon as they are empty with cleanupEmptyChildNamespaces, but not while a client is connecting', async () => {
    const asked = signal();
    const go = signal();
    const running = await startInline({
      io: { init: { cleanupEmptyChildNamespaces: true }, connectionMiddleware: ['a'] },
      middleware: {
        a: async (ctx, next) => {
          if (ctx.query.slow) {
            asked.resolve();
            await go.promise;
          }
          await next();
        },
      },
      router: (app) => {
        dynamic(app).route('where', (ctx) => ctx.args[0](ctx.socket.nsp.name));
        app.io.of('/room-0').on('connection', (socket) => socket.emit('hello'));
      },
    });
    const first = await running.connect('/room-1');
    const slow = running.client('/room-1', { query: { slow: '1' } });
    await asked.promise;
    first.disconnect();
    await visit(await running.connect('/room-2'));
    await until('the other one is removed', () => names(running).length === 2);
    go.resolve();
    await connected(slow);
    const heard = next(slow, 'news');
    running.app.io.of('/room-1').emit('news');
    await heard;
    // A child that code has created stays until its first client has left.
    await next(running.client('/room-0'), 'hello');
  });
});

describe('config.io.maxNamespaces', () => {
  const io: IoConfig = { maxNamespaces: 3, init: { allowEIO3: true } };
  const both = (app: Application) => {
    room.router?.(app);
    app.io.of(/^\/any-/);
    app.io.of((name, _auth, done) => done(null, name.startsWith('/fn-')));
  };

  it('should reject clients that ask for one more namespace, and no others; logged once', async () => {
    const running = await startInline({ io, router: both });
    const { warn } = logs(running.app);
    const inside = [await running.connect('/room/1'), await running.connect('/any-1'), await running.connect('/fn-1')];
    for (const name of ['/room/2', '/any-2', '/fn-2', '/room/2']) {
      assert.equal((await refused(running.client(name))).message, 'too many namespaces', name);
    }
    assert.equal((await refused(running.client('/nowhere'))).message, 'Invalid namespace');
    const old = connectOld(`${running.url}/room/2`, { forceNew: true, reconnection: false });
    assert.deepEqual(await next(old, 'error'), ['too many namespaces']);
    old.close();
    assert.equal(warn.length, 2, `${warn}`);
    assert.match(
      warn[0],
      /too many namespaces: 3 .*config\.io\.maxNamespaces.* \(namespace '\/room\/2', client 127\.0\.0\.1\)/,
    );
    assert.match(warn[1], /refused: there is no such namespace.* \(namespace '\/nowhere', client 127\.0\.0\.1\)/);
    assert.deepEqual(names(running), ['/room/1', '/any-1', '/fn-1']);
    assert.equal(await inside[0]?.emitWithAck('where'), '1');
    // The same connection can connect to other namespaces, and clients that share a namespace count once.
    const late = await running.connect('/room/1');
    assert.equal((await refused(late.io.socket('/room/9'))).message, 'too many namespaces');
    assert.equal(await late.emitWithAck('where'), '1');
    inside[1]?.disconnect();
    await until('one has disconnected', () => running.app.io._nsps.get('/any-1')?.sockets.size === 0);
    await running.connect('/room/2');
    assert.deepEqual(names(running), ['/room/1', '/fn-1', '/room/2']);
  });

  it('should remove the child that has been idle longest, and none to which a client is connecting', async () => {
    const asked = signal();
    const go = signal();
    const running = await startInline({
      io: { ...io, connectionMiddleware: ['a'] },
      middleware: {
        a: async (ctx, next) => {
          if (ctx.query.slow) {
            asked.resolve();
            await go.promise;
          }
          await next();
        },
      },
      router: both,
    });
    const slow = running.client('/room/slow', { query: { slow: '1' } });
    await asked.promise;
    for (const name of ['/any-1', '/room/1', '/room/2', '/room/3', '/room/4']) {
      await visit(await running.connect(name));
      await until('it is idle', () => running.app.io._nsps.get(name)?.sockets.size === 0);
    }
    assert.deepEqual(names(running), ['/room/slow', '/room/3', '/room/4']);
    go.resolve();
    assert.equal(await (await connected(slow)).emitWithAck('where'), 'slow');
  });

  it('should not be exceeded by a client that asks for many namespaces and is refused in all of them', async () => {
    const running = await startInline({
      io: { maxNamespaces: 20, namespace: { '/room/:id': { connectionMiddleware: ['guard'] } } },
      middleware: {
        guard: async (ctx) => {
          await new Promise(setImmediate);
          if (ctx.params.id.startsWith('bad')) throw new Error('not you');
        },
      },
      ...room,
    });
    // Not by mm, which stores the arguments of every call.
    Object.assign(running.app.coreLogger, { error() {}, warn() {} });
    const friend = await running.connect('/room/1');
    const { io: manager } = await running.connect('/');
    let most = 0;
    for (let i = 0; i < 2000; ) {
      const wave = Array.from({ length: 100 }, () => manager.socket(`/room/bad-${i++}`));
      const heard = await Promise.all(wave.map(refused));
      most = Math.max(most, names(running).length);
      assert.deepEqual(new Set(heard.map(({ message }) => message)), new Set(['not you', 'too many namespaces']));
    }
    assert.equal(most, 20);
    assert.equal(await friend.emitWithAck('where'), '1');
    // A client that is admitted finds capacity again.
    await running.connect('/room/2');
  });

  it('should not remove a child that code has just asked for', async () => {
    const running = await startInline({ io, router: both });
    const { io: server } = running.app;
    for (const prefix of ['/room/', '/any-']) {
      for (const id of [1, 2, 3, 1, 4]) server.of(prefix + id);
      assert.deepEqual(
        names(running).sort(),
        [1, 3, 4].map((id) => prefix + id),
      );
      for (const { sockets } of server._nsps.values()) assert.equal(sockets.size, 0);
    }
  });

  it('should not apply to code, whose namespaces do not pile up', async () => {
    const open: string[] = [];
    const running = await startInline({ io: { ...io, ...noting(open) }, ...room });
    const clients = await Promise.all(['1', '2', '3'].map((id) => running.connect(`/room/${id}`)));
    for (let i = 0; i < 100; i++) running.app.io.of(`/room/code-${i}`).emit('x');
    assert.equal(names(running).length, 4);
    assert.equal(open.length, 5);
    const heard = next(clients[0] as Socket, 'news');
    running.app.io.of('/room/1').emit('news');
    await heard;
    // A client is admitted to such a namespace once the limit allows it.
    logs(running.app);
    for (let i = 0; i < 5; i++) {
      running.app.io.of(`/room/invited-${i}`).emit('x');
      assert.equal((await refused(running.client(`/room/invited-${i}`))).message, 'too many namespaces');
    }
    clients[2]?.disconnect();
    await until('one has disconnected', () => running.app.io._nsps.get('/room/3')?.sockets.size === 0);
    running.app.io.of('/room/invited').emit('x');
    await running.connect('/room/invited');
    assert.deepEqual(names(running), ['/room/1', '/room/2', '/room/invited']);
  });

  it('should not count configured namespaces, which stay', async () => {
    const running = await startInline({
      io: { ...io, maxNamespaces: 1, namespace: { '/any-1': {}, '/any-2': {}, '/room/lobby': {}, '/room/:id': {} } },
      router: both,
    });
    for (const name of ['/any-1', '/any-2', '/room/lobby', '/room/1']) await running.connect(name);
    assert.equal((await refused(running.client('/room/2'))).message, 'too many namespaces');
  });

  for (const wrong of [0, -1, 1.5, '10', Number.NaN]) {
    it(`should refuse a value that is not a whole number of at least 1: ${JSON.stringify(wrong)}`, () => {
      assert.throws(() => resolveConfig({ maxNamespaces: wrong as number }), /config\.io\.maxNamespaces is invalid/);
      assert.equal(resolveConfig({ maxNamespaces: Infinity }).maxNamespaces, Infinity);
      assert.equal(resolveConfig({}).maxNamespaces, 10_000);
    });
  }
});

describe('a thousand children that were created and removed', () => {
  /** Creates and removes children, a wave at a time, over a connection that stays open. */
  async function createAndRemove(running: Running, count: number): Promise<void> {
    const { io } = await running.connect('/');
    const made: Array<WeakRef<Namespace>> = [];
    const note = (nsp: Namespace) => void made.push(new WeakRef(nsp));
    running.app.io.on('new_namespace', note);
    for (let id = 0; id < count; ) {
      const wave = Array.from({ length: 50 }, () => io.socket(`/room/${id++}`));
      await within('the clients of a batch', Promise.all(wave.map(visit)));
    }
    await gone(running);
    assert.equal(childrenOf(running.app, '/room/:id').children.size, 0);
    running.app.io.off('new_namespace', note);
    assert(made.length >= count);
    const left = () => made.filter((each) => each.deref() !== undefined).length;
    // The last ones may still be referenced by a running function or by a client.
    await until('they are collected', () => {
      collect();
      return left() < 5;
    }).catch((err) => assert.fail(`${err.message}: ${left()} of ${made.length}`));
  }

  it('should be freed', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const open: string[] = [];
    const running = await startInline({ io: noting(open), ...room });
    await createAndRemove(running, 1000);
    assert.deepEqual(open, ['/']);
  });

  it('should be freed with connectionStateRecovery', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const running = await startInline({
      io: { init: { connectionStateRecovery: { maxDisconnectionDuration: 1 } } },
      ...room,
    });
    await createAndRemove(running, 1000);
  });

  it('should be freed with the adapter of several workers', async () => {
    mm(ChildNamespaces, 'idleTimeout', 1);
    const open = new Map<string, LinksAdapter>();
    const namespaces = {
      links: { worker: { workerId: 'x' }, peerCount: 0 },
      add: (name: string, adapter: LinksAdapter) => open.set(name, adapter),
      remove: (name: string, adapter: LinksAdapter) => open.get(name) === adapter && open.delete(name),
    } as unknown as LinkedNamespaces;
    const running = await startInline({
      io: {
        adapter: () =>
          class extends LinksAdapter {
            constructor(nsp: Namespace) {
              super(nsp, namespaces);
            }
          },
      },
      ...room,
    });
    await createAndRemove(running, 1000);
    assert.deepEqual([...open.keys()], ['/']);
  });

  describe('with Redis', () => {
    let redis: RedisServer;
    before(async () => {
      redis = await startRedis();
    });
    after(() => redis.stop());

    const adapters: Array<[string, IoConfig]> = [
      ['redis', {}],
      ['redis-sharded', {}],
      ['redis-streams', {}],
      ['redis-streams', { init: { connectionStateRecovery: { maxDisconnectionDuration: 1 } } }],
    ];
    for (const [adapter, rest] of adapters) {
      it(`should be freed with ${adapter}${rest.init ? ' and recovery' : ''}`, async () => {
        mm(ChildNamespaces, 'idleTimeout', 1);
        const running = await startInline({
          io: { ...rest, adapter: adapter as IoConfig['adapter'], redis: redis.config },
          ...room,
        });
        const { error } = logs(running.app);
        const channels = async () =>
          (
            await Promise.all(
              [['CHANNELS'], ['SHARDCHANNELS'], ['NUMPAT']].map((args) => redis.command('PUBSUB', ...args)),
            )
          ).flat();
        const before = (await channels()).sort();
        await createAndRemove(running, 1000);
        await until('the channels are unsubscribed', async () => (await channels()).length === before.length);
        assert.deepEqual((await channels()).sort(), before);
        // A namespace that is created again has its subscriptions again.
        const client = await running.connect('/room/1');
        const heard = next(client, 'news');
        running.app.io.of('/room/1').emit('news');
        await heard;
        assert.deepEqual(error, []);
        await running.close();
      });
    }
  });
});
