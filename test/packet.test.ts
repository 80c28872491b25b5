// The packet middleware chain, the controller inside it, and errors of both.
import assert from 'node:assert/strict';
import { tracingChannel } from 'node:diagnostics_channel';
import type { Context } from 'egg';
import type { Middleware } from '../lib';
import { inFlightOf } from '../lib/in-flight';
import { logs } from './support/app';
import { ALL, parityOf } from './support/clients';
import { type Inline, noting, startInline } from './support/inline';
import { next, signal, times, until, within } from './support/wait';

const chain = (...packetMiddleware: string[]) => ({ namespace: { '/': { packetMiddleware } } });
const PREFIX = '[egg-socket.io] controller execute error: ';

/** Starts an application with one packet middleware and a route `hail`, which acknowledges the sentinel event of a test. */
const withMiddleware = (a: Middleware, more: Inline = {}) =>
  startInline({
    io: chain('a'),
    middleware: { a },
    ...more,
    router: (app) => {
      app.io.route('hail', (ctx) => ctx.args.at(-1)('pong'));
      more.router?.(app);
    },
  });

parityOf(ALL, 'packet chain', () => {
  it('should run the middleware in order, then the controller, and unwind when the controller has finished', async () => {
    const steps: string[] = [];
    const [working, finish, over] = [signal(), signal(), signal()];
    const { connect } = await startInline({
      io: chain('a', 'b'),
      middleware: { a: noting(steps, 'a', over.resolve), b: noting(steps, 'b') },
      router: (app) =>
        app.io.route('work', async () => {
          steps.push('controller');
          working.resolve();
          await finish.promise;
          steps.push('controller done');
        }),
    });
    const client = await connect();
    client.emit('work');
    await working.promise;
    assert.deepEqual(steps, ['a in', 'b in', 'controller']);
    finish.resolve();
    await over.promise;
    assert.deepEqual(steps.slice(3), ['controller done', 'b out', 'a out']);
  });

  it('should unwind at once if the event has no route', async () => {
    const seen: unknown[] = [];
    const { connect } = await withMiddleware(async (ctx, next) => {
      await next();
      seen.push(ctx.packet[0]);
    });
    const client = await connect();
    client.emit('nobody knows', 1);
    assert.equal(await client.emitWithAck('hail'), 'pong');
    await until('both onions are over', () => seen.length === 2);
    assert.deepEqual(seen, ['nobody knows', 'hail']);
  });

  it('should pass the arguments with the ack function as the last in ctx.args and ctx.req.args', async () => {
    const { connect } = await startInline({
      router: (app) => {
        app.io.route('count', function (this: Context, ctx: Context) {
          assert.equal(this, ctx);
          assert.equal((ctx.req as unknown as { args: unknown }).args, ctx.args);
          ctx.args[2](ctx.args.length, ctx.args.slice(0, 2), ctx.packet.slice(0, 3));
        });
        app.io.route('binary', (ctx) => ctx.args[1](Buffer.isBuffer(ctx.args[0]), ctx.args[0]));
        app.io.route('no ack', (ctx) => ctx.emit('got', ctx.args));
      },
    });
    const client = await connect();
    const answer = await new Promise((resolve) =>
      client.emit('count', 'x', { y: 1 }, (...all: unknown[]) => resolve(all)),
    );
    assert.deepEqual(answer, [3, ['x', { y: 1 }], ['count', 'x', { y: 1 }]]);
    const [isBuffer, bytes] = await new Promise<[boolean, Buffer]>((resolve) =>
      client.emit('binary', Buffer.from([1, 2, 255]), (...all: [boolean, Buffer]) => resolve(all)),
    );
    assert.equal(isBuffer, true);
    assert.deepEqual([...bytes], [1, 2, 255]);
    const got = next(client, 'got');
    client.emit('no ack', 'only this');
    assert.deepEqual(await got, [['only this']]);
  });

  it('should pass changes of ctx.packet to the controller and to native listeners', async () => {
    const native = signal<unknown[]>();
    const { connect } = await withMiddleware(
      async (ctx, next) => {
        if (ctx.packet[0] === 'old name') {
          ctx.packet[0] = 'new name';
          ctx.packet[1] = 'changed';
        }
        await next();
      },
      {
        router: (app) => {
          app.io.on('connection', (socket) => socket.on('new name', (...args) => native.resolve(args)));
          app.io.route('new name', (ctx) => ctx.args[1](ctx.args[0]));
        },
      },
    );
    const client = await connect();
    assert.equal(await client.emitWithAck('old name', 'original'), 'changed');
    const args = await native.promise;
    assert.equal(args[0], 'changed');
    assert.equal(args.length, 2);
    assert.equal(typeof args[1], 'function');
  });

  it("should replace the content of Socket.IO's packet if ctx.packet is assigned", async () => {
    const { connect } = await withMiddleware(
      async (ctx, next) => {
        ctx.packet = ['other', 'new', ctx.packet.at(-1)];
        assert.deepEqual(ctx.args.slice(0, 1), ['new']);
        await next();
      },
      { router: (app) => app.io.route('other', (ctx) => ctx.args[1](ctx.args[0])) },
    );
    const client = await connect();
    assert.equal(await client.emitWithAck('any', 1, 2, 3), 'new');
  });

  it("should pass only the client's arguments to native listeners", async () => {
    const heard = signal<unknown[]>();
    const { connect } = await startInline({
      router: (app) => app.io.on('connection', (socket) => socket.on('x', (...args) => heard.resolve(args))),
    });
    const client = await connect();
    client.emit('x', 1, 'two');
    assert.deepEqual(await heard.promise, [1, 'two']);
  });

  it('should drop the event if a middleware returns without next()', async () => {
    const reached: string[] = [];
    const { connect } = await withMiddleware(
      async (ctx, next) => {
        if (ctx.packet[0] !== 'secret') await next();
      },
      {
        router: (app) => {
          app.io.route('secret', () => reached.push('controller'));
          app.io.on('connection', (socket) => socket.on('secret', () => reached.push('listener')));
        },
      },
    );
    const client = await connect();
    client.emit('secret');
    assert.equal(await client.emitWithAck('hail'), 'pong');
    assert.deepEqual(reached, []);
  });

  it('should let a middleware call the ack', async () => {
    const { connect } = await withMiddleware((ctx) => ctx.args.at(-1)('from the middleware'));
    assert.equal(await (await connect()).emitWithAck('hail'), 'from the middleware');
  });

  it('should pass the same ctx to middleware and controller', async () => {
    const { connect } = await withMiddleware(
      async (ctx, next) => {
        ctx.user = 'ann';
        await next();
        ctx.emit('after', ctx.result);
      },
      {
        router: (app) =>
          app.io.route('who', async (ctx) => {
            ctx.result = `${ctx.user} was here`;
          }),
      },
    );
    const client = await connect();
    const after = next(client, 'after');
    client.emit('who');
    assert.deepEqual(await after, ['ann was here']);
  });

  it('should separate the packets of one socket', async () => {
    const { connect } = await startInline({
      router: (app) =>
        app.io.route('echo', async (ctx) => {
          await new Promise(setImmediate);
          ctx.args[1](ctx.args[0], ctx.packet[1], (ctx.req as unknown as { args: unknown[] }).args[0]);
        }),
    });
    const client = await connect();
    const answers = await Promise.all(
      Array.from(
        { length: 50 },
        (_, i) => new Promise((done) => client.emit('echo', i, (...all: unknown[]) => done(all))),
      ),
    );
    assert.deepEqual(
      answers,
      Array.from({ length: 50 }, (_, i) => [i, i, i]),
    );
  });

  describe('errors', () => {
    const failing = (thrown: unknown) =>
      withMiddleware(
        async (ctx, next) => {
          if (ctx.packet[0] === 'bad middleware') throw thrown;
          await next();
        },
        {
          router: (app) => {
            app.io.route('bad controller', async () => {
              throw thrown;
            });
            app.io.route('bad at once', () => {
              throw thrown;
            });
          },
        },
      );

    const withData = Object.assign(new Error('no entry'), { data: { code: 403 } });
    const cases: [unknown, unknown, unknown][] = [
      // [thrown, received if a middleware throws it, received if a controller throws it]
      [new Error('broken'), 'broken', `${PREFIX}broken`],
      [withData, { code: 403 }, { code: 403 }],
      ['text', 'text', 'text'],
      [null, 'non-error thrown: null', 'non-error thrown: null'],
      [undefined, 'non-error thrown: undefined', 'non-error thrown: undefined'],
      [{ data: 'like an error' }, 'like an error', 'like an error'],
      [Object.freeze(new Error('frozen')), 'frozen', `${PREFIX}frozen`],
    ];
    for (const [thrown, fromMiddleware, fromController] of cases) {
      it(`should emit error to the client, log once and not disconnect the client: ${String(thrown)}`, async () => {
        const { connect, app } = await failing(thrown);
        const { error: errors } = logs(app);
        const client = await connect();
        for (const [event, expected] of [
          ['bad middleware', fromMiddleware],
          ['bad controller', fromController],
          ['bad at once', fromController],
        ] as const) {
          const heard = next(client, 'error');
          client.emit(event);
          assert.deepEqual(await heard, [expected], event);
          assert.equal(errors.length, 1, event);
          assert(errors[0] instanceof Error);
          if (event !== 'bad middleware' && thrown instanceof Error) assert(errors[0].message.startsWith(PREFIX));
          errors.length = 0;
        }
        assert.equal(await client.emitWithAck('hail'), 'pong');
      });
    }

    it('should emit error to the client if the message of the error cannot be read', async () => {
      const { connect } = await startInline({
        router: (app) =>
          app.io.route('fail', () => {
            throw {
              get message() {
                throw new Error('not for you');
              },
            };
          }),
      });
      const client = await connect();
      const heard = next(client, 'error');
      client.emit('fail');
      assert.match((await heard)[0], /an error that can't be read: Error: not for you/);
    });

    it('should emit error to the client if a member of the error cannot be read, also if the event is traced', async () => {
      const { start } = tracingChannel('egg-socket.io:event');
      const trace = () => {};
      const { connect, app } = await startInline({
        router: (app) =>
          app.io.route('fail', () => {
            throw Object.defineProperty(new Error('broken'), 'cause', {
              get() {
                throw new Error('not for you');
              },
            });
          }),
      });
      const { error: errors } = logs(app);
      const client = await connect();
      for (const isTraced of [false, true]) {
        if (isTraced) start.subscribe(trace);
        try {
          const heard = next(client, 'error');
          client.emit('fail');
          assert.deepEqual(await heard, [`${PREFIX}broken`]);
        } finally {
          start.unsubscribe(trace);
        }
      }
      assert.equal(errors.length, 2);
    });

    it('should not emit error to other clients', async () => {
      const { connect, app } = await failing(new Error('mine'));
      logs(app);
      const [one, other] = [await connect(), await connect()];
      other.on('error', () => assert.fail('the other client heard of it'));
      const heard = next(one, 'error');
      one.emit('bad controller');
      await heard;
      assert.equal(await other.emitWithAck('hail'), 'pong');
    });

    it('should send the message if the data cannot be sent', async () => {
      const data: Record<string, unknown> = {};
      data.self = data;
      const { connect, app } = await failing(Object.assign(new Error('round'), { data }));
      const { error: errors } = logs(app);
      const client = await connect();
      const heard = next(client, 'error');
      client.emit('bad middleware');
      assert.deepEqual(await heard, ['round']);
      assert.equal(errors.length, 2);
    });

    it('should add the prefix only once to an error that is thrown twice', async () => {
      const { connect, app } = await failing(new Error('the same'));
      logs(app);
      const client = await connect();
      const heard = times(client, 'error', 2);
      client.emit('bad controller');
      client.emit('bad controller');
      assert.deepEqual(await heard, [[`${PREFIX}the same`], [`${PREFIX}the same`]]);
    });

    it('should let a middleware catch the error of the controller: it is neither sent nor logged', async () => {
      const { connect, app } = await withMiddleware(
        async (ctx, next) => {
          try {
            await next();
          } catch (err) {
            ctx.args.at(-1)({ caught: (err as Error).message });
          }
        },
        {
          router: (app) =>
            app.io.route('bad', async () => {
              throw new Error('inside');
            }),
        },
      );
      const { error: errors } = logs(app);
      const client = await connect();
      client.on('error', () => assert.fail('the client heard of it'));
      assert.deepEqual(await client.emitWithAck('bad'), { caught: `${PREFIX}inside` });
      assert.equal(await client.emitWithAck('hail'), 'pong');
      assert.deepEqual(errors, []);
    });

    it('should report a middleware that calls next() twice, and run the controller once', async () => {
      let runs = 0;
      const { connect, app } = await withMiddleware(
        async (_ctx, next) => {
          await next();
          await next();
        },
        { router: (app) => app.io.route('once', () => runs++) },
      );
      logs(app);
      const client = await connect();
      const heard = next(client, 'error');
      client.emit('once');
      assert.deepEqual(await heard, ['next() called multiple times']);
      assert.equal(runs, 1);
    });
  });

  it('should run middleware of socket.use() after the chain, whenever it was added', async () => {
    const steps: string[] = [];
    const { app, connect } = await startInline({
      io: { packetMiddleware: ['a'] },
      middleware: {
        a: async (_ctx, next) => {
          steps.push('chain');
          await next();
        },
      },
      router: (app) => app.io.route('hail', (ctx) => ctx.args[0]('pong')),
      boot: (app) =>
        app.io.on('connection', (socket) => {
          const step =
            (name: string): Parameters<typeof socket.use>[0] =>
            ([event], next) => {
              steps.push(`${name} ${event}`);
              next();
            };
          socket.use(step('at once'));
          process.nextTick(() => socket.use(step('later')));
          socket.on('hail', () => steps.push('listener'));
        }),
    });
    const client = await connect();
    for (let n = 0; n < 2; n++) {
      assert.equal(await client.emitWithAck('hail'), 'pong');
      await until('it is heard', () => steps.length === 4);
      assert.deepEqual(steps.splice(0), ['chain', 'at once hail', 'later hail', 'listener']);
    }
    assert.equal(app.io.sockets.sockets.size, 1);
  });

  describe('a client that disconnects', () => {
    for (const transports of [['websocket'], ['polling']] as const) {
      it(`should not handle packets after its disconnect packet: ${transports[0]}`, async () => {
        const steps: string[] = [];
        const left = signal();
        const { connect } = await startInline({
          router: (app) => {
            app.io.route('x', (ctx) => steps.push(`x ${ctx.connected}`));
            app.io.route('disconnect', () => {
              steps.push('disconnect');
              left.resolve();
            });
            app.io.of('/other').route('hail', (ctx) => ctx.args[0]('pong'));
          },
        });
        const options = { transports: [...transports], forceNew: false, multiplex: true };
        const client = await connect('/', options);
        const other = client.io.socket('/other');
        await next(other, 'connect');
        for (const packet of ['2["x"]', '1', '2["x"]']) client.io.engine.write(packet);
        await left.promise;
        assert.equal(await other.emitWithAck('hail'), 'pong');
        assert.deepEqual(steps, ['x true', 'disconnect']);
      });
    }

    it('should run the controller of an event that it sent before, and unwind', async () => {
      const [arrived, go, over] = [signal(), signal(), signal()];
      const { connect, app } = await withMiddleware(
        async (ctx, next) => {
          const gone = new Promise((resolve) => ctx.socket.on('disconnect', resolve));
          arrived.resolve();
          await gone;
          await go.promise;
          await next();
          over.resolve();
        },
        {
          router: (app) =>
            app.io.route('bye', async (ctx) => {
              assert.equal(ctx.connected, false);
              ctx.emit('nobody hears this');
            }),
        },
      );
      const { error: errors } = logs(app);
      const client = await connect();
      client.emit('bye');
      await arrived.promise;
      client.disconnect();
      go.resolve();
      await over.promise;
      assert.deepEqual(errors, []);
    });

    it('should unwind if it disconnects during the controller, and log the error of the controller', async () => {
      const [entered, over] = [signal(), signal()];
      const { connect, app } = await withMiddleware(
        async (_ctx, next) => {
          try {
            await next();
          } finally {
            over.resolve();
          }
        },
        {
          router: (app) =>
            app.io.route('long', async (ctx) => {
              const gone = new Promise((resolve) => ctx.socket.on('disconnect', resolve));
              entered.resolve();
              await gone;
              throw new Error('alone');
            }),
        },
      );
      const { error: errors } = logs(app);
      const client = await connect();
      client.emit('long');
      await entered.promise;
      client.disconnect();
      await over.promise;
      await until('the error is logged', () => errors.length === 1);
      assert.equal(errors[0].message, `${PREFIX}alone`);
    });
  });

  it('should work if the session middleware returns null, and with an invalid ctx.res', async () => {
    const { connect, app } = await startInline({
      router: (app) => {
        const middlewares = app.middleware as any[];
        const at = middlewares.findIndex(({ _name }) => _name?.startsWith('session'));
        const own = (_ctx: Context, next: () => void) => {
          next();
          return null;
        };
        middlewares[at] = Object.assign(own, { _name: 'session' });
        app.io.route('respond', (ctx) => {
          (ctx as any).res = {};
        });
        app.io.route('hail', (ctx) => ctx.args.at(-1)('pong'));
      },
    });
    const client = await connect();
    client.emit('respond');
    assert.equal(await client.emitWithAck('hail'), 'pong');
    // Handlers that have ended are not counted.
    await within('the end of all handlers', inFlightOf(app.io).handlers.idle());
  });
});
