// Tests that all Redis adapters pass.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { logs, type Running } from './app';
import { inRoom } from './redis';
import { DEADLINE, next, times, until } from './wait';

/** Tests two workers, which have the namespaces /chat and /early. */
export function sharesRooms(workers: () => [Running, Running]): void {
  let [a, b] = [] as unknown as [Running, Running];
  before(() => {
    [a, b] = workers();
  });

  it('should deliver the events of a room to the clients of another worker, in order, and to no others', async () => {
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

  it('should deliver binary data', async () => {
    const client = await inRoom(a!, 'binary');
    const heard = next(client, 'file');

    b.app.io.to('binary').emit('file', { name: 'x', content: Buffer.from([0, 1, 254, 255]) });

    const [file] = await heard;
    assert.equal(file.name, 'x');
    assert(Buffer.isBuffer(file.content));
    assert.deepEqual([...file.content], [0, 1, 254, 255]);
  });

  for (const nsp of ['/chat', '/early', '/late']) {
    it(`should separate namespaces: ${nsp}`, async () => {
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

  it('should execute its own request once: what is done afterwards is not undone', async () => {
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
    // After all that Redis sends back, on both channels.
    assert.equal((await app.io.in('asked').fetchSockets()).length, 1);
    const heard = next(client, 'behind');
    b.app.io.to('asked').emit('behind');
    await heard;
    assert.deepEqual([...socket.rooms], [...before, 'speaker', 'alone']);
    assert.equal(socket.connected, true);
  });

  it('should log what a listener of serverSideEmit throws', async () => {
    const { error, warn } = logs(b.app);
    const bug = new Error('a bug');
    b.app.io.on('bug', () => {
      throw bug;
    });
    a.app.io.serverSideEmit('bug');
    await until('the error is logged', () => error.length > 0);
    assert.deepEqual([error, warn], [[bug], []]);
  });

  it('should not wait for other workers in a local emitWithAck', async () => {
    const client = await inRoom(a, 'local');
    client.on('who', (answer) => answer(client.id));
    assert.deepEqual(await a.app.io.in('local').local.timeout(5000).emitWithAck('who'), [client.id]);
  });

  it('should find all sockets after local.emitWithAck with an argument that cannot be encoded', async () => {
    await Promise.all([inRoom(a, 'all'), inRoom(b, 'all')]);
    await assert.rejects(async () => a.app.io.in('all').local.timeout(100).emitWithAck('x', 1n), TypeError);
    assert.equal((await a.app.io.in('all').fetchSockets()).length, 2);
  });

  for (const nsp of ['/odd[1]', '/back\\slash']) {
    it(`should not treat a name as a pattern: ${nsp}`, async () => {
      for (const worker of [a, b]) worker.app.io.of(nsp);
      // In a URL the client would change the name.
      const client = (await a.connect('/', { multiplex: true })).io.socket(nsp);
      await next(client, 'connect');
      const heard = next(client, 'hello');
      b.app.io.of(nsp).emit('hello', nsp);
      assert.equal((await heard)[0], nsp);
    });
  }

  it('should separate namespaces if the channel of one begins with that of the other', async () => {
    for (const worker of [a, b]) for (const nsp of ['/long', '/long#er']) worker.app.io.of(nsp);
    const client = await a.connect('/long');
    const heard = next(client, 'hello');
    const longer = b.app.io.of('/long#er');
    longer.emit('stray');
    longer.disconnectSockets();
    assert.deepEqual(await longer.fetchSockets(), []);
    b.app.io.of('/long').emit('hello');
    await heard;
    assert.equal(client.connected, true);
  });

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

  it('should collect the acknowledgements of all clients, and the responses of all workers', async () => {
    for (const worker of [a, b]) {
      const client = await worker.connect();
      client.on('who', (answer) => answer(client.id));
    }
    assert.equal((await b.app.io.timeout(DEADLINE).emitWithAck('who')).length, 2);

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

  it('should reach its own clients in order', async () => {
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

/**
 * Tests a request in a namespace whose subscription takes its time.
 *
 * @param command - the command that subscribes to the channels of the adapter
 */
export function waitsForSubscription(workers: () => [Running, Running], command: 'subscribe' | 'ssubscribe'): void {
  it('should send a request in a namespace that was just created when Redis has subscribed', async () => {
    const [a, b] = workers();
    b.app.io.of('/requested');
    const client = await b.connect('/requested');
    client.on('who', (answer) => answer(client.id));
    await whileSlow(command, async () => {
      assert.deepEqual(await a.app.io.of('/requested').timeout(5000).emitWithAck('who'), [client.id]);
    });
  });
}

/** Calls a function while a command takes 200 ms longer. */
export async function whileSlow(command: 'subscribe' | 'ssubscribe', run: () => Promise<void>): Promise<void> {
  const prototype = Redis.prototype as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const original = prototype[command]!;
  prototype[command] = async function (...args) {
    await delay(200);
    return original.apply(this, args);
  };
  try {
    await run();
  } finally {
    prototype[command] = original;
  }
}
