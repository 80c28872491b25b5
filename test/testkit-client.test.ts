// app.ioClient(): connected and refused clients, their options, and when they are closed.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { Context } from 'egg';
import { connected, mm, type Running, track } from './support/app';
import { startInline } from './support/inline';
import { next, signal, until } from './support/wait';

const Module = createRequire(__filename)('node:module');

describe('app.ioClient()', () => {
  let running: Running;
  let app: Running['app'];
  let held: ReturnType<typeof signal<void>>;
  const left: string[] = [];

  before(async () => {
    mm.env('unittest');
    running = await startInline({
      io: {
        namespace: {
          '/chat': { connectionMiddleware: ['guard'] },
          '/held': { connectionMiddleware: ['a'] },
          '/room/:id': {},
        },
      },
      middleware: {
        guard: async (ctx, next) => {
          if (ctx.query.banned) throw Object.assign(new Error('you are banned'), { data: { until: 'noon' } });
          await next();
          left.push(ctx.id);
        },
        a: async (_ctx: unknown, next) => {
          await held.promise;
          await next();
        },
      },
      router: (app) => {
        app.get('/plain', async (ctx: Context) => {
          ctx.body = 'plain';
        });
        app.io.route('say', async (ctx) => ctx.args[0]('in /'));
        app.io.of('/chat').route('handshake', async ({ headers, query, handshake, args }) => {
          const { 'x-name': header, cookie } = headers;
          args[0]({ header, cookie, query: query.name, auth: handshake.auth.token });
        });
        app.io.of('/leaving').route('disconnect', () => held.promise);
        app.io.of('/room/:id').route('which', async (ctx) => ctx.args[0](ctx.params?.id));
      },
    });
    ({ app } = running);
  });

  beforeEach(() => {
    held = signal();
    left.length = 0;
  });

  afterEach(() => held.resolve());

  const chatters = () => app.io.of('/chat').sockets.size;

  it('should connect a client', async () => {
    const client = await app.ioClient();
    assert.equal(client.connected, true);
    assert.ok(app.io.sockets.sockets.has(client.id as string));
    assert.equal(client.io.engine.transport.name, 'websocket');
    assert.equal(await client.emitWithAck('say'), 'in /');
  });

  it('should pass headers, query and auth to the handshake', async () => {
    const options = { headers: { 'X-Name': 'h', cookie: 'a=b' }, query: { name: 'q' }, auth: { token: 'a' } };
    const chat = await app.ioClient('/chat', options);
    assert.deepEqual(await chat.emitWithAck('handshake'), { header: 'h', cookie: 'a=b', query: 'q', auth: 'a' });
  });

  it('should pass other options to socket.io-client', async () => {
    const client = await app.ioClient('/chat', { transports: ['polling'] });
    assert.equal(client.io.engine.transport.name, 'polling');
  });

  it('should accept a namespace without its leading slash, and one with parameters', async () => {
    const room = await app.ioClient('room/7');
    assert.equal(await room.emitWithAck('which'), '7');
  });

  it('should open a connection for each client', async () => {
    const clients = [await app.ioClient('/chat'), await app.ioClient('/chat')];
    assert.notEqual(clients[0]?.io.engine.id, clients[1]?.io.engine.id);
    assert.equal(chatters(), 2);
  });

  it('should close clients after the test, before the next test connects one', async () => {
    // The clients of the previous test.
    const before = chatters();
    const chat = await app.ioClient('/chat');
    assert.deepEqual([before === 0 || left.length === before, chatters()], [true, 1]);
    const { id } = chat;
    await mm.restore();
    assert.equal(chat.connected, false);
    await app.ioClient();
    assert.deepEqual([left.at(-1), chatters()], [id, 0]);
  });

  it('should wait for the disconnect handlers of a test before the next test connects a client', async () => {
    await app.ioClient('/leaving');
    await mm.restore();
    let isIn = false;
    const next = app.ioClient().then(() => {
      isIn = true;
    });
    // Other clients connect meanwhile, one after the other.
    for (let i = 0; i < 3; i++) await connected(track(await app.ioClient.url()));
    assert.equal(isIn, false);
    held.resolve();
    await next;
  });

  it('should close clients that reconnect, and their sockets in other namespaces', async () => {
    const chat = await app.ioClient('/chat', { reconnection: true, reconnectionDelay: 1 });
    const other = chat.io.socket('/');
    await next(other as never, 'connect');
    chat.io.engine.close();
    await next(chat as never, 'connect');
    await mm.restore();
    assert.equal(chat.connected, false);
    await until('the other socket is disconnected', () => !other.connected);
    await until('the server has closed both sockets', () => app.io.sockets.sockets.size === 0 && chatters() === 0);
  });

  it('should fail with the message and the data of the refusal if the client is refused', async () => {
    await assert.rejects(app.ioClient('/chat', { query: { banned: '1' } }), {
      message: '[egg-socket.io] /chat refused the client: you are banned',
      data: { until: 'noon' },
    });
  });

  it('should fail if the server does not answer', async () => {
    await assert.rejects(
      app.ioClient('/held', { timeout: 30 }),
      /timed out after 30 ms waiting for \/held to admit or refuse the client/,
    );
  });

  it('should fail if the HTTP request is refused: the application has not refused the client', async () => {
    const elsewhere = { path: '/nowhere' };
    const message = /\/chat refused the client: websocket error/;
    await assert.rejects(app.ioClient('/chat', elsewhere), message);
    await assert.rejects(app.ioClient.expectRefused('/chat', undefined, elsewhere), message);
  });

  it('should list the namespaces if the namespace does not exist', async () => {
    await assert.rejects(app.ioClient('/chta'), {
      message: /\/chta refused the client: Invalid namespace \(there are: .*\/chat.*\)/,
    });
  });

  describe('expectRefused()', () => {
    const banned = { query: { banned: '1' } };

    it('should return the refusal', async () => {
      const refusal = await app.ioClient.expectRefused('/chat', /banned/, banned);
      assert.equal(refusal.message, 'you are banned');
      assert.deepEqual(refusal.data, { until: 'noon' });
      await app.ioClient.expectRefused('/chat', 'you are banned', banned);
      await app.ioClient.expectRefused('/chat', ({ data }) => (data as { until: string }).until === 'noon', banned);
      await app.ioClient.expectRefused('/chat', undefined, banned);
      await app.ioClient.expectRefused('/chat', async () => true, banned);
      await app.ioClient.expectRefused('/nowhere', /Invalid namespace/);
    });

    it('should fail if the client is refused for another reason', async () => {
      const message = /\/chat refused the client for another reason: you are banned/;
      for (const reason of [/log in/, 'banned', () => false, async () => false]) {
        await assert.rejects(app.ioClient.expectRefused('/chat', reason, banned), { code: 'ERR_ASSERTION', message });
      }
    });

    it('should fail if the client is admitted, and close it', async () => {
      await assert.rejects(app.ioClient.expectRefused('/chat', /banned/), /\/chat admitted the client/);
      await until('it is disconnected', () => chatters() === 0);
    });

    it('should fail if the server does not answer', async () => {
      await assert.rejects(app.ioClient.expectRefused('/held', undefined, { timeout: 30 }), /waiting for \/held/);
    });
  });

  it('should connect to a server of its own, which also answers HTTP requests', async () => {
    const url = await app.ioClient.url();
    await app.ioClient();
    assert.equal(await app.ioClient.url(), url);
    assert.equal(await (await fetch(`${url}/plain`)).text(), 'plain');
  });

  it('should name the package to install if socket.io-client is not installed', async () => {
    const { _resolveFilename: resolve } = Module;
    mm(Module, '_resolveFilename', function (this: unknown, request: string, ...rest: unknown[]) {
      return resolve.call(this, request === 'socket.io-client' ? 'socket.io-client-not-there' : request, ...rest);
    });
    await assert.rejects(
      app.ioClient(),
      /needs socket\.io-client .* not installed .*: npm install --save-dev socket\.io-client$/,
    );
  });

  it('should fail if socket.io-client is too old', async () => {
    const { _resolveFilename: resolve } = Module;
    mm(Module, '_resolveFilename', function (this: unknown, request: string, ...rest: unknown[]) {
      return resolve.call(this, request === 'socket.io-client' ? 'socket.io-client2' : request, ...rest);
    });
    await assert.rejects(app.ioClient(), /needs socket\.io-client 4\.6 or later, which is too old in/);
  });
});

describe('the test kit', () => {
  it('should not exist in other environments', async () => {
    mm.env('prod');
    // If egg-mock's variable is set, Egg loads *.unittest.ts in any environment.
    delete process.env.EGG_MOCK_SERVER_ENV;
    const { app } = await startInline({});
    assert.equal(app.config.env, 'prod');
    assert.deepEqual(['ioClient' in app, 'mockIoContext' in app], [false, false]);
  });

  it('should close with the application even if mm.restore() is not called', async () => {
    mm.env('unittest');
    const { app } = await startInline({});
    const client = await app.ioClient();
    const url = await app.ioClient.url();
    const { mm: restoring } = app as unknown as { mm: { restore(): void } };
    assert.ok(restoring);
    await app.close();
    assert.equal(client.connected, false);
    await assert.rejects(fetch(url), { message: 'fetch failed' });
  });

  it('should close with the application even if other clients are connected', async () => {
    mm.env('unittest');
    const { app } = await startInline({});
    const other = track(await app.ioClient.url());
    await connected(other);
    await app.close();
    await until('the client is disconnected', () => !other.connected);
  });

  it('should receive the arguments that the application has sent if connectionStateRecovery is on', async () => {
    mm.env('unittest');
    const { app } = await startInline({
      io: { init: { connectionStateRecovery: {} } },
      router: (app) => app.io.route('say', async (ctx) => ctx.emit('said', ctx.args[0])),
    });
    const client = await app.ioClient();
    client.emit('say', 'hello');
    assert.deepEqual(await client.expect('said'), ['hello']);
  });

  it("should use the application's path and transports", async () => {
    mm.env('unittest');
    const { app } = await startInline({
      io: { init: { path: '/elsewhere', transports: ['polling'] } },
      router: (app) => app.io.route('say', async (ctx) => ctx.args[0]('here')),
    });
    const client = await app.ioClient();
    assert.equal(await client.emitWithAck('say'), 'here');
    assert.equal(client.io.engine.transport.name, 'polling');
  });
});
