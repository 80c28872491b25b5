// config.io.user and app.io.user(). For agent.io.user() see agent-io.test.ts.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { connected, logs, mm, type Running, refused, start, track } from './support/app';
import { parity } from './support/clients';
import { bootError, startInline } from './support/inline';
import { comeBack, cut } from './support/recovery';
import { type RedisServer, startRedis, startWorker } from './support/redis';
import { next, signal, until, within } from './support/wait';

/** An object whose constructor cannot be read. */
const hostile = {
  get constructor(): never {
    throw new Error('boo');
  },
};

const byQuery = (ctx: Context) => ctx.query.user;

/** Returns the payloads of `news` that each client receives, in order, up to an event that all of them receive. */
async function heardBy(app: Running['app'], clients: Socket[], emit: () => unknown, nsp = '/'): Promise<unknown[][]> {
  const heard = clients.map(() => [] as unknown[]);
  clients.forEach((client, i) => {
    client.on('news', (what) => heard[i]?.push(what));
  });
  const last = Promise.all(clients.map((client) => next(client, 'last word')));
  await emit();
  app.io.of(nsp).emit('last word');
  await last;
  return heard;
}

parity('the sockets of a user', () => {
  it('should all be reached, and no others', async () => {
    const { app, connect } = await startInline({ io: { user: byQuery } });
    const clients = [];
    for (const user of ['42', '42', '43', '']) clients.push(await connect('/', { query: { user } }));
    assert.deepEqual(await heardBy(app, clients, () => app.io.user(42).emit('news', 1)), [[1], [1], [], []]);
    assert.deepEqual(await heardBy(app, clients, () => app.io.of('/').user('43').emit('news', 2)), [[], [], [2], []]);
    assert.deepEqual(await heardBy(app, clients, () => app.io.user(44).emit('news', 3)), [[], [], [], []]);
  });

  it('should be selected in one namespace', async () => {
    const { app, connect } = await startInline({ io: { user: byQuery, namespace: { '/chat': {} } } });
    // A namespace without routes and without configuration.
    app.io.of('/plain');
    const [home, chat, plain] = [
      await connect('/', { query: { user: 'ann' } }),
      await connect('/chat', { query: { user: 'ann' } }),
      await connect('/plain', { query: { user: 'ann' } }),
    ];
    for (const [client, nsp] of [
      [home, '/'],
      [chat, '/chat'],
      [plain, '/plain'],
    ] as const) {
      const emit = () => app.io.of(nsp).user('ann').emit('news', nsp);
      assert.deepEqual(await heardBy(app, [client], emit, nsp), [[nsp]]);
    }
    assert.deepEqual(await heardBy(app, [home], () => app.io.of('/chat').user('ann').emit('news', 1)), [[]]);
  });

  it('should be selected in one child of a namespace with parameters', async () => {
    const { app, connect } = await startInline({ io: { user: byQuery, namespace: { '/room/:id': {} } } });
    const [five, six] = [
      await connect('/room/5', { query: { user: 'ann' } }),
      await connect('/room/6', { query: { user: 'ann' } }),
    ];
    const emit = () => {
      app.io.of('/room/6').user('ann').emit('news', 6);
      app.io.of('/room/5').emit('last word');
    };
    const heard = heardBy(app, [five], () => {}, '/room/5');
    assert.deepEqual(await heardBy(app, [six], emit, '/room/6'), [[6]]);
    assert.deepEqual(await heard, [[]]);
    assert.throws(() => app.io.of('/room/:id').user('ann'), /\/room\/:id stands for many namespaces: name one of them/);
  });

  it('should be disconnected, fetched and excluded', async () => {
    const { app, connect } = await startInline({ io: { user: byQuery } });
    const ann = await connect('/', { query: { user: 'ann' } });
    const bob = await connect('/', { query: { user: 'bob' } });
    const [found, ...others] = await app.io.user('ann').fetchSockets();
    assert.equal(found?.id, ann.id);
    assert.equal(others.length, 0);
    const emit = () =>
      app.io
        .user('ann')
        .except(ann.id as string)
        .emit('news', 1);
    assert.deepEqual(await heardBy(app, [ann, bob], emit), [[], []]);
    const gone = next(ann, 'disconnect');
    app.io.user('ann').disconnectSockets(true);
    assert.equal((await gone)[0], 'io server disconnect');
    assert(bob.connected);
    assert.equal((await app.io.user('ann').fetchSockets()).length, 0);
  });
});

describe('config.io.user', () => {
  it('should be called once for each connection, after the connection middleware and before the client is connected', async () => {
    const steps: string[] = [];
    const { app, connect } = await startInline({
      io: {
        connectionMiddleware: ['a'],
        user: async (ctx) => {
          await new Promise(setImmediate);
          steps.push(`asked ${ctx.data.by}`);
          return ctx.data.by;
        },
      },
      middleware: {
        a: async (ctx, next) => {
          ctx.data.by = 'a';
          steps.push('a');
          await next();
        },
      },
      router: ({ io }) => {
        io.on('connection', ({ rooms }) => steps.push(`in, rooms: ${rooms.size}`));
        io.route('echo', ({ args: [what, ack] }) => ack(what));
      },
    });
    const client = await connect();
    assert.equal(await client.emitWithAck('echo', 1), 1);
    assert.equal(await client.emitWithAck('echo', 2), 2);
    assert.deepEqual(steps, ['a', 'asked a', 'in, rooms: 2']);
    const [socket] = await app.io.user('a').fetchSockets();
    assert.equal([...(socket?.rooms ?? [])][0], client.id);
  });

  it('should be called if the chain ends without next()', async () => {
    const io: IoConfig = { connectionMiddleware: ['a'], user: (ctx) => ctx.data.by };
    const middleware = { a: (ctx: Context) => Object.assign(ctx.data, { by: 'a' }) };
    const { app, connect } = await startInline({ io, middleware });
    await connect();
    assert.equal((await app.io.user('a').fetchSockets()).length, 1);
  });

  it('should not be called if the chain refuses the client', async () => {
    let asked = 0;
    const { app, client } = await startInline({
      io: {
        connectionMiddleware: ['a'],
        user: () => {
          asked++;
          return 1;
        },
      },
      middleware: {
        a: async (_ctx, next) => {
          // Without await.
          void next();
          throw new Error('no entry');
        },
      },
    });
    logs(app);
    assert.equal((await refused(client())).message, 'no entry');
    assert.equal(asked, 0);
  });

  it('should return ctx.userId if it is true', async () => {
    const { app, connect } = await startInline({
      io: { user: true, connectionMiddleware: ['a'] },
      middleware: {
        a: async (ctx, next) => {
          Object.assign(ctx, { userId: 7 });
          await next();
        },
      },
    });
    await connect();
    assert.equal((await app.io.user(7).fetchSockets()).length, 1);
  });

  for (const nobody of [undefined, null, false, ''] as const) {
    it(`should leave a client without a user if it returns ${JSON.stringify(nobody)}`, async () => {
      const { app, connect } = await startInline({ io: { user: () => nobody } });
      const client = await connect();
      const [socket] = await app.io.fetchSockets();
      assert.deepEqual([...(socket?.rooms ?? [])], [client.id]);
    });
  }

  for (const id of [0, -1.5, 10n ** 20n, 'ü'] as const) {
    it(`should accept the id ${id}, which equals its string`, async () => {
      const { app, connect } = await startInline({ io: { user: () => id } });
      await connect();
      assert.equal((await app.io.user(id).fetchSockets()).length, 1);
      assert.equal((await app.io.user(String(id)).fetchSockets()).length, 1);
    });
  }

  it('should refuse the client if it throws, and end the chain', async () => {
    let seen: unknown;
    const { app, client } = await startInline({
      io: {
        connectionMiddleware: ['a'],
        user: () => {
          throw Object.assign(new Error('who?'), { data: { code: 'WHO' } });
        },
      },
      middleware: {
        a: async (_ctx, next) => {
          await Promise.resolve(next()).catch((err) => {
            seen = err.message;
          });
        },
      },
    });
    const { error } = logs(app);
    const refusal = await refused(client());
    assert.deepEqual([refusal.message, refusal.data], ['who?', { code: 'WHO' }]);
    await until('the chain has received the error', () => seen === 'who?');
    assert.deepEqual(
      error.map(({ message }) => message),
      ['who?'],
    );
    assert.equal(app.io.of('/').adapter.rooms.size, 0);
  });

  for (const chain of [[], ['a']]) {
    it(`should end the chain of a client that disconnects while it is running: ${chain.length} middleware`, async () => {
      const asked = signal();
      let fail: (err: Error) => void = () => {};
      let ended = 0;
      const { app, client } = await startInline({
        io: {
          connectionMiddleware: chain,
          user: () => {
            asked.resolve();
            return new Promise((_resolve, reject) => {
              fail = reject;
            });
          },
        },
        middleware: {
          a: async (_ctx, next) => {
            await next();
            ended++;
          },
        },
      });
      const { error } = logs(app);
      const socket = client();
      await asked.promise;
      socket.disconnect();
      await until('the client has disconnected', () => app.io.engine.clientsCount === 0);
      await until('its chain has ended', () => ended === chain.length);
      assert.equal(app.io.of('/').adapter.rooms.size, 0);
      // No client receives this error.
      fail(new Error('the database is gone'));
      await until('the error is logged', () => error.length === 1);
      assert.equal(error[0].message, 'the database is gone');
    });
  }

  it('should not be called for a client that has disconnected before, whose chain ends', async () => {
    const [begun, go, ended] = [signal(), signal(), signal()];
    let asked = 0;
    const { app, client } = await startInline({
      io: {
        connectionMiddleware: ['a'],
        user: () => {
          asked++;
          return new Promise(() => {});
        },
      },
      middleware: {
        a: async (_ctx, next) => {
          begun.resolve();
          await go.promise;
          await next();
          ended.resolve();
        },
      },
    });
    const socket = client();
    await begun.promise;
    socket.disconnect();
    await until('the client has disconnected', () => app.io.engine.clientsCount === 0);
    go.resolve();
    await within('the end of its chain', ended.promise);
    const waiting = app.io.of('/') as unknown as { _preConnectSockets: Map<string, unknown> };
    await until('no client is being admitted', () => waiting._preConnectSockets.size === 0);
    assert.equal(asked, 0);
  });

  it('should leave no room behind if a later middleware never decides', async () => {
    const { app, client } = await startInline({ io: { user: () => 1 } });
    const arrived = signal();
    app.io.use(() => arrived.resolve());
    const socket = client();
    await arrived.promise;
    assert.equal(app.io.of('/').adapter.sids.size, 1);
    socket.disconnect();
    await until('all rooms are left', () => app.io.of('/').adapter.sids.size === 0);
    assert.equal(app.io.of('/').adapter.rooms.size, 0);
  });

  for (const chain of [[], ['a']]) {
    it(`should be able to disconnect the client: ${chain.length} middleware`, async () => {
      const { app, client } = await startInline({
        io: { connectionMiddleware: chain, user: (ctx) => void ctx.disconnect() as undefined },
      });
      const socket = client();
      assert.equal((await next(socket, 'disconnect'))[0], 'io server disconnect');
      assert.equal(app.io.of('/').sockets.size, 0);
    });
  }

  it('should not hide an error of the chain if it throws as well', async () => {
    const { app, client } = await startInline({
      io: {
        connectionMiddleware: ['a'],
        user: async () => {
          await new Promise(setImmediate);
          throw new Error('of user');
        },
      },
      middleware: {
        a: async (_ctx, next) => {
          void Promise.resolve(next()).catch(() => {});
          for (let n = 0; n < 10; n++) await Promise.resolve();
          throw new Error('of the chain');
        },
      },
    });
    const { error } = logs(app);
    await refused(client());
    assert.deepEqual(error.map(({ message }) => message).sort(), ['of the chain', 'of user']);
  });

  it('should log a warning if it is not called for recovered clients', () => {
    const init = { connectionStateRecovery: { skipMiddlewares: true } };
    const warnings = (user: IoConfig['user']) => resolveConfig({ init, user }).warnings.join();
    assert.match(
      warnings(() => 1),
      /config\.io\.user is not called for a recovered client/,
    );
    assert.equal(warnings(false), '');
  });

  it('should distinguish all ids', async () => {
    const { app, connect } = await startInline({
      io: { user: ({ handshake }) => String.fromCharCode(...handshake.auth.units) },
    });
    // Lone surrogates, which UTF-8 cannot encode.
    const ids = [
      [0x61, 0xd800],
      [0x61, 0xdc01],
      [0x61, 0xfffd],
    ];
    for (const units of ids) await connect('/', { auth: { units } });
    for (const units of ids) assert.equal((await app.io.user(String.fromCharCode(...units)).fetchSockets()).length, 1);
  });

  const others = {
    'an object': { id: 1 },
    'an object that throws if it is read': hostile,
    'a function': () => 'secret source',
    'a list': [1],
    true: true,
    NaN,
    Infinity,
  };
  for (const [what, id] of Object.entries(others)) {
    it(`should refuse the client if it returns ${what}, and write the reason to the log only`, async () => {
      const { app, client } = await startInline({ io: { user: () => id as never } });
      const { error } = logs(app);
      assert.equal((await refused(client())).message, 'internal error');
      assert.equal(error.length, 1);
      assert.doesNotMatch(error[0].message, /secret|boo/);
      assert.match(
        error[0].message,
        /config\.io\.user returned .* for a client of \/ .*config\.io\.user is \[Function.*allowed: a function that returns a string/,
      );
    });
  }

  it('should be called again for a recovered client, which then has no other user', async () => {
    const recovery = { maxDisconnectionDuration: 60_000 };
    let user = 'ann';
    const { app, connect, url } = await startInline({
      io: { user: () => user, init: { connectionStateRecovery: recovery } },
    });
    const client = await connect('/', { transports: ['websocket'] });
    const [socket] = app.io.of('/').sockets.values();
    // Socket.IO accepts any value as a room.
    await socket?.join(['mine', 42 as never]);
    app.io.emit('hello');
    await next(client, 'hello');
    await cut(client);
    user = 'bob';
    await comeBack(client, url);
    assert(client.recovered);
    assert.equal((await app.io.user('ann').fetchSockets()).length, 0);
    const [found] = await app.io.user('bob').fetchSockets();
    assert.equal(found?.id, client.id);
    assert(found?.rooms.has('mine'));
    assert.equal(found?.rooms.size, 4);
  });

  it('should use rooms that clients cannot guess', async () => {
    const router = ({ io }: Running['app']) =>
      io.route('enter', async (ctx) => {
        await ctx.join(ctx.args[0]);
        ctx.args[1]();
      });
    const one = await startInline({ io: { user: byQuery }, config: { keys: 'one' }, router });
    const two = await startInline({ io: { user: byQuery }, config: { keys: 'two' }, router });
    const rooms = [];
    for (const { connect, app } of [one, two]) {
      await connect('/', { query: { user: 'ann' } });
      const [socket] = await app.io.user('ann').fetchSockets();
      rooms.push([...(socket?.rooms ?? [])].find((room) => room !== socket?.id) as string);
    }
    const [ofOne, ofTwo] = rooms as [string, string];
    assert.notEqual(ofOne, ofTwo);
    const eve = await one.connect();
    for (const room of ['ann', 'user:ann', 'egg-socket.io:user:ann', ofTwo]) await eve.emitWithAck('enter', room);
    assert.deepEqual(await heardBy(one.app, [eve], () => one.app.io.user('ann').emit('news', 1)), [[]]);
  });

  it('should fail the boot if it is not a function, or if there are no keys to make the rooms secret', async () => {
    assert.match(
      (await bootError({ io: { user: 'userId' as never } })).message,
      /config\.io\.user is 'userId'; allowed: a function/,
    );
    assert.match(
      (await bootError({ io: { user: function* () {} as never } })).message,
      /config\.io\.user is \[GeneratorFunction/,
    );
    const { message } = await bootError({ io: { user: () => 1 }, config: { keys: ' , ' } });
    assert.match(message, /config\.io\.user needs config\.keys/);
  });
});

describe('app.io.user()', () => {
  it('should throw if config.io.user is not set, or is false', async () => {
    for (const user of [undefined, false] as const) {
      const { app, connect } = await startInline({ io: { user } });
      assert.throws(() => app.io.user(1), {
        name: 'EggSocketIOConfigError',
        message: /user\(\) needs config\.io\.user/,
      });
      const client = await connect();
      assert.deepEqual([...(app.io.of('/').adapter.sids.get(client.id as string) ?? [])], [client.id]);
    }
  });

  it('should throw for a value that is no id, which must not select all sockets', async () => {
    const { app } = await startInline({ io: { user: byQuery } });
    for (const id of [undefined, null, '', Number.NaN, Infinity, {}, ['a'], true, Symbol('a'), () => 1]) {
      assert.throws(() => app.io.user(id as never), { name: 'TypeError', message: /the id of a user is a string/ });
      assert.throws(() => app.io.of('/chat').user(id as never), TypeError);
    }
  });
});

describe('a user of the session', () => {
  it('should be reached from HTTP controllers, services and schedules', async () => {
    // In unittest, schedules run on demand.
    mm.env('unittest');
    const { app, url, connect } = await start('users');
    const clients: Socket[] = [];
    for (const user of [42, 43]) {
      const { headers } = await fetch(`${url}/login/${user}`, { method: 'POST' });
      const cookie = headers
        .getSetCookie()
        .map((each) => each.split(';')[0])
        .join('; ');
      clients.push(await connect('/', { extraHeaders: { cookie } }));
    }
    const heard = await heardBy(app, clients, async () => {
      assert.equal((await fetch(`${url}/notify/42`, { method: 'POST' })).status, 200);
      await (app as unknown as { runSchedule(name: string): Promise<void> }).runSchedule('remind');
    });
    assert.deepEqual(heard, [['HTTP controller', 'service', 'schedule'], []]);
  });
});

describe('a user who logs out', () => {
  it('should have no sockets after socket.io.engine.close(), in all namespaces', async () => {
    const io: IoConfig = { namespace: { '/': {}, '/chat': {} }, user: (ctx) => ctx.get('x-user') };
    const { app, url } = await startInline({ io });
    const headers: Record<string, string> = { 'x-user': 'ann' };
    const home = track(`${url}/`, { reconnection: true, reconnectionDelay: 1, extraHeaders: headers });
    const chat = home.io.socket('/chat');
    await Promise.all([connected(home), connected(chat)]);
    const sockets = async () => [
      (await app.io.user('ann').fetchSockets()).length,
      (await app.io.of('/chat').user('ann').fetchSockets()).length,
    ];
    assert.deepEqual(await sockets(), [1, 1]);
    headers['x-user'] = '';
    const back = Promise.all([next(home, 'connect'), next(chat, 'connect')]);
    home.io.engine.close();
    await back;
    assert.deepEqual(await sockets(), [0, 0]);
    assert.equal((await app.io.of('/chat').fetchSockets()).length, 1);
  });
});

describe('users of several hosts', () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  it('should be reached from all hosts, also while their keys are being changed', async () => {
    const io: IoConfig = { user: byQuery };
    const hosts = [];
    for (const keys of ['old', 'new, old', 'new'])
      hosts.push(await startWorker(redis.config, { io, config: { keys } }));
    const [old, both, young] = hosts as [Running, Running, Running];
    const clients: Socket[] = [];
    for (const host of hosts) clients.push(await host.connect('/', { query: { user: 'ann' } }));
    const stranger = await both.connect('/', { query: { user: 'bob' } });
    const emit = async (from: Running) => {
      from.app.io.user('ann').emit('news', 1);
      // Events of one host arrive in order.
      const last = Promise.all([...clients, stranger].map((client) => next(client, 'end')));
      from.app.io.emit('end');
      await last;
    };
    const heard = (from: Running) => heardBy(both.app, [...clients, stranger], () => emit(from));
    assert.deepEqual(await heard(both), [[1], [1], [1], []]);
    // Hosts with the old key only and with the new key only do not run at the same time.
    assert.deepEqual(await heard(old), [[1], [1], [], []]);
    assert.deepEqual(await heard(young), [[], [1], [1], []]);
    assert.equal((await both.app.io.user('ann').fetchSockets()).length, 3);
  });
});
