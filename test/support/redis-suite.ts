// Tests that all Redis adapters must pass.
import assert from 'node:assert/strict';
import { logs, type Running } from './app';
import { inRoom } from './redis';
import { next, times, until } from './wait';

/** Tests two workers with any Redis adapter. Both have the namespaces /chat and /early. */
export function sharesRooms(workers: () => [Running, Running]): void {
  let [a, b] = [] as unknown as [Running, Running];
  before(() => {
    [a, b] = workers();
  });

  it("should send a room's events to the clients of another worker, in order, and to no others", async () => {
    const inside = await inRoom(a!, 'room');
    const outside = await a.connect();
    const stray: unknown[] = [];
    outside.on('n', (n) => stray.push(n));
    const numbers = times(inside, 'n', 100);
    const end = Promise.all([next(inside, 'end'), next(outside, 'end')]);

    for (let n = 0; n < 100; n++) b.app.io.to('room').emit('n', n);
    b.app.io.emit('end');

    assert.deepEqual(
      (await numbers).map(([n]) => n),
      Array.from({ length: 100 }, (_, n) => n),
    );
    await end;
    assert.deepEqual(stray, []);
  });

  it('should send binary data', async () => {
    const client = await inRoom(a!, 'binary');
    const heard = next(client, 'file');

    b.app.io.to('binary').emit('file', { name: 'x', content: Buffer.from([0, 1, 254, 255]) });

    const [file] = await heard;
    assert.equal(file.name, 'x');
    assert(Buffer.isBuffer(file.content));
    assert.deepEqual([...file.content], [0, 1, 254, 255]);
  });

  for (const nsp of ['/chat', '/early', '/late']) {
    it(`should send events only to their namespace: ${nsp}`, async () => {
      for (const worker of [a, b]) worker.app.io.of(nsp);
      const client = await a.connect(nsp);
      const main = await a.connect('/');
      const stray: string[] = [];
      main.onAny((event) => stray.push(event));
      const heard = next(client, 'hello');

      b.app.io.of(nsp).emit('hello', nsp);

      assert.equal((await heard)[0], nsp);
      const end = next(main, 'end');
      b.app.io.emit('end');
      await end;
      assert.deepEqual(stray, ['end']);
    });
  }

  it('should apply its own commands once, and not again after later changes', async () => {
    const { app } = a;
    const client = await inRoom(a, 'asked');
    const socket = app.io.sockets.sockets.get(client.id!)!;
    const before = [...socket.rooms];
    app.io.in('asked').socketsLeave('speaker');
    socket.join('speaker');
    app.io.in('asked').socketsJoin('listener');
    socket.leave('listener');
    app.io.in('alone').disconnectSockets();
    socket.join('alone');
    // This answer and this event arrive after all commands that Redis returns to their sender.
    assert.equal((await app.io.in('asked').fetchSockets()).length, 1);
    const heard = next(client, 'behind');
    b.app.io.to('asked').emit('behind');
    await heard;
    assert.deepEqual([...socket.rooms], [...before, 'speaker', 'alone']);
    assert.equal(socket.connected, true);
  });

  it('should log the error if a listener on another worker throws', async () => {
    const { error, warn } = logs(b.app);
    const bug = new Error('a bug');
    b.app.io.on('bug', () => {
      throw bug;
    });
    a.app.io.serverSideEmit('bug');
    await until('the error is logged', () => error.length > 0);
    assert.deepEqual([error, warn], [[bug], []]);
  });

  it('should find all sockets after local.emitWithAck has thrown for a value that cannot be serialized', async () => {
    await Promise.all([inRoom(a, 'all'), inRoom(b, 'all')]);
    await assert.rejects(async () => a.app.io.in('all').local.timeout(100).emitWithAck('x', 1n), TypeError);
    assert.equal((await a.app.io.in('all').fetchSockets()).length, 2);
  });

  for (const nsp of ['/odd[1]', '/back\\slash']) {
    it(`should not interpret special characters of a name: ${nsp}`, async () => {
      for (const worker of [a, b]) worker.app.io.of(nsp);
      // The client would normalize the name if it were part of a URL.
      const client = (await a.connect('/', { multiplex: true })).io.socket(nsp);
      await next(client, 'connect');
      const heard = next(client, 'hello');
      b.app.io.of(nsp).emit('hello', nsp);
      assert.equal((await heard)[0], nsp);
    });
  }

  it('should find, move and disconnect the sockets of another worker', async () => {
    const client = await inRoom(a!, 'far');

    const [socket, ...others] = await b.app.io.in('far').fetchSockets();
    assert.equal(socket?.id, client.id);
    assert.deepEqual(others, []);

    const moved = next(client, 'moved');
    b.app.io.in('far').socketsJoin('farther');
    b.app.io.to('farther').emit('moved');
    await moved;
    assert.deepEqual([...a.app.io.sockets.sockets.get(client.id!)!.rooms].slice(1), ['far', 'farther']);

    const left = next(client, 'left');
    b.app.io.in('far').socketsLeave('farther');
    b.app.io.to('far').emit('left');
    await left;
    assert.deepEqual([...a.app.io.sockets.sockets.get(client.id!)!.rooms].slice(1), ['far']);

    const gone = next(client, 'disconnect');
    b.app.io.in('far').disconnectSockets(true);
    assert.match((await gone)[0], /transport|server/);
  });

  it('should collect the acknowledgements of all clients, and the answers of all workers', async () => {
    for (const worker of [a, b]) {
      const client = await worker.connect();
      client.on('who', (answer) => answer(client.id));
    }
    assert.equal((await b.app.io.timeout(5000).emitWithAck('who')).length, 2);

    const a_ = a.app.io as unknown as NodeJS.EventEmitter;
    a_.once('worker', (answer) => answer('a'));
    assert.deepEqual(await b.app.io.serverSideEmitWithAck('worker'), ['a']);
  });

  it('should support many namespaces without a warning of Node', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    try {
      for (let n = 0; n < 12; n++) for (const worker of [a, b]) worker.app.io.of(`/many-${n}`);
      const client = await a.connect('/many-11');
      const heard = next(client, 'hello');
      b.app.io.of('/many-11').emit('hello');
      await heard;
      assert.deepEqual(warnings, []);
    } finally {
      process.off('warning', warn);
    }
  });

  it('should send to its own clients in the order of the calls', async () => {
    const client = await a.connect();
    const socket = a.app.io.sockets.sockets.get(client.id!)!;
    const heard: string[] = [];
    client.onAny((event) => heard.push(event));

    a.app.io.emit('a');
    socket.emit('b');
    a.app.io.in(client.id!).socketsJoin('own');
    a.app.io.to('own').emit('c');
    a.app.io.local.emit('d');
    a.app.io.in(client.id!).socketsLeave('own');
    a.app.io.to('own').emit('stray');
    a.app.io.emit('e');
    const gone = next(client, 'disconnect');
    a.app.io.in(client.id!).disconnectSockets(true);

    await gone;
    assert.deepEqual(heard, ['a', 'b', 'c', 'd', 'e']);
  });
}
