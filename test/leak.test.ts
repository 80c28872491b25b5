// Memory of closed connections is freed: of clients that disconnect, that disconnect during a chain, and that are refused.
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocket } from 'ws';
import { startInline } from './support/inline';
import { next, signal, until, within } from './support/wait';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The number of simultaneous connections. */
const WAVE = 100;
/** The number of connections before the first measurement of the heap, by which caches are filled and functions compiled. */
const WARM_UP = 2_000;
const CONNECTIONS = 10_000;
/** The maximum growth of the heap, in bytes: 200 for each connection. A context that is not freed takes more than 1,000. */
const ALLOWED = 200 * CONNECTIONS;
/** How long a test may take, in ms: ten times as long as on an idle machine. */
const LIMIT = 600_000;

async function settledHeap(): Promise<number> {
  // A collection frees objects that finalizers of the previous one have released.
  for (let i = 0; i < 4; i++) {
    collect();
    await new Promise(setImmediate);
  }
  return process.memoryUsage().heapUsed;
}

describe('memory', function () {
  this.timeout(LIMIT);

  it(`should not grow by ${CONNECTIONS} connections that were opened and closed`, async () => {
    let onions = 0;
    let packets = 0;
    let left = 0;
    const stuck = new Set<() => void>();
    const { url, app } = await startInline({
      config: { logger: { level: 'NONE', consoleLevel: 'NONE', coreLogger: { consoleLevel: 'NONE' } } },
      io: {
        generateId: () => `id-${Math.random().toString(36).slice(2)}${Date.now()}`,
        namespace: { '/': { connectionMiddleware: ['a', 'b'], packetMiddleware: ['c'] } },
        expires: () => Date.now() + 3_600_000,
      },
      middleware: {
        a: async (ctx, next) => {
          if (ctx.reauthenticating) return next();
          onions++;
          try {
            ctx.session.visits = 1;
            await next();
          } finally {
            onions--;
          }
        },
        b: async (ctx, next) => {
          if (ctx.query.mode === 'refused') throw new Error('refused');
          // The client disconnects while this middleware is running.
          if (ctx.query.mode === 'early') await new Promise<void>((resolve) => ctx.conn.once('close', () => resolve()));
          await next();
        },
        c: async (_ctx, next) => {
          packets++;
          await next();
        },
      },
      router: (app) => {
        app.io.route('x', async (ctx) => {
          await ctx.reauthenticate({ auth: { token: ctx.args[0] } });
          ctx.args[1]({ got: ctx.args[0], user: ctx.session.visits });
        });
        app.io.route('hang', async (ctx) => {
          const gone = new Promise<void>((resolve) => {
            stuck.add(resolve);
            ctx.socket.once('disconnect', () => resolve());
          });
          await gone;
          stuck.clear();
        });
        app.io.route('disconnect', () => left++);
      },
    });
    // mm() would keep the arguments of every call.
    app.coreLogger.error = () => {};
    const modes = ['ack', 'hang', 'early', 'refused', 'ack'];
    const wave = async () => {
      await Promise.all(Array.from({ length: WAVE }, (_, i) => visit(url, modes[i % modes.length] as string)));
      await until('all have gone', () => onions === 0 && app.io.of('/').sockets.size === 0 && stuck.size === 0);
    };
    for (let done = 0; done < WARM_UP; done += WAVE) await wave();
    const before = await settledHeap();
    for (let done = 0; done < CONNECTIONS; done += WAVE) await wave();
    const grown = (await settledHeap()) - before;
    assert(grown < ALLOWED, `${Math.round(grown / 1024)} KiB are left of ${CONNECTIONS} connections`);
    assert(packets > 0 && left > 0);
    const pending = (app.io.of('/') as unknown as { _preConnectSockets: Map<string, unknown> })._preConnectSockets;
    assert.equal(pending.size, 0);
  });

  it('should not grow if one connection joins and leaves a namespace repeatedly', async () => {
    let over = () => {};
    const { url, app } = await startInline({
      io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (_ctx, next) => {
          await next();
          over();
        },
      },
    });
    // Not socket.io-client, which would allocate memory in this process, too.
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    ws.on('message', (data) => {
      if (String(data).startsWith('40/chat')) ws.send('41/chat,');
      if (String(data) === '2') ws.send('3');
    });
    await next(ws, 'open');
    const joinAndLeave = async (times: number) => {
      for (let i = 0; i < times; i++) {
        const left = signal();
        over = left.resolve;
        ws.send('40/chat,');
        await left.promise;
      }
    };
    await within('joining and leaving', joinAndLeave(WARM_UP), LIMIT);
    const before = await settledHeap();
    await within('joining and leaving', joinAndLeave(CONNECTIONS), LIMIT);
    const grown = (await settledHeap()) - before;
    assert(grown < ALLOWED, `${Math.round(grown / 1024)} KiB are left`);
    assert.equal(app.io.of('/chat').sockets.size, 0);
    ws.close();
  });
});

describe('a connection that is refused repeatedly', function () {
  this.timeout(LIMIT);

  it('should be freed if a namespace middleware refuses it after the chain', async () => {
    const { url, app } = await startInline({
      io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: { a: (_ctx, next) => next() },
    });
    // Added after the chain.
    app.io.of('/chat').use((_socket, next) => next(new Error('no')));
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    let refused = signal();
    ws.on('message', (data) => {
      if (String(data).startsWith('44/chat')) refused.resolve();
      if (String(data) === '2') ws.send('3');
    });
    await next(ws, 'open');
    const tryAgain = async (times: number) => {
      for (let i = 0; i < times; i++) {
        refused = signal();
        ws.send('40/chat,');
        await refused.promise;
      }
    };
    await within('the refusals', tryAgain(WARM_UP), LIMIT);
    const before = await settledHeap();
    await within('the refusals', tryAgain(CONNECTIONS), LIMIT);
    const grown = (await settledHeap()) - before;
    assert(grown < ALLOWED, `${Math.round(grown / 1024)} KiB are left`);
    ws.close();
  });
});

/** Runs one client: it connects, acts by its mode, and disconnects. */
async function visit(url: string, mode: string): Promise<void> {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&mode=${mode}`);
  const over = signal();
  ws.on('close', () => over.resolve());
  ws.on('message', (data) => {
    const text = String(data);
    if (text.startsWith('0')) {
      ws.send('40');
      if (mode === 'early') setImmediate(() => ws.close());
    } else if (text.startsWith('40')) {
      ws.send(mode === 'ack' ? '421["x",{"a":[1,2,3]}]' : '42["hang"]');
      if (mode === 'hang') ws.send('41');
    } else if (text.startsWith('431') || text.startsWith('44')) {
      ws.close();
    }
    if (mode === 'hang' && text.startsWith('40')) ws.close();
  });
  await within(`the end of a ${mode} visit`, over.promise);
}
