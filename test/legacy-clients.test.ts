// Clients of Socket.IO 1 and 2, which init.allowEIO3 accepts: where they are treated differently from clients of Socket.IO 4. What is the same
// for all clients is tested by `parity`: see support/clients.ts.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { connected, logs } from './support/app';
import { NEW, OLD, parityOf } from './support/clients';
import { type Inline, startInline } from './support/inline';
import { next, signal, until } from './support/wait';

parityOf(OLD, 'clients of Socket.IO 1 and 2', (kind) => {
  it('should connect, receive acknowledgements, and have the ids that they derive themselves', async () => {
    const { connect } = await startInline({
      router: (app) => {
        for (const name of ['/', '/chat']) {
          const { route } = app.io.of(name);
          route('who', (ctx) => ctx.args.at(-1)(ctx.id, ctx.conn.protocol, ctx.handshake.query.token, ctx.args.length));
        }
      },
    });
    for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
      const root = await connect('/', { transports, query: { token: 't' } });
      const ask = (socket: Socket) => new Promise((done) => socket.emit('who', (...all: unknown[]) => done(all)));
      assert.deepEqual(await ask(root), [root.id, 3, 't', 1]);
      const chat = await connect('/chat', { transports, query: { token: 't' } });
      const [id, ...rest] = (await ask(chat)) as [string, ...unknown[]];
      assert.equal(id, `/chat#${chat.io.engine.id}`);
      assert.equal(chat.id, kind.idOf(id));
      assert.deepEqual(rest, [3, 't', 1]);
    }
  });

  describe('the query of a socket', () => {
    const showing = () =>
      startInline({
        io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
        middleware: {
          a: async (ctx, next) => {
            const { query } = ctx.handshake;
            ctx.data.query = query;
            await next();
          },
        },
        router: (app) => {
          app.io.route('query', (ctx) => ctx.args[0](ctx.handshake.query));
          app.io.of('/chat').route('query', (ctx) => ctx.args[0](ctx.data.query, ctx.handshake.query, ctx.query));
        },
      });
    const ask = (socket: Socket) =>
      new Promise<Record<string, unknown>[]>((done) => socket.emit('query', (...all: never[]) => done(all)));
    /** Connects a client to another namespace over the same connection. */
    const join = (client: Socket, nsp: string, query: string) =>
      connected(client.io.socket(nsp, { query } as never) as Socket);

    it('should be in its handshake.query, over that of the connection', async () => {
      const { connect } = await showing();
      const root = await connect('/', { query: { token: 'root', page: '1' } });
      const chat = await join(root, '/chat', 'token=chat&room=a%20b&room=c+d&empty=');
      for (const query of (await ask(chat)).slice(0, 2)) {
        const { token, page, room, empty, EIO } = query;
        assert.deepEqual(
          { token, page, room, empty, EIO },
          { token: 'chat', page: '1', room: ['a b', 'c d'], empty: '', EIO: '3' },
        );
      }
    });

    it('should not be in another handshake or in ctx.query', async () => {
      const { connect } = await showing();
      const root = await connect('/', { query: { token: 'root' } });
      const chat = await join(root, '/chat', 'token=chat');
      const [own] = await ask(root);
      const [, , http] = await ask(chat);
      assert.deepEqual([own?.token, http?.token], ['root', 'root']);
      const other = await connect('/chat');
      const [query] = await ask(other);
      assert.equal(query?.token, undefined);
    });

    it('should be plain data for any names', async () => {
      const { connect } = await showing();
      const chat = await join(await connect('/'), '/chat', '__proto__=x&constructor=y&%E0%A4%A=z&=w');
      const [query] = await ask(chat);
      assert.equal(query?.constructor, 'y');
      assert.equal(({} as { x?: unknown }).x, undefined);
      assert.equal(Object.getPrototypeOf({}), Object.prototype);
    });
  });

  it('should connect to a namespace of any name', async () => {
    const { connect } = await startInline({
      router: (app) => {
        for (const name of ['/聊天', '/a b', '/a%20b', '/a/../b', '//c']) {
          app.io.of(name).route('where', (ctx) => ctx.args[0](ctx.socket.nsp.name));
        }
      },
    });
    const root = await connect();
    for (const name of ['/聊天', '/a b', '/a%20b', '/a/../b', '//c']) {
      const client = await connected(root.io.socket(name));
      assert.equal(await client.emitWithAck('where'), name);
      client.disconnect();
    }
  });

  it('should receive a string if the namespace does not exist', async () => {
    const { connect, client } = await startInline({});
    const { io } = await connect();
    const heard = [client('/nowhere'), io.socket('/nirgendwo')].map((socket) => next(socket, 'error'));
    assert.deepEqual(await Promise.all(heard), [['Invalid namespace'], ['Invalid namespace']]);
  });

  it('should share rooms with clients of Socket.IO 4, for text and binary data', async () => {
    const { url, connect, app } = await startInline({
      router: (app) => {
        app.io.route('enter', async (ctx) => {
          await ctx.join('room');
          ctx.args[0]();
        });
        app.io.route('say', (ctx) => ctx.to('room').emit('said', ...ctx.args));
      },
    });
    const recent = NEW.connect(url, { transports: ['websocket'], reconnection: false, forceNew: true });
    try {
      await next(recent, 'connect');
      const [one, other, outsider] = [await connect(), await connect(), await connect()];
      outsider.on('said', () => assert.fail('it is in no room'));
      for (const client of [one, other, recent]) await client.emitWithAck('enter');
      for (const [from, to] of [
        [one, [other, recent]],
        [recent, [one, other]],
      ] as const) {
        const heard = Promise.all(to.map((client) => next(client, 'said')));
        from.on('said', () => assert.fail('the sender received it'));
        from.emit('say', 'hello', { deep: [Buffer.from([1, 0, 255])] });
        for (const [text, { deep }] of await heard) {
          assert.equal(text, 'hello');
          assert.deepEqual([...deep[0]], [1, 0, 255]);
        }
        from.off('said');
      }
      assert.equal((await app.io.in('room').fetchSockets()).length, 3);
    } finally {
      recent.disconnect();
    }
  });

  it('should receive an error with data or message if they are refused', async () => {
    let thrown: Error & { data?: unknown } = new Error('not you');
    const { client, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: () => {
          throw thrown;
        },
      },
    });
    logs(app);
    assert.deepEqual(await next(client(), 'error'), ['not you']);
    thrown = Object.assign(new Error('not you'), { data: { code: 1 } });
    assert.deepEqual(await next(client(), 'error'), [{ code: 1 }]);
  });

  it('should receive an error if a packet fails, and stay connected', async () => {
    const { connect, app } = await startInline({
      router: (app) => {
        app.io.route('bad', async () => {
          throw Object.assign(new Error('bad'), { data: [1] });
        });
        app.io.route('worse', async () => {
          throw new Error('worse');
        });
        app.io.route('hello', (ctx) => ctx.args[0]('you too'));
      },
    });
    logs(app);
    const client = await connect();
    let heard = next(client, 'error');
    client.emit('bad');
    assert.deepEqual(await heard, [[1]]);
    heard = next(client, 'error');
    client.emit('worse');
    assert.deepEqual(await heard, ['[egg-socket.io] controller execute error: worse']);
    assert.equal(await new Promise((done) => client.emit('hello', done)), 'you too');
  });

  it('should run the connection chain of /, and unwind it at the disconnect', async () => {
    const steps: string[] = [];
    const { client } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx, next) => {
          steps.push(`in ${ctx.socket.nsp.name}`);
          await next();
          steps.push(`out ${ctx.socket.nsp.name}`);
        },
      },
    });
    const chat = client('/chat');
    await next(chat, 'connect');
    // A client of Socket.IO 2 connects to / before any other namespace.
    assert.deepEqual(steps, ['in /', 'in /chat']);
    chat.close();
    await until('both chains have ended', () => steps.length === 4);
  });

  for (const name of ['/chat', '/native', '/room-1']) {
    it(`should connect to / before ${name}, and not to ${name} if / refuses them`, async () => {
      const answered: string[] = [];
      const { client, app } = await startInline({
        io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
        middleware: {
          a: async (ctx, next) => {
            await new Promise(setImmediate);
            if (ctx.query.pass !== 'yes') throw new Error('not you');
            await next();
          },
        },
        router: (app) => {
          for (const nsp of [app.io.of('/chat'), app.io.of(/^\/room-\d+$/)]) {
            nsp.route('secret', () => answered.push('routed'));
          }
          app.io.of('/native').on('connection', (socket) => socket.on('secret', () => answered.push('native')));
        },
      });
      const { error } = logs(app);
      const intruder = client(name);
      intruder.on('connect', () => assert.fail('it was let in'));
      const heard: unknown[] = [];
      intruder.on('error', (what: unknown) => heard.push(what));
      intruder.emit('secret');
      if (kind.hearsOfDefault) assert.deepEqual(await next(intruder, 'error'), ['not you']);
      await until('the client is refused', () => error.length === 1);
      intruder.close();
      const friend = client(name, { query: { pass: 'yes' } });
      await next(friend, 'connect');
      friend.emit('secret');
      await until('the other client is answered', () => answered.length === 1);
      friend.close();
      await until('all have disconnected', () => app.io.of(name).sockets.size === 0);
      const pending = (app.io.of(name) as unknown as { _preConnectSockets: Map<string, unknown> })._preConnectSockets;
      assert.equal(pending.size, 0);
      assert.deepEqual(heard, kind.hearsOfDefault ? ['not you'] : []);
    });
  }
});

parityOf(OLD.slice(0, 1), 'a client that sends EIO3 packets by hand', () => {
  /** Opens a WebSocket, and collects its messages. */
  const raw = async (url: string) => {
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=3&transport=websocket`);
    const heard: string[] = [];
    ws.on('message', (data) => heard.push(String(data)));
    await next(ws, 'open');
    const hears = (text: string) => until(`it receives ${text}`, () => heard.some((each) => each.startsWith(text)));
    /** Asks twice for a namespace that has to wait for /. The second request is refused, so the first one has arrived. */
    const waits = async (name: string) => {
      for (let i = 0; i < 2; i++) ws.send(`40${name},`);
      await hears(`44${name},"already connecting to ${name}"`);
    };
    /** Waits until all that was sent before has arrived, in both directions. */
    const settled = async () => {
      ws.send('2');
      await hears('3');
    };
    return { ws, heard, hears, waits, settled };
  };

  it('should be refused in other namespaces if the middleware of / has disconnected it', async () => {
    const go = signal();
    const { url, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': {} } },
      middleware: {
        a: async (ctx) => {
          await go.promise;
          ctx.disconnect();
        },
      },
    });
    const { ws, hears, heard, waits } = await raw(url);
    await waits('/chat');
    go.resolve();
    await hears('41');
    await hears('44/chat,"disconnected from /"');
    // It may ask later as well.
    ws.send('40/late,');
    await hears('44/late,"disconnected from /"');
    assert.equal(app.io.of('/chat').sockets.size, 0);
    assert(heard.includes('40'));
    ws.close();
  });

  it('should wait for / again in other namespaces if it asks for / after it was disconnected from it', async () => {
    const go = signal();
    let attempts = 0;
    const { url, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': {} } },
      middleware: {
        a: async (ctx, next) => {
          attempts++;
          if (attempts === 1) ctx.disconnect();
          else {
            await go.promise;
            await next();
          }
        },
      },
    });
    const { ws, hears, heard, waits } = await raw(url);
    await hears('41');
    ws.send('40');
    await until('the chain of / runs again', () => attempts === 2);
    await waits('/chat');
    go.resolve();
    await until('it is connected to /chat', () => app.io.of('/chat').sockets.size === 1);
    assert(!heard.some((text) => text.includes('disconnected from /')), heard.join());
    ws.close();
  });

  it('should be refused if it asks twice for a namespace before it is connected to /', async () => {
    const go = signal();
    const { url } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': {} } },
      middleware: {
        a: async (_ctx, next) => {
          await go.promise;
          await next();
        },
      },
    });
    const { ws, heard } = await raw(url);
    for (let i = 0; i < 3; i++) ws.send('40/chat,');
    await until('two requests are refused', () => heard.filter((text) => text.startsWith('44/chat,')).length === 2);
    go.resolve();
    await until('one is accepted', () => heard.includes('40/chat,') || heard.includes('40/chat'));
    ws.close();
    await next(ws, 'close');
  });

  it('should be refused if it asks twice for a namespace before its chain has decided', async () => {
    const go = signal();
    let [begun, ended] = [0, 0];
    const { url, app } = await startInline({
      io: { namespace: { '/room/:id': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (_ctx, next) => {
          begun++;
          await go.promise;
          await next();
          ended++;
        },
      },
      router: ({ io }) => io.of('/room/:id').route('where', (ctx) => ctx.args.at(-1)(ctx.params.id)),
    });
    const { ws, heard } = await raw(url);
    ws.send('40/room/1,');
    ws.send('40/room/1?t=other,');
    await until('the second request is refused', () => heard.some((text) => text.startsWith('44/room/1,')));
    go.resolve();
    await until('the first one is accepted', () => heard.some((text) => text.startsWith('40/room/1')));
    ws.send('42/room/1,7["where"]');
    await until('the event is answered', () => heard.includes('43/room/1,7["1"]'));
    assert.deepEqual([begun, app.io.of('/room/1').sockets.size], [1, 1]);
    ws.close();
    await until('the chain has ended', () => ended === 1);
    assert.equal(app.io.of('/room/1').sockets.size, 0);
  });

  const refusals: Record<string, Inline> = {
    'its chain throws': {
      middleware: {
        a: async (ctx, next) => {
          await gate?.promise;
          if (ctx.query.pass !== 'yes') throw new Error('not you');
          await next();
        },
      },
    },
    'its chain disconnects the client': {
      middleware: {
        a: async (ctx, next) => {
          await gate?.promise;
          if (ctx.query.pass !== 'yes') ctx.disconnect();
          else await next();
        },
      },
    },
    'a listener disconnects the client': {
      middleware: {
        a: async (_ctx, next) => {
          await gate?.promise;
          await next();
        },
      },
      router: ({ io }) => {
        io.on('connection', (socket) => {
          if (socket.handshake.query.pass !== 'yes') socket.disconnect();
        });
      },
    },
  };
  let gate: ReturnType<typeof signal> | undefined;

  for (const [how, inline] of Object.entries(refusals)) {
    it(`should not be connected to another namespace, and create none, if ${how} in /`, async () => {
      gate = signal();
      const answered: unknown[] = [];
      const { url, app, connect } = await startInline({
        ...inline,
        io: { maxNamespaces: 1, namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': {}, '/room/:id': {} } },
        router: (app) => {
          inline.router?.(app);
          app.io.of('/chat').route('secret', (ctx) => answered.push(ctx.args));
        },
      });
      logs(app);
      const { ws, heard, hears, waits, settled } = await raw(url);
      for (const name of ['/chat', '/room/1', '/room/2']) await waits(name);
      heard.length = 0;
      gate.resolve(undefined);
      await hears(how === 'its chain throws' ? '44"not you"' : '41');
      ws.send('40/room/3,');
      await settled();
      const refused = how === 'its chain throws' ? [] : ['/chat', '/room/1', '/room/2', '/room/3'];
      assert.deepEqual(
        heard.filter((text) => text.startsWith('4') && text.includes('/')),
        refused.map((name) => `44${name},"disconnected from /"`),
      );
      assert.deepEqual(Array.from(app.io._nsps.keys()), ['/', '/chat']);
      const friend = await connect('/room/mine', { query: { pass: 'yes' } });
      assert.deepEqual(Array.from(app.io._nsps.keys()), ['/', '/chat', '/room/mine']);
      friend.close();
      // Socket.IO closes the connection of a client that sends to a namespace which it is not connected to.
      const closed = next(ws, 'close');
      ws.send('42/chat,["secret"]');
      await closed;
      assert.deepEqual(answered, []);
    });
  }

  it('should be connected to the namespaces that it has asked for once / admits it', async () => {
    let isOpen = false;
    const { url, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': {} } },
      middleware: {
        a: (_ctx, next) => {
          if (!isOpen) throw new Error('not you');
          return next();
        },
      },
      router: ({ io }) => io.of('/chat').route('who', (ctx) => ctx.args[0](ctx.handshake.query.name)),
    });
    logs(app);
    const { ws, hears, waits } = await raw(url);
    await hears('44"not you"');
    ws.send('40/chat?name=ada,');
    await waits('/other');
    isOpen = true;
    ws.send('40');
    await hears('44/other,"Invalid namespace"');
    await hears('40/chat');
    ws.send('42/chat,1["who"]');
    await hears('43/chat,1["ada"]');
    ws.close();
  });

  it('should be refused if it makes too many or too long requests before it is connected to /', async () => {
    gate = signal();
    const { url } = await startInline({
      ...refusals['a listener disconnects the client'],
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': {} } },
    });
    const { ws, heard, hears } = await raw(url);
    ws.send(`40/chat?${'x'.repeat(20_000)},`);
    await hears('44/chat,"too many requests');
    for (let n = 0; n < 200; n++) ws.send(`40/room/${n},`);
    await hears('44/room/199,"too many requests');
    assert.equal(heard.filter((text) => text.includes('too many requests')).length, 102);
    gate.resolve(undefined);
    ws.close();
  });

  it('should be connected to a namespace that has rejected it before, once the limit allows it', async () => {
    const { url, app, connect } = await startInline({
      io: { maxNamespaces: 1 },
      router: ({ io }) => void io.of('/room/:id'),
    });
    logs(app);
    const other = await connect('/room/1');
    const { ws, heard, hears } = await raw(url);
    await hears('40');
    for (const name of ['/room/2', '/room/%E0%A4%A']) ws.send(`40${name},`);
    await hears('44/room/2,"too many namespaces"');
    await hears('44/room/%E0%A4%A,"Invalid namespace');
    other.close();
    await until('the other client has disconnected', () => app.io.of('/room/1').sockets.size === 0);
    heard.length = 0;
    for (const name of ['/room/2', '/room/%E0%A4%A']) ws.send(`40${name},`);
    await hears('44/room/%E0%A4%A,"Invalid namespace');
    await hears('40/room/2');
    ws.close();
  });

  it('should keep its socket if it asks a second time and would be refused', async () => {
    const go = signal();
    const { url, app } = await startInline({
      io: { namespace: { '/chat': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx, next) => {
          await go.promise;
          if (ctx.handshake.query.token !== 'good') throw new Error('not you');
          await next();
        },
      },
    });
    logs(app);
    const { ws, hears, settled } = await raw(url);
    await hears('40');
    for (const token of ['good', 'bad']) ws.send(`40/chat?token=${token},`);
    await hears('44/chat,"already connecting');
    go.resolve();
    await hears('40/chat');
    await settled();
    assert.equal((await app.io.of('/chat').fetchSockets()).length, 1);
    app.io.of('/chat').disconnectSockets();
    await hears('41/chat');
    ws.close();
  });

  it('should stay connected to / if it sends packets to a namespace that has just disconnected it', async () => {
    const { app, url } = await startInline({
      io: { init: { allowEIO3: true }, namespace: { '/': {}, '/chat': {} } },
      router: (app) => {
        app.io.route('hail', (ctx) => ctx.args[0]('pong'));
        app.io.of('/chat').route('late', () => assert.fail('the client is disconnected'));
      },
    });
    const { error } = logs(app);
    const { ws, heard, hears } = await raw(url);
    ws.send('40/chat,');
    await hears('40/chat');
    app.io.of('/chat').disconnectSockets();
    for (const late of ['42/chat,["late"]', '41/chat,', '42/never,["x"]', '420["hail"]']) ws.send(late);
    await hears('430["pong"]');
    assert.equal(app.io.of('/').sockets.size, 1);
    // It can connect again.
    heard.length = 0;
    ws.send('40/chat,');
    await hears('40/chat');
    assert.deepEqual(error, []);
    ws.close();
  });

  it('should connect to / again before other namespaces if / has disconnected it', async () => {
    const { url, app } = await startInline({ io: { namespace: { '/': {}, '/chat': {} } } });
    const { ws, heard, waits } = await raw(url);
    await until('it is connected to /', () => heard.includes('40'));
    ws.send('40/chat,');
    await until('it is connected to /chat', () => app.io.of('/chat').sockets.size === 1);
    ws.send('41/chat,');
    await until('the client is disconnected from /chat', () => app.io.of('/chat').sockets.size === 0);
    app.io.of('/').disconnectSockets();
    await until('it is disconnected from /', () => heard.includes('41'));
    await waits('/chat');
    assert.equal(app.io.of('/chat').sockets.size, 0);
    ws.send('40');
    await until('it is connected to both', () => app.io.of('/chat').sockets.size === 1);
    ws.close();
    await until('it is disconnected', () => app.io.of('/chat').sockets.size === 0);
  });

  it('should run no other chain, and leave nothing behind, if it leaves before it is connected to /', async () => {
    const steps: string[] = [];
    const go = signal();
    const { url, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': { connectionMiddleware: ['b'] } } },
      middleware: {
        a: async () => {
          steps.push('/');
          await go.promise;
        },
        b: (_ctx, next) => {
          steps.push('/chat');
          return next();
        },
      },
    });
    logs(app);
    const pending = (app.io.of('/chat') as unknown as { _preConnectSockets: Map<string, unknown> })._preConnectSockets;
    const { ws, waits } = await raw(url);
    await waits('/chat');
    ws.close();
    await until('nothing is left', () => pending.size === 0);
    // One payload that asks for /chat and closes the connection. The connection is closed before the namespace is looked up.
    const endpoint = `${url}/socket.io/?EIO=3&transport=polling`;
    for (let i = 0; i < 5; i++) {
      const { sid } = JSON.parse((await (await fetch(endpoint)).text()).replace(/^\d+:0/, '').replace(/\}.*$/s, '}'));
      await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body: '8:40/chat,1:1' });
    }
    await until('nothing is left of these connections', () => pending.size === 0 && app.io.engine.clientsCount === 0);
    go.resolve();
    assert.deepEqual(new Set(steps), new Set(['/']));
  });
});

for (const { name, connect } of OLD) {
  it(`should refuse clients of Socket.IO 1 and 2 without allowEIO3, and log how to accept them: ${name}`, async () => {
    const { url, app } = await startInline({});
    const { warn } = logs(app);
    const socket = connect(url, { forceNew: true, reconnection: false });
    await next(socket, 'connect_error');
    socket.disconnect();
    assert.match(warn[0], /Unsupported protocol version.*config\.io\.init\.allowEIO3 = true/);
  });
}
