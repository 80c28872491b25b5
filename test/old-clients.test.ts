// Clients of Socket.IO 2, let in by init.allowEIO3: they hear and send what they did.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { logs } from './support/app';
import { type Inline, startInline } from './support/inline';
import { next, signal, until } from './support/wait';

const connectOld = require('socket.io-client2') as (url: string, options: object) => Socket;

describe('clients of Socket.IO 2', () => {
  const open: Socket[] = [];
  afterEach(() => {
    for (const socket of open.splice(0)) socket.close();
  });

  const connect = (url: string, options: object = {}) => {
    const socket = connectOld(url, { forceNew: true, reconnection: false, ...options });
    open.push(socket);
    return socket;
  };

  /** An application that lets old clients in, and a way for them. */
  const startApp = async (inline: Inline) => {
    const running = await startInline({ ...inline, io: { ...inline.io, init: { allowEIO3: true } } });
    return { ...running, old: (nsp = '/', options?: object) => connect(running.url + nsp, options) };
  };

  it('should connect, be answered, and have the ids they had', async () => {
    const { old } = await startApp({
      router: (app) => {
        for (const name of ['/', '/chat']) {
          app.io.of(name).route('who', (ctx) => ctx.args.at(-1)(ctx.id, ctx.handshake.query.token, ctx.args.length));
        }
      },
    });
    for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
      const root = old('/', { transports, query: { token: 't' } });
      await next(root, 'connect');
      const ask = (socket: Socket) => new Promise((done) => socket.emit('who', (...all: unknown[]) => done(all)));
      assert.deepEqual(await ask(root), [root.id, 't', 1]);
      const chat = old('/chat', { transports, query: { token: 't' } });
      await next(chat, 'connect');
      assert.deepEqual(await ask(chat), [chat.id, 't', 1]);
      assert.match(chat.id as string, /^\/chat#/);
    }
  });

  it('should hear error with data or message when the connection is refused', async () => {
    let thrown: Error & { data?: unknown } = new Error('not you');
    const { old, app } = await startApp({
      io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: () => {
          throw thrown;
        },
      },
    });
    logs(app);
    assert.deepEqual(await next(old(), 'error'), ['not you']);
    thrown = Object.assign(new Error('not you'), { data: { code: 1 } });
    assert.deepEqual(await next(old(), 'error'), [{ code: 1 }]);
  });

  it('should hear error when a packet fails, and stay', async () => {
    const { old, app } = await startApp({
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
    const client = old();
    await next(client, 'connect');
    let heard = next(client, 'error');
    client.emit('bad');
    assert.deepEqual(await heard, [[1]]);
    heard = next(client, 'error');
    client.emit('worse');
    assert.deepEqual(await heard, ['[egg-socket.io] controller execute error: worse']);
    assert.equal(await new Promise((done) => client.emit('hello', done)), 'you too');
  });

  it('should run the connection chain of / and unwind it when they leave', async () => {
    const steps: string[] = [];
    const { old } = await startApp({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx, next) => {
          steps.push(`in ${ctx.socket.nsp.name}`);
          await next();
          steps.push(`out ${ctx.socket.nsp.name}`);
        },
      },
    });
    const chat = old('/chat');
    await next(chat, 'connect');
    // As ever, a client of Socket.IO 2 passes / before any other namespace.
    assert.deepEqual(steps, ['in /', 'in /chat']);
    chat.close();
    await until('both onions are over', () => steps.length === 4);
  });

  for (const name of ['/chat', '/native', '/room-1']) {
    it(`should pass / before ${name}: who is refused there gets no further`, async () => {
      const answered: string[] = [];
      const { old, app } = await startApp({
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
      logs(app);
      const intruder = old(name);
      intruder.on('connect', () => assert.fail('it was let in'));
      intruder.emit('secret');
      assert.deepEqual(await next(intruder, 'error'), ['not you']);
      intruder.close();
      const friend = old(name, { query: { pass: 'yes' } });
      await next(friend, 'connect');
      friend.emit('secret');
      await until('the friend is heard', () => answered.length === 1);
      friend.close();
      await until('all have gone', () => app.io.of(name).sockets.size === 0);
      const pending = (app.io.of(name) as unknown as { _preConnectSockets: Map<string, unknown> })._preConnectSockets;
      assert.equal(pending.size, 0);
    });
  }

  it('should be refused a namespace that they ask for twice before they are in /', async () => {
    const go = signal();
    const { url } = await startApp({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': {} } },
      middleware: {
        a: async (_ctx, next) => {
          await go.promise;
          await next();
        },
      },
    });
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=3&transport=websocket`);
    const answers: string[] = [];
    ws.on('message', (data) => answers.push(String(data)));
    await next(ws, 'open');
    for (let i = 0; i < 3; i++) ws.send('40/chat,');
    await until('two are refused', () => answers.filter((text) => text.startsWith('44/chat,')).length === 2);
    go.resolve();
    await until('one is in', () => answers.includes('40/chat,') || answers.includes('40/chat'));
    ws.close();
    await next(ws, 'close');
  });

  it('should be kept out without allowEIO3, and the log should say how to let them in', async () => {
    const { url, app } = await startInline({});
    const { warn } = logs(app);
    await next(connect(url), 'connect_error');
    assert.match(warn[0], /Unsupported protocol version.*config\.io\.init\.allowEIO3 = true/);
  });
});
