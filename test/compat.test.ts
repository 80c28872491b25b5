// config.io.compat: Socket.IO 2's server API, with it and without it.
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { Context } from 'egg';
import { CURES } from '../lib/compat/removed';
import { connected, logs, mm, type Running, refused, track } from './support/app';
import { parity } from './support/clients';
import { bootError, startInline } from './support/inline';
import { type RedisServer, startRedis, startWorker } from './support/redis';
import { next, times, until } from './support/wait';

// Socket.IO 2's API has no types.
const ioOf = ({ app }: Pick<Running, 'app'>) => app.io as any;

/** Calls a function with a callback. Returns the arguments of the callback. */
const called = (fn: (callback: (...args: unknown[]) => void) => unknown): Promise<any[]> =>
  new Promise((resolve) => fn((...args) => resolve(args)));

parity('config.io.compat', (kind) => {
  it('should give back the sockets of a namespace, by id', async () => {
    const { connect, app } = await startInline({
      io: { compat: true },
      router: ({ io }) => void io.of('/chat').route('x', () => {}),
    });
    await connect('/chat');
    await connect('/chat');
    const chat = ioOf({ app }).of('/chat');
    const ids = [...chat.sockets.keys()];
    assert.deepEqual(Object.keys(chat.connected).sort(), [...ids].sort());
    assert.equal(chat.connected[ids[0]].id, ids[0]);
    assert.equal(chat.sockets[ids[1]], chat.sockets.get(ids[1]));
    assert.equal(chat.sockets.unknown, undefined);
    assert.equal(chat.connected.constructor, undefined);
    assert.deepEqual(Object.keys(chat.sockets), ids);
    assert.equal(chat.sockets.size, 2);
    assert.deepEqual(await called((done) => chat.clients(done)), [null, ids]);
    assert.deepEqual(await called((done) => ioOf({ app }).clients(done)), [null, [...app.io.sockets.sockets.keys()]]);
    const main = await connect();
    assert(ioOf({ app }).sockets.sockets[main.id!] ?? ioOf({ app }).sockets.connected[main.id!]);
  });

  it('should give back the rooms of a socket and of the adapter as objects', async () => {
    const { connect, app } = await startInline({
      io: { compat: true },
      router: ({ io }) => {
        io.route('join', async (ctx) => {
          await ctx.join(ctx.args[0]);
          const rooms = ctx.rooms as any;
          ctx.args[1](rooms, Object.keys(rooms), rooms.lobby, Object.hasOwn(rooms, 'lobby'), ctx.rooms.size);
        });
      },
    });
    const client = await connect();
    const id = ioOf({ app }).sockets.sockets.keys().next().value;
    const rooms = { [id]: id, lobby: 'lobby' };
    const answer = await new Promise((resolve) => client.emit('join', 'lobby', (...all: unknown[]) => resolve(all)));
    assert.deepEqual(answer, [rooms, Object.keys(rooms), 'lobby', true, 2]);
    const { adapter } = ioOf({ app }).sockets;
    assert.deepEqual({ ...adapter.rooms.lobby.sockets }, { [id]: true });
    assert.equal(adapter.rooms.lobby.length, 1);
    assert.equal(adapter.rooms.nobody, undefined);
    assert.deepEqual({ ...adapter.sids[id] }, { [id]: true, lobby: true });
    assert(adapter.rooms.has('lobby'));
    assert.deepEqual((await called((done) => adapter.allRooms(done)))[1].sort(), Object.keys(rooms).sort());
    assert.deepEqual(await called((done) => adapter.clients(['lobby'], done)), [null, [id]]);
    assert.deepEqual(await called((done) => adapter.clients(done)), [null, [id]]);
    assert.deepEqual(await called((done) => ioOf({ app }).in('lobby').clients(done)), [null, [id]]);
    assert.deepEqual(await called((done) => ioOf({ app }).in('nobody').in('lobby').clients(done)), [null, [id]]);
  });

  it('should give back objects to which later clients and rooms are added', async () => {
    const { connect, app } = await startInline({
      io: { compat: true },
      router: ({ io }) => {
        io.route('join', async (ctx) => {
          await ctx.join('lobby');
          ctx.args[0](ctx.id);
        });
      },
    });
    const nsp = ioOf({ app }).sockets;
    const first = await connect();
    const { connected: sockets } = nsp;
    const rooms = nsp.adapter.sids[first.id!];
    await first.emitWithAck('join');
    const lobby = nsp.adapter.rooms.lobby;
    const second = await connect();
    await second.emitWithAck('join');
    const ids = [first.id, second.id] as [string, string];
    assert.equal(sockets[ids[1]], nsp.sockets.get(ids[1]));
    assert.deepEqual(Object.keys(sockets), ids);
    assert(ids[1] in sockets && !('size' in sockets));
    assert.equal(rooms.lobby, true);
    assert.equal(lobby.length, 2);
    assert.equal(lobby.sockets[ids[1]], true);
    assert.equal(JSON.stringify(lobby), JSON.stringify({ sockets: { [ids[0]]: true, [ids[1]]: true }, length: 2 }));
  });

  it('should give back rooms whose names are numbers, and the methods of plain objects', async () => {
    const { connect, app } = await startInline({
      io: { compat: true },
      router: ({ io }) => {
        io.route('join', async (ctx) => {
          await ctx.join(42 as never);
          assert.equal(ctx.rooms, ctx.socket.rooms);
          ctx.args[0](ctx.rooms);
        });
      },
    });
    const client = await connect();
    const rooms = await client.emitWithAck('join');
    const nsp = ioOf({ app }).sockets;
    const [id] = nsp.sockets.keys();
    const { adapter } = nsp;
    // As in Socket.IO 2.5.
    assert.deepEqual(rooms, { 42: 42, [id]: id });
    assert.deepEqual({ ...adapter.sids[id] }, { 42: true, [id]: true });
    assert.equal(adapter.rooms[42].length, 1);
    assert.deepEqual(await called((done) => adapter.clients(['42'], done)), [null, [id]]);
    assert.deepEqual(await called((done) => adapter.clients([42], done)), [null, [id]]);
    assert.deepEqual((await called((done) => adapter.allRooms(done)))[1].sort(), ['42', id].sort());
    for (const object of [nsp.connected, nsp.sockets, adapter.rooms[42].sockets]) {
      // biome-ignore lint/suspicious/noPrototypeBuiltins: as applications call it
      assert.deepEqual([object.hasOwnProperty(id), object.hasOwnProperty('nobody')], [true, false]);
    }
  });

  it('should give back the members of sockets without a route, and of mocked contexts', async () => {
    mm.env('unittest');
    const rooms: unknown[] = [];
    const { client, app } = await startInline({
      io: { compat: true },
      router: ({ io }) =>
        void io.of('/plain').on('connection', (socket) => {
          rooms.push(JSON.parse(JSON.stringify(socket.rooms)), socket.id);
          socket.to('nobody');
          socket.emit('kept');
          socket.emit('own');
        }),
    });
    const events: string[] = [];
    client('/plain').onAny((event) => events.push(event));
    await until('the event has arrived', () => events.length > 0);
    assert.deepEqual(events, ['own']);
    assert.deepEqual(rooms[0], { [rooms[1] as string]: rooms[1] });
    const ctx = app.mockIoContext({ namespace: '/plain' });
    assert.deepEqual(JSON.parse(JSON.stringify(ctx.rooms)), { [ctx.id]: ctx.id });
    ctx.to('nobody');
    ctx.emit('kept');
    ctx.emit('own');
    assert.deepEqual(ctx.emitted, [['own']]);
  });

  it('should pass an error to the callback if no client has the id', async () => {
    const { app } = await startInline({ io: { compat: true } });
    const { adapter } = ioOf({ app }).sockets;
    for (const name of ['remoteJoin', 'remoteLeave', 'remoteDisconnect']) {
      const [err] = await called((done) => adapter[name]('nobody', true, done));
      assert.match(String(err), new RegExp(`adapter\\.${name}\\(\\): no client has the id nobody`));
    }
  });

  it('should list a client that is being admitted, and disconnect it', async () => {
    const listed: unknown[] = [];
    const { client, app } = await startInline({
      io: { compat: true, namespace: { '/': { connectionMiddleware: ['guard'] } } },
      middleware: {
        guard: async (ctx: Context, next: () => Promise<void>) => {
          const { adapter } = ctx.app.io.sockets as any;
          const { id } = ctx.socket;
          await new Promise<void>((resolve) => (ctx.socket as any).join('room', resolve));
          listed.push((await called((done) => adapter.clients(['room'], done)))[1].includes(id));
          listed.push((await called((done) => adapter.clients(done)))[1].includes(id));
          await called((done) => adapter.remoteDisconnect(id, true, done));
          await next();
        },
      },
      router: ({ io }) => void io.route('x', () => assert.fail('a packet was handled')),
    });
    const out = client();
    const gone = next(out, 'disconnect');
    out.emit('x');
    await gone;
    assert.deepEqual(listed, [true, true]);
    assert.equal(app.io.sockets.sockets.size, 0);
  });

  it('should reach a client by what a callback of clients() emits to its room, if next() follows at once', async () => {
    const list = (ctx: Context) => {
      const { sockets } = ctx.app.io as any;
      const calls: Array<(done: (err: unknown, ids: string[]) => void) => void> = [
        (done) => sockets.clients(done),
        (done) => sockets.in('room').clients(done),
        (done) => sockets.adapter.clients(['room'], done),
      ];
      for (const clients of calls) clients((_err, ids) => sockets.to('room').emit('ids', ids));
    };
    const { client } = await startInline({
      io: {
        compat: true,
        namespace: { '/': { connectionMiddleware: ['guard'] } },
        // Takes longer than the list.
        user: async () => {
          for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
          return 'ann';
        },
      },
      middleware: {
        guard: async (ctx: Context, next: () => Promise<void>) => {
          ctx.join('room');
          list(ctx);
          await next();
        },
      },
    });
    const ann = client();
    const heard = await times(ann, 'ids', 3);
    assert.deepEqual(heard, Array(3).fill([[kind.idOf(ann.id as string)]]));
  });

  it('should send what connection middleware emits after connect, and nothing of it to a client that it refuses', async () => {
    const { client } = await startInline({
      io: { compat: true, namespace: { '/': { connectionMiddleware: ['guard'] } } },
      middleware: {
        guard: async (ctx: Context, next: () => Promise<void>) => {
          ctx.emit('n', 1);
          ctx.emit('n', Buffer.from([2]));
          if (ctx.handshake.query.fail) throw new Error('no');
          await next();
        },
      },
      router: ({ io }) => io.route('connect', (ctx) => void ctx.emit('n', 3)),
    });
    const order: unknown[] = [];
    const record = (socket: ReturnType<typeof client>) => {
      socket.on('connect', () => {
        order.push('connect');
        socket.on('n', (n: unknown) => order.push(n));
      });
      return socket;
    };
    await next(record(client()), 'connect');
    await until('all have arrived', () => order.length === 4);
    assert.deepEqual(order, ['connect', 1, Buffer.from([2]), 3]);
    const out = client('/', { query: { fail: '1' } });
    out.onAny((event: string) => order.push(event));
    await refused(out);
    assert.equal(order.length, 4);
  });

  it('should keep the rooms of ctx.to() for the next ctx.emit(), and no longer', async () => {
    const { connect } = await startInline({
      io: { compat: true },
      router: ({ io }) => {
        io.route('join', async (ctx) => {
          await ctx.join(ctx.args[0]);
          ctx.args[1]();
        });
        io.route('tell', (ctx) => {
          ctx.to('a');
          ctx.socket.to('b');
          ctx.emit('n', 'kept');
          ctx.emit('n', 'own');
          ctx.to('a').emit('n', 'at once');
          ctx.emit('n', 'own again');
          ctx.broadcast;
          ctx.emit('n', 'broadcast');
          ctx.to('a').to('b').emit('n', 'both');
          ctx.to('a').except('b').emit('n', 'a alone');
          (ctx.to('a') as any).broadcast.json.emit('n', 'with flags');
          ctx.to('a');
          assert.throws(() => ctx.emit('n', () => {}), /Callbacks are not supported when broadcasting/);
          ctx.to('a');
          throw new Error('a bug');
        });
      },
    });
    const [me, a, b] = [await connect(), await connect(), await connect()];
    await a.emitWithAck('join', 'a');
    await b.emitWithAck('join', 'b');
    const received = [me, a, b].map((client) => {
      const all: unknown[] = [];
      client.on('n', (n: unknown) => all.push(n));
      client.on('error', (err: string) => all.push(err.replace(/.*: /, '')));
      return all;
    });
    me.emit('tell');
    await until(
      'all have arrived',
      () => received[0]?.length === 3 && received[1]?.length === 6 && received[2]?.length === 3,
    );
    assert.deepEqual(received, [
      ['own', 'own again', 'a bug'],
      ['kept', 'at once', 'broadcast', 'both', 'a alone', 'with flags'],
      ['kept', 'broadcast', 'both'],
    ]);
  });

  it('should check origins, set by init.origins and by io.origins()', async () => {
    const { url, app } = await startInline({
      io: { compat: true, init: { origins: 'https://a.example:443 b.example:*' } },
    });
    const attempt = (origin?: string) => {
      const socket = track(url, {
        transports: ['websocket'],
        reconnection: false,
        extraHeaders: origin ? { origin } : {},
      });
      return connected(socket).then(
        () => true,
        () => false,
      );
    };
    const cors = async (origin: string) => {
      const { headers } = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } });
      return headers.get('access-control-allow-origin');
    };
    assert(await attempt('https://a.example'));
    assert(await attempt('http://b.example:8080'));
    assert(!(await attempt('https://c.example')));
    assert(!(await attempt()));
    assert.equal(await cors('https://a.example'), 'https://a.example');
    assert.equal(await cors('https://c.example'), null);
    const checked: string[] = [];
    ioOf({ app }).origins((origin: string, done: (err: unknown, ok: boolean) => void) => {
      checked.push(origin);
      done(`no ${origin}`.replace('no https://c.example', ''), origin === 'https://c.example');
    });
    assert(await attempt('https://c.example'));
    assert(!(await attempt('https://a.example')));
    checked.length = 0;
    const poll = () => fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: 'https://b.example' } });
    // As in Socket.IO 2.5: the function is called once, and its message is sent.
    assert.deepEqual(await (await poll()).json(), { code: 4, message: 'no https://b.example' });
    assert.deepEqual(checked, ['https://b.example']);
    assert.equal(await cors('https://c.example'), 'https://c.example');
    // A client without an origin is one of port 80.
    ioOf({ app }).origins(['*:80']);
    assert(await attempt());
    assert(await attempt('http://b.example'));
    assert(!(await attempt('https://b.example')));
  });

  it('should log each name once with its cure, count it, and not count what Socket.IO itself reads', async () => {
    const { connect, app } = await startInline({ io: { compat: true } });
    const { warn } = logs(app);
    const client = await connect();
    ioOf({ app }).emit('x');
    await app.io.fetchSockets();
    inspect(app.io.sockets);
    client.disconnect();
    await until('it has left', () => app.io.sockets.sockets.size === 0);
    assert.deepEqual(app.io.stats().compat, {});
    for (let i = 0; i < 3; i++) ioOf({ app }).sockets.connected;
    Object.keys(ioOf({ app }).sockets.sockets);
    assert.deepEqual(app.io.stats().compat, { 'nsp.connected': 3, 'nsp.sockets[id]': 1 });
    assert.equal(warn.length, 2);
    assert.match(
      warn[0],
      /nsp\.connected of Socket\.IO 2 is used.*write nsp\.sockets\.get\(id\).*docs\/en\/migration\.md/,
    );
  });
});

describe('without config.io.compat', () => {
  it('should throw an error that names the cure and the option', async () => {
    const { app, connect } = await startInline({ router: ({ io }) => void io.of(/^\/kid/).route('x', () => {}) });
    await connect('/kid');
    for (const nsp of [ioOf({ app }).sockets, ioOf({ app }).of('/chat'), ioOf({ app }).of('/kid')]) {
      const names: Array<[name: keyof typeof CURES, use: () => unknown]> = [
        ['nsp.connected', () => nsp.connected],
        ['nsp.clients()', () => nsp.clients(() => {})],
        ['adapter.clients()', () => nsp.adapter.clients([], () => {})],
        ['adapter.remoteJoin()', () => nsp.adapter.remoteJoin('id', 'room')],
        ['adapter.remoteLeave()', () => nsp.adapter.remoteLeave('id', 'room')],
        ['adapter.remoteDisconnect()', () => nsp.adapter.remoteDisconnect('id', true)],
        ['io.origins()', () => ioOf({ app }).origins('*:*')],
      ];
      for (const [name, use] of names) {
        assert.throws(
          use,
          ({ message }: Error) => [name, CURES[name], 'config.io.compat'].every((part) => message.includes(part)),
          name,
        );
      }
      assert(inspect(nsp).length > 0);
      assert(Object.keys(nsp).length > 0);
    }
  });

  it('should not load it', () => {
    assert(
      !Object.keys(require.cache).some((file) => file.includes('/lib/compat/compat')) ||
        process.env.MOCHA_WORKER_ID !== undefined,
    );
  });

  it('should fail the boot if the option is not a boolean', async () => {
    assert.match((await bootError({ io: { compat: 'yes' as never } })).message, /config\.io\.compat is invalid/);
  });
});

describe('config.io.compat with several workers', () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
    it(`should reach the clients of other workers: ${adapter}`, async () => {
      const worker = () => startWorker({ ...redis.config, key: adapter }, { io: { compat: true, adapter } });
      const [a, b] = [await worker(), await worker()];
      await until('the workers reach each other', async () => (await a.app.io.of('/').adapter.serverCount()) === 2);
      const [one, two] = [await a.connect(), await b.connect()];
      const [idOne, idTwo] = [one.id!, two.id!];
      const { adapter: own } = ioOf(a).sockets;
      assert.deepEqual((await called((done) => own.clients(done)))[1].sort(), [idOne, idTwo].sort());
      await called((done) => own.remoteJoin(idTwo, 'room', done));
      await until('it has joined', () => b.app.io.sockets.adapter.rooms.has('room'));
      assert.deepEqual(await called((done) => own.clients(['room'], done)), [null, [idTwo]]);
      assert((await called((done) => own.allRooms(done)))[1].includes('room'));
      await called((done) => own.remoteLeave(idTwo, 'room', done));
      await until('it has left', () => !b.app.io.sockets.adapter.rooms.has('room'));
      const gone = next(two, 'disconnect');
      await called((done) => own.remoteDisconnect(idTwo, true, done));
      await gone;
      assert(one.connected);
    });

    it(`should reach the clients of all workers by what a callback of clients() emits: ${adapter}`, async () => {
      const io = { compat: true, adapter, namespace: { '/': { connectionMiddleware: ['guard'] } } };
      const guard = async (ctx: Context, next: () => Promise<void>) => {
        const { sockets } = ctx.app.io as any;
        ctx.join('room');
        sockets.adapter.clients(['room'], (_err: unknown, ids: string[]) => sockets.to('room').emit('ids', ids));
        await next();
      };
      const worker = () => startWorker({ ...redis.config, key: `${adapter}-ids` }, { io, middleware: { guard } });
      const [a, b] = [await worker(), await worker()];
      await until('the workers reach each other', async () => (await a.app.io.of('/').adapter.serverCount()) === 2);
      const one = a.client();
      assert.deepEqual(await next(one, 'ids'), [[one.id]]);
      // What the first client has received arrives at the other worker before this.
      const arrived = next(b.app.io as never, 'arrived');
      a.app.io.serverSideEmit('arrived');
      await arrived;
      const both = next(one, 'ids');
      const two = b.client();
      const [ids] = await next(two, 'ids');
      assert.deepEqual([...ids].sort(), [one.id, two.id].sort());
      assert.deepEqual(await both, [ids]);
    });
  }
});
