// The contexts of connections and packets: their delegates, their request, and how they are created.
import assert from 'node:assert/strict';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io';
import { connected, logs, refused } from './support/app';
import { parity } from './support/clients';
import { startInline } from './support/inline';
import { DEADLINE, next, signal, until } from './support/wait';

type Next = () => Promise<void>;

const GETTERS = 'client server adapter id conn rooms acks broadcast connected disconnected handshake data recovered';
const METHODS = 'join leave emit to in send write disconnect except timeout emitWithAck';

/** Starts an application and returns the context of a connection and that of a packet. */
async function contexts(config: Record<string, unknown> = {}, extraHeaders: Record<string, string> = {}) {
  const [connection, packet] = [signal<Context>(), signal<Context>()];
  const running = await startInline({
    config,
    io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
    middleware: {
      a: async (ctx: Context, next: Next) => {
        connection.resolve(ctx);
        await next();
      },
    },
    router: (app) => app.io.route('x', (ctx) => packet.resolve(ctx)),
  });
  const client = await running.connect('/', { extraHeaders });
  client.emit('x', 'argument');
  return { ...running, socket: client, connection: await connection.promise, packet: await packet.promise };
}

parity('context', (kind) => {
  it('should have the Socket.IO socket as ctx.socket and ctx.request.socket', async () => {
    const { app, connection, packet } = await contexts();
    const [socket] = app.io.of('/').sockets.values();
    for (const ctx of [connection, packet]) {
      // Not assert.equal(), which would print the whole context.
      assert(socket !== undefined && ctx.socket === socket, 'ctx.socket');
      assert((ctx.request.socket as unknown) === socket, 'ctx.request.socket');
      assert((ctx.req.socket as unknown) === socket, 'ctx.req.socket');
      assert(ctx.app.io === app.io && ctx.request.app === ctx.app && ctx.response.app === ctx.app, 'app');
      assert(!Object.hasOwn(ctx.app, 'context') || Object.hasOwn(ctx.app, 'loader'), 'the true application');
    }
    assert.equal(packet.socket.remoteAddress, '127.0.0.1');
    assert.equal(packet.socket.remoteAddress, packet.handshake.address);
  });

  it('should have the members of the socket', async () => {
    const { connection, packet } = await contexts();
    for (const ctx of [connection, packet] as unknown as Record<string, unknown>[]) {
      const socket = ctx.socket as unknown as Record<string, unknown>;
      for (const name of GETTERS.split(' ')) {
        if (name === 'broadcast') assert.equal((ctx[name] as object).constructor.name, 'BroadcastOperator');
        else assert(ctx[name] === socket[name], name);
      }
      assert.equal((ctx.local as object).constructor.name, 'BroadcastOperator');
      assert(ctx.volatile === socket && ctx.json === socket);
      for (const name of METHODS.split(' ')) assert.equal(typeof ctx[name], 'function', name);
    }
  });

  it('should call the delegated methods on the socket', async () => {
    const { connect, app } = await startInline({
      router: (app) => {
        app.io.route('go', async (ctx) => {
          await ctx.join(['r1', 'r2']);
          await ctx.leave('r2');
          ctx.to('r1').emit('to room');
          ctx.in('r1').emit('in room');
          ctx.except('r1').emit('except room');
          ctx.emit('direct', [...ctx.rooms].includes('r1'));
          ctx.send('by send');
          ctx.write('by write');
          ctx.data.count = (ctx.data.count ?? 0) + 1;
          ctx.args[0](await ctx.timeout(DEADLINE).emitWithAck('ask'), await ctx.emitWithAck('ask'), ctx.data.count);
        });
        app.io.route('leave', (ctx) => ctx.disconnect());
      },
    });
    const [client, other] = [await connect(), await connect()];
    const sockets = app.io.of('/').sockets as Map<string, Socket>;
    await sockets.get(other.id as string)?.join('r1');
    const [toRoom, inRoom, direct] = [next(other, 'to room'), next(other, 'in room'), next(client, 'direct')];
    const messages: string[] = [];
    client.on('message', (text) => messages.push(text));
    other.on('except room', () => assert.fail('it reached the excepted room'));
    client.on('ask', (answer) => answer('answer'));
    const answer = await new Promise((done) => client.emit('go', (...all: unknown[]) => done(all)));
    assert.deepEqual(answer, ['answer', 'answer', 1]);
    await Promise.all([toRoom, inRoom]);
    assert.deepEqual(await direct, [true]);
    assert.deepEqual(messages, ['by send', 'by write']);
    const left = next(client, 'disconnect');
    client.emit('leave');
    await left;
  });

  it('should have the right ip, secure and protocol, with and without a proxy', async () => {
    const plain = await contexts();
    assert.deepEqual(
      [plain.packet.ip, plain.packet.secure, plain.packet.protocol, plain.connection.ip],
      ['127.0.0.1', false, 'http', '127.0.0.1'],
    );
    const headers = { 'x-forwarded-for': '10.1.2.3', 'x-forwarded-proto': 'https' };
    const proxied = await contexts({ proxy: true }, headers);
    assert.deepEqual([proxied.packet.ip, proxied.packet.secure, proxied.packet.protocol], ['10.1.2.3', true, 'https']);
    const untrusted = await contexts({}, headers);
    assert.deepEqual([untrusted.packet.ip, untrusted.packet.secure], ['127.0.0.1', false]);
  });

  it('should not modify the handshake request that the namespaces of a connection share', async () => {
    const { packet, app } = await contexts();
    const shared = packet.socket.request;
    assert(packet.req !== shared);
    assert.equal(shared.socket.constructor.name, 'Socket');
    assert.equal(shared.socket.remotePort, packet.conn.request.socket.remotePort);
    assert.equal(typeof shared.socket.remotePort, 'number');
    assert.equal('args' in shared, false);
    assert.equal(app.io.of('/').sockets.size, 1);
  });

  it('should share properties of ctx.req between the connection and the packets of one socket only', async () => {
    type Noted = { user?: string };
    const { connect } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/other': {} } },
      middleware: {
        a: async (ctx, next) => {
          (ctx.req as Noted).user = String(ctx.query.user);
          await next();
        },
      },
      router: (app) => {
        for (const name of ['/', '/other']) {
          app.io.of(name).route('who', (ctx) => ctx.args[0]((ctx.req as Noted).user ?? null));
        }
      },
    });
    const [ann, bob] = [await connect('/', { query: { user: 'ann' } }), await connect('/', { query: { user: 'bob' } })];
    const other = await connected(ann.io.socket('/other'));
    assert.equal(await ann.emitWithAck('who'), 'ann');
    assert.equal(await bob.emitWithAck('who'), 'bob');
    assert.equal(await other.emitWithAck('who'), null);
  });

  it('should belong to one socket if a connection has two namespaces', async () => {
    const hold = signal();
    const { connect } = await startInline({
      router: (app) => {
        for (const name of ['/one', '/two']) {
          app.io.of(name).route('slow', async (ctx) => {
            await hold.promise;
            ctx.args[0](ctx.socket.nsp.name, ctx.id, ctx.ip);
          });
          app.io.of(name).route('quick', (ctx) => ctx.args[0](ctx.socket.nsp.name, ctx.id, ctx.ip));
        }
      },
    });
    const one = await connect('/one');
    const two = await connected(one.io.socket('/two'));
    const ask = (client: typeof one, event: string) =>
      new Promise((done) => {
        client.emit(event, (name: string, id: string, ip: string) => done([name, kind.idOf(id), ip]));
      });
    const slow = ask(one, 'slow');
    assert.deepEqual(await ask(two, 'quick'), ['/two', two.id, '127.0.0.1']);
    hold.resolve();
    assert.deepEqual(await slow, ['/one', one.id, '127.0.0.1']);
  });

  it('should be app.currentContext in the chains and the controller', async () => {
    const seen: boolean[] = [];
    const current = async (app: Application, ctx: Context) => {
      seen.push(app.currentContext === ctx);
      await new Promise(setImmediate);
      seen.push(app.currentContext === ctx);
    };
    const middleware = async (ctx: Context, next: Next) => {
      await current(ctx.app, ctx);
      await next();
    };
    const { connect, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'], packetMiddleware: ['a'] } } },
      middleware: { a: middleware },
      router: (app) =>
        app.io.route('x', async (ctx) => {
          await current(app, ctx);
          ctx.args[0]();
        }),
    });
    const client = await connect();
    await Promise.all([client.emitWithAck('x'), client.emitWithAck('x')]);
    assert.deepEqual(seen, Array(10).fill(true));
    assert.equal(app.currentContext, undefined);
  });

  it('should be secure with protocol https over TLS', async () => {
    const answered = signal<unknown>();
    const { connect, server } = await startInline({
      router: (app) => app.io.route('x', (ctx) => answered.resolve([ctx.secure, ctx.protocol])),
    });
    // A property of TLS sockets.
    server.on('connection', (socket) => Object.assign(socket, { encrypted: true }));
    (await connect()).emit('x');
    assert.deepEqual(await answered.promise, [true, 'https']);
  });

  it('should have the timestamps of an HTTP context', async () => {
    for (const enablePerformanceTimer of [false, true]) {
      const begin = Date.now();
      const { app, connection, packet } = await contexts({ logger: { enablePerformanceTimer } });
      const ofHttp = app.createAnonymousContext() as unknown as Record<string, unknown>;
      for (const ctx of [connection, packet] as unknown as Record<string, unknown>[]) {
        for (const time of ['starttime', 'performanceStarttime']) {
          assert.equal(
            typeof ctx[time],
            typeof ofHttp[time],
            `${time}, enablePerformanceTimer: ${enablePerformanceTimer}`,
          );
        }
        assert((ctx.starttime as number) >= begin && (ctx.starttime as number) <= Date.now());
        ctx.starttime = 1;
        assert.equal(ctx.starttime, 1);
      }
    }
  });

  it('should have the pending acknowledgements of its own client as ctx.acks', async () => {
    const { connection, socket, connect } = await contexts();
    const acks = connection.acks as Map<number, unknown>;
    assert.equal(acks.size, 0);
    const asked = next(socket, 'asked');
    const answer = connection.emitWithAck('asked');
    assert.equal(acks.size, 1);
    assert(connection.acks === acks, 'the same each time');
    await connect();
    const sockets = Array.from(connection.app.io.of('/').sockets.values());
    assert.deepEqual(
      sockets.map((each) => (each as unknown as { acks: typeof acks }).acks.size),
      [1, 0],
    );
    const [reply] = await asked;
    (reply as (text: string) => void)('well');
    assert.equal(await answer, 'well');
    assert.equal(acks.size, 0);
    const others = new Map();
    Object.assign(connection.socket, { acks: others });
    assert(connection.acks === others, 'those that were set');
  });

  it('should add no enumerable properties to a socket', async () => {
    const { connect, app } = await startInline({
      router: (app) => {
        for (const name of ['/', '/room/:id']) app.io.of(name).route('x', () => {});
      },
    });
    app.io.of('/unbound');
    for (const name of ['/', '/room/1', '/unbound']) await connect(name);
    const socketIn = (name: string) => app.io.of(name).sockets.values().next().value;
    const theirs = Object.keys(socketIn('/unbound') as object);
    for (const name of ['/', '/room/1']) {
      const ours = Object.keys(socketIn(name) as object);
      assert.deepEqual(
        ours.filter((key) => !theirs.includes(key)),
        [],
        name,
      );
    }
  });

  it("should be created by the application's own createContext", async () => {
    const { connect } = await startInline({
      boot: (app) => {
        const create = app.createContext;
        app.createContext = ((req, res) => Object.assign(create.call(app, req, res), { own: true })) as typeof create;
      },
      router: (app) =>
        app.io.route('x', (ctx) =>
          ctx.args[1](ctx.own, ctx.args[0], ctx.id, ctx.ip, ctx.session.isNew, ctx.app === app),
        ),
    });
    const client = await connect();
    const answer = await new Promise((done) => client.emit('x', 'argument', (...all: unknown[]) => done(all)));
    assert.deepEqual(answer, [true, 'argument', client.id, '127.0.0.1', true, true]);
  });

  it("should keep the members that the application's own createContext sets, those with a delegated name as well", async () => {
    const { connect } = await startInline({
      io: { connectionMiddleware: ['a'] },
      boot: (app) => {
        const create = app.createContext;
        const { context, request, response } = app as unknown as Record<string, object>;
        // The prototypes of before, as a framework may have them.
        app.createContext = ((req: object, res: object) => {
          const ctx = create.call(
            Object.create(app, Object.getOwnPropertyDescriptors({ context, request, response })),
            req as never,
            res as never,
          );
          if (ctx.get('x-tenant')) Object.assign(ctx, { tenant: ctx.get('x-tenant'), conn: 'own' });
          return ctx;
        }) as typeof create;
      },
      middleware: {
        a: async (ctx: Context, next: Next) => {
          ctx.socket.data.tenant = ctx.tenant;
          await next();
        },
      },
      router: (app) => app.io.route('x', (ctx) => ctx.args[0](ctx.tenant, ctx.data.tenant, ctx.conn, ctx.id)),
    });
    const client = await connect('/', { extraHeaders: { 'x-tenant': 'ann' } });
    const answer = await new Promise((done) => client.emit('x', (...all: unknown[]) => done(all)));
    assert.deepEqual(answer, ['ann', 'ann', 'own', client.id]);
  });

  it('should refuse clients if createContext returns a promise', async () => {
    const { client, app } = await startInline({
      boot: (app) => {
        const create = app.createContext;
        app.createContext = (async (req: never, res: never) => create.call(app, req, res)) as never;
      },
    });
    logs(app);
    assert.match((await refused(client())).message, /createContext\(\) of the application must return a context/);
  });

  it('should report an error of createContext like one of a middleware, and not affect other clients', async () => {
    let broken = false;
    const { connect, client, app } = await startInline({
      boot: (app) => {
        const create = app.createContext;
        app.createContext = ((req, res) => {
          if (broken) throw new Error('no context');
          return create.call(app, req, res);
        }) as typeof create;
      },
      router: (app) => {
        app.io.route('hail', (ctx) => ctx.args[0]('pong'));
        app.io.route('disconnect', () => assert.fail('without a context'));
      },
    });
    const { error: errors } = logs(app);
    const [one, other] = [await connect(), await connect()];
    broken = true;
    const heard = next(one, 'error');
    one.emit('hail');
    assert.deepEqual(await heard, ['no context']);
    assert.equal((await refused(client())).message, 'no context');
    one.disconnect();
    await until('all are logged', () => errors.length === 3);
    broken = false;
    assert.equal(await other.emitWithAck('hail'), 'pong');
  });

  it('should accept a body and headers although there is no response', async () => {
    const { connect } = await startInline({
      router: (app) =>
        app.io.route('x', (ctx) => {
          assert(ctx.response.res === ctx.res);
          ctx.body = { written: true };
          ctx.set('x-header', '1');
          ctx.args[0](ctx.status, ctx.response.get('x-header'));
        }),
    });
    const client = await connect();
    const answer = await new Promise((done) => client.emit('x', (...all: unknown[]) => done(all)));
    assert.deepEqual(answer, [200, '1']);
  });

  it("should not replace the application's own properties of ctx", async () => {
    const { connect } = await startInline({
      boot: (app) => {
        Object.defineProperty(app.context, 'timeout', { configurable: true, get: () => 'of the application' });
      },
      router: (app) =>
        app.io.route('x', (ctx) => {
          const before = ctx.data;
          ctx.data = 'of this context';
          ctx.args[0](ctx.timeout, ctx.data, before === ctx.socket.data);
        }),
    });
    const client = await connect();
    const answer = await new Promise((done) => client.emit('x', (...all: unknown[]) => done(all)));
    assert.deepEqual(answer, ['of the application', 'of this context', true]);
  });

  it('should not change the contexts of HTTP requests', async () => {
    const { app, url } = await startInline({
      router: (app) =>
        app.router.get('/http', async (ctx: Context) => {
          ctx.body = { id: ctx.id ?? null, args: ctx.args ?? null, ip: ctx.ip, port: ctx.socket.remotePort! > 0 };
        }),
    });
    assert(app.io);
    const response = await fetch(`${url}/http`);
    assert.deepEqual(await response.json(), { id: null, args: null, ip: '127.0.0.1', port: true });
  });
});
