// connectionStateRecovery with 'redis-streams': a client that reconnects to any worker keeps its id, rooms and data, and receives the
// events that it has missed, once and in order.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { Reader } from '../lib/adapters/redis/streams-adapter';
import { connected, logs, mm, type Running, refused, track } from './support/app';
import { startCluster } from './support/cluster';
import type { Inline } from './support/inline';
import { assertComplete, comeBack, cut, numbersOf } from './support/recovery';
import { flows, type RedisServer, startRedis, startWorker } from './support/redis';
import { next, signal, until } from './support/wait';

const init = { connectionStateRecovery: { maxDisconnectionDuration: 10_000 } };
const io: IoConfig = { adapter: 'redis-streams', init, namespace: { '/': {}, '/chat': {} } };

describe('recovery with redis-streams', () => {
  let redis: RedisServer;
  let [a, b]: Running[] = [];
  /** Called in the connection middleware, whose contexts are in `passed`. */
  let guard: (ctx: Context) => unknown = () => {};
  const passed: Context[] = [];

  const middleware: Inline['middleware'] = {
    guard: async (ctx, next_) => {
      passed.push(ctx);
      await guard(ctx);
      await next_();
    },
  };

  function startRecovering(config: IoConfig['redis'] = redis.config): Promise<Running> {
    return startWorker(config, { io: { ...io, connectionMiddleware: ['guard'] }, middleware });
  }

  before(async () => {
    redis = await startRedis();
    a = await startRecovering();
    b = await startRecovering();
  });
  beforeEach(() => {
    guard = () => {};
    passed.length = 0;
  });
  after(async () => {
    await a?.close();
    await b?.close();
    await redis.stop();
  });

  /** Returns a client in a room that has received an event, and with it an offset. */
  async function withOffset(worker: Running, room: string, nsp = '/'): Promise<Socket> {
    const client = await worker.connect(nsp);
    if (nsp === '/') await client.emitWithAck('join', room);
    const first = next(client, 'first');
    worker.app.io.of(nsp).emit('first');
    await first;
    return client;
  }

  const socketOf = (worker: Running, client: Socket) => worker.app.io.sockets.sockets.get(client.id!)!;
  const keyOf = (client: Socket) => `socket.io:session:${(client as unknown as { _pid: string })._pid}`;
  /** Returns for how many ms Redis keeps the session of a client, or -2 if there is none. */
  const kept = (client: Socket): Promise<number> => redis.command('PTTL', keyOf(client));

  for (const to of ['another worker', 'the same']) {
    it(`should deliver missed events to a client: ${to}`, async () => {
      const [from, other] = [a!, to === 'the same' ? a! : b!];
      const client = await withOffset(from, 'room');
      const { id } = client;
      socketOf(from, client).data = { since: new Date(0), file: Buffer.from([1, 2]), list: new Set(['x']) };
      const numbers = numbersOf(client);
      const stray: string[] = [];
      client.on('stray', (what) => stray.push(what));

      from.app.io.to('room').emit('n', 0);
      await until('it has arrived', () => numbers.length === 1);
      await cut(client);
      await until('the worker has noticed it', () => from.app.io.sockets.sockets.size === 0);
      other.app.io.to('room').emit('n', 1);
      // What one worker has emitted is in the stream before the next one does.
      await flows(other, from === other ? b! : from);
      from.app.io.emit('n', 2);
      from.app.io.to('elsewhere').emit('stray', 'to others');
      from.app.io.except('room').emit('stray', 'except it');
      await flows(from, b!);
      b!.app.io.of('/chat').emit('stray', 'in another namespace');
      b!.app.io.volatile.emit('stray', 'volatile');
      b!.app.io.in(id!).emit('n', 3);
      b!.app.io.to('room').emit('n', 4, Buffer.from([255]));
      await flows(b!, a!);
      const binary = new Promise((resolve) => client.on('n', (n, data) => n === 4 && resolve(data)));
      await comeBack(client, other.url);

      assert(client.recovered);
      assert.equal(client.id, id);
      const socket = socketOf(other, client);
      assert(socket.recovered);
      assert.deepEqual([...socket.rooms].sort(), [id, 'room'].sort());
      assert.deepEqual(socket.data.since, new Date(0));
      assert.deepEqual([...socket.data.file], [1, 2]);
      assert.deepEqual(socket.data.list, new Set(['x']));
      assert.deepEqual(await binary, Buffer.from([255]));
      from.app.io.to('room').emit('n', 5);
      await until('new events arrive', () => numbers.at(-1) === 5);
      assertComplete(numbers, 6);
      assert.deepEqual(stray, []);
      assert.deepEqual(
        passed.filter((ctx) => ctx.id === id).map((ctx) => ctx.recovered),
        [false, true],
      );
    });
  }

  it('should deliver each event once and in order to a client that reconnects many times while both workers emit', async () => {
    // The chain takes its time: events come while it runs.
    guard = () => new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
    const client = await withOffset(a!, 'room');
    const heard: Record<string, number[]> = { a: [], b: [] };
    client.on('n', (who, n) => heard[who]!.push(n));
    const sent = { a: 0, b: 0 };
    const traffic = setInterval(() => {
      for (let n = 0; n < 3; n++) a!.app.io.to('room').emit('n', 'a', sent.a++);
      b!.app.io.emit('n', 'b', sent.b++);
    }, 1);
    try {
      for (let round = 0; round < 20; round++) {
        const [from, to] = round % 2 === 0 ? [a!, b!] : [b!, a!];
        const id = client.id!;
        await cut(client);
        await until('the worker has noticed it', () => !from.app.io.sockets.sockets.has(id));
        await comeBack(client, to.url);
        assert(client.recovered, `round ${round}`);
        await next(client, 'n');
      }
    } finally {
      clearInterval(traffic);
    }
    await until('all have arrived', () => heard.a!.length >= sent.a && heard.b!.length >= sent.b);
    assertComplete(heard.a!, sent.a);
    assertComplete(heard.b!, sent.b);
  });

  it('should not recover a client that has received no event', async () => {
    const client = await a!.connect();
    await client.emitWithAck('join', 'room');
    await cut(client);
    await until('the worker has noticed it', () => a!.app.io.sockets.sockets.size === 0);
    await comeBack(client, b!.url);
    assert(!client.recovered);
  });

  it('should deliver no event again if the worker to which the client reconnects reads the stream later', async () => {
    let gate = Promise.resolve();
    const { next: read } = Reader.prototype;
    mm(Reader.prototype, 'next', async function (this: Reader) {
      const entries = await read.call(this);
      await gate;
      return entries;
    });
    const client = await withOffset(a!, 'room');
    const numbers = numbersOf(client);
    const id = client.id!;
    // From here on, what the readers have read is dispatched when the gate opens.
    await flows(a!, b!);
    await flows(b!, a!);
    const open = signal();
    gate = open.promise;
    for (const n of [0, 1, 2]) a!.app.io.to('room').emit('n', n);
    await until('they have arrived', () => numbers.length === 3);
    await cut(client);
    await until('the worker has noticed it', () => !a!.app.io.sockets.sockets.has(id));
    const entered = next(b!.app.io.engine as never, 'connection');
    const back = comeBack(client, b!.url);
    await entered;
    // Until the client is admitted, or the session was claimed and its worker waits.
    await Promise.race([back, until('the session is claimed', async () => (await kept(client)) === -2)]);
    open.resolve();
    await back;
    assert(client.recovered);
    await flows(a!, b!);
    a!.app.io.to('room').emit('n', 3);
    await until('new events arrive', () => numbers.at(-1) === 3);
    assertComplete(numbers, 4);
  });

  it('should remove the session of a client that connection middleware refuses when it reconnects', async () => {
    const client = await withOffset(a!, 'room');
    await cut(client);
    await until('its session is stored', async () => (await kept(client)) > 0);
    guard = () => {
      throw new Error('not any more');
    };
    (client.io as unknown as { uri: string }).uri = b!.url;
    client.connect();
    assert.equal((await refused(client)).message, 'not any more');
    assert.equal(await kept(client), -2);
    guard = () => {};
    await comeBack(client, b!.url);
    assert(!client.recovered);
    assert.deepEqual([...socketOf(b!, client).rooms], [client.id]);
  });

  const forged: Array<[string, (auth: { pid: string; offset: string }) => object]> = [
    ['an unknown id', (auth) => ({ ...auth, pid: 'unknown' })],
    ['no id', ({ offset }) => ({ offset })],
    ['an offset that is none', (auth) => ({ ...auth, offset: '-' })],
    ['an offset that Redis could not read', (auth) => ({ ...auth, offset: `${'9'.repeat(20)}-${'9'.repeat(20)}.a.1` })],
    ['the offset of an entry that is not there', (auth) => ({ ...auth, offset: '1-1.a.1' })],
    ['an offset that is too long', (auth) => ({ ...auth, offset: auth.offset.repeat(1000) })],
    ['what is no string', (auth) => ({ pid: { toString: 1 }, offset: [auth.offset] })],
  ];
  for (const [what, change] of forged) {
    it(`should treat a client as a new one if it sends ${what}`, async () => {
      const client = await withOffset(a!, 'room');
      const { id } = client;
      const { _pid: pid, _lastOffset: offset } = client as unknown as Record<string, string>;
      await cut(client);
      await until('the worker has noticed it', () => a!.app.io.sockets.sockets.size === 0);
      const other = track(b!.url, { auth: change({ pid: pid!, offset: offset! }) });
      await connected(other);
      assert.notEqual(other.id, id);
      assert.deepEqual([...socketOf(b!, other).rooms], [other.id]);
    });
  }

  it('should recover a session in its own namespace only, and once', async () => {
    const client = await withOffset(a!, 'room');
    const { _pid: pid, _lastOffset: offset } = client as unknown as Record<string, string>;
    await cut(client);
    await until('its session is stored', async () => (await kept(client)) > 0);
    const auth = { pid, offset };
    const chat = await connected(track(`${b!.url}/chat`, { auth }));
    assert(!b!.app.io.of('/chat').sockets.get(chat.id!)!.recovered);
    const both = [track(a!.url, { auth }), track(b!.url, { auth })];
    await Promise.all(both.map(connected));
    assert.equal(both.filter(({ id }) => passed.some((ctx) => ctx.id === id && ctx.recovered)).length, 1);
  });

  it('should not recover a client that a worker has connected', async () => {
    const client = await withOffset(a!, 'room');
    const { _pid: pid, _lastOffset: offset } = client as unknown as Record<string, string>;
    await until('its session is stored', async () => (await kept(client)) > 0);
    const other = await connected(track(b!.url, { auth: { pid, offset } }));
    assert.notEqual(other.id, client.id);
    assert.equal((await b!.app.io.in('room').fetchSockets()).length, 1);
  });

  it('should remove the session of a client that does not return, and expire all sessions', async () => {
    const client = await withOffset(a!, 'room');
    await until('its session is stored', async () => (await kept(client)) > 10_000);
    const key = keyOf(client);
    client.disconnect();
    await until('its session is removed', async () => (await redis.command('EXISTS', key)) === 0);

    const kicked = await withOffset(a!, 'room');
    await until('its session is stored', async () => (await kept(kicked)) > 0);
    socketOf(a!, kicked).disconnect();
    await until('its session is removed', async () => (await kept(kicked)) === -2);

    const away = await withOffset(a!, 'room');
    await cut(away);
    await until('its session will expire', async () => {
      const left = await kept(away);
      return left > 0 && left <= 10_000;
    });
  });

  it('should treat a client as a new one if its data cannot be serialized, and log that once', async () => {
    const { warn } = logs(a!.app);
    guard = (ctx) => {
      ctx.data.callback = () => {};
    };
    for (let n = 0; n < 2; n++) {
      const client = await withOffset(a!, 'room');
      await cut(client);
      await until('the worker has noticed it', () => a!.app.io.sockets.sockets.size === 0);
      await comeBack(client, b!.url);
      assert(!client.recovered);
      client.disconnect();
    }
    assert.equal(warn.length, 1);
    assert.match(warn[0], /connectionStateRecovery can't recover a client whose ctx\.data can't be serialized: /);
  });

  it('should treat a client as a new one if it has missed more than the stream keeps', async () => {
    const config = { ...redis.config, key: 'short', maxLen: 10 };
    const [c, d] = [await startRecovering(config), await startRecovering(config)];
    const client = await withOffset(c, 'room');
    await cut(client);
    await until('the worker has noticed it', () => c.app.io.sockets.sockets.size === 0);
    for (let n = 0; n < 500; n++) c.app.io.emit('n', n);
    await flows(c, d);
    const numbers = numbersOf(client);
    await comeBack(client, d.url);
    assert(!client.recovered);
    assert.deepEqual(numbers, []);
  });

  it('should deliver missed events although others have added entries to the stream', async () => {
    const client = await withOffset(a!, 'room');
    await cut(client);
    await until('the worker has noticed it', () => a!.app.io.sockets.sockets.size === 0);
    const numbers = numbersOf(client);
    a!.app.io.emit('n', 0);
    for (const data of [
      '{',
      '3f//////',
      '{"packet":null}',
      '{"packet":{"type":2,"data":"x"},"opts":{"rooms":[],"except":[]}}',
    ]) {
      await redis.command('XADD', 'socket.io', '*', 'uid', 'x', 'nsp', '/', 'type', '3', 'data', data);
    }
    await redis.command('XADD', 'socket.io', '*', 'x', '');
    a!.app.io.emit('n', 1);
    await flows(a!, b!);
    await comeBack(client, b!.url);
    assert(client.recovered);
    assertComplete(numbers, 2);
  });

  it('should treat a client as a new one if Redis is lost while the client reconnects', async () => {
    const wild: unknown[] = [];
    const catchWild = (err: unknown) => wild.push(err);
    process.on('unhandledRejection', catchWild);
    const own = await startRedis();
    try {
      const [c, d] = [await startRecovering(own.config), await startRecovering(own.config)];
      const client = await withOffset(c, 'room');
      await cut(client);
      await until('the worker has noticed it', () => c.app.io.sockets.sockets.size === 0);
      own.pause();
      const back = comeBack(client, d.url);
      await own.kill();
      await back;
      assert(!client.recovered);
      const heard = next(client, 'own');
      d.app.io.emit('own');
      await heard;
    } finally {
      await own.stop();
      process.off('unhandledRejection', catchWild);
    }
    assert.deepEqual(wild, []);
  });

  it('should store the session of a client that connected in an outage', async () => {
    const own = await startRedis();
    try {
      const [c, d] = [await startRecovering(own.config), await startRecovering(own.config)];
      await own.kill();
      await until('the outage is noticed', () =>
        c.app.io.fetchSockets().then(
          () => false,
          () => true,
        ),
      );
      const client = await withOffset(c, 'room');
      await own.start();
      await flows(c, d);
      await until('its session is stored', async () => (await own.command('KEYS', 'socket.io:session:*')).length > 0);
      const first = next(client, 'first');
      c.app.io.emit('first');
      await first;
      await cut(client);
      await until('the worker has noticed it', () => c.app.io.sockets.sockets.size === 0);
      await comeBack(client, d.url);
      assert(client.recovered);
    } finally {
      await own.stop();
    }
  });
});

interface Who {
  pid: number;
  id: string;
  rooms: string[];
  data: { passed: boolean[] };
  recovered: boolean;
}

describe("recovery after a worker's death", () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  for (const nsp of ['/', '/chat']) {
    it(`should deliver missed events to clients of a killed worker: ${nsp}`, async () => {
      const cluster = await startCluster('redis-streams', { workers: 2 }, { REDIS_PORT: `${redis.port}` });
      try {
        const reconnection = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500 };
        const clients = await Promise.all(
          Array.from({ length: 8 }, () => connected(track(cluster.url + nsp, reconnection))),
        );
        const before = await Promise.all(clients.map((client): Promise<Who> => client.emitWithAck('who')));
        const [victim, survivor] = [...new Set(before.map(({ pid }) => pid))];
        assert(victim && survivor, 'both workers have clients');
        const lives = clients[before.findIndex(({ pid }) => pid === survivor)]!;
        const numbers = clients.map(numbersOf);
        await Promise.all(clients.map((client) => client.emitWithAck('join', 'room')));
        let sent = 0;
        const tell = () => lives.emit('tell', 'room', 'n', sent++);
        for (let n = 0; n < 10; n++) tell();
        await until('all have an offset', () => numbers.every((each) => each.length === 10));

        const orphans = clients.filter((_client, i) => before[i]!.pid === victim);
        const gone = Promise.all(orphans.map((client) => next(client, 'disconnect')));
        process.kill(victim, 'SIGKILL');
        await gone;
        const back = Promise.all(orphans.map((client) => next(client, 'connect')));
        for (let n = 0; n < 10; n++) tell();
        await back;
        for (let n = 0; n < 10; n++) tell();
        await until('all have arrived', () => numbers.every((each) => each.length >= sent));

        for (const each of numbers) assertComplete(each, sent);
        for (const [i, client] of clients.entries()) {
          const now: Who = await client.emitWithAck('who');
          assert.equal(now.id, before[i]!.id);
          assert.notEqual(now.pid, victim);
          assert.deepEqual(now.rooms.sort(), [now.id, 'everybody', 'room'].sort());
          const isOrphan = orphans.includes(client);
          assert.equal(client.recovered, isOrphan);
          assert.deepEqual(now.data.passed, isOrphan ? [false, true] : [false]);
        }
      } finally {
        await cluster.close();
      }
    });
  }
});
