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

  /** A client that speaks the old protocol by hand, what it has heard, and its end. */
  const raw = async (url: string) => {
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=3&transport=websocket`);
    const heard: string[] = [];
    ws.on('message', (data) => heard.push(String(data)));
    await next(ws, 'open');
    return { ws, heard };
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
    const { ws, heard } = await raw(url);
    for (let i = 0; i < 3; i++) ws.send('40/chat,');
    await until('two are refused', () => heard.filter((text) => text.startsWith('44/chat,')).length === 2);
    go.resolve();
    await until('one is in', () => heard.includes('40/chat,') || heard.includes('40/chat'));
    ws.close();
    await next(ws, 'close');
  });

  it('should not be in another namespace when the chain of / has disconnected them', async () => {
    const answered: unknown[] = [];
    const { url, app } = await startApp({
      io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx, next) => {
          await new Promise(setImmediate);
          if (ctx.query.pass === 'yes') return next();
          ctx.emit('denied');
          return ctx.disconnect();
        },
      },
      router: (app) => {
        app.io.of('/chat').route('secret', (ctx) => answered.push(ctx.args));
        app.io.route('ping', (ctx) => ctx.args[0]('pong'));
      },
    });
    const { ws, heard } = await raw(url);
    ws.send('40/chat,');
    await until('it is out of /', () => heard.includes('41'));
    ws.send('42/chat,["secret"]');
    await until('it is gone', () => ws.readyState === WebSocket.CLOSED || app.io.engine.clientsCount === 0);
    assert(!heard.some((text) => text.startsWith('40/chat')), heard.join());
    assert.deepEqual(answered, []);
  });

  it('should pass / again when they were sent away from it', async () => {
    const { url, app } = await startApp({ io: { namespace: { '/': {}, '/chat': {} } } });
    const { ws, heard } = await raw(url);
    await until('it is in /', () => heard.includes('40'));
    ws.send('40/chat,');
    await until('it is in /chat', () => app.io.of('/chat').sockets.size === 1);
    ws.send('41/chat,');
    await until('it has left /chat', () => app.io.of('/chat').sockets.size === 0);
    app.io.of('/').disconnectSockets();
    await until('it is out of /', () => heard.includes('41'));
    ws.send('40/chat,');
    ws.send('40/nowhere,');
    await until('the sentinel is answered', () => heard.some((text) => text.startsWith('44/nowhere,')));
    assert.equal(app.io.of('/chat').sockets.size, 0);
    ws.send('40');
    await until('it is in both', () => app.io.of('/chat').sockets.size === 1);
    ws.close();
    await until('it has left', () => app.io.of('/chat').sockets.size === 0);
  });

  it('should run no chain, and leave nothing, when they leave before they are in /', async () => {
    const steps: string[] = [];
    const { url, app } = await startApp({
      io: { namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': { connectionMiddleware: ['b'] } } },
      middleware: {
        a: () => {
          steps.push('/');
          throw new Error('no');
        },
        b: (_ctx, next) => {
          steps.push('/chat');
          return next();
        },
      },
    });
    logs(app);
    const pending = (app.io.of('/chat') as unknown as { _preConnectSockets: Map<string, unknown> })._preConnectSockets;
    const { ws } = await raw(url);
    ws.send('40/chat,');
    await until('/chat is asked for', () => pending.size === 1);
    ws.close();
    await until('nothing is left', () => pending.size === 0);
    // One payload that asks for /chat and closes: the close comes before the namespace is asked.
    const endpoint = `${url}/socket.io/?EIO=3&transport=polling`;
    for (let i = 0; i < 5; i++) {
      const { sid } = JSON.parse((await (await fetch(endpoint)).text()).replace(/^\d+:0/, '').replace(/\}.*$/s, '}'));
      await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body: '8:40/chat,1:1' });
    }
    await until('nothing is left of these', () => pending.size === 0 && app.io.engine.clientsCount === 0);
    assert.deepEqual(new Set(steps), new Set(['/']));
  });

  it('should be kept out without allowEIO3, and the log should say how to let them in', async () => {
    const { url, app } = await startInline({});
    const { warn } = logs(app);
    await next(connect(url), 'connect_error');
    assert.match(warn[0], /Unsupported protocol version.*config\.io\.init\.allowEIO3 = true/);
  });
});
