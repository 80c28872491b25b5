// ctx.reauthenticate(): the connection middleware runs again, and the user and the expiry of the client are replaced.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { IoConfig, Middleware } from '../lib';
import { Expiry } from '../lib/expiry';
import { logs } from './support/app';
import { NEW, OLD, parityOf } from './support/clients';
import { controlClock } from './support/clock';
import { startInline } from './support/inline';
import { next, signal, times, until, within } from './support/wait';

const HOUR = 3_600_000;

const { resolution } = Expiry;

before(() => {
  Expiry.resolution = 10;
});

after(() => {
  Expiry.resolution = resolution;
});

/** A token that a client of any version can send: the user, and in how many ms it expires. */
type Token = { user: string; ms: number };

/** Connection middleware that verifies a token. Clients of Socket.IO 2 have no `auth` at their connection. */
const authenticate: Middleware = async (ctx, go) => {
  const { user, ms }: Token = ctx.handshake.auth.token ?? JSON.parse(String(ctx.query.token));
  if (user === 'mallory') throw Object.assign(new Error('bad token'), { code: 'BAD_TOKEN', expose: true });
  Object.assign(ctx.data, { user, end: Date.now() + ms });
  await go();
};

const IO: IoConfig = {
  connectionMiddleware: ['a'],
  user: (ctx) => ctx.data.user,
  expires: { at: (ctx) => ctx.data.end, grace: HOUR },
  ack: 'auto',
};

const query = (token: Token) => ({ query: { token: JSON.stringify(token) } });

/** The event of the application with which a client renews its authentication. */
const renew = async (ctx: Context) => {
  await ctx.reauthenticate({ auth: { token: ctx.args[0] } });
  return 'renewed';
};

const failure = (code: string, message: string) => ({ error: { message, code } });

parityOf([NEW, ...OLD], 'ctx.reauthenticate()', () => {
  it('should renew the authentication of a client in the grace period', async () => {
    const { app, client } = await startInline({
      io: IO,
      middleware: { a: authenticate },
      router: ({ io }) => {
        io.route('renew', renew);
        io.route('echo', (ctx) => ctx.args[0]);
      },
    });
    const socket = client('/', query({ user: 'ann', ms: 20 }));
    await next(socket, 'expired');
    const again = next(socket, 'expired');
    assert.equal(await socket.emitWithAck('renew', { user: 'ann', ms: 50 }), 'renewed');
    await again;
    // Renewed before its end.
    assert.equal(await socket.emitWithAck('renew', { user: 'ann', ms: HOUR }), 'renewed');
    const other = client('/', query({ user: 'bob', ms: 20 }));
    socket.on('expired', () => assert.fail('expired'));
    await next(other, 'expired');
    assert.equal(await socket.emitWithAck('echo', 1), 1);
    assert.equal(app.io.of('/').sockets.size, 2);
  });

  it('should move the socket to the rooms of the new user', async () => {
    const { app, connect } = await startInline({
      io: IO,
      middleware: { a: authenticate },
      router: ({ io }) => io.route('renew', renew),
    });
    const socket = await connect('/', query({ user: 'ann', ms: HOUR }));
    const usersOf = async () => [
      (await app.io.user('ann').fetchSockets()).length,
      (await app.io.user('bob').fetchSockets()).length,
    ];
    assert.deepEqual(await usersOf(), [1, 0]);
    await socket.emitWithAck('renew', { user: 'bob', ms: HOUR });
    assert.deepEqual(await usersOf(), [0, 1]);
  });

  it('should reject with the error of the middleware, and leave the client as it was until its grace period ends', async () => {
    const advance = controlClock();
    const { app, client } = await startInline({
      io: IO,
      middleware: { a: authenticate },
      router: ({ io }) => {
        io.route('renew', renew);
        io.route('auth', (ctx) => [ctx.handshake.auth.token ?? null, ctx.socket.handshake.auth.token ?? null]);
      },
    });
    logs(app);
    const socket = client('/', query({ user: 'ann', ms: 20 }));
    const notices = times(socket, 'expired', 2);
    const gone = next(socket, 'disconnect');
    await next(socket, 'expired');
    assert.deepEqual(
      await socket.emitWithAck('renew', { user: 'mallory', ms: HOUR }),
      failure('BAD_TOKEN', 'bad token'),
    );
    assert.deepEqual(await socket.emitWithAck('auth'), [null, null]);
    assert.equal((await app.io.user('ann').fetchSockets()).length, 1);
    advance(HOUR);
    assert.equal((await gone)[0], 'io server disconnect');
    assert.deepEqual((await notices)[1]?.[0], { grace: 0 });
  });
});

describe('ctx.reauthenticate()', () => {
  /** Starts an application whose event `renew` reauthenticates its client, and connects a client. */
  async function startWith(io: IoConfig, a: Middleware, auth: object = { token: 'first' }, nsp = '/') {
    const running = await startInline({
      io: { connectionMiddleware: ['a'], ack: 'auto', ...io },
      middleware: { a },
      router: (app) => {
        const own = app.io.of(nsp === '/room/5' ? '/room/:id' : nsp);
        own.route('renew', renew);
        own.route('again', (ctx) => ctx.reauthenticate());
        own.route('raw', (ctx) => ctx.reauthenticate({ auth: ctx.args[0] }));
        own.route('data', (ctx) => ctx.data);
        own.route('auth', (ctx) => [ctx.handshake.auth, ctx.socket.handshake.auth]);
      },
    });
    const client = await running.connect(nsp, { auth });
    return { ...running, client };
  }

  it('should run the middleware in a context of its own, with the new auth', async () => {
    const seen: Context[] = [];
    const { client } = await startWith({}, async (ctx, go) => {
      seen.push(ctx);
      const { app } = ctx;
      ctx.data[ctx.reauthenticating ? 'second' : 'first'] = [
        ctx.handshake.auth,
        ctx.socket.handshake.auth,
        ctx.req.socket === (ctx.socket as unknown),
        app.currentContext === ctx,
        ctx.packet === undefined,
      ];
      await go();
    });
    await client.emitWithAck('renew', 'second');
    const of = (token: string) => [{ token }, { token }, true, true, true];
    assert.deepEqual(await client.emitWithAck('data'), { first: of('first'), second: of('second') });
    assert.equal(seen.length, 2);
    assert.notEqual(seen[0], seen[1]);
    // The new auth stays.
    const auth = { token: 'second' };
    assert.deepEqual(await client.emitWithAck('auth'), [auth, auth]);
    await client.emitWithAck('again');
    assert.deepEqual((await client.emitWithAck('data')).second, of('second'));
  });

  it('should run the code after await next() once, when the client has left', async () => {
    const steps: string[] = [];
    const ended = signal();
    const { client } = await startWith({}, async (ctx, go) => {
      steps.push(ctx.reauthenticating ? 'again' : 'in');
      await go();
      steps.push(ctx.reauthenticating ? 'wrong' : 'out');
      ended.resolve();
    });
    await client.emitWithAck('renew', 1);
    await client.emitWithAck('renew', 2);
    assert.deepEqual(steps, ['in', 'again', 'again']);
    client.disconnect();
    await within('the end of the chain', ended.promise);
    assert.deepEqual(steps, ['in', 'again', 'again', 'out']);
  });

  it('should reject the promise of next() if config.io.expires or config.io.user refuses the client', async () => {
    const seen: string[] = [];
    let fails = '';
    const { app, client } = await startWith(
      {
        user: (ctx) => {
          if (fails === 'user') throw new Error('no user');
          return ctx.data.user ?? 'ann';
        },
        expires: (ctx) => {
          if (ctx.reauthenticating) ctx.data.user = 'bob';
          return Date.now() + (fails === 'expires' ? -HOUR : HOUR);
        },
      },
      async (_ctx, go) => {
        await go().catch((err) => seen.push(err.message));
      },
    );
    logs(app);
    fails = 'expires';
    const { error } = await client.emitWithAck('again');
    assert.deepEqual(
      [error.code, error.data, error.message.replace(/^.*: /, '')],
      ['EXPIRED', { code: 'EXPIRED' }, 'the authentication has expired'],
    );
    fails = 'user';
    assert.match((await client.emitWithAck('again')).error.message, /no user$/);
    assert.deepEqual(seen, ['the authentication has expired', 'no user']);
    assert.equal((await app.io.user('ann').fetchSockets()).length, 1);
    assert.equal((await app.io.user('bob').fetchSockets()).length, 0);
  });

  it('should hide the new auth from events that are handled meanwhile', async () => {
    const [begun, go] = [signal(), signal()];
    const { client, app } = await startWith({}, async (ctx, next) => {
      if (ctx.reauthenticating) {
        begun.resolve();
        await go.promise;
        assert.equal(ctx.socket.handshake.auth.token, 'forged');
        throw new Error('refused');
      }
      await next();
    });
    logs(app);
    const answer = client.emitWithAck('renew', 'forged');
    await within('the middleware', begun.promise);
    const first = { token: 'first' };
    assert.deepEqual(await client.emitWithAck('auth'), [first, first]);
    go.resolve();
    assert.match((await answer).error.message, /refused$/);
    assert.deepEqual(await client.emitWithAck('auth'), [first, first]);
  });

  it('should run calls one after the other', async () => {
    const steps: string[] = [];
    const { client, app } = await startWith({}, async (ctx, next) => {
      const { token } = ctx.handshake.auth;
      steps.push(`${token} begins`);
      await new Promise(setImmediate);
      steps.push(`${token} ends`);
      if (token === 2) throw new Error('refused');
      await next();
    });
    logs(app);
    steps.length = 0;
    const answers = await Promise.all([1, 2, 3].map((token) => client.emitWithAck('renew', token)));
    assert.deepEqual(
      answers.map((answer) => (answer === 'renewed' ? answer : 'refused')),
      ['renewed', 'refused', 'renewed'],
    );
    assert.deepEqual(
      steps,
      [1, 2, 3].flatMap((token) => [`${token} begins`, `${token} ends`]),
    );
    assert.deepEqual((await client.emitWithAck('auth'))[0], { token: 3 });
  });

  it('should load the session anew', async () => {
    const sessions = new Map<string, object>();
    const { app, connect } = await startInline({
      io: { connectionMiddleware: ['a'], ack: 'auto' },
      boot: (app) => {
        // Egg has a setter.
        Object.assign(app, {
          sessionStore: {
            get: async (key: string) => sessions.get(key),
            set: async (key: string, value: object) => void sessions.set(key, JSON.parse(JSON.stringify(value))),
            destroy: async (key: string) => void sessions.delete(key),
          },
        });
      },
      middleware: {
        a: async (ctx, go) => {
          ctx.session.visits = (ctx.session.visits ?? 0) + 1;
          ctx.data.role = ctx.session.role;
          await go();
        },
      },
      router: ({ io }) => {
        io.route('again', async (ctx) => {
          await ctx.reauthenticate();
          return ctx.data.role;
        });
      },
    });
    assert(app.io);
    const client = await connect();
    const [[key, value] = ['', {}]] = sessions;
    assert.equal((value as { visits?: number }).visits, 1);
    sessions.set(key, { ...value, role: 'admin' });
    assert.equal(await client.emitWithAck('again'), 'admin');
    assert.equal((sessions.get(key) as { visits?: number }).visits, 2);
    assert.equal(sessions.size, 1);
  });

  it('should reject if the middleware disconnects the client', async () => {
    const errors: unknown[] = [];
    let asked = 0;
    const running = await startInline({
      io: { connectionMiddleware: ['a'], user: () => ++asked },
      middleware: {
        a: async (ctx, go) => {
          if (ctx.reauthenticating) ctx.disconnect();
          await go();
        },
      },
      router: ({ io }) => {
        io.route('again', (ctx) => ctx.reauthenticate().catch((err) => errors.push(err)));
      },
    });
    const client = await running.connect();
    const gone = next(client, 'disconnect');
    client.emit('again');
    assert.equal((await gone)[0], 'io server disconnect');
    await until('the call has ended', () => errors.length === 1);
    assert.deepEqual(
      (errors as Array<{ code: string; expose: boolean }>).map(({ code, expose }) => [code, expose]),
      [['DISCONNECTED', true]],
    );
    assert.equal(asked, 1);
    assert.equal(running.app.io.of('/').adapter.rooms.size, 0);
  });

  for (const [what, leave] of [
    ['its namespace', (client: Socket) => client.disconnect()],
    ['its connection', (client: Socket) => client.io.engine.close()],
  ] as const) {
    it(`should reject if the client leaves ${what} while the middleware is running, and be named by the warning before`, async () => {
      const errors: Array<{ code: string }> = [];
      const begun = signal();
      const running = await startInline({
        io: { connectionMiddleware: ['a'], slowConnection: 20, expires: () => Date.now() + HOUR },
        middleware: {
          a: async (ctx, go) => {
            if (ctx.reauthenticating) {
              begun.resolve();
              await new Promise(() => {});
            }
            await go();
          },
        },
        router: ({ io }) => {
          io.route('again', (ctx) => ctx.reauthenticate().catch((err) => errors.push(err)));
          io.of('/chat').route('echo', () => {});
        },
      });
      const { warn } = logs(running.app);
      const client = await running.connect();
      const other = client.io.socket('/chat', {});
      await next(other, 'connect');
      client.emit('again');
      client.emit('again');
      await within('the middleware', begun.promise);
      await until('the warning', () => warn.length > 0);
      assert.match(
        warn[0],
        /ctx\.reauthenticate\(\) of a client of \/ has not ended after 20 ms: .* has begun is the middleware a \(client 127/,
      );
      leave(client);
      await until('both calls have ended', () => errors.length === 2);
      assert.deepEqual(
        errors.map(({ code }) => code),
        ['DISCONNECTED', 'DISCONNECTED'],
      );
    });
  }

  it('should not move the socket if the session cannot be saved', async () => {
    let isDown = false;
    const { app, connect } = await startInline({
      io: { ack: 'auto', user: (ctx) => (ctx.reauthenticating ? 'bob' : 'ann'), connectionMiddleware: ['a'] },
      boot: (app) => {
        Object.assign(app, {
          sessionStore: {
            get: async () => undefined,
            set: async () => {
              if (isDown) throw new Error('no store');
            },
            destroy: async () => {},
          },
        });
      },
      middleware: {
        a: async (ctx, go) => {
          ctx.session.at = Math.random();
          await go();
        },
      },
      router: ({ io }) => io.route('again', (ctx) => ctx.reauthenticate()),
    });
    logs(app);
    const client = await connect();
    isDown = true;
    assert.match((await client.emitWithAck('again')).error.message, /no store$/);
    assert.equal((await app.io.user('ann').fetchSockets()).length, 1);
    assert.equal((await app.io.user('bob').fetchSockets()).length, 0);
  });

  it('should reject if the new user has too many connections', async () => {
    const { app, connect } = await startInline({
      io: {
        ack: 'auto',
        limits: { connectionsPerUser: 1 },
        user: (ctx) => (ctx.reauthenticating ? 'bob' : ctx.query.user),
      },
      router: ({ io }) => io.route('again', (ctx) => ctx.reauthenticate()),
    });
    logs(app);
    await connect('/', { query: { user: 'bob' } });
    const client = await connect('/', { query: { user: 'ann' } });
    assert.deepEqual(await client.emitWithAck('again'), {
      error: {
        message: 'too many connections',
        code: 'TOO_MANY_CONNECTIONS',
        data: { code: 'TOO_MANY_CONNECTIONS', limit: 1 },
      },
    });
    assert.equal((await app.io.user('ann').fetchSockets()).length, 1);
    assert.equal((await app.io.user('bob').fetchSockets()).length, 1);
  });

  it('should reject after the client has disconnected', async () => {
    const errors: Array<{ code: string }> = [];
    const running = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
      router: ({ io }) => {
        io.route('disconnect', (ctx) => ctx.reauthenticate().catch((err) => errors.push(err)));
      },
    });
    const client = await running.connect();
    client.disconnect();
    await until('the call has ended', () => errors.length === 1);
    assert.equal(errors[0]?.code, 'DISCONNECTED');
  });

  it('should be disconnected at the end of the grace period although the middleware is still running', async () => {
    const errors: Array<{ code: string }> = [];
    const advance = controlClock();
    const begun = signal();
    const { connect } = await startInline({
      io: { connectionMiddleware: ['a'], expires: { at: () => Date.now() + HOUR, grace: 0 } },
      middleware: {
        a: async (ctx, go) => {
          if (ctx.reauthenticating) {
            begun.resolve();
            await new Promise(() => {});
          }
          await go();
        },
      },
      router: ({ io }) => {
        io.route('again', (ctx) => ctx.reauthenticate().catch((err) => errors.push(err)));
      },
    });
    const client = await connect();
    const gone = next(client, 'disconnect');
    client.emit('again');
    await within('the middleware', begun.promise);
    advance(HOUR);
    assert.equal((await gone)[0], 'io server disconnect');
    await until('the call has ended', () => errors.length === 1);
    assert.equal(errors[0]?.code, 'DISCONNECTED');
  });

  it('should reject in connection middleware, which would wait for itself', async () => {
    const errors: string[] = [];
    const { client } = await startWith({}, async (ctx, go) => {
      await ctx.reauthenticate().catch((err: Error) => errors.push(err.message));
      await go();
    });
    await client.emitWithAck('again');
    assert.equal(errors.length, 2);
    for (const message of errors) assert.match(message, /was called in connection middleware/);
  });

  for (const auth of ['text', null, 1, ['list']]) {
    it(`should reject the auth ${JSON.stringify(auth)}`, async () => {
      const { app, client } = await startWith({}, (_ctx, go) => go());
      logs(app);
      const { error } = await client.emitWithAck('raw', auth);
      assert.deepEqual([error.code, /auth must be an object/.test(error.message)], ['INVALID_AUTH', true]);
    });
  }

  it('should work in child namespaces', async () => {
    const { client } = await startWith(
      { namespace: { '/room/:id': {} } },
      async (ctx, go) => {
        ctx.data.seen = [ctx.params?.id, ctx.handshake.auth.token];
        await go();
      },
      undefined,
      '/room/5',
    );
    await client.emitWithAck('renew', 'second');
    assert.deepEqual(await client.emitWithAck('data'), { seen: ['5', 'second'] });
  });

  it('should work in a namespace without connection middleware, users and expiry', async () => {
    const { connect } = await startInline({
      io: { ack: 'auto' },
      router: ({ io }) => {
        io.route('renew', async (ctx) => {
          await ctx.reauthenticate({ auth: { token: ctx.args[0] } });
          return ctx.handshake.auth;
        });
      },
    });
    const client = await connect('/', { auth: { token: 1 } });
    assert.deepEqual(await client.emitWithAck('renew', 2), { token: 2 });
  });

  it('should leave a member of that name to the application', async () => {
    const { connect } = await startInline({
      io: { ack: 'auto', expires: () => Date.now() + HOUR },
      boot: (app) => {
        Object.assign(app.context, { reauthenticate: () => 'own' });
      },
      router: ({ io }) => io.route('again', (ctx) => ctx.reauthenticate()),
    });
    assert.equal(await (await connect()).emitWithAck('again'), 'own');
  });

  it('should log what a middleware throws that does not await next()', async () => {
    const renewed = signal();
    const { app, client } = await startWith({}, async (ctx, go) => {
      void go();
      if (!ctx.reauthenticating) return;
      await renewed.promise;
      throw new Error('too late');
    });
    const { error } = logs(app);
    assert.equal(await client.emitWithAck('renew', 1), 'renewed');
    renewed.resolve();
    await until('the error is logged', () => error.length === 1);
    assert.equal(error[0].message, 'too late');
    assert.equal(app.io.stats().namespaces['/']?.protocols[4].errors, 1);
  });

  it('should end the expiry if config.io.expires returns undefined', async () => {
    const advance = controlClock();
    const { client, connect } = await startWith(
      { expires: { at: (ctx) => (ctx.reauthenticating ? undefined : Date.now() + HOUR), grace: 0 } },
      (_ctx, go) => go(),
    );
    await client.emitWithAck('again');
    // It expires later.
    const other = await connect();
    const gone = next(other, 'disconnect');
    advance(HOUR);
    await gone;
    advance(-HOUR);
    assert.deepEqual(await client.emitWithAck('data'), {});
  });
});
