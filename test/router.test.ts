// Routes of namespaces, and chains for all namespaces.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import type { IoConfig, Middleware } from '../lib';
import { connected, logs, refused, track } from './support/app';
import { parity } from './support/clients';
import { bootError, startInline } from './support/inline';
import { comeBack, cut } from './support/recovery';
import { DEADLINE, next, signal, until } from './support/wait';

const fails = async (router: (app: Application) => void, expected: RegExp) => {
  assert.match((await bootError({ router })).message, expected);
};

parity('router', (kind) => {
  it('should route events of / with app.io.route(), and of other namespaces with app.io.of().route()', async () => {
    const { connect } = await startInline({
      router: (app) => {
        app.io.route('where', (ctx) => ctx.args[0]('/'));
        app.io.of('/chat').route('where', (ctx) => ctx.args[0]('/chat'));
        app.io.of('plain').route('where', (ctx) => ctx.args[0]('/plain'));
      },
    });
    for (const name of ['/', '/chat', '/plain']) {
      assert.equal(await (await connect(name)).emitWithAck('where'), name);
    }
  });

  it('should be the same router for app.io and app.io.of("/")', async () => {
    const { connect, app } = await startInline({ router: (app) => app.io.of('/').route('x', (ctx) => ctx.args[0](1)) });
    assert.equal(await (await connect()).emitWithAck('x'), 1);
    assert(app.io.of('/') === app.io.sockets);
  });

  it('should refuse an event that is not a string, and name the namespace', async () => {
    const event = 42 as unknown as string;
    await fails((app) => app.io.route(event, () => {}), /event must be string!.*app\.io\.of\('\/'\).*42/);
    await fails((app) => app.io.of('/chat').route(undefined as never, () => {}), /event must be string!.*'\/chat'/);
  });

  it('should refuse a handler that is not a function, and name the event and the namespace', async () => {
    const missing = (app: Application) => app.io.of('/chat').route('say', (app.io.controller as any).nobody?.say);
    await fails(
      missing,
      /handler must be function!.*app\.io\.of\('\/chat'\)\.route\('say'.*undefined.*app\/io\/controller/,
    );
  });

  it('should log a warning if the handler is a middleware: the controller is missing', async () => {
    let log = { warn: [] as string[] };
    await startInline({
      middleware: { a: (_ctx, next) => next() },
      boot: (app) => {
        log = logs(app);
      },
      router: (app) => {
        const { a } = app.io.middleware as unknown as { a: Middleware };
        app.io.of('/chat').route('say', a as never);
        app.io.of('/chat').route('shout', a, () => {});
      },
    });
    assert.equal(log.warn.length, 1);
    assert.match(
      log.warn[0]!,
      /app\.io\.of\('\/chat'\)\.route\('say', handler\) ends with a middleware of app\/io\/middleware/,
    );
  });

  it('should ignore a second route of an event, and log a warning that names both', async () => {
    const { connect, app } = await startInline({});
    const { warn } = logs(app);
    app.io.route('x', function first(ctx) {
      ctx.args[0]('first');
    });
    app.io.route('x', function second(ctx) {
      ctx.args[0]('second');
    });
    assert.equal(await (await connect()).emitWithAck('x'), 'first');
    assert.equal(warn.length, 1);
    assert.match(warn[0], /app\.io\.of\('\/'\)\.route\('x'.*First: first, ignored: second/);
  });

  it('should accept routes after the boot, in namespaces that are created after the boot', async () => {
    const { connect, app } = await startInline({});
    app.io.of('/late').route('x', (ctx) => ctx.args[0](typeof ctx.service));
    assert.equal(await (await connect('/late')).emitWithAck('x'), 'object');
  });

  it('should run the routes of a namespace without configuration', async () => {
    const { connect } = await startInline({
      io: { namespace: { '/': {} } },
      router: (app) => app.io.of('/unconfigured').route('x', (ctx) => ctx.args[0](ctx.session?.isNew)),
    });
    assert.equal(await (await connect('/unconfigured')).emitWithAck('x'), true);
  });

  it('should not modify a namespace that is neither configured nor routed', async () => {
    const { connect, app } = await startInline({
      router: (app) => app.io.of('/native').on('connection', (socket) => socket.on('x', (ack) => ack('native'))),
    });
    assert.equal(await (await connect('/native')).emitWithAck('x'), 'native');
    const [socket] = app.io.of('/native').sockets.values();
    assert.equal('remoteAddress' in (socket as object), false);
  });

  it('should accept any string as the name of an event', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'then', '', ' ', '消息'];
    const routed = new Set(names.slice(0, 4));
    const { connect } = await startInline({
      router: (app) => {
        for (const name of routed) app.io.route(name, (ctx) => ctx.args.at(-1)(`routed ${name}`));
        app.io.route('hail', (ctx) => ctx.args[0]('pong'));
      },
    });
    const client = await connect();
    for (const name of names) {
      if (routed.has(name)) assert.equal(await client.emitWithAck(name), `routed ${name}`);
      else client.emit(name, () => assert.fail(`${name} was answered`));
    }
    assert.equal(await client.emitWithAck('hail'), 'pong');
  });

  it('should run the routes of a parent namespace in its children', async () => {
    const { connect } = await startInline({
      router: (app) => app.io.of(/^\/room-\d+$/).route('x', (ctx) => ctx.args[0](ctx.socket.nsp.name)),
    });
    assert.equal(await (await connect('/room-7')).emitWithAck('x'), '/room-7');
    assert.equal(await (await connect('/room-8')).emitWithAck('x'), '/room-8');
    await assert.rejects(connect('/room-x'), /Invalid namespace/);
  });

  it('should run chains and routes in a child namespace that is created during the boot', async () => {
    let guarded = 0;
    const { connect } = await startInline({
      io: { connectionMiddleware: ['guard'], namespace: { '/': {}, '/room-2': {} } },
      middleware: {
        guard: async (_ctx, next) => {
          guarded++;
          await next();
        },
      },
      router: (app) => {
        app.io.of(/^\/room-\d+$/).route('x', (ctx) => ctx.args[0](ctx.socket.nsp.name));
        app.io.of('/room-1');
      },
    });
    for (const name of ['/room-1', '/room-2', '/room-3']) {
      const client = await connect(name);
      assert.equal(await client.emitWithAck('x'), name);
    }
    // An old client joins / first.
    assert.equal(guarded, kind.protocol === 3 ? 6 : 3);
  });

  it('should refuse a route of one child namespace: it would apply to all children', async () => {
    const namespaces: IoConfig['namespace'][] = [{}, { '/room-1': { connectionMiddleware: ['guard'] } }];
    for (const namespace of namespaces) {
      const { message } = await bootError({
        io: { namespace },
        router: (app) => {
          app.io.of(/^\/room-\d+$/).route('x', () => {});
          app.io.of('/room-1').route('y', () => {});
        },
      });
      assert.match(
        message,
        /\/room-1 has the routes of \/\^\\\/room-\\d\+\$\/, as all of its children.*route\(\) of what app\.io\.of/,
      );
    }
  });

  it('should run the chain of a configured child namespace after it was removed and created again', async () => {
    const { client, connect, app } = await startInline({
      io: {
        init: { cleanupEmptyChildNamespaces: true },
        namespace: { '/': {}, '/room-7': { connectionMiddleware: ['guard'] } },
      },
      middleware: {
        guard: () => {
          throw new Error('not you');
        },
      },
      router: (app) => app.io.of(/^\/room-\d+$/).route('x', (ctx) => ctx.args[0](1)),
    });
    logs(app);
    for (let i = 0; i < 3; i++) assert.equal((await refused(client('/room-7'))).message, 'not you');
    assert.equal(await (await connect('/room-8')).emitWithAck('x'), 1);
  });

  it('should log a warning for a route whose event never arrives', async () => {
    const { app } = await startInline({});
    const { warn } = logs(app);
    app.io.route('newListener', () => {});
    assert.match(warn[0], /route\('newListener', handler\) never runs/);
    app.io.route('connection', () => {});
    assert.match(warn[1], /route\('connection', handler\) runs only if a client sends .* route\('connect', handler\)/);
    app.io.route('disconnect', () => {});
    app.io.route('connect', () => {});
    assert.equal(warn.length, 2);
  });

  it('should refuse a client of an unknown namespace, and not affect other clients', async () => {
    const { connect, url } = await startInline({ router: (app) => app.io.route('x', (ctx) => ctx.args[0](1)) });
    const client = await connect();
    await assert.rejects(connected(track(`${url}/nowhere`)), /Invalid namespace/);
    assert.equal(await client.emitWithAck('x'), 1);
  });
});

parity('chains for all namespaces', (kind) => {
  const both = { connectionMiddleware: ['guard'], packetMiddleware: ['b'] };

  it('should run first in every namespace: configured, routed, native, and created later', async () => {
    const steps: string[] = [];
    const { connect, app } = await startInline({
      io: { ...both, namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        guard: async (ctx, next) => {
          steps.push(`guard ${ctx.socket.nsp.name}`);
          await next();
        },
        a: async (ctx, next) => {
          steps.push(`a ${ctx.socket.nsp.name}`);
          await next();
        },
        b: async (ctx, next) => {
          steps.push(`b ${ctx.packet[0]}`);
          await next();
        },
      },
      router: (app) => {
        app.io.of('/routed').route('x', (ctx) => ctx.args[0](1));
        app.io.of('/native').on('connection', (socket) => socket.on('x', (ack) => ack(2)));
      },
    });
    app.io.of('/later');
    const answers = [];
    for (const name of ['/', '/routed', '/native', '/later']) {
      const client = await connect(name);
      if (name === '/routed' || name === '/native') answers.push(await client.emitWithAck('x'));
    }
    assert.deepEqual(answers, [1, 2]);
    // An old client joins / first.
    const before = kind.protocol === 3 ? ['guard /', 'a /'] : [];
    const others = [['guard /routed', 'b x'], ['guard /native', 'b x'], ['guard /later']];
    assert.deepEqual(steps, ['guard /', 'a /', ...others.flatMap((own) => [...before, ...own])]);
  });

  it('should refuse a client in every namespace', async () => {
    const { connect, app } = await startInline({
      io: both,
      middleware: {
        guard: () => {
          throw new Error('closed');
        },
      },
      router: (app) => app.io.of('/chat').route('x', () => {}),
    });
    logs(app);
    if (kind.hearsOfDefault) await assert.rejects(connect('/chat'), /closed/);
    await assert.rejects(connect('/'), /closed/);
  });

  it('should log a warning at boot if the connection chain of / does not guard another namespace', async () => {
    const warnings = async (io: object): Promise<string[]> => {
      const all = signal<string[]>();
      await startInline({
        io,
        boot: (app) => all.resolve(logs(app).warn),
        router: (app) => {
          app.io.of('/open').route('x', () => {});
          app.io.of('/native');
          app.io.of(/^\/room-/);
        },
      });
      return (await all.promise).filter((text) => typeof text === 'string' && text.includes('does not guard'));
    };
    const guarded = { '/': { connectionMiddleware: ['guard'] } };
    const [warning, ...rest] = await warnings({ namespace: guarded });
    const names = '/open, /native, /^\\/room-/';
    const text = `the connection middleware of / (guard) does not guard ${names}: since Socket.IO 3`;
    assert(warning?.includes(text) && warning.includes('Set config.io.connectionMiddleware'), warning);
    assert.deepEqual(rest, []);
    const [other] = await warnings({ namespace: { ...guarded, '/open': { connectionMiddleware: ['a'] } } });
    assert(other?.includes('does not guard /native,'), other);
    assert.deepEqual(await warnings({ namespace: guarded, connectionMiddleware: ['a'] }), []);
    assert.deepEqual(await warnings({}), []);
  });
});

describe('a client that reconnects', () => {
  it('should pass the chain again, even with connection state recovery', async () => {
    let admitted = 0;
    const { connect, app } = await startInline({
      io: {
        init: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } },
        namespace: { '/': { connectionMiddleware: ['a'] } },
      },
      middleware: {
        a: async (_ctx, next) => {
          admitted++;
          await next();
        },
      },
      router: (app) => app.io.route('x', (ctx) => ctx.args[0](ctx.recovered)),
    });
    const client = await connect('/', { reconnection: true, reconnectionDelay: 5 });
    // The client needs the offset of an event to recover.
    app.io.emit('first');
    assert.equal(await client.emitWithAck('x'), false);
    client.io.engine.close();
    await until('the client is back', () => client.connected && client.recovered);
    assert.equal(await client.emitWithAck('x'), true);
    assert.equal(admitted, 2);
  });

  it('should be recovered only if it has received an event', async () => {
    const { connect, app, url } = await startInline({ io: { init: { connectionStateRecovery: {} } } });
    const client = await connect();
    client.on('ask', (answer) => answer());
    const volatile = next(client, 'volatile');
    app.io.volatile.emit('volatile');
    await app.io.timeout(DEADLINE).emitWithAck('ask');
    await volatile;
    await cut(client);
    await until('the worker has noticed it', () => app.io.sockets.sockets.size === 0);
    await comeBack(client, url);
    assert(!client.recovered);
    const first = next(client, 'first');
    app.io.emit('first');
    await first;
    await cut(client);
    await until('the worker has noticed it', () => app.io.sockets.sockets.size === 0);
    await comeBack(client, url);
    assert(client.recovered);
  });

  it('should be recovered if the route of connect emits an event to it', async () => {
    const { app, url } = await startInline({
      io: { init: { connectionStateRecovery: {} } },
      router: ({ io }) => void io.route('connect', async (ctx) => void ctx.emit('welcome')),
    });
    const client = track(url);
    await Promise.all([next(client, 'welcome'), connected(client)]);
    await cut(client);
    await until('the worker has noticed it', () => app.io.sockets.sockets.size === 0);
    await comeBack(client, url);
    assert(client.recovered);
  });

  it('should be admitted without the chain if skipMiddlewares is set', async () => {
    let admitted = 0;
    const { connect, app } = await startInline({
      io: {
        init: { connectionStateRecovery: { skipMiddlewares: true } },
        namespace: { '/': { connectionMiddleware: ['a'] } },
      },
      middleware: {
        a: async (_ctx, next) => {
          admitted++;
          await next();
        },
      },
      router: (app) => app.io.route('x', (ctx) => ctx.args[0](ctx.socket.remoteAddress)),
    });
    const client = await connect('/', { reconnection: true, reconnectionDelay: 5 });
    app.io.emit('first');
    assert.equal(await client.emitWithAck('x'), '127.0.0.1');
    client.io.engine.close();
    await until('the client is back', () => client.connected && client.recovered);
    assert.equal(await client.emitWithAck('x'), '127.0.0.1');
    assert.equal(admitted, 1);
  });
});
