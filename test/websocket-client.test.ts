// The client of docs/en/clients.md that only has a WebSocket, and the frames that the page describes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { WebSocket } from 'ws';
import { ROOT, type Running } from './support/app';
import { startInline } from './support/inline';
import { signal, times, within } from './support/wait';

const page = readFileSync(path.join(ROOT, 'docs/en/clients.md'), 'utf8');
const source = /```js\n(function connect\([\s\S]*?)```/.exec(page)?.[1];
const example = /```js\n(const client = connect\([\s\S]*?)```/.exec(page)?.[1];

interface Client {
  emit(event: string, ...args: unknown[]): void;
  call(event: string, ...args: unknown[]): Promise<unknown>;
  close(): void;
}

interface Options {
  namespace?: string;
  auth?: object;
  onConnect?: (sid: string) => void;
  onRefused?: (err: { message: string; data?: unknown }) => void;
  onEvent?: (event: unknown[], ack?: (...answer: unknown[]) => void) => void;
  onClose?: () => void;
}

describe('a client that only has a WebSocket', () => {
  let running: Running;
  let sockets: WebSocket[] = [];

  /** A WebSocket that is closed after the test. */
  class Tracked extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }

  const connect = (options: Options): Client =>
    new Function('WebSocket', `${source}\nreturn connect;`)(Tracked)(running.url.replace('http', 'ws'), options);

  /** Opens a WebSocket whose frames the test writes. Returns the next frames. */
  const open = (protocol: number) => {
    const ws = new Tracked(`${running.url.replace('http', 'ws')}/socket.io/?EIO=${protocol}&transport=websocket`);
    const frames: (string | Buffer)[] = [];
    let notify = () => {};
    ws.on('message', (data: Buffer, isBinary) => {
      frames.push(isBinary ? data : String(data));
      notify();
    });
    const read = async (): Promise<string | Buffer> => {
      if (frames.length === 0) {
        const arrived = signal();
        notify = arrived.resolve;
        await within('a frame', arrived.promise);
      }
      return frames.shift() as string | Buffer;
    };
    return { ws, read };
  };

  beforeEach(async () => {
    running = await startInline({
      io: {
        init: { allowEIO3: true, pingInterval: 100 },
        namespace: { '/': {}, '/chat': { connectionMiddleware: ['guard'] } },
      },
      middleware: {
        guard: async (ctx, proceed) => {
          const { auth, query } = ctx.handshake;
          if (auth.token !== 'secret' && query.token !== 'secret') ctx.throw(401, 'not authorized', { data: 'BAD' });
          await proceed();
        },
      },
      router: (app) => {
        for (const name of ['/', '/chat']) {
          app.io.of(name).route('say', async (ctx) => {
            const [text, ack] = ctx.args;
            ctx.emit('said', text);
            ack?.('ok', text);
          });
          app.io.of(name).route('ask me', async (ctx) => {
            ctx.emit('answered', await ctx.socket.timeout(30_000).emitWithAck('well?', 1));
          });
          app.io.of(name).route('picture', (ctx) => ctx.args[1](ctx.args[0]));
          app.io.of(name).route('leave me', (ctx) => ctx.disconnect(true));
        }
      },
    });
  });

  afterEach(() => {
    for (const ws of sockets) ws.terminate();
    sockets = [];
  });

  for (const namespace of ['/', '/chat']) {
    it(`should send and receive events and acknowledgements in ${namespace}`, async () => {
      const connected = signal<string>();
      const events: unknown[] = [];
      const answered = signal();
      const client = connect({
        namespace,
        auth: { token: 'secret' },
        onConnect: connected.resolve,
        onEvent: (event, ack) => {
          events.push(event);
          ack?.('fine');
          if (event[0] === 'answered') answered.resolve();
        },
      });
      const sid = await within('to be connected', connected.promise);
      assert(running.app.io.of(namespace).sockets.has(sid));
      assert.equal(await within('the answer', client.call('say', 'a "quote",\n[1]')), 'ok');
      assert.equal(await within('the answer', client.call('say', 'again')), 'ok');
      client.emit('ask me');
      await within('the answer to be received', answered.promise);
      assert.deepEqual(events, [
        ['said', 'a "quote",\n[1]'],
        ['said', 'again'],
        ['well?', 1],
        ['answered', 'fine'],
      ]);
    });
  }

  it('should run as the page shows', async () => {
    const logged: unknown[] = [];
    const done = signal();
    const log = (...args: unknown[]) => {
      logged.push(args);
      if (logged.length === 2) done.resolve();
    };
    const text = example?.replace('ws://127.0.0.1:7001', running.url.replace('http', 'ws'));
    new Function('WebSocket', 'console', `${source}\n${text}`)(Tracked, { log });
    await within('two lines', done.promise);
    assert.deepEqual(logged, [['said', ['hello']], ['ok']]);
  });

  it('should be refused', async () => {
    const refusal = signal<object>();
    connect({ namespace: '/chat', onRefused: refusal.resolve });
    assert.deepEqual(await within('the refusal', refusal.promise), { message: 'not authorized', data: 'BAD' });
  });

  it('should answer pings', async () => {
    const connected = signal<string>();
    connect({ onConnect: connected.resolve });
    const sid = await within('to be connected', connected.promise);
    const conn = running.app.io.of('/').sockets.get(sid)?.conn;
    assert(conn);
    await times(conn, 'heartbeat', 3);
    assert.equal(conn.readyState, 'open');
  });

  it('should be closed by either side', async () => {
    const byServer = signal();
    const first = connect({ onConnect: () => first.emit('leave me'), onClose: byServer.resolve });
    await within('the end of the first client', byServer.promise);

    const reason = signal<string>();
    running.app.io.on('connection', (peer) => peer.on('disconnect', reason.resolve));
    const connected = signal<string>();
    const second = connect({ onConnect: connected.resolve });
    await within('to be connected', connected.promise);
    second.close();
    assert.equal(await within('the disconnection', reason.promise), 'client namespace disconnect');
  });

  it('should send and receive the binary frames of the page', async () => {
    const { ws, read } = open(4);
    assert.match(String(await read()), /^0\{"sid":/);
    ws.send('40/chat,{"token":"secret"}');
    assert.match(String(await read()), /^40\/chat,\{"sid":/);
    ws.send('451-/chat,7["picture",{"_placeholder":true,"num":0}]');
    ws.send(Buffer.from([1, 2, 3]));
    let frame = await read();
    for (; frame === '2'; frame = await read()) ws.send('3');
    assert.equal(frame, '461-/chat,7[{"_placeholder":true,"num":0}]');
    assert.deepEqual(await read(), Buffer.from([1, 2, 3]));
  });

  it('should speak protocol 3 as the page says', async () => {
    const { ws, read } = open(3);
    assert.match(String(await read()), /^0\{"sid":/);
    assert.equal(await read(), '40');
    ws.send('2');
    assert.equal(await read(), '3');
    ws.send('40/chat?token=secret,');
    assert.equal(await read(), '40/chat,');
    ws.send('421["say","hello"]');
    assert.equal(await read(), '42["said","hello"]');
    assert.equal(await read(), '431["ok","hello"]');
    ws.send('451-2["picture",{"_placeholder":true,"num":0}]');
    ws.send(Buffer.from([4, 1, 2]));
    assert.equal(await read(), '461-2[{"_placeholder":true,"num":0}]');
    assert.deepEqual(await read(), Buffer.from([4, 1, 2]));

    const other = open(3);
    await other.read();
    assert.equal(await other.read(), '40');
    other.ws.send('40/chat,');
    assert.equal(await other.read(), '44/chat,"BAD"');
  });
});
