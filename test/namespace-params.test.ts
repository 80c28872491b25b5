// Namespaces with parameters: '/room/:id' stands for all names that match it, and ctx.params contains the values.
import assert from 'node:assert/strict';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { connected, logs, refused } from './support/app';
import { bootError, type Inline, startInline } from './support/inline';
import { next, signal } from './support/wait';

const connectOld = require('socket.io-client2') as (url: string, options: object) => Socket;

/** Answers with the parameters and the namespace. */
const where = (ctx: Context) => ctx.args[0]([ctx.params && { ...ctx.params }, ctx.socket.nsp.name]);

/** Returns the answer to a client of the namespace. */
const asked = async ({ connect }: Awaited<ReturnType<typeof startInline>>, nsp: string) =>
  (await connect(nsp)).emitWithAck('where');

const routed = (...names: Array<string | RegExp>) => ({
  router: (app: Application) => {
    for (const name of names) app.io.of(name).route('where', where);
  },
});

describe('a namespace with parameters', () => {
  it('should run its chains and routes in every child, with ctx.params', async () => {
    const seen: string[] = [];
    const left = signal();
    const note = (name: string) => async (ctx: Context, next: () => Promise<void>) => {
      seen.push(`${name} ${ctx.params.id}`);
      await next();
    };
    const { connect } = await startInline({
      io: {
        connectionMiddleware: ['c'],
        namespace: { '/room/:id': { connectionMiddleware: ['a'], packetMiddleware: ['b'] } },
      },
      middleware: { a: note('connection'), b: note('packet'), c: note('everywhere') },
      router: (app) => {
        app.io.of('/room/:id').route('where', where);
        app.io.of('/room/:id').route('disconnect', (ctx) => {
          seen.push(`system ${ctx.params.id}`);
          left.resolve();
        });
      },
    });
    for (const id of ['5', '6']) {
      const client = await connect(`/room/${id}`);
      assert.deepEqual(await client.emitWithAck('where'), [{ id }, `/room/${id}`]);
      if (id === '6') client.disconnect();
    }
    await left.promise;
    const each = (id: string) => [`everywhere ${id}`, `connection ${id}`, `packet ${id}`];
    assert.deepEqual(seen, [...each('5'), ...each('6'), 'system 6']);
  });

  it('should decode parameters, and support several, optional and repeated ones', async () => {
    const running = await startInline(routed('/room/:id', '/a/:x{/to/:y}', '/files/:owner/*path'));
    assert.deepEqual(await asked(running, '/room/a%2Fb%20%C3%BC'), [{ id: 'a/b ü' }, '/room/a%2Fb%20%C3%BC']);
    assert.deepEqual(await asked(running, '/room/ü'), [{ id: 'ü' }, '/room/ü']);
    assert.deepEqual(await asked(running, '/a/1/to/2'), [{ x: '1', y: '2' }, '/a/1/to/2']);
    assert.deepEqual(await asked(running, '/a/1'), [{ x: '1' }, '/a/1']);
    assert.deepEqual((await asked(running, '/files/me/x/y%2Fz'))[0], { owner: 'me', path: ['x', 'y/z'] });
  });

  it('should match names exactly', async () => {
    const { client } = await startInline(routed('/room/:id'));
    for (const name of ['/Room/5', '/room/5/', '/room/', '/room', '/room/5/6', '/x/room/5', '/room/:id']) {
      assert.equal((await refused(client(name))).message, 'Invalid namespace', name);
    }
  });

  it('should reject names that are malformed or too long, and not affect other clients', async () => {
    const { app, client, connect } = await startInline(routed('/room/:id', /^\/any-/));
    const friend = await connect('/room/5');
    assert.equal((await refused(client('/room/%E0%A4%A'))).message, 'Invalid namespace: URI malformed');
    for (const name of ['/room/', '/any-']) {
      assert.equal((await refused(client(name + 'x'.repeat(1100)))).message, 'Invalid namespace');
    }
    assert.deepEqual(await friend.emitWithAck('where'), [{ id: '5' }, '/room/5']);
    assert.deepEqual([...app.io._nsps.keys()], ['/', '/room/5']);
    assert.throws(() => app.io.of('/room/100%'), URIError);
    assert(!app.io._nsps.has('/room/100%'));
  });

  it('should have no control characters in their names, with which a client could write lines into the log', async () => {
    const { app, client, connect } = await startInline({
      io: { ack: 'auto' },
      router: ({ io }) => {
        io.of('/room/:id').route('here', (ctx) => ctx.params?.id);
        io.of(/^\/chat/).route('here', () => 'chat');
      },
    });
    const { warn } = logs(app);
    for (const name of ['/room/1\n2026-11-28 ERROR forged', '/chat\r\nforged', '/room/\u001b[2K', '/room/\u0085']) {
      const socket = client(name);
      const isRefused = await refused(socket).then(
        ({ message }) => message === 'Invalid namespace',
        () => false,
      );
      if (!isRefused) await socket.emitWithAck('nowhere');
      assert.deepEqual(
        warn.filter((line) => /\p{Cc}/u.test(line)),
        [],
      );
      assert(isRefused, JSON.stringify(name));
    }
    const encoded = await connect(`/room/${encodeURIComponent('1\n2')}`);
    assert.equal(await encoded.emitWithAck('here'), '1\n2');
  });

  it('should be the same namespace each time, whose later routes apply to existing children', async () => {
    const { app, connect } = await startInline(routed('/room/:id'));
    const client = await connect('/room/5');
    assert.equal(app.io.of('/room/:id'), app.io.of('room/:id'));
    app.io.of('room/:id').route('later', (ctx) => ctx.args[0](ctx.params.id));
    assert.equal(await client.emitWithAck('later'), '5');
    const heard: string[] = [];
    app.io.of('/room/:id', (socket) => heard.push(socket.nsp.name));
    await connect('/room/6');
    assert.deepEqual(heard, ['/room/6']);
  });

  it('should be bound if its first route is added after its first client has connected', async () => {
    const { app, connect } = await startInline({ router: (app) => void app.io.of('/room/:id') });
    await connect('/room/5');
    app.io.of('/room/:id').route('where', where);
    assert.deepEqual(await (await connect('/room/5')).emitWithAck('where'), [{ id: '5' }, '/room/5']);
  });

  it('should emit to the clients of all children, and of one child', async () => {
    const { app, connect } = await startInline(routed('/room/:id'));
    const heard: string[] = [];
    const clients = await Promise.all(['5', '6'].map((id) => connect(`/room/${id}`)));
    for (const [i, client] of clients.entries()) client.onAny((event) => heard.push(`${event} ${i}`));
    const last = Promise.all(clients.map((client) => next(client, 'last')));
    app.io.of('/room/:id').emit('all');
    app.io.of('/room/5').emit('one');
    app.io
      .of('/room/6')
      .to(clients[1]?.id as string)
      .emit('room');
    app.io.of('/room/:id').emit('last');
    await last;
    assert.deepEqual(heard.sort(), ['all 0', 'all 1', 'last 0', 'last 1', 'one 0', 'room 1']);
    assert.equal((await app.io.of('/room/5').fetchSockets()).length, 1);
  });

  it('should make the sockets of all children join, leave and disconnect, and throw for what needs responses', async () => {
    // The adapter of connection state recovery appends an offset of its own to each event of a child.
    const { app, connect } = await startInline({
      io: { init: { connectionStateRecovery: {} } },
      ...routed('/room/:id'),
    });
    const clients = await Promise.all(['5', '6', '7'].map((id) => connect(`/room/${id}`)));
    const all = app.io.of('/room/:id');
    all.socketsJoin(['x', 'y']);
    all.in('x').socketsLeave('y');
    const heard = clients.map((client) => {
      const events: unknown[][] = [];
      client.onAny((...event) => events.push(event.filter((each) => each === 'x' || each === 'y' || each === 'news')));
      client.on('news', (...args) => assert.equal(args.length, 3));
      return events;
    });
    const last = Promise.all(clients.map((client) => next(client, 'last')));
    all.to('x').emit('news', 'x', 1);
    all.to('y').emit('news', 'y', 1);
    all.to('x').emit('last');
    await last;
    assert.deepEqual(heard, Array(3).fill([['news', 'x'], []]));
    assert.throws(() => all.fetchSockets(), /not supported on parent namespaces/);
    await assert.rejects(all.in('x').fetchSockets(), /name one of them for fetchSockets/);
    await assert.rejects(async () => all.timeout(100).emitWithAck('news'), /name one of them for acknowledgements/);
    const gone = Promise.all(clients.map((client) => next(client, 'disconnect')));
    all.in('x').disconnectSockets();
    for (const [reason] of await gone) assert.equal(reason, 'io server disconnect');
  });

  it('should call each listener that is passed to of() for one of the children', async () => {
    const { app, connect } = await startInline(routed('/room/:id'));
    const heard: string[] = [];
    app.io.of('/room/5', (socket) => heard.push(`first ${socket.nsp.name}`));
    app.io.of('/room/5', (socket) => heard.push(`second ${socket.nsp.name}`));
    await connect('/room/5');
    assert.deepEqual(heard, ['first /room/5', 'second /room/5']);
  });

  it('should apply to a child that code has asked for before the parent was created', async () => {
    const { app, client } = await startInline({
      io: { namespace: { '/room/:id': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx, next) => {
          ctx.data.id = ctx.params.id;
          await next();
        },
      },
      router: (app) => {
        app.io.of('/room/5').on('connection', (socket) => socket.emit('hello', socket.data.id));
        app.io.of('/room/:id').route('where', where);
      },
    });
    assert.deepEqual(await next(client('/room/5'), 'hello'), ['5']);
    assert.deepEqual(app.io.names(), ['/', '/room/:id']);
  });

  it('should set up a child before listeners of new_namespace use it, and if they throw', async () => {
    const seen: string[] = [];
    const running = await startInline({
      io: { connectionMiddleware: ['a'], containListeners: false },
      middleware: { a: (ctx) => void seen.push(ctx.socket.nsp.name) },
      router: (app) => {
        app.io.on('new_namespace', ({ name }) => {
          app.io.of(name);
          if (name.endsWith('bad')) throw new Error('not that one');
        });
        app.io.of('/room/:id').route('where', where);
        app.io.of(/^\/any-(.*)/).route('where', where);
      },
    });
    const { io } = running.app;
    assert.deepEqual(await asked(running, '/room/5'), [{ id: '5' }, '/room/5']);
    assert.deepEqual(await asked(running, '/any-5'), [{ 0: '5' }, '/any-5']);
    for (const name of ['/room/bad', '/any-bad']) {
      assert.throws(() => io.of(name), /not that one/);
      assert.equal((await asked(running, name))[1], name);
    }
    assert.deepEqual(seen, ['/room/5', '/any-5', '/room/bad', '/any-bad']);
  });

  it('should not apply to a namespace with an entry of its own, in any order of the entries', async () => {
    for (const names of [
      ['/room/:id', '/room/lobby'],
      ['/room/lobby', '/room/:id'],
    ]) {
      const seen: string[] = [];
      const running = await startInline({
        io: {
          namespace: Object.fromEntries(
            names.map((name) => [name, { connectionMiddleware: [name.includes(':') ? 'a' : 'b'] }]),
          ),
        },
        middleware: {
          a: () => void seen.push('pattern'),
          b: () => void seen.push('own'),
        },
        router: (app) => {
          app.io.of('/room/:id').route('where', where);
          app.io.of('/room/lobby').route('where', (ctx) => ctx.args[0](['own', ctx.params]));
        },
      });
      assert.deepEqual(await asked(running, '/room/lobby'), ['own', null]);
      assert.deepEqual(await asked(running, '/room/5'), [{ id: '5' }, '/room/5']);
      assert.deepEqual(seen, ['own', 'pattern']);
    }
  });

  it('should not apply to a configured namespace if only code names the pattern', async () => {
    const seen: string[] = [];
    const running = await startInline({
      io: { namespace: { '/room/lobby': { connectionMiddleware: ['b'] } } },
      middleware: { b: () => void seen.push('own') },
      router: (app) => {
        app.io.of('/room/:id').route('where', where);
        app.io.of('/room/lobby').route('where', (ctx) => ctx.args[0](['own', ctx.params]));
      },
    });
    assert.deepEqual(await asked(running, '/room/lobby'), ['own', null]);
    assert.deepEqual(await asked(running, '/room/5'), [{ id: '5' }, '/room/5']);
    assert.deepEqual(seen, ['own']);
  });

  it('should not create a child whose name is a pattern, for a client or for code', async () => {
    const { app, client, connect } = await startInline(routed('/room/:id'));
    for (const name of ['/room/:id', '/room/:other', '/any/:other']) {
      assert.equal((await refused(client(name))).message, 'Invalid namespace', name);
    }
    const before = app.io.names();
    assert.throws(() => app.io.of('/room/:other'), {
      name: 'EggSocketIOConfigError',
      message: /\/room\/:id stands for such names already .*'\/room\/:other'.*encodeURIComponent/,
    });
    assert.deepEqual(app.io.names(), before);
    // Encoded, it is a value.
    const name = `/room/${encodeURIComponent(':other')}`;
    assert.deepEqual((await (await connect(name)).emitWithAck('where'))[0], { id: ':other' });
  });

  it('should be matched in order: first the patterns of the configuration, then those of code', async () => {
    const io: IoConfig = { namespace: { '/x/:config': {}, '/:first/y': {} } };
    const running = await startInline({
      io,
      ...routed('/:code/z', '/:first/y', /^\/q\/(.)/, '/q/:late', '/x/:config'),
    });
    assert.deepEqual((await asked(running, '/x/y'))[0], { config: 'y' });
    assert.deepEqual((await asked(running, '/x/z'))[0], { config: 'z' });
    assert.deepEqual((await asked(running, '/w/z'))[0], { code: 'w' });
    assert.deepEqual((await asked(running, '/q/z'))[0], { code: 'q' });
    assert.deepEqual((await asked(running, '/q/a'))[0], { 0: 'a' });
  });

  it('should refuse a route of one of its children', async () => {
    const error = await bootError(routed('/room/:id', '/room/lobby'));
    assert.match(
      error.message,
      /\/room\/lobby is created and removed .*app\.io\.of\('\/room\/lobby'\).* app\.io\.of\('\/room\/:id'\)\.route\(\).*config\.io\.namespace/,
    );
  });

  it('should be named by its pattern in the log line at boot and in warnings', async () => {
    const all = signal<{ warn: string[] }>();
    const { app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: { a: async (_ctx, next) => next() },
      boot: (app) => all.resolve(logs(app)),
      router: (app) => {
        for (let i = 0; i < 2; i++) app.io.of('/room/:id').route('where', where);
      },
    });
    const { warn } = await all.promise;
    assert(
      warn.some((text) => /does not guard \/room\/:id: since/.test(text)),
      `${warn}`,
    );
    assert(
      warn.some((text) => text.includes("app.io.of('/room/:id').route('where', handler) is ignored")),
      `${warn}`,
    );
    assert.deepEqual(app.io.names(), ['/', '/room/:id']);
  });

  it('should support generateId, and clients of Socket.IO 2 that / admits', async () => {
    const steps: string[] = [];
    const note = async (ctx: Context, next: () => Promise<void>) => {
      steps.push(ctx.socket.nsp.name);
      await new Promise(setImmediate);
      if (ctx.query.pass === 'no') throw new Error('not you');
      await next();
    };
    let count = 0;
    const { app, connect, url } = await startInline({
      io: {
        init: { allowEIO3: true },
        generateId: () => `id${++count}`,
        connectionMiddleware: ['a'],
        namespace: { '/room/:id': {} },
      },
      middleware: { a: note },
      ...routed('/room/:id'),
    });
    logs(app);
    assert.equal((await connect('/room/5')).id, '/room/5#id1');
    const old = (query: object) => connectOld(`${url}/room/6`, { forceNew: true, reconnection: false, query });
    const friend = old({});
    await next(friend, 'connect');
    assert.equal(friend.id, '/room/6#id2');
    assert.deepEqual(await new Promise((done) => friend.emit('where', done)), [{ id: '6' }, '/room/6']);
    friend.close();
    const other = old({ pass: 'no' });
    assert.deepEqual(await next(other, 'error'), ['not you']);
    other.close();
    assert.deepEqual(steps, ['/room/5', '/', '/room/6', '/']);
  });

  it('should recover a client and the events that it has missed', async () => {
    const { app, client } = await startInline({
      io: { init: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } },
      ...routed('/room/:id'),
    });
    const socket = client('/room/5', { reconnection: true, reconnectionDelay: 1 });
    await connected(socket);
    const first = next(socket, 'news');
    app.io.of('/room/5').emit('news', 1);
    await first;
    const missed = next(socket, 'news');
    for (const [, each] of app.io.of('/room/5').sockets) {
      each.on('disconnect', () => app.io.of('/room/5').emit('news', 2));
    }
    socket.io.engine.close();
    assert.deepEqual((await missed)[0], 2);
    assert.equal(socket.recovered, true);
  });
});

describe('ctx.params', () => {
  it('should contain the groups of a regular expression, by name and by number', async () => {
    const running = await startInline(routed(/^\/(\w+)-(?<day>\d+)(-x)?$/, /^\/plain/, /^\/raw\/(.+)/));
    assert.deepEqual((await asked(running, '/room-7'))[0], { 0: 'room', 1: '7', day: '7' });
    assert.deepEqual((await asked(running, '/raw/100%'))[0], { 0: '100%' });
    assert.deepEqual(await asked(running, '/plain'), [null, '/plain']);
  });

  it('should be undefined in a namespace without parameters, and in the children of a function, which have routes and chains', async () => {
    const seen: string[] = [];
    const running = await startInline({
      io: { connectionMiddleware: ['a'], packetMiddleware: ['b'] },
      middleware: {
        a: (ctx) => void seen.push(`a ${ctx.socket.nsp.name} ${ctx.params}`),
        b: async (ctx, next) => {
          seen.push(`b ${ctx.socket.nsp.name} ${ctx.params}`);
          await next();
        },
      },
      router: (app) => {
        app.io.route('where', where);
        app.io.of((name, _auth, done) => setImmediate(() => done(null, name === '/f'))).route('where', where);
      },
    });
    assert.deepEqual(await asked(running, '/'), [null, '/']);
    assert.deepEqual(await asked(running, '/f'), [null, '/f']);
    assert.deepEqual(seen, ['a / undefined', 'b / undefined', 'a /f undefined', 'b /f undefined']);
  });

  it('should be frozen, and replaceable in one context', async () => {
    const { connect } = await startInline({
      router: (app) => {
        app.io.of('/room/:id').route('change', (ctx) => ctx.args[0](Reflect.set(ctx.params, 'id', 'other')));
        app.io.of('/room/:id').route('replace', (ctx) => {
          ctx.params = { id: 'own' };
          ctx.args[0](ctx.params.id);
        });
        app.io.of('/room/:id').route('where', where);
        app.io.of('/:__proto__').route('where', (ctx) => ctx.args[0](Object.entries(ctx.params)));
      },
    });
    const client = await connect('/room/5');
    assert.equal(await client.emitWithAck('change'), false);
    assert.equal(await client.emitWithAck('replace'), 'own');
    assert.deepEqual((await client.emitWithAck('where'))[0], { id: '5' });
    assert.deepEqual(await (await connect('/x')).emitWithAck('where'), [['__proto__', 'x']]);
  });

  it("should be set with an application's own createContext, unless its contexts have params of their own", async () => {
    const own: Inline = {
      ...routed('/room/:id'),
      boot: (app) => {
        const { createContext } = app;
        app.createContext = function create(this: Application, ...args: unknown[]) {
          return (createContext as (...args: unknown[]) => unknown).apply(this, args);
        } as never;
      },
    };
    assert.deepEqual((await asked(await startInline(own), '/room/5'))[0], { id: '5' });
    const extended: Inline = {
      ...routed('/room/:id'),
      boot: (app) => void Object.defineProperty(app.context, 'params', { get: () => ({ mine: 1 }) }),
    };
    assert.deepEqual((await asked(await startInline(extended), '/room/5'))[0], { mine: 1 });
  });

  it("should be Egg's in HTTP", async () => {
    const { url } = await startInline({
      router: (app) => {
        app.router.get('/http/:id', async (ctx: any) => {
          ctx.body = { ...ctx.params };
        });
      },
    });
    assert.deepEqual(await (await fetch(`${url}/http/7`)).json(), { id: '7' });
  });
});

describe('a name without parameters', () => {
  for (const name of ['/a.b', '/chat-1', '/a(b)', '/chat:lobby', '/*', '/a*b', '/:', '/a/:1', '/a+b?', '/{x}']) {
    it(`should be the name of one namespace: ${name}`, async () => {
      const steps: string[] = [];
      const running = await startInline({
        io: { namespace: { [name]: { connectionMiddleware: ['a'] } } },
        middleware: { a: (ctx) => void steps.push(ctx.socket.nsp.name) },
        ...routed(name),
      });
      // The client parses the name as a URL.
      const socket = (await running.connect('/')).io.socket(name);
      await connected(socket);
      assert.deepEqual(await socket.emitWithAck('where'), [null, name]);
      assert.deepEqual(steps, [name]);
    });
  }
});

describe('config.io.namespace with parameters', () => {
  const wrong: Array<[string, RegExp]> = [
    ['/room/:id(\\d+)', /Unexpected \( at index/],
    ['/room/:id?', /Unexpected \? at index/],
    ['/room/:a:b', /Missing text before "b"/],
    ['/room/:id/{x', /Unexpected end/],
    ['/room/:id/:id', /two parameters are called id/],
  ];
  for (const [name, words] of wrong) {
    it(`should fail the boot for ${name}, and name the key`, async () => {
      const { message } = await bootError({ io: { namespace: { [name]: {} } } });
      assert.match(message, words);
      assert(message.includes("can't parse the parameters of a namespace"), message);
      assert(message.includes(`config.io.namespace['${name}']`), message);
      const { message: routing } = await bootError(routed(name));
      assert.match(routing, words);
      assert(routing.includes(`app.io.of('${name}')`), routing);
    });
  }

  it('should name the pattern if its chain names an unknown middleware', async () => {
    const { message } = await bootError({ io: { namespace: { '/room/:id': { packetMiddleware: ['nope'] } } } });
    assert(message.includes("can't find middleware: nope !"), message);
    assert(message.includes("config.io.namespace['/room/:id'].packetMiddleware"), message);
  });
});
