// docs/recipes/mini-program.js in a stand-in for the environment of a mini program.
import assert from 'node:assert/strict';
import type { Running } from './support/app';
import { startInline } from './support/inline';
import { buildClient, buildCommand, type MiniProgram, startMiniProgram } from './support/mini-program';
import { next, signal, times, until, within } from './support/wait';

/** An application that a mini program connects to. */
function application(): Promise<Running> {
  return startInline({
    // No timeout of the server closes what the client leaves open.
    io: {
      init: { pingInterval: 50, pingTimeout: 60_000 },
      namespace: { '/': {}, '/chat': { connectionMiddleware: ['guard'] } },
    },
    middleware: {
      guard: async (ctx, proceed) => {
        if (ctx.handshake.auth.token !== 'secret') ctx.throw(401, 'not authorized', { data: { code: 'BAD_TOKEN' } });
        await proceed();
      },
    },
    router: (app) => {
      app.io.of('/chat').route('say', async (ctx) => {
        const [text, ack] = ctx.args;
        ctx.emit('said', text);
        ack(await ctx.socket.timeout(30_000).emitWithAck('heard?', text));
      });
      app.io.of('/chat').route('picture', (ctx) => {
        const [picture, ack] = ctx.args;
        assert(Buffer.isBuffer(picture));
        ack(Buffer.concat([picture, Buffer.from([255])]), 'a text beside it');
      });
      app.io.of('/chat').route('leave me', (ctx) => ctx.disconnect());
      app.io.route('cookie', (ctx) => ctx.args[0](ctx.handshake.headers.cookie));
    },
  });
}

describe('the recipe for mini programs', () => {
  let client = '';
  let mini: MiniProgram;
  let running: Running;
  const clients = new Set<ReturnType<MiniProgram['connect']>>();
  const connect: MiniProgram['connect'] = (url, options) => {
    const socket = mini.connect(url, { reconnectionDelay: 1, reconnectionDelayMax: 10, ...options });
    clients.add(socket);
    return socket;
  };
  const chat = (options = {}) => connect(`${running.url}/chat`, { auth: { token: 'secret' }, ...options });

  before(async () => {
    client = await buildClient(buildCommand());
  });

  beforeEach(async () => {
    mini = startMiniProgram(client);
    running = await application();
  });

  afterEach(() => {
    for (const socket of clients) socket.close();
    clients.clear();
  });

  it('should need the line that the command adds', async () => {
    const other = await buildClient(buildCommand().replace(/--banner:js="[^"]*"/, ''));
    assert.throws(() => startMiniProgram(other), { message: /Function\(.*\) is not a function/ });
  });

  it('should send and receive events and acknowledgements', async () => {
    const socket = chat();
    socket.on('heard?', (text, ack) => ack(`yes: ${text}`));
    const said = next(socket, 'said');
    assert.equal(await within('the answer', socket.emitWithAck('say', '你好')), 'yes: 你好');
    assert.deepEqual(Array.from(await said), ['你好']);
    assert.equal(mini.connections.length, 1);
    assert.match(mini.connections[0]?.url ?? '', /^ws:.*\?EIO=4&transport=websocket$/);
  });

  it('should send and receive binary data, also a part of a buffer', async () => {
    const socket = chat();
    const whole = mini.buffer([1, 2, 3, 4]);
    for (const [picture, expected] of [
      [whole, [1, 2, 3, 4, 255]],
      [new Uint8Array(whole, 1, 2), [2, 3, 255]],
    ]) {
      const answered = signal<ArrayBuffer>();
      socket.emit('picture', picture, answered.resolve);
      assert.deepEqual(Array.from(new Uint8Array(await within('the answer', answered.promise))), expected);
    }
  });

  it('should be refused with the message and the data of the server', async () => {
    const socket = chat({ auth: { token: 'wrong' } });
    const [err] = await next(socket, 'connect_error');
    assert.equal(err.message, 'not authorized');
    assert.equal(err.data.code, 'BAD_TOKEN');
  });

  it('should send the headers that are asked for', async () => {
    const socket = connect(running.url, { extraHeaders: { cookie: 'EGG_SESS=abc' } });
    assert.equal(await within('the cookie', socket.emitWithAck('cookie')), 'EGG_SESS=abc');
  });

  it('should answer pings', async () => {
    const socket = chat();
    await next(socket, 'connect');
    await times(socket.io, 'ping', 3);
    assert(socket.connected);
    assert.equal(mini.connections.length, 1);
  });

  it('should reconnect when the connection is lost', async () => {
    const socket = chat();
    await next(socket, 'connect');
    const lost = next(socket, 'disconnect');
    const again = next(socket, 'connect');
    mini.sockets[0]?.terminate();
    assert.equal((await lost)[0], 'transport close');
    await again;
    assert.equal(mini.connections.length, 2);
    socket.on('heard?', (_text, ack) => ack('yes'));
    assert.equal(await within('the answer', socket.emitWithAck('say', 'hello')), 'yes');
  });

  it('should be disconnected by either side, and close its connection', async () => {
    const socket = chat();
    const left = next(socket, 'disconnect');
    socket.emit('leave me');
    assert.equal((await left)[0], 'io server disconnect');

    const reason = signal<string>();
    running.app.io.of('/chat').on('connection', (peer) => peer.on('disconnect', reason.resolve));
    socket.connect();
    await next(socket, 'connect');
    socket.disconnect();
    assert.equal(await within('the disconnection', reason.promise), 'client namespace disconnect');
    await until('the connection is closed', () => mini.sockets.every(({ readyState }) => readyState === 3));
  });

  it('should try again when connectSocket fails', async () => {
    mini.domains.clear();
    const socket = chat();
    const [err] = await next(socket, 'connect_error');
    assert.equal(err.message, 'websocket error');
    assert.match(err.description.message, /^connectSocket:fail url not in domain list/);
    mini.domains.add('127.0.0.1');
    await next(socket, 'connect');
  });

  it('should close a connection that opens after it was given up', async () => {
    const socket = chat({ forceNew: true });
    await until('it is connecting', () => mini.sockets.length === 1);
    socket.disconnect();
    await until('the connection is closed', () => mini.sockets[0]?.readyState === 3);
  });
});
