// config.io.redis: applications that share rooms by way of Redis. Contract section 8.
import assert from 'node:assert/strict';
import { logs, type Running } from './support/app';
import { startInline } from './support/inline';
import { inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { next, times } from './support/wait';

describe('redis', () => {
  let redis: RedisServer;
  let [a, b]: Running[] = [];

  before(async () => {
    redis = await startRedis();
    const rest = {
      io: { namespace: { '/': {}, '/chat': {} } },
      // Made before anybody chooses an adapter.
      boot: (app: Running['app']) => void app.io.of('/early'),
    };
    a = await startWorker(redis.config, rest);
    b = await startWorker(redis.config, rest);
  });
  after(async () => {
    await a?.close();
    await b?.close();
    await redis.stop();
  });

  it("should carry a room's events to the clients of another worker, in order, and to no others", async () => {
    const inside = await inRoom(a!, 'room');
    const outside = await a!.connect();
    const stray: unknown[] = [];
    outside.on('n', (n) => stray.push(n));
    const numbers = times(inside, 'n', 100);
    const end = Promise.all([next(inside, 'end'), next(outside, 'end')]);

    for (let n = 0; n < 100; n++) b!.app.io.to('room').emit('n', n);
    b!.app.io.emit('end');

    assert.deepEqual(
      (await numbers).flat(),
      Array.from({ length: 100 }, (_, n) => n),
    );
    await end;
    assert.deepEqual(stray, []);
  });

  it('should carry binary data', async () => {
    const client = await inRoom(a!, 'binary');
    const heard = next(client, 'file');

    b!.app.io.to('binary').emit('file', { name: 'x', content: Buffer.from([0, 1, 254, 255]) });

    const [file] = await heard;
    assert.equal(file.name, 'x');
    assert(Buffer.isBuffer(file.content));
    assert.deepEqual([...file.content], [0, 1, 254, 255]);
  });

  for (const nsp of ['/chat', '/early', '/late']) {
    it(`should keep to the namespace: ${nsp}`, async () => {
      for (const worker of [a!, b!]) worker.app.io.of(nsp);
      const client = await a!.connect(nsp);
      const main = await a!.connect('/');
      const stray: string[] = [];
      main.onAny((event) => stray.push(event));
      const heard = next(client, 'hello');

      b!.app.io.of(nsp).emit('hello', nsp);

      assert.deepEqual(await heard, [nsp]);
      const end = next(main, 'end');
      b!.app.io.emit('end');
      await end;
      assert.deepEqual(stray, ['end']);
    });
  }

  it('should find, move and disconnect the sockets of another worker', async () => {
    const client = await inRoom(a!, 'far');

    const [socket, ...others] = await b!.app.io.in('far').fetchSockets();
    assert.equal(socket?.id, client.id);
    assert.deepEqual(others, []);

    const moved = next(client, 'moved');
    b!.app.io.in('far').socketsJoin('farther');
    b!.app.io.to('farther').emit('moved');
    await moved;
    assert.deepEqual([...a!.app.io.sockets.sockets.get(client.id!)!.rooms].slice(1), ['far', 'farther']);

    const left = next(client, 'left');
    b!.app.io.in('far').socketsLeave('farther');
    b!.app.io.to('far').emit('left');
    await left;
    assert.deepEqual([...a!.app.io.sockets.sockets.get(client.id!)!.rooms].slice(1), ['far']);

    const gone = next(client, 'disconnect');
    b!.app.io.in('far').disconnectSockets(true);
    assert.match((await gone)[0], /transport|server/);
  });

  it('should gather the acknowledgements of all clients, and the answers of all workers', async () => {
    for (const worker of [a!, b!]) {
      const client = await worker.connect();
      client.on('who', (answer) => answer(client.id));
    }
    assert.equal((await b!.app.io.timeout(5000).emitWithAck('who')).length, 2);

    const a_ = a!.app.io as unknown as NodeJS.EventEmitter;
    a_.once('worker', (answer) => answer('a'));
    assert.deepEqual(await b!.app.io.serverSideEmitWithAck('worker'), ['a']);
  });

  it('should serve many namespaces without a warning of Node', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    try {
      for (let n = 0; n < 12; n++) for (const worker of [a!, b!]) worker.app.io.of(`/many-${n}`);
      const client = await a!.connect('/many-11');
      const heard = next(client, 'hello');
      b!.app.io.of('/many-11').emit('hello');
      await heard;
      assert.deepEqual(warnings, []);
    } finally {
      process.off('warning', warn);
    }
  });

  it('should log and ignore what is no message of an adapter', async () => {
    const client = await a!.connect();
    const heard = next(client, 'after');
    const { warn } = logs(a!.app);

    for (let n = 0; n < 3; n++) {
      await redis.command('PUBLISH', 'socket.io#/#', 'garbage');
      // Asks for the sockets of no rooms.
      await redis.command('PUBLISH', 'socket.io-request#/#', '{"type":5}');
      await redis.command('PUBLISH', 'socket.io-response#/#', '{');
    }
    b!.app.io.emit('after');

    await heard;
    assert.equal(warn.length, 2);
    assert.match(warn[0], /a message on the adapter's channels was ignored: .*config\.io\.redis\.key/);
    assert.match(warn[1], /ignored: Cannot read properties of undefined/);
  });

  it('should not mix applications of different keys', async () => {
    const other = await startWorker({ ...redis.config, key: 'other' });
    const client = await a!.connect();
    const stray: string[] = [];
    client.onAny((event) => stray.push(event));
    const end = next(client, 'end');
    other.app.io.emit('stray');
    // Redis has answered on that connection: the message has passed.
    await other.app.io.fetchSockets();
    b!.app.io.emit('end');
    await end;
    assert.deepEqual(stray, ['end']);
    assert.match((await redis.command('PUBSUB', 'CHANNELS')).join(), /other-request#\/#/);
  });

  it('should leave no connection when the application is closed', async () => {
    const before = redis.clients().length;
    const worker = await startWorker(redis.config);
    assert.equal(redis.clients().length, before + 2);
    await worker.close();
    assert.equal(redis.clients().length, before);
  });

  it('should close the connections of a boot that fails later', async () => {
    const before = redis.clients().length;
    const io = { namespace: { '/': { connectionMiddleware: ['nobody'] } } };
    await assert.rejects(startWorker(redis.config, { io }), /can't find middleware: nobody !/);
    assert.equal(redis.clients().length, before);
  });

  for (const off of [undefined, false] as const) {
    it(`should not connect where config.io.redis is ${off}`, async () => {
      const before = redis.clients().length;
      const worker = await startInline({ io: { redis: off } });
      assert.equal(worker.app.io.of('/').adapter.constructor.name, 'Adapter');
      assert.equal(redis.clients().length, before);
    });
  }
});

describe('redis with a password', () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis({ requirepass: 'open sesame' });
  });
  after(() => redis.stop());

  for (const key of ['auth_pass', 'password']) {
    it(`should take it from ${key}, and use the database of db`, async () => {
      const config = { host: '127.0.0.1', port: redis.port, db: 1, [key]: 'open sesame' };
      const [a, b] = [await startWorker(config), await startWorker(config)];
      const client = await inRoom(a, 'room');
      const heard = next(client, 'hello');
      b.app.io.to('room').emit('hello');
      await heard;

      const clients = redis.clients();
      assert.deepEqual(
        clients.map((line) => / db=(\d) /.exec(line)?.[1]),
        ['1', '1', '1', '1'],
      );
    });
  }
});
