// config.io.expires: when the authentication of a client ends, and what happens then. For its renewal see reauthenticate.test.ts.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import { resolveConfig } from '../lib/config/config';
import { Expiry } from '../lib/expiry';
import { Stats } from '../lib/stats';
import { logs, mm, refused } from './support/app';
import { NEW, OLD, parityOf } from './support/clients';
import { controlClock } from './support/clock';
import { bootError, startInline } from './support/inline';
import { comeBack, cut } from './support/recovery';
import { next, signal, until, within } from './support/wait';

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

const { resolution } = Expiry;

/** Records `expired` and `disconnect` of a client, and returns the list when it has disconnected. */
async function ends(client: Socket): Promise<unknown[]> {
  const heard: unknown[] = [];
  client.on('expired', ({ grace }) => heard.push(grace > 0 ? 'expired' : 'expired, no grace'));
  const [reason] = await next(client, 'disconnect');
  return [...heard, reason];
}

const ENDED = ['expired', 'expired, no grace', 'io server disconnect'];

before(() => {
  Expiry.resolution = 10;
});

after(() => {
  Expiry.resolution = resolution;
});

parityOf([NEW, ...OLD], 'a client whose authentication ends', ({ protocol }) => {
  it('should receive expired, and be disconnected with the reason expired after the grace period', async () => {
    const reasons: unknown[] = [];
    const disconnected = signal();
    const advance = controlClock();
    const at = Date.now() + HOUR;
    const { app, connect } = await startInline({
      io: { expires: { at: () => at, grace: HOUR } },
      router: ({ io }) => {
        io.on('connection', (socket) =>
          socket.on('disconnect', (reason: string) => reasons.push(['listener', reason])),
        );
        io.route('disconnecting', (ctx) => reasons.push(['disconnecting', ctx.args[0], ctx.connected]));
        io.route('disconnect', (ctx) => {
          reasons.push(['disconnect', ctx.args[0], ctx.connected]);
          disconnected.resolve();
        });
      },
    });
    const socket = await connect();
    const ended = ends(socket);
    const notice = next(socket, 'expired');
    advance(at - Date.now() - 10);
    const [{ grace }] = await notice;
    assert(Date.now() >= at);
    assert(grace > HOUR / 2 && grace <= HOUR, `${grace}`);
    assert(socket.connected);
    advance(at + HOUR - Date.now() - 10);
    assert.deepEqual(await ended, ENDED);
    assert(Date.now() >= at + HOUR);
    await within('the route disconnect', disconnected.promise);
    assert.deepEqual(reasons.sort(), [
      ['disconnect', 'expired', false],
      ['disconnecting', 'expired', true],
      ['listener', 'expired'],
    ]);
    const { now, expired } = app.io.stats().namespaces['/']?.protocols[protocol] ?? {};
    assert.deepEqual({ now, expired }, { now: 0, expired: 1 });
  });

  it('should be disconnected from one namespace only', async () => {
    const { connect } = await startInline({
      io: { expires: { at: (ctx) => (ctx.socket.nsp.name === '/chat' ? Date.now() + 50 : undefined), grace: 0 } },
      router: ({ io }) => {
        io.of('/chat').route('echo', () => {});
        io.route('echo', ({ args: [what, ack] }) => ack(what));
      },
    });
    const home = await connect();
    const chat = home.io.socket('/chat', {});
    assert.deepEqual(await ends(chat), ENDED.slice(1));
    assert.equal(await home.emitWithAck('echo', 1), 1);
  });

  it('should be refused if its authentication and the grace period have ended', async () => {
    const { app, client } = await startInline({ io: { expires: { at: () => Date.now() - 1_000, grace: 1_000 } } });
    logs(app);
    const { message, data } = await refused(client());
    assert.equal(message || 'the authentication has expired', 'the authentication has expired');
    assert.deepEqual(data, { code: 'EXPIRED' });
  });

  it('should be admitted for the rest of the grace period', async () => {
    const advance = controlClock();
    const { client } = await startInline({ io: { expires: { at: () => Date.now() - HOUR, grace: 2 * HOUR } } });
    const socket = client();
    const ended = ends(socket);
    await next(socket, 'expired');
    advance(HOUR);
    assert.deepEqual(await ended, ENDED);
  });
});

describe('config.io.expires', () => {
  const times: Array<[string, (ms: number) => unknown]> = [
    ['a number', (ms) => ms],
    ['a Date', (ms) => new Date(ms)],
    ['a promise', async (ms) => new Date(ms)],
  ];
  for (const [what, make] of times) {
    it(`should accept ${what}`, async () => {
      const { client } = await startInline({
        io: { expires: { at: () => make(Date.now() + 20) as Date, grace: 0 } },
      });
      assert.deepEqual(await ends(client()), ENDED.slice(1));
    });
  }

  it('should be called with the context of the connection, after the middleware', async () => {
    const { client } = await startInline({
      io: { connectionMiddleware: ['a'], expires: { at: (ctx) => ctx.data.end, grace: 0 } },
      middleware: {
        a: async (ctx, next) => {
          ctx.data.end = Date.now() + 100;
          await next();
        },
      },
    });
    assert.deepEqual(await ends(client()), ENDED.slice(1));
  });

  it('should be called in child namespaces', async () => {
    const { client } = await startInline({
      io: {
        namespace: { '/room/:id': {} },
        expires: { at: (ctx) => (ctx.params?.id === '5' ? Date.now() + 20 : undefined), grace: 0 },
      },
    });
    assert.deepEqual(await ends(client('/room/5')), ENDED.slice(1));
  });

  it('should not end the authentication if it returns undefined, null or Infinity', async () => {
    const never = [undefined, null, Infinity];
    const { app, connect } = await startInline({ io: { expires: () => never.shift() } });
    for (const _each of [1, 2, 3]) await connect();
    controlClock()(100 * YEAR);
    // A client whose authentication ends after that.
    never.push(Date.now() + 20);
    const client = await connect();
    assert.deepEqual((await next(client, 'expired')).length, 1);
    assert.equal(app.io.of('/').sockets.size, 4);
  });

  for (const [what, returned, problem] of [
    ['seconds', 1_764_340_000, /returned 1764340000 for a client of \/: these are seconds, .* multiply by 1000/],
    ['a Date of seconds', new Date(1_764_340_000), /returned 1764340000 \(a Date\) .* multiply by 1000/],
    ['NaN', Number.NaN, /returned NaN for a client of \/ \(/],
    ['an invalid Date', new Date(Number.NaN), /returned NaN \(a Date\) for a client/],
    ['a string', '2030-01-01', /returned a value of type string for a client/],
    ['false', false, /returned a value of type boolean/],
    ['0', 0, /returned 0 for a client/],
  ] as const) {
    it(`should refuse the client if it returns ${what}, and log the reason`, async () => {
      const { app, client } = await startInline({ io: { expires: () => returned as number } });
      const { error } = logs(app);
      assert.equal((await refused(client())).message, 'internal error');
      assert.match(error[0].message, problem);
      assert.equal(error.length, 1);
    });
  }

  it('should refuse the client if it throws', async () => {
    const { app, client } = await startInline({
      io: {
        expires: async () => {
          throw new Error('no claims');
        },
      },
    });
    logs(app);
    assert.equal((await refused(client())).message, 'no claims');
  });

  it('should be named by the warning of slow connections, and not keep a client that leaves', async () => {
    let fail: (err: Error) => void = () => {};
    const { app, client } = await startInline({
      io: {
        slowConnection: 20,
        expires: () =>
          new Promise((_resolve, reject) => {
            fail = reject;
          }),
      },
    });
    const { warn, error } = logs(app);
    const socket = client();
    await until('the warning', () => warn.length > 0);
    assert.match(warn[0], /neither admitted nor refused after 20 ms: .* has begun is config\.io\.expires \(/);
    socket.disconnect();
    const waiting = app.io.of('/') as unknown as { _preConnectSockets: Map<string, unknown> };
    await until('no client is being admitted', () => waiting._preConnectSockets.size === 0);
    fail(new Error('too late'));
    await until('the error is logged', () => error.length === 1);
  });

  it('should wait until a later middleware of the namespace has admitted the client', async () => {
    const { app, client } = await startInline({ io: { expires: { at: () => Date.now() + 1, grace: 1 } } });
    const [arrived, go] = [signal(), signal()];
    app.io.use(async (_socket, done) => {
      arrived.resolve();
      await go.promise;
      done();
    });
    const socket = client();
    const heard: string[] = [];
    socket.on('connect', () => heard.push('connect'));
    const ended = ends(socket);
    await arrived.promise;
    const now = Date.now();
    // Several periods.
    await until('the grace period has ended', () => Date.now() > now + 50);
    go.resolve();
    assert.deepEqual(await ended, ENDED.slice(1));
    assert.deepEqual(heard, ['connect']);
  });

  it('should disconnect a client although a listener throws', async () => {
    const { app, client } = await startInline({
      io: { expires: { at: () => Date.now() + 20, grace: 0 } },
      router: ({ io }) => {
        let thrown = 0;
        io.on('connection', (socket) =>
          socket.onAnyOutgoing(() => {
            if (thrown++ === 0) throw new Error('of a listener');
          }),
        );
      },
    });
    const { error } = logs(app);
    await next(client(), 'disconnect');
    assert.equal(error[0].message, 'of a listener');
  });

  it('should be called again for a recovered client', async () => {
    const asked: boolean[] = [];
    const { app, url, connect } = await startInline({
      io: {
        init: { connectionStateRecovery: {} },
        expires: {
          at: (ctx) => {
            asked.push(ctx.recovered);
            return Date.now() + (ctx.recovered ? 50 : HOUR);
          },
          grace: 0,
        },
      },
    });
    const client = await connect();
    const heard = next(client, 'first');
    app.io.emit('first');
    await heard;
    await cut(client);
    const ended = ends(client);
    await comeBack(client, url);
    assert(client.recovered);
    assert.deepEqual(await ended, ENDED.slice(1));
    assert.deepEqual(asked, [false, true]);
  });

  for (const [what, recovered, reason] of [
    ['has a time', (ctx: Context) => ctx.data.end, 'expired'],
    [
      'throws',
      () => {
        throw new Error('no claims');
      },
      'server namespace disconnect',
    ],
    ['returns a time in the past', () => Date.now() - HOUR, 'expired'],
  ] as const) {
    it(`should be called for a recovered client whose middleware is skipped: it ${what}`, async () => {
      const reasons: unknown[] = [];
      let isFirst = true;
      const { app, url, connect } = await startInline({
        io: {
          init: { connectionStateRecovery: { skipMiddlewares: true } },
          connectionMiddleware: ['a'],
          expires: { at: (ctx) => (isFirst ? Date.now() + HOUR : recovered(ctx)), grace: 0 },
        },
        middleware: {
          a: async (ctx, next) => {
            ctx.data.end = Date.now() + 300;
            await next();
          },
        },
        router: ({ io }) => io.route('disconnect', (ctx) => reasons.push(ctx.args[0])),
      });
      const { error } = logs(app);
      const client = await connect();
      const heard = next(client, 'first');
      app.io.emit('first');
      await heard;
      await cut(client);
      isFirst = false;
      const gone = next(client, 'disconnect');
      await comeBack(client, url);
      await gone;
      assert(client.recovered);
      await until('both reasons', () => reasons.length === 2);
      assert.equal(reasons[1], reason);
      assert.deepEqual(
        error.map(({ message }) => message),
        reason === 'expired' ? [] : ['no claims'],
      );
    });
  }

  it('should be seen by a client of the test kit', async () => {
    mm.env('unittest');
    const advance = controlClock();
    const { app } = await startInline({ io: { expires: { at: () => Date.now() + 20, grace: HOUR } } });
    const client = await app.ioClient();
    await client.expect('expired', ({ grace }: { grace: number }) => grace > 0);
    advance(HOUR);
    await client.expect('expired', { grace: 0 });
    await client.expect('disconnect', 'io server disconnect');
  });

  it('should warn at boot if recovered clients skip their middleware', () => {
    const init = { connectionStateRecovery: { skipMiddlewares: true } };
    const { warnings } = resolveConfig({ init, expires: () => undefined });
    assert.match(warnings.join(), /config\.io\.expires is called for a recovered client although .* ctx\.data/);
    assert.deepEqual(resolveConfig({ init }).warnings, []);
  });

  it('should have a grace period of 30 s by default, and be off by default', () => {
    const at = () => undefined;
    assert.deepEqual(resolveConfig({ expires: at }).expires, { at, grace: 30_000 });
    assert.deepEqual(resolveConfig({ expires: { at } }).expires, { at, grace: 30_000 });
    assert.deepEqual(resolveConfig({ expires: { at, grace: 0 } }).expires, { at, grace: 0 });
    for (const expires of [undefined, false] as const) assert.equal(resolveConfig({ expires }).expires, undefined);
  });

  for (const [expires, problem] of [
    [5_000, /config\.io\.expires is invalid \(config\.io\.expires is 5000; allowed: a function/],
    [true, /config\.io\.expires is true; allowed: a function/],
    [{ grace: 5 }, /config\.io\.expires\.at is undefined; allowed: a function/],
    [{ at: () => 1, grace: -1 }, /config\.io\.expires\.grace is -1; allowed: milliseconds/],
    [{ at: () => 1, grase: 1 }, /unknown option grase .*one of: at, grace/],
    [function* () {}, /config\.io\.expires is \[GeneratorFunction/],
  ] as const) {
    it(`should fail the boot: ${problem.source}`, async () => {
      const { name, message } = await bootError({ io: { expires: expires as never } });
      assert.match(message, problem);
      assert.equal(name, 'EggSocketIOConfigError');
    });
  }
});

describe('the timer of all expiries', () => {
  it('should expire a client whose time is years away', async () => {
    const advance = controlClock();
    const { connect } = await startInline({ io: { expires: () => Date.now() + YEAR } });
    const socket = await connect();
    const ended = ends(socket);
    const notice = next(socket, 'expired');
    advance(YEAR);
    await notice;
    advance(30_000);
    assert.deepEqual(await ended, ENDED);
  });

  it('should work after the clock of the host was set back', async () => {
    const { client, connect } = await startInline({
      io: { expires: { at: (ctx) => Date.now() + Number(ctx.query.ms), grace: 0 } },
    });
    const advance = controlClock();
    advance(YEAR);
    await connect('/', { query: { ms: 2 * YEAR } });
    advance(-YEAR);
    assert.equal((await next(client('/', { query: { ms: 50 } }), 'disconnect'))[0], 'io server disconnect');
  });

  it('should be one for 10,000 sockets, keep no process alive, and end with the last socket', () => {
    const timers: NodeJS.Timeout[] = [];
    const { setTimeout: original } = globalThis;
    mm(globalThis, 'setTimeout', (...args: Parameters<typeof original>) => {
      const timer = original(...args);
      timers.push(timer);
      return timer;
    });
    const expiry = new Expiry({ at: () => undefined, grace: 0 }, assert.fail);
    const counts = new Stats().countsOf('/');
    const socket = (id: string) => ({ id, nsp: { name: '/' }, connected: true, conn: { readyState: 'open' } }) as never;
    const owners = Array.from({ length: 10_000 }, (_, i) => ({ socket: socket(`${i}`), runtime: { counts } }));
    for (const [i, owner] of owners.entries()) expiry.set(owner, Date.now() + HOUR + i * 100);
    // A second time, as a reauthentication does.
    for (const [i, owner] of owners.entries()) expiry.set(owner, Date.now() + 2 * HOUR + i * 100);
    assert.equal(timers.length, 1);
    assert.equal(timers[0]?.hasRef(), false);
    for (const owner of owners) expiry.delete(owner);
    assert.equal((timers[0] as unknown as { _destroyed: boolean })._destroyed, true);
    assert.equal(timers.length, 1);
  });

  it('should not expire a client in the context of another one', async () => {
    const inContext: boolean[] = [];
    const { app, client, connect } = await startInline({
      io: { expires: { at: (ctx) => Date.now() + Number(ctx.query.ms), grace: 0 } },
      router: ({ io }) => {
        io.on('connection', (socket) =>
          socket.on('disconnect', () =>
            inContext.push((app as { currentContext?: unknown }).currentContext !== undefined),
          ),
        );
      },
    });
    // The timer starts with the first client.
    await connect('/', { query: { ms: HOUR } });
    await next(client('/', { query: { ms: 50 } }), 'disconnect');
    assert.deepEqual(inContext, [false]);
  });

  it('should expire many clients in the order of their times', async () => {
    let asked = 0;
    const order: unknown[] = [];
    const advance = controlClock();
    const base = Date.now() + YEAR;
    const { app, connect } = await startInline({
      io: { expires: { at: () => base - asked++ * HOUR, grace: 0 } },
      router: ({ io }) => io.route('disconnect', (ctx) => order.push(ctx.query.n)),
    });
    for (const n of ['0', '1', '2', '3', '4']) await connect('/', { query: { n } });
    advance(YEAR);
    await until('all have gone', () => app.io.of('/').sockets.size === 0 && order.length === 5);
    assert.deepEqual(order, ['4', '3', '2', '1', '0']);
  });
});
