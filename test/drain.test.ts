// Drain: a closing worker waits for running handlers, disconnects its clients gradually, and refuses new ones.
import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { EventEmitter } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import timers, { setTimeout as later } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { resolveConfig } from '../lib/config/config';
import type { DrainConfig } from '../lib/config/drain-options';
import { closeVariablesOf, drainTimesOf, drainWarnings } from '../lib/config/topology';
import { drainConnection } from '../lib/drain';
import { connected, EGG_MAJOR, logs, mm, type Running } from './support/app';
import { bootError, startInline } from './support/inline';
import { DEADLINE, next, signal, times, until, within } from './support/wait';

const HANDSHAKE = '/socket.io/?EIO=4&transport=polling';
/** In ms: so long that a test which waits for it fails. */
const AGES = { timeout: 600_000, spread: 300_000 };
/** Egg would wait as long. */
const allowAges = () => {
  for (const name of ['EGG_APP_CLOSE_TIMEOUT', 'GRACEFUL_TIMEOUT']) mm(process.env, name, '1000000');
};

/** Waits until new clients are refused: the application is closing. */
async function closing({ url }: Running): Promise<void> {
  await until('new clients are refused', async () => (await fetch(url + HANDSHAKE)).status === 503);
}

/** Starts an application with handlers that run until they are released, and a client. */
async function busy(client: Parameters<Running['connect']>[1] = {}) {
  const started = signal();
  const release = signal();
  let calls = 0;
  const running = await startInline({
    io: { drain: AGES, namespace: { '/': {}, '/chat': {} } },
    router: (app) => {
      app.io.of('/chat').route('work', async (ctx) => {
        calls++;
        started.resolve();
        await release.promise;
        ctx.args[0]('done');
      });
      app.io.of('/chat').route('ask', async (ctx) => {
        started.resolve();
        await release.promise;
        ctx.emit('told', 'in the middle');
        const answer = await ctx.emitWithAck('question');
        ctx.args[0](answer);
      });
      app.io.of('/chat').route('fast', () => calls++);
    },
  });
  const socket = await running.connect('/chat', client);
  return { running, socket, started: started.promise, release: release.resolve, calls: () => calls };
}

describe('a worker that closes', () => {
  beforeEach(allowAges);

  it('should disconnect clients before the application closes the resources of their handlers', async () => {
    const steps: string[] = [];
    const isReady = signal();
    const started = signal();
    const release = signal();
    const running = await startInline({
      io: { drain: AGES, namespace: { '/': {} } },
      boot: (app) => {
        const close = () => app.beforeClose(async () => void steps.push('the database is closed'));
        close();
        app.ready(close);
        app.messenger.once('egg-ready', () => {
          close();
          isReady.resolve();
        });
      },
      router: (app) => {
        app.io.route('work', async () => {
          started.resolve();
          await release.promise;
          steps.push('the handler has ended');
        });
        app.io.route('disconnect', () => steps.push('the client has left'));
      },
    });
    await isReady.promise;
    const client = await running.connect();
    client.emit('work');
    await started.promise;
    const closed = running.app.close();
    await closing(running);
    release.resolve();
    await closed;
    const closes = Array(3).fill('the database is closed');
    assert.deepEqual(steps, ['the handler has ended', 'the client has left', ...closes]);
  });

  it('should wait for a running handler, and send its acknowledgement before it disconnects the client', async () => {
    const { running, socket, started, release } = await busy();
    const idle = await running.connect();
    const steps: string[] = [];
    socket.emit('work', (answer: string) => steps.push(answer));
    socket.on('disconnect', (reason) => steps.push(reason));
    await started;
    const told = next(idle, 'disconnect');
    const closed = running.app.close();
    assert.equal((await told)[0], 'transport close');
    assert.equal(socket.connected, true);
    release();
    await closed;
    await until('the client is disconnected', () => steps.length === 2);
    assert.deepEqual(steps, ['done', 'transport close']);
  });

  it('should not handle new packets of a client that is being drained', async () => {
    const { running, socket, started, release, calls } = await busy();
    const got: string[] = [];
    // Connected later, so it is disconnected later.
    const idle = await running.connect();
    const answer = socket.emitWithAck('work');
    await started;
    const told = next(idle, 'disconnect');
    const closed = running.app.close();
    await told;
    for (const each of running.app.io.of('/chat').sockets.values()) each.onAny((event) => got.push(event));
    const second = socket.timeout(DEADLINE).emitWithAck('work');
    socket.emit('fast');
    const refused = assert.rejects(second, /socket has been disconnected/);
    await until('the server has received both', () => got.length === 2);
    release();
    assert.equal(await answer, 'done');
    await Promise.all([refused, closed]);
    assert.equal(calls(), 1);
  });

  it('should continue to answer the requests of a polling client', async () => {
    const { running, socket, started, release } = await busy({ transports: ['polling'] });
    socket.on('question', (answer) => answer('forty-two'));
    const told = next(socket, 'told');
    const answer = socket.emitWithAck('ask');
    await started;
    const left = next(socket, 'disconnect');
    const closed = running.app.close();
    await closing(running);
    release();
    assert.deepEqual(await told, ['in the middle']);
    assert.equal(await answer, 'forty-two');
    assert.equal((await left)[0], 'transport close');
    await closed;
  });

  it('should answer new handshakes with 503 and close their connection', async () => {
    const { running, socket, started, release } = await busy();
    const answered = socket.emitWithAck('work');
    await started;
    const agent = new Agent({ keepAlive: true });
    const closed = running.app.close();
    await closing(running);

    const request = get(running.url + HANDSHAKE, { agent });
    const [polling] = await next<[IncomingMessage]>(request, 'response');
    assert.equal(polling.statusCode, 503);
    assert.equal(polling.headers.connection, 'close');
    polling.resume();
    await within('the TCP connection to close', new Promise((resolve) => polling.socket.once('close', resolve)));

    const ws = new WebSocket(`${running.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const [, response] = await next<[unknown, IncomingMessage]>(ws, 'unexpected-response');
    assert.equal(response.statusCode, 503);
    assert.equal(response.headers.connection, 'close');
    response.resume();
    await next(response, 'close');

    release();
    assert.equal(await answered, 'done');
    await closed;
    assert.equal((await fetch(running.url + HANDSHAKE)).status, 503);
    agent.destroy();
  });

  it('should close a connection immediately if its handshake was in progress when the worker began to close', async () => {
    const asked = signal();
    let letIn: (() => void) | undefined;
    const allowRequest = (_req: unknown, done: (err: null, ok: boolean) => void) => {
      letIn = () => done(null, true);
      asked.resolve();
    };
    const started = signal();
    const release = signal();
    const running = await startInline({
      io: { drain: AGES, init: { allowRequest } },
      router: (app) =>
        app.io.route('work', async () => {
          started.resolve();
          await release.promise;
        }),
    });
    const first = running.client();
    await asked.promise;
    letIn?.();
    (await connected(first)).emit('work');
    await started.promise;
    letIn = undefined;
    const late = running.client();
    const refused = next(late, 'connect_error');
    await until('the handshake of the late client has begun', () => letIn);
    const closed = running.app.close();
    await closing(running);
    letIn!();
    await Promise.race([refused, next(late, 'disconnect')]);
    assert.equal(first.connected, true);
    release.resolve();
    await closed;
  });

  it('should wait for handlers of disconnecting and disconnect, and for the code after next()', async () => {
    const steps: string[] = [];
    const slow = (name: string) => async () => {
      await later(150);
      steps.push(name);
    };
    const { app, connect } = await startInline({
      io: { drain: AGES, namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (_ctx, next) => {
          await next();
          await slow('after next')();
        },
      },
      router: (app) => {
        app.io.route('disconnecting', slow('disconnecting'));
        app.io.route('disconnect', slow('disconnect'));
      },
    });
    await connect();
    await app.close();
    assert.deepEqual(steps.sort(), ['after next', 'disconnect', 'disconnecting']);
  });

  it('should wait for the disconnect handler of a client that has stopped polling', async () => {
    let left = '';
    const { app, url } = await startInline({
      io: { drain: { timeout: 4000 } },
      router: (app) =>
        app.io.route('disconnect', async (ctx) => {
          await later(20);
          left = ctx.args[0];
        }),
    });
    const sid = JSON.parse((await (await fetch(url + HANDSHAKE)).text()).slice(1)).sid;
    await fetch(`${url}${HANDSHAKE}&sid=${sid}`, { method: 'POST', body: '40' });
    assert.match(await (await fetch(`${url}${HANDSHAKE}&sid=${sid}`)).text(), /^40/);
    await app.close();
    assert.equal(left, 'forced close');
  });

  it('should not wait indefinitely for a client that does not answer', async () => {
    const { app, url } = await startInline({ io: { drain: { timeout: 400 } } });
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const request = get(`${url}/socket.io/?EIO=4&transport=websocket`, {
      headers: { ...upgrade, 'sec-websocket-key': Buffer.alloc(16).toString('base64') },
    });
    const [, socket] = await next<[IncomingMessage, Socket]>(request, 'upgrade');
    await within('the application to close', app.close());
    socket.destroy();
  });

  it('should send all buffered packets', async () => {
    const big = 'x'.repeat(4_000_000);
    for (const transports of [['websocket'], ['polling']]) {
      const { app, connect } = await startInline({
        io: { drain: AGES, init: { maxHttpBufferSize: 1e8 } },
        router: (app) =>
          app.io.route('big', (ctx) => {
            for (const n of [1, 2, 3]) ctx.emit('part', n, big);
            ctx.args[0](big);
          }),
      });
      const client = await connect('/', { transports });
      const parts = times(client, 'part', 3);
      const [socket] = app.io.of('/').sockets.values();
      const started = next(socket!, 'big');
      const answer = client.emitWithAck('big');
      const left = next(client, 'disconnect');
      await started;
      const closed = app.close();
      assert.deepEqual(
        (await parts).map(([n, part]) => [n, part.length]),
        [1, 2, 3].map((n) => [n, big.length]),
      );
      assert.equal((await answer).length, big.length);
      assert.equal((await left)[0], 'transport close');
      await closed;
    }
  });

  it('should pass the last packet to a listener added with socket.on(), and send its acknowledgement', async () => {
    const inside = signal();
    const release = signal();
    const { app, connect } = await startInline({
      io: { drain: AGES, namespace: { '/': { packetMiddleware: ['a'] } } },
      middleware: {
        a: async (_ctx, next) => {
          inside.resolve();
          await release.promise;
          await next();
        },
      },
      router: (app) => app.io.on('connection', (socket) => socket.on('x', (answer) => answer('by hand'))),
    });
    const client = await connect();
    const idle = await connect();
    const answer = client.emitWithAck('x');
    await inside.promise;
    const told = next(idle, 'disconnect');
    const closed = app.close();
    await told;
    release.resolve();
    assert.equal(await answer, 'by hand');
    await closed;
  });

  it('should not wait if no handler is running', async () => {
    for (const count of [0, 1, 3]) {
      const { app, connect } = await startInline({ io: { drain: AGES } });
      const clients = await Promise.all(Array.from({ length: count }, (_, i) => connectBy(connect, i)));
      const left = clients.map((client) => next(client, 'disconnect'));
      await within(`the end of an application with ${count} clients`, app.close());
      for (const [reason] of await Promise.all(left)) assert.equal(reason, 'transport close');
    }
  });

  it('should disconnect its clients gradually, over a longer time if there are more', async () => {
    const COUNT = 300;
    const { app, connect } = await startInline({ io: { drain: AGES } });
    const clients = await Promise.all(Array.from({ length: COUNT }, () => connect()));
    const told: number[] = [];
    const left = Promise.all(
      clients.map(async (client) => {
        const [reason] = await next(client, 'disconnect');
        assert.equal(reason, 'transport close');
        told.push(performance.now() - begin);
      }),
    );
    const begin = performance.now();
    await app.close();
    await left;
    // The k-th client is disconnected no earlier than after k times 2 ms. This holds on a busy machine as well, and fails if all
    // are disconnected at once or within a shorter time.
    told.forEach((time, k) => {
      assert(time >= k * 2 - 2, `${k + 1} of ${COUNT} clients were disconnected within ${time} ms`);
    });
  });

  it('should spread them over `spread` at most', async () => {
    const COUNT = 300;
    let delays: number[] | undefined;
    const sleep = timers.setTimeout as (ms: number) => Promise<unknown>;
    mm(timers, 'setTimeout', async (ms: number) => (delays ? delays.push(ms) : sleep(ms)));
    for (const spread of [0, 90]) {
      const { app, connect } = await startInline({ io: { drain: { ...AGES, spread } } });
      await Promise.all(Array.from({ length: COUNT }, () => connect()));
      let left = 0;
      for (const socket of app.io.of('/').sockets.values()) socket.on('disconnect', () => left++);
      delays = [];
      await app.close();
      assert.equal(left, COUNT);
      assert.equal(delays.length, COUNT);
      for (const [i, ms] of delays.entries()) {
        assert(ms >= (i * spread) / COUNT && ms <= ((i + 1) * spread) / COUNT, `turn ${i} of ${COUNT} after ${ms} ms`);
      }
      delays = undefined;
    }
  });
});

/** Connects a client: over WebSocket if `i` is even, or else over polling. */
function connectBy(connect: Running['connect'], i: number) {
  return connect('/', { transports: [i % 2 === 0 ? 'websocket' : 'polling'] });
}

describe('config.io.drain', () => {
  it('should stop waiting after `timeout`, and log which handlers are still running', async () => {
    const started = signal();
    const { app, connect } = await startInline({
      io: { drain: { timeout: 3000 }, namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (_ctx, next) => {
          await next();
          await new Promise(() => {});
        },
      },
      router: (app) => {
        for (const event of ['hang', 'disconnect']) {
          app.io.of('/chat').route(event, async () => {
            started.resolve();
            await new Promise(() => {});
          });
        }
        app.io.route('hang', () => {});
      },
    });
    const { warn } = logs(app);
    const client = await connect('/chat');
    client.emit('hang');
    client.emit('hang');
    await started.promise;
    const left = next(client, 'disconnect');
    const begin = performance.now();
    await within('the end of the application', app.close());
    assert(performance.now() - begin >= 2999);
    assert.equal((await left)[0], 'transport close');
    assert.equal(warn.length, 1);
    assert.match(
      warn[0],
      /drain timed out after 3000 ms: 3 handlers of events \(\/chat hang: 2, \/chat disconnect: 1\) and 1 connection chains are still running\. EGG_APP_CLOSE_TIMEOUT( and GRACEFUL_TIMEOUT)? in the environment gives? more time$/,
    );
  });

  it('should wait for handlers that end when their client disconnects', async () => {
    const started = signal();
    const steps: string[] = [];
    const { app, connect } = await startInline({
      io: { drain: { timeout: 4000 } },
      router: (app) =>
        app.io.route('stream', async (ctx) => {
          started.resolve();
          await new Promise((resolve) => ctx.socket.once('disconnect', resolve));
          steps.push('ended');
        }),
    });
    const { warn } = logs(app);
    (await connect()).emit('stream');
    await started.promise;
    await app.close();
    assert.deepEqual(steps, ['ended']);
    assert.deepEqual(warn, []);
  });

  it('should close immediately if it is false', async () => {
    const started = signal();
    const { app, connect, url } = await startInline({
      io: { drain: false },
      router: (app) =>
        app.io.route('hang', async () => {
          started.resolve();
          await new Promise(() => {});
        }),
    });
    const { warn } = logs(app);
    const client = await connect();
    client.emit('hang');
    await started.promise;
    const left = next(client, 'disconnect');
    await within('the end of the application', app.close());
    assert.equal((await left)[0], 'transport close');
    assert.equal((await fetch(url + HANDSHAKE)).status, 503);
    assert.deepEqual(warn, []);
  });

  const WRONG: Array<[unknown, RegExp]> = [
    [5000, /config\.io\.drain is 5000; allowed: \{ timeout, spread \} or false/],
    [true, /config\.io\.drain is true; allowed: \{ timeout, spread \} or false/],
    [[], /config\.io\.drain is \[\]; allowed/],
    [{ timeout: -1 }, /config\.io\.drain\.timeout is -1; allowed: milliseconds/],
    [{ timeout: Number.NaN }, /config\.io\.drain\.timeout is NaN; allowed: milliseconds/],
    [{ timeout: Number.POSITIVE_INFINITY }, /config\.io\.drain\.timeout is Infinity; allowed: milliseconds/],
    [{ spread: '1s' }, /config\.io\.drain\.spread is '1s'; allowed: milliseconds/],
    [{ time: 1 }, /unknown option time \(config\.io\.drain\.time is 1; allowed: one of: timeout, spread\)/],
  ];
  for (const [drain, message] of WRONG) {
    it(`should name the key in the error if it is ${JSON.stringify(drain)}`, () => {
      assert.throws(() => resolveConfig({ drain: drain as DrainConfig }), { name: 'EggSocketIOConfigError', message });
    });
  }

  it('should fail the boot if it is invalid', async () => {
    const { message } = await bootError({ io: { drain: { timeout: 'soon' } as never } });
    assert.match(message, /config\.io\.drain\.timeout is 'soon'; allowed: milliseconds/);
  });

  /** An application with the loader of a major version of Egg. */
  const appOf = (major: number, drain: DrainConfig | false | undefined) => ({
    config: { io: { drain } },
    loader: { FileLoader: { prototype: { load: major === 3 ? () => {} : async () => {} } } },
  });

  it("should default to values derived from Egg's own limits", () => {
    // GRACEFUL_TIMEOUT applies to Egg 4 only, whose workers have a limit of their own.
    const limits: Array<[NodeJS.ProcessEnv, onEgg3: number, onEgg4: number]> = [
      [{}, 5000, 5000],
      [{ EGG_APP_CLOSE_TIMEOUT: '20000', EGG_MASTER_CLOSE_TIMEOUT: '9000' }, 20_000, 5000],
      [{ EGG_MASTER_CLOSE_TIMEOUT: '9000' }, 9000, 5000],
      [{ EGG_APP_CLOSE_TIMEOUT: '0' }, 0, 0],
      [{ EGG_APP_CLOSE_TIMEOUT: 'long' }, 5000, 5000],
      [{ GRACEFUL_TIMEOUT: '9000' }, 5000, 5000],
      [{ GRACEFUL_TIMEOUT: '1000' }, 5000, 1000],
      [{ EGG_APP_CLOSE_TIMEOUT: '20000', GRACEFUL_TIMEOUT: '9000' }, 20_000, 9000],
    ];
    for (const [env, ...all] of limits) {
      for (const [i, limit] of all.entries()) {
        const app = appOf(3 + i, undefined);
        const expected = { timeout: limit * 0.8, spread: limit * 0.4 };
        assert.deepEqual(drainTimesOf(app, env), expected, `Egg ${3 + i} with ${JSON.stringify(env)}`);
        assert.deepEqual(drainWarnings(app, env), []);
      }
    }
    assert.deepEqual(drainTimesOf(appOf(3, { timeout: 100 }), {}), { timeout: 100, spread: 50 });
    assert.deepEqual(drainTimesOf(appOf(3, { spread: 100 }), {}), { timeout: 4000, spread: 100 });
    assert.equal(drainTimesOf(appOf(3, false), {}), undefined);
    assert.deepEqual(drainWarnings(appOf(3, false), {}), []);
  });

  it('should warn if the timeout exceeds that of Egg, and name the variables to set', () => {
    const said = (limit: number, names: string) => [
      `config.io.drain.timeout is 10000 ms, but Egg ends a worker ${limit} ms after it has asked it to close: set ${names} in the environment to 12500 or more`,
    ];
    const app = (major: number) => appOf(major, { timeout: 10_000 });
    assert.deepEqual(drainWarnings(app(3), { EGG_APP_CLOSE_TIMEOUT: '6000' }), said(6000, 'EGG_APP_CLOSE_TIMEOUT'));
    assert.deepEqual(drainWarnings(app(3), { EGG_APP_CLOSE_TIMEOUT: '12500' }), []);
    assert.deepEqual(drainWarnings(app(4), {}), said(5000, 'EGG_APP_CLOSE_TIMEOUT and GRACEFUL_TIMEOUT'));
    assert.deepEqual(drainWarnings(app(4), { EGG_APP_CLOSE_TIMEOUT: '20000' }), said(5000, 'GRACEFUL_TIMEOUT'));
    assert.deepEqual(drainWarnings(app(4), { EGG_APP_CLOSE_TIMEOUT: '20000', GRACEFUL_TIMEOUT: '20000' }), []);
  });

  it('should detect the major version of Egg', async () => {
    const { app } = await startInline({});
    const limits = ['EGG_APP_CLOSE_TIMEOUT', 'GRACEFUL_TIMEOUT'];
    assert.deepEqual(closeVariablesOf(app), EGG_MAJOR === 3 ? limits.slice(0, 1) : limits);
  });
});

describe('a worker that disconnects from its master', () => {
  /** Starts an application as a worker of a master, and a client. */
  async function startWorker(drain: DrainConfig | false, exitedAfterDisconnect = true) {
    const worker = Object.assign(new EventEmitter(), { exitedAfterDisconnect });
    mm(cluster, 'worker', worker);
    const left = signal<string>();
    const running = await startInline({
      io: { drain },
      router: (app) => app.io.route('disconnect', (ctx) => left.resolve(ctx.args[0])),
    });
    return { worker, running, left: left.promise, warnings: logs(running.app).warn, socket: await running.connect() };
  }

  it('should close its connections at once if config.io.drain is false', async () => {
    const { worker, socket, left, warnings } = await startWorker(false);
    const disconnected = next(socket, 'disconnect');
    worker.emit('disconnect');
    assert.equal((await disconnected)[0], 'transport close');
    assert.equal(await within('the handler of disconnect', left), 'forced close');
    assert.match(
      warnings[0],
      /has disconnected from its master, .* its clients are disconnected and connect to another/,
    );
  });

  it('should drain once if the application closes meanwhile', async () => {
    const { worker, running, socket } = await startWorker({ timeout: 1000 });
    const disconnected = next(socket, 'disconnect');
    worker.emit('disconnect');
    await within('the application to close', running.close());
    assert.equal((await disconnected)[0], 'transport close');
  });

  it('should not drain if the master has ended, since the process then ends at once', async () => {
    const { worker, running, warnings, socket } = await startWorker(AGES, false);
    worker.emit('disconnect');
    await running.connect();
    assert(socket.connected);
    assert.deepEqual(warnings, []);
  });
});

describe('drainConnection', () => {
  beforeEach(allowAges);

  it('should wait for the running handlers of one client, and close only its connection', async () => {
    const { running, socket, started, release } = await busy();
    const { error } = logs(running.app);
    const other = await running.connect('/chat');
    const steps: string[] = [];
    socket.emit('work', (answer: string) => steps.push(answer));
    socket.on('disconnect', (reason) => steps.push(reason));
    await started;
    drainConnection(running.app, socket.io.engine.id as string);
    drainConnection(running.app, socket.io.engine.id as string);
    for (const nobody of ['', 'nobody', '__proto__', 'constructor']) drainConnection(running.app, nobody);
    const left = next(socket, 'disconnect');
    release();
    await left;
    assert.deepEqual(steps, ['done', 'transport close']);
    assert.equal(await other.emitWithAck('work'), 'done');
    await connected(socket.connect());
    assert.deepEqual(error, []);
  });
});
