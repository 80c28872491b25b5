// The connection middleware chain: it admits or refuses a client, and unwinds when the client is disconnected.
import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import type { Application, Context } from 'egg';
import { inFlightOf } from '../lib/in-flight';
import { connected, logs, type Running, refused } from './support/app';
import { assertRefusal, parity } from './support/clients';
import { bootError, noting, startInline } from './support/inline';
import { next, signal, until } from './support/wait';

type Next = () => Promise<void>;
type Client = ReturnType<Running['client']>;

const chain = (...connectionMiddleware: string[]) => ({ namespace: { '/': { connectionMiddleware } } });

/** Returns the unhandled rejection that a connecting client causes. Then it closes the client's connection. */
async function unhandled(come: () => Promise<Client>): Promise<Error> {
  const thrown = signal<unknown>();
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.once('unhandledRejection', thrown.resolve);
  try {
    const client = await come();
    const error = (await thrown.promise) as Error;
    client.io.engine.close();
    return error;
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
}

parity('connection chain', (kind) => {
  it('should run in order, and unwind when the socket is disconnected', async () => {
    const steps: string[] = [];
    const over = signal();
    const { connect } = await startInline({
      io: chain('a', 'b'),
      middleware: { a: noting(steps, 'a', over.resolve), b: noting(steps, 'b') },
    });
    const client = await connect();
    assert.deepEqual(steps, ['a in', 'b in']);
    client.disconnect();
    await over.promise;
    assert.deepEqual(steps, ['a in', 'b in', 'b out', 'a out']);
  });

  it('should run with a context of the handshake request', async () => {
    const seen = signal<Record<string, unknown>>();
    const { connect } = await startInline({
      io: chain('a'),
      middleware: {
        a: async (ctx: Context, next: Next) => {
          seen.resolve({
            header: ctx.get('x-test'),
            cookie: ctx.cookies.get('plain', { signed: false }),
            query: ctx.query.token,
            ip: ctx.ip,
            path: ctx.path,
            service: typeof ctx.service,
            helper: typeof ctx.helper,
            logger: typeof ctx.logger.info,
            auth: ctx.handshake.auth.name,
            id: ctx.id === ctx.socket.id,
          });
          await next();
        },
      },
    });
    const extraHeaders = { 'x-test': 'yes', cookie: 'plain=crumb' };
    await connect('/', { extraHeaders, query: { token: 't1' }, auth: { name: 'ann' } });
    assert.deepEqual(await seen.promise, {
      header: 'yes',
      cookie: 'crumb',
      query: 't1',
      ip: '127.0.0.1',
      path: '/socket.io/',
      service: 'object',
      helper: 'object',
      logger: 'function',
      auth: kind.protocol === 3 ? undefined : 'ann',
      id: true,
    });
  });

  it('should admit a client if the last middleware returns without next(), and unwind at once', async () => {
    const ended = signal();
    const { connect } = await startInline({
      io: chain('a', 'b'),
      middleware: {
        a: async (_ctx: Context, next: Next) => {
          await next();
          ended.resolve();
        },
        b: () => 'no next',
      },
      router: (app) => app.io.route('hi', (ctx) => ctx.args[0]('hello')),
    });
    const client = await connect();
    await ended.promise;
    assert.equal(await client.emitWithAck('hi'), 'hello');
  });

  describe('refusing', () => {
    const throwing = (thrown: unknown) =>
      startInline({
        io: chain('a'),
        middleware: {
          a: () => {
            throw thrown;
          },
        },
      });

    it('should send the message and the data of the error to the client, and log it once', async () => {
      const error = Object.assign(new Error('not you'), { data: { code: 401 } });
      const { client, app } = await throwing(error);
      const { error: errors } = logs(app);
      const heard = await refused(client());
      assertRefusal(heard, 'not you', { code: 401 });
      assert.deepEqual(errors, [error]);
    });

    for (const [thrown, message] of [
      ['plain text', 'plain text'],
      [null, 'non-error thrown: null'],
      [undefined, 'non-error thrown: undefined'],
      [0, 'non-error thrown: 0'],
      [{ message: 'an object', data: [1] }, 'an object'],
    ] as const) {
      it(`should refuse a client if a middleware throws ${JSON.stringify(thrown)}`, async () => {
        const { client, app } = await throwing(thrown);
        const { error: errors } = logs(app);
        const heard = await refused(client());
        assertRefusal(heard, message, (thrown as { data?: unknown } | null)?.data);
        assert.equal(errors.length, 1);
        assert(errors[0] instanceof Error);
      });
    }

    it('should refuse a client if the data of the error cannot be sent', async () => {
      const data: Record<string, unknown> = {};
      data.self = data;
      const { client, app } = await throwing(Object.assign(new Error('round'), { data }));
      logs(app);
      const heard = await refused(client());
      assertRefusal(heard, 'round');
      assert.equal((await refused(client())).message, 'round');
    });

    it('should unwind the middleware around the one that throws', async () => {
      const steps: unknown[] = [];
      const { client, app } = await startInline({
        io: chain('a', 'b'),
        middleware: {
          a: async (_ctx: Context, next: Next) => {
            try {
              await next();
            } catch (err) {
              steps.push((err as Error).message);
              throw new Error('said otherwise');
            }
          },
          b: async () => {
            throw new Error('inner');
          },
        },
      });
      logs(app);
      assert.equal((await refused(client())).message, 'said otherwise');
      assert.deepEqual(steps, ['inner']);
    });

    it('should refuse a client if a middleware throws after a next() that it did not await', async () => {
      const { client, app } = await startInline({
        io: chain('a'),
        middleware: {
          a: async (_ctx: Context, next: Next) => {
            void next();
            throw new Error('second thoughts');
          },
        },
      });
      logs(app);
      assert.equal((await refused(client())).message, 'second thoughts');
    });

    it('should refuse a client if a middleware rejects before its deferred next() runs', async () => {
      const { client, app } = await startInline({
        io: chain('a'),
        middleware: {
          a: (_ctx: Context, next: Next) => {
            void Promise.resolve()
              .then(next)
              .catch(() => {});
            return Promise.reject(new Error('too late'));
          },
        },
      });
      const { error } = logs(app);
      assert.equal((await refused(client())).message, 'too late');
      assert.deepEqual(
        error.map((err) => err.message),
        ['too late'],
      );
      assert.equal(app.io.stats().namespaces['/']?.protocols[kind.protocol].errors, 0);
    });

    it('should refuse a client, and log the error once, if the cookies cannot be read from the response', async () => {
      const { client, app } = await startInline({
        io: chain('a'),
        middleware: {
          a: async (ctx: Context, next: Next) => {
            ctx.res = { getHeader: () => assert.fail('no header') } as never;
            await next();
          },
        },
      });
      const { error } = logs(app);
      assert.equal((await refused(client())).message, 'no header');
      assert.deepEqual(
        error.map((err) => err.message),
        ['no header'],
      );
      await until('its chain has ended', () => inFlightOf(app.io).chains.running === 0);
    });

    for (const [where, hide, enter] of [
      ['', () => {}, () => {}],
      [
        ', if Egg has no ctxStorage',
        (app: Application) => Object.defineProperty(app, 'ctxStorage', { value: undefined }),
        () => {},
      ],
      [
        ', if a middleware has entered another context',
        () => {},
        ({ app }: Context) => app.ctxStorage.enterWith(app.createAnonymousContext()),
      ],
    ] as const) {
      it(`should log only the error that is thrown after the disconnect of an admitted client${where}`, async () => {
        const { connect, app } = await startInline({
          io: chain('a'),
          boot: hide,
          middleware: {
            a: async (ctx: Context, next: Next) => {
              enter(ctx);
              await next();
              throw new Error('too late');
            },
          },
        });
        const { error: errors } = logs(app);
        const client = await connect();
        client.disconnect();
        await until('the error is logged', () => errors.length);
        assert.deepEqual(
          errors.map((err) => err.message),
          ['too late'],
        );
        assert.equal(inFlightOf(app.io).chains.running, 0);
        await connect();
      });
    }
  });

  for (const names of [['a'], ['a', 'b']]) {
    it(`should reject a second next() in a chain of ${names.length} middleware`, async () => {
      const second: unknown[] = [];
      const over = signal();
      const again = (next: Next) => next().catch((err) => second.push(err.message));
      const { connect, app } = await startInline({
        io: chain(...names),
        middleware: {
          a: async (_ctx: Context, next: Next) => {
            const first = next();
            await again(next);
            await first;
            await again(next);
            over.resolve();
          },
          b: (_ctx: Context, next: Next) => next(),
        },
      });
      const client = await connect();
      client.disconnect();
      await over.promise;
      assert.deepEqual(second, Array(2).fill('next() called multiple times'));
      await until('the chain has ended', () => inFlightOf(app.io).chains.running === 0);
    });
  }

  it('should reject a second next() if the client is refused after the chain', async () => {
    const second = signal<Error>();
    const { client, app } = await startInline({
      io: { ...chain('a'), user: () => Promise.reject(new Error('nobody')) },
      middleware: {
        a: async (_ctx: Context, next: Next) => {
          await next().catch(() => {});
          await next().catch(second.resolve);
        },
      },
    });
    logs(app);
    assert.equal((await refused(client())).message, 'nobody');
    assert.equal((await second.promise).message, 'next() called multiple times');
    await until('the chain has ended', () => inFlightOf(app.io).chains.running === 0);
  });

  it('should unwind if app.mockContext() has replaced the current context', async () => {
    const { connect, app } = await startInline({
      io: chain('a'),
      middleware: { a: (_ctx: Context, next: Next) => next() },
    });
    const client = await connect();
    (app as unknown as { mockContext(): Context }).mockContext();
    client.disconnect();
    await until('the chain has ended', () => inFlightOf(app.io).chains.running === 0);
  });

  it('should not run for a client that an earlier namespace middleware has refused', async () => {
    const steps: string[] = [];
    const { client, connect, app } = await startInline({
      io: chain('a'),
      middleware: { a: noting(steps, 'a') },
      router: (app) => {
        app.io.use(({ handshake }, next) => next(handshake.query.in ? undefined : new Error('not in')));
      },
    });
    assert.equal((await refused(client())).message, 'not in');
    await connect('/', { query: { in: 'yes' } });
    assert.deepEqual(steps, ['a in']);
    assert.equal(app.io.of('/').sockets.size, 1);
  });

  it('should unwind in all namespaces of a connection if each of them closes it', async () => {
    const { client, app } = await startInline({
      io: { connectionMiddleware: ['a'], namespace: { '/': {}, '/chat': {} } },
      middleware: {
        a: async (ctx: Context, next: Next) => {
          ctx.disconnect(true);
          await next();
        },
      },
    });
    const root = client('/', { autoConnect: false, reconnection: false });
    const chat = root.io.socket('/chat');
    const ends = [root, chat].map((socket) => next(socket, 'disconnect'));
    for (const socket of [root, chat]) socket.connect();
    await Promise.all(ends);
    await until('both chains have ended', () => inFlightOf(app.io).chains.running === 0);
    for (const name of ['/', '/chat']) assert.equal(app.io.of(name).sockets.size, 0);
  });

  it('should run for a client that sends a session id of connection state recovery', async () => {
    const steps: string[] = [];
    const { connect, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'], packetMiddleware: ['b'] } } },
      middleware: { a: noting(steps, 'a'), b: noting(steps, 'b') },
      router: (app) => app.io.route('hi', (ctx) => ctx.args[0](ctx.ip, ctx.socket.remoteAddress, ctx.secure)),
    });
    const client = await connect('/', { auth: { pid: 'any', offset: 'any' } });
    const answer = await new Promise((resolve) => client.emit('hi', (...all: unknown[]) => resolve(all)));
    assert.deepEqual(answer, ['127.0.0.1', '127.0.0.1', false]);
    client.disconnect();
    await until('the chains have ended', () => inFlightOf(app.io).chains.running === 0);
    assert.deepEqual(steps, ['a in', 'b in', 'b out', 'a out']);
  });

  describe('a client that disconnects early', () => {
    it('should unwind if the client disconnects while the chain is running', async () => {
      const [entered, go, over] = [signal(), signal(), signal()];
      const { client, app } = await startInline({
        io: chain('a', 'b'),
        middleware: {
          a: async (_ctx: Context, next: Next) => {
            await next();
            over.resolve();
          },
          b: async (ctx: Context, next: Next) => {
            const closed = closeOf(ctx);
            entered.resolve();
            await closed;
            await go.promise;
            await next();
          },
        },
      });
      const leaving = client();
      await entered.promise;
      leaving.disconnect();
      go.resolve();
      await over.promise;
      assert.equal(app.io.of('/').sockets.size, 0);
    });

    it('should unwind if the client disconnects between next() and its admission', async () => {
      const over = signal();
      const { client, app } = await startInline({
        io: chain('a'),
        middleware: {
          a: async (ctx: Context, next: Next) => {
            const inner = next();
            ctx.conn.close();
            await inner;
            over.resolve();
          },
        },
      });
      client();
      await over.promise;
      assert.equal(app.io.of('/').sockets.size, 0);
    });

    it('should unwind in each namespace if the connection is closed', async () => {
      let open = 0;
      const namespace = Object.fromEntries(
        Array.from({ length: 15 }, (_, i) => [`/n${i}`, { connectionMiddleware: ['a'] }]),
      );
      const { client, app } = await startInline({
        io: { namespace },
        middleware: {
          a: async (_ctx: Context, next: Next) => {
            open++;
            await next();
            open--;
          },
        },
      });
      const warnings: Error[] = [];
      const onWarning = (warning: Error) => warnings.push(warning);
      process.on('warning', onWarning);
      const first = client('/n0');
      await connected(first);
      const others = Array.from({ length: 14 }, (_, i) => first.io.socket(`/n${i + 1}`));
      await Promise.all(others.map(connected));
      assert.equal(open, 15);
      app.io.of('/n3').sockets.values().next().value?.conn.close();
      await until('all onions have ended', () => open === 0);
      process.off('warning', onWarning);
      assert.deepEqual(warnings, []);
    });

    for (const [when, before] of [
      ['synchronously', () => {}],
      ['asynchronously', () => new Promise(setImmediate)],
    ] as const) {
      it(`should isolate later namespace middleware if the chain calls the innermost next() ${when}`, async () => {
        const heard: unknown[] = [];
        const ended = signal();
        const { client, connect, app } = await startInline({
          io: { ...chain('a'), containListeners: false },
          middleware: {
            a: async (ctx: Context, next: Next) => {
              const wait = before();
              if (wait) await wait;
              const going = app.ctxStorage.run(app.createAnonymousContext(), next);
              ctx.socket.data.user = 'ann';
              await going;
              if (ctx.query.token) ended.resolve();
            },
          },
        });
        app.io.use((socket, admit) => {
          heard.push(
            app.currentContext === undefined ? 'none' : app.currentContext.socket === socket,
            socket.data.user,
          );
          if (socket.handshake.query.token) throw new Error('sync thrown');
          admit();
        });
        await connect();
        const thrown = await unhandled(async () => {
          const waits = client('/', { query: { token: 'x' } });
          await until('the guard has seen it', () => heard.length === 4);
          return waits;
        });
        assert.equal(thrown.message, 'sync thrown');
        await ended.promise;
        assert.deepEqual(heard, [true, 'ann', true, 'ann']);
        await until('only the first chain runs', () => inFlightOf(app.io).chains.running === 1);
      });
    }

    it('should unwind if a later namespace middleware refuses the client', async () => {
      let inside = 0;
      const { connect, client, app } = await startInline({
        io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
        middleware: {
          a: async (_ctx: Context, next: Next) => {
            inside++;
            await next();
            inside--;
          },
        },
      });
      app.io.of('/chat').use((_socket, next) => setImmediate(next, new Error('later')));
      const stays = await connect();
      assert.equal((await refused(stays.io.socket('/chat'))).message, 'later');
      assert.equal((await refused(client('/chat'))).message, 'later');
      await until('both onions have ended', () => inside === 0);
      assert(stays.connected);
    });

    it('should unwind if a later namespace middleware throws, and the connection is closed', async () => {
      const ended = signal();
      const { client, app } = await startInline({
        io: { ...chain('a'), containListeners: false },
        middleware: {
          a: async (_ctx: Context, next: Next) => {
            await next();
            ended.resolve();
          },
        },
      });
      app.io.use(() => {
        throw new Error('sync thrown');
      });
      const thrown = await unhandled(async () => client());
      assert.equal(thrown.message, 'sync thrown');
      await ended.promise;
    });

    it('should listen for the close of the connection only while a later namespace middleware is running', async () => {
      const { connect, app } = await startInline({
        io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/slow': { connectionMiddleware: ['a'] } } },
        middleware: { a: (_ctx: Context, next: Next) => next() },
      });
      app.io.of('/slow').use((_socket, next) => setImmediate(next));
      const heard: string[] = [];
      // Runs after Socket.IO's handler of this event, which has already added Socket.IO's own listeners.
      app.io.engine.on('connection', (conn: EventEmitter) => {
        for (const event of ['newListener', 'removeListener']) {
          conn.on(event, (name) => name === 'close' && heard.push(event));
        }
      });
      const { io: manager } = await connect();
      assert.deepEqual(heard, []);
      await connected(manager.socket('/slow'));
      assert.deepEqual(heard, ['newListener', 'removeListener']);
    });

    it('should unwind in one namespace if the client leaves only that one', async () => {
      const ended: string[] = [];
      const { connect } = await startInline({
        io: { namespace: { '/a': { connectionMiddleware: ['a'] }, '/b': { connectionMiddleware: ['a'] } } },
        middleware: {
          a: async (ctx: Context, next: Next) => {
            await next();
            ended.push(ctx.socket.nsp.name);
          },
        },
        router: (app) => app.io.of('/b').route('hi', (ctx) => ctx.args[0]('still here')),
      });
      const a = await connect('/a');
      const b = await connected(a.io.socket('/b'));
      a.disconnect();
      await until('the onion of /a has ended', () => ended.length);
      assert.equal(await b.emitWithAck('hi'), 'still here');
      assert.deepEqual(ended, ['/a']);
    });
  });

  it('should emit connection and disconnect to native listeners if the chain disconnects the client', async () => {
    for (const close of [false, true]) {
      const seen: unknown[] = [];
      const { client } = await startInline({
        io: chain('a'),
        middleware: { a: (ctx: Context) => ctx.disconnect(close) },
        boot: (app) =>
          app.io.on('connection', (socket) => {
            seen.push(socket.connected);
            socket.on('disconnect', () => seen.push('over'));
          }),
      });
      await next(client(), 'disconnect');
      await until('its end is told', () => seen.length === 2);
      assert.deepEqual(seen, [true, 'over']);
    }
  });

  it('should leave nothing with the connection of a client that the chain disconnects', async () => {
    const { connect, app } = await startInline({
      io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: { a: (ctx: Context) => ctx.disconnect() },
    });
    const root = await connect();
    const [conn] = Array.from(app.io.sockets.sockets.values(), (socket) => socket.conn as EventEmitter);
    const before = conn!.listenerCount('close');
    const chat = root.io.socket('/chat', { autoConnect: false } as never);
    for (let n = 0; n < 5; n++) {
      const left = next(chat, 'disconnect');
      chat.connect();
      await left;
    }
    assert.equal(conn!.listenerCount('close'), before);
  });

  it('should close the connection of a refused client if the chain calls disconnect(true)', async () => {
    const { connect, app } = await startInline({
      io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: (ctx: Context) => {
          ctx.disconnect(true);
          throw new Error('banned');
        },
      },
    });
    logs(app);
    const root = await connect();
    const left = next(root, 'disconnect');
    assert.equal((await refused(root.io.socket('/chat'))).message, 'banned');
    await left;
  });

  it('should deliver events that the chain has emitted to a client that is disconnected on connection', async () => {
    const { client } = await startInline({
      io: chain('a'),
      middleware: {
        a: async (ctx: Context, next: Next) => {
          ctx.emit('denied', 'go away');
          await next();
        },
      },
      boot: (app) => app.io.on('connection', (socket) => socket.disconnect()),
    });
    const leaving = client();
    const denied = next(leaving, 'denied');
    await next(leaving, 'disconnect');
    assert.deepEqual(await denied, ['go away']);
  });
});

/** Resolves when the connection of a socket is closed. The socket need not be admitted. */
function closeOf(ctx: Context): Promise<void> {
  return new Promise((resolve) => ctx.conn.once('close', () => resolve()));
}

parity('config.io.slowConnection', () => {
  it('should log a chain that waits, with the middleware, the namespace and the address, once for each middleware', async () => {
    const gates = [signal(), signal()];
    let runs = 0;
    const { connect, client, app } = await startInline({
      io: { connectionMiddleware: ['a'], namespace: { '/chat': { connectionMiddleware: ['b'] } }, slowConnection: 10 },
      middleware: {
        a: (_ctx, next) => next(),
        b: async (_ctx, next) => {
          await gates[runs++]?.promise;
          await next();
        },
      },
    });
    const { warn } = logs(app);
    const first = client('/chat');
    await until('the first is logged', () => warn.length === 1);
    assert.match(
      warn[0],
      /a client of \/chat is neither admitted nor refused after 10 ms: .* has begun is the middleware b \(client 127\.0\.0\.1\)/,
    );
    const second = client('/chat');
    await until('the second waits', () => runs === 2);
    gates[0]?.resolve();
    await connected(first);
    // Timers with the same duration run in their order.
    await new Promise((resolve) => setTimeout(resolve, 10));
    gates[1]?.resolve();
    await connected(second);
    await connect('/chat');
    assert.equal(warn.length, 1);
  });

  it('should log a user lookup that waits', async () => {
    const gate = signal();
    const user = async () => {
      await gate.promise;
      return 'ann';
    };
    const slow = await startInline({ io: { user, slowConnection: 10 } });
    const { warn } = logs(slow.app);
    const waiting = slow.client();
    await until('it is logged', () => warn.length === 1);
    assert.match(warn[0], /a client of \/ is .* has begun is config\.io\.user/);
    gate.resolve();
    await connected(waiting);
  });
});

describe('config.io.slowConnection', () => {
  it('should fail the boot if it is not a number of ms', async () => {
    const { message } = await bootError({ io: { slowConnection: 0 } });
    assert.match(message, /config\.io\.slowConnection/);
  });
});
