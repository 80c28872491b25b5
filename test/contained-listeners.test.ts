// Listeners that are added by hand and throw. The worker, the other listeners and the other clients are not affected.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import type { Namespace, Socket } from 'socket.io';
import type { IoConfig } from '../lib';
import { receiveServerSideEmit } from '../lib/internals/namespaces';
import { logs, mm, type Running, refused } from './support/app';
import { bootError, startInline } from './support/inline';
import { signal, until, within } from './support/wait';

/** Collects what would end a worker, or is reported without its event. */
function watchProcess() {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const seen: unknown[] = [];
  const before = events.map((event) => [event, process.listeners(event as 'uncaughtException')] as const);
  const note = (err: unknown) => {
    seen.push(err);
  };
  for (const event of events) process.removeAllListeners(event).on(event, note);
  return {
    seen,
    restore() {
      for (const [event, listeners] of before) {
        process.removeAllListeners(event);
        for (const listener of listeners) process.on(event, listener);
      }
    },
  };
}

const HOUR = 3_600_000;

const fault = (name: string) => () => {
  throw new Error(`${name} throws`);
};
const rejection = (name: string) => async () => {
  throw new Error(`${name} rejects`);
};

describe('listeners that throw', () => {
  let watched: ReturnType<typeof watchProcess>;

  afterEach(() => {
    watched.restore();
    mm.restore();
  });

  async function startWith(
    onConnection: (socket: Socket) => void,
    { io, router }: { io?: IoConfig; router?: (app: Application) => void } = {},
  ): Promise<Running & { error: unknown[] }> {
    const running = await startInline({
      io,
      router: (app) => {
        app.io.route('ping', (ctx) => (io?.ack === 'auto' ? 'pong' : ctx.args[0]('pong')));
        (app.io.of('/') as Namespace).on('connection', onConnection);
        router?.(app);
      },
    });
    // After the application has added listeners that end the process.
    watched = watchProcess();
    return { ...running, error: logs(running.app).error };
  }

  const texts = (errors: unknown[]) => errors.map(String);

  async function assertUnharmed(running: Running): Promise<void> {
    const client = await running.connect();
    assert.equal(await within('an answer', client.emitWithAck('ping')), 'pong');
    assert.deepEqual(watched.seen, []);
  }

  for (const bound of [true, false]) {
    const nsp = bound ? '/' : '/unbound';
    it(`should log those of events in ${bound ? 'a bound namespace' : 'a namespace without chains and routes'}`, async () => {
      const heard = signal<unknown>();
      const add = (socket: Socket) => {
        socket.on('x', fault('on'));
        socket.on('x', rejection('async on'));
        socket.once('x', fault('once'));
        socket.onAny(fault('onAny'));
        socket.on('x', (value, ack) => {
          heard.resolve(value);
          ack?.('answered');
        });
      };
      const running = await startWith(bound ? add : () => {}, {
        router: (app) => {
          if (!bound) (app.io.of(nsp) as Namespace).on('connection', add);
        },
      });
      const client = await running.connect(nsp);
      assert.equal(await within('the answer of the last listener', client.emitWithAck('x', 1)), 'answered');
      assert.equal(await heard.promise, 1);
      await until('all errors are logged', () => running.error.length >= 4);
      assert.deepEqual(texts(running.error).sort(), [
        'Error: async on rejects',
        'Error: on throws',
        'Error: onAny throws',
        'Error: once throws',
      ]);
      await assertUnharmed(running);
      if (bound) assert.equal(running.app.io.stats().namespaces['/']?.protocols[4].errors, 4 + 1);
    });
  }

  it('should log those of connections and of their ends, and release the socket', async () => {
    const ended = signal<string>();
    const running = await startWith((socket) => {
      socket.on('disconnecting', fault('disconnecting'));
      socket.on('disconnect', fault('disconnect'));
      socket.on('disconnect', rejection('async disconnect'));
      socket.on('disconnect', (reason) => ended.resolve(reason));
      socket.join('room');
      throw new Error('connection throws');
    });
    const client = await running.connect();
    client.disconnect();
    assert.equal(await within('the end of the socket', ended.promise), 'client namespace disconnect');
    await until('all errors are logged', () => running.error.length >= 4);
    assert.deepEqual(texts(running.error).sort(), [
      'Error: async disconnect rejects',
      'Error: connection throws',
      'Error: disconnect throws',
      'Error: disconnecting throws',
    ]);
    assert.equal(running.app.io.sockets.sockets.size, 0);
    assert.equal(running.app.io.sockets.adapter.rooms.size, 0);
    await assertUnharmed(running);
  });

  it('should log those of outgoing events and of acknowledgements, and deliver a broadcast to all clients', async () => {
    const sockets: Socket[] = [];
    const running = await startWith((socket) => {
      sockets.push(socket);
      socket.onAnyOutgoing(fault('onAnyOutgoing'));
    });
    const clients = [await running.connect(), await running.connect()];
    const heard = clients.map((client) =>
      within('the broadcast', new Promise((resolve) => client.on('news', resolve))),
    );
    running.app.io.emit('news', 1);
    assert.deepEqual(await Promise.all(heard), [1, 1]);
    clients[0]?.on('question', (answer) => answer('yes'));
    sockets[0]?.emit('question', fault('the callback'));
    clients[1]?.on('silent', () => {});
    sockets[1]?.timeout(10).emit('silent', fault('the callback of a timeout'));
    await until('all errors are logged', () => running.error.length >= 6);
    const logged = texts(running.error);
    assert.equal(logged.filter((text) => text === 'Error: onAnyOutgoing throws').length, 4);
    assert(logged.includes('Error: the callback throws'));
    assert(logged.includes('Error: the callback of a timeout throws'));
    await assertUnharmed(running);
  });

  it('should log those of events that other workers emit, and of callbacks of broadcasts', async () => {
    const running = await startWith((socket) => void socket.join('room'));
    const nsp = running.app.io.of('/') as Namespace;
    nsp.on('from another worker' as 'connection', fault('a listener of serverSideEmit()'));
    receiveServerSideEmit(nsp, ['from another worker']);
    const client = await running.connect();
    client.on('question', (answer) => answer('yes'));
    nsp.timeout(HOUR).emit('question', fault('the callback of a broadcast'));
    await until('all errors are logged', () => running.error.length >= 2);
    assert.deepEqual(texts(running.error), [
      'Error: a listener of serverSideEmit() throws',
      'Error: the callback of a broadcast throws',
    ]);
    await assertUnharmed(running);
  });

  it('should answer with the error if config.io.ack is auto and no route answers', async () => {
    const running = await startWith(
      (socket) => {
        socket.on('x', fault('on'));
        socket.on('y', rejection('async on'));
        socket.on('ping', fault('a listener of a routed event'));
      },
      { io: { ack: 'auto' } },
    );
    const client = await running.connect();
    assert.deepEqual(await within('an answer', client.emitWithAck('x')), { error: { message: 'on throws' } });
    assert.deepEqual(await within('an answer', client.emitWithAck('y')), { error: { message: 'async on rejects' } });
    await assertUnharmed(running);
  });

  it('should log those of socket.use(), and call no listener', async () => {
    const reached: string[] = [];
    const running = await startWith((socket) => {
      socket.use(([event], next) => {
        if (event === 'later') setImmediate(next);
        else if (event === 'async') void Promise.resolve().then(() => next());
        else next();
      });
      socket.use(async ([event], next) => {
        if (event === 'async') throw new Error('use rejects');
        next();
      });
      socket.use(([event], next) => {
        if (event === 'later') throw new Error('use throws');
        next();
      });
      for (const event of ['later', 'async', 'fine']) socket.on(event, () => reached.push(event));
    });
    const client = await running.connect();
    for (const event of ['later', 'async', 'fine']) client.emit(event);
    await until('all errors are logged', () => running.error.length >= 2);
    await until('the listener is called', () => reached.length > 0);
    assert.deepEqual(texts(running.error).sort(), ['Error: use rejects', 'Error: use throws']);
    assert.deepEqual(reached, ['fine']);
    await assertUnharmed(running);
  });

  it('should refuse a client if a function of nsp.use() throws, rejects, or passes data that cannot be encoded', async () => {
    const running = await startWith(() => {}, {
      router: (app) => {
        const unsendable = Object.assign(new Error('no'), { data: 1n });
        (app.io.of('/throws') as Namespace).use(fault('use'));
        (app.io.of('/rejects') as Namespace).use(rejection('use'));
        (app.io.of('/unsendable') as Namespace).use((_socket, next) => next(unsendable));
        const late = app.io.of('/late') as Namespace;
        late.use((_socket, next) => {
          next();
          throw new Error('late');
        });
      },
    });
    assert.equal((await refused(running.client('/throws'))).message, 'use throws');
    assert.equal((await refused(running.client('/rejects'))).message, 'use rejects');
    assert.equal((await refused(running.client('/unsendable'))).message, 'no');
    await running.connect('/late');
    await assertUnharmed(running);
    assert.equal(running.error.length, 4);
  });

  it('should log those of namespaces that clients create', async () => {
    const running = await startWith(() => {}, {
      router: (app) => {
        const parent = app.io.of('/room/:id') as Namespace;
        parent.on('connection', (socket) => {
          socket.on('x', fault('on'));
          throw new Error('connection throws');
        });
        app.io.on('new_namespace', fault('new_namespace'));
      },
    });
    const client = await running.connect('/room/1');
    client.emit('x');
    await until('all errors are logged', () => running.error.length >= 3);
    assert.deepEqual(texts(running.error).sort(), [
      'Error: connection throws',
      'Error: new_namespace throws',
      'Error: on throws',
    ]);
    await assertUnharmed(running);
  });

  it('should not end the worker if the log itself throws', async () => {
    const running = await startWith((socket) => void socket.on('x', fault('on')), {
      router: (app) => {
        app.io.route('failing', fault('the controller'));
        app.io.of('/room/:id').route('x', () => {});
        app.io.on('new_namespace', fault('new_namespace'));
      },
    });
    let lines = 0;
    mm(running.app.coreLogger, 'error', () => {
      lines++;
      throw new Error('the log throws');
    });
    const client = await running.connect();
    for (const event of ['x', 'failing']) client.emit(event);
    await running.connect('/room/1');
    await until('all errors were to be logged', () => lines >= 3);
    await assertUnharmed(running);
  });

  it('should throw them if config.io.containListeners is false', async () => {
    const running = await startWith((socket) => void socket.on('x', fault('on')), { io: { containListeners: false } });
    const client = await running.connect();
    client.emit('x');
    await until('the exception', () => watched.seen.length > 0);
    assert.deepEqual(texts(watched.seen), ['Error: on throws']);
  });

  it('should fail the boot if config.io.containListeners is not a boolean', async () => {
    watched = watchProcess();
    const { message } = await bootError({ io: { containListeners: 'no' as unknown as boolean } });
    assert.match(message, /config\.io\.containListeners is invalid .*allowed: true or false/);
  });

  it('should keep once(), off() and the order of listeners', async () => {
    const calls: string[] = [];
    const running = await startWith((socket) => {
      const off = () => calls.push('off');
      socket.once('x', () => calls.push('once'));
      socket.on('x', off);
      socket.prependListener('x', () => calls.push('first'));
      socket.off('x', off);
      socket.on('x', (ack) => ack());
    });
    const client = await running.connect();
    await within('an answer', client.emitWithAck('x'));
    await within('an answer', client.emitWithAck('x'));
    assert.deepEqual(calls, ['first', 'once', 'first']);
  });
});

describe('init.allowRequest', () => {
  type Answer = (err: string | null | undefined, ok: boolean) => void;
  const forms: Array<[string, (req: unknown, done: Answer) => unknown, isRefused: boolean]> = [
    ['throws', () => assert.fail('broken'), true],
    ['rejects', async () => assert.fail('broken'), true],
    [
      'throws after it has let the client in',
      (_req, done) => {
        done(null, true);
        assert.fail('broken');
      },
      false,
    ],
  ];
  for (const [what, allowRequest, isRefused] of forms) {
    it(`should be logged if it ${what}, and ${isRefused ? 'the client be refused' : 'the client stay'}`, async () => {
      const { app, client, connect } = await startInline({ io: { init: { allowRequest: allowRequest as never } } });
      const { error, warn } = logs(app);
      for (const transports of [['polling'], ['websocket']]) {
        if (isRefused) await refused(client('/', { transports }));
        else await connect('/', { transports });
      }
      assert.deepEqual(
        error.map(({ message }) => message),
        ['broken', 'broken'],
      );
      assert.deepEqual(warn, []);
    });
  }
});
