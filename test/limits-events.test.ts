// config.io.limits.events, concurrency and argumentBytes, and app.io.limit().
import assert from 'node:assert/strict';
import Module from 'node:module';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { IoConfig, RateLimit } from '../lib';
import { hasMoreBytes } from '../lib/limits/event-limits';
import { logs, mm, type Running } from './support/app';
import { type Kind, NEW, OLD, parityOf } from './support/clients';
import { bootError, type Inline, startInline } from './support/inline';
import { type RedisServer, startRedis } from './support/redis';
import { next, signal, times, until } from './support/wait';

const KINDS = [NEW, OLD[0] as Kind];
/** So long that no test sees the end of it, in ms. */
const HOUR = 3_600_000;

/** An application with a route, and acknowledgements that controllers return. */
async function limited(limits: IoConfig['limits'], more: Partial<Inline> = {}): Promise<Running> {
  const running = await startInline({
    ...more,
    io: { ack: 'auto', namespace: { '/': {}, '/chat': {} }, init: { allowEIO3: true }, limits, ...more.io },
    router:
      more.router ??
      ((app) => {
        for (const name of ['/', '/chat', '/room/:id']) app.io.of(name).route('say', (ctx) => `said ${ctx.args[0]}`);
      }),
  });
  logs(running.app);
  return running;
}

/** Asserts that an answer is that of a rate limit. */
function assertLimited(answer: { error: { message: string; code: string; data: { retryAfter: number } } }): void {
  const { message, code, data } = answer.error;
  assert.equal(code, 'RATE_LIMITED');
  assert.deepEqual(Object.keys(data), ['retryAfter']);
  assert(data.retryAfter > 0 && data.retryAfter <= HOUR && Number.isInteger(data.retryAfter), String(data.retryAfter));
  assert.equal(message, `too many events: try again in ${data.retryAfter} ms`);
}

async function say(client: Socket, count: number): Promise<unknown[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => client.emitWithAck('say', i)));
}

parityOf(KINDS, 'config.io.limits.events', () => {
  for (const transport of ['websocket', 'polling']) {
    it(`should answer events beyond the limit with an error over ${transport}`, async () => {
      const { connect, app } = await limited({ events: { points: 3, duration: HOUR } });
      const client = await connect('/', { transports: [transport] });
      const answers = await say(client, 5);
      assert.deepEqual(answers.slice(0, 3), ['said 0', 'said 1', 'said 2']);
      for (const answer of answers.slice(3)) assertLimited(answer as never);
      assert.equal(app.io.stats().limited.events, 2);
      // Another socket has points of its own.
      assert.deepEqual(await say(await connect(), 1), ['said 0']);
    });
  }

  it('should emit error for an event that asks for no acknowledgement', async () => {
    const { connect } = await limited({ events: { points: 1, duration: HOUR } });
    const client = await connect('/chat');
    const failed = times(client, 'error', 2);
    for (let i = 0; i < 3; i++) client.emit('say', i);
    for (const [error] of await failed) assertLimited({ error });
  });

  it('should forget what a socket has sent when it disconnects', async () => {
    const { RateLimiterMemory } = require('rate-limiter-flexible');
    const forgotten: string[] = [];
    const own = RateLimiterMemory.prototype.delete;
    mm(RateLimiterMemory.prototype, 'delete', function (this: unknown, key: string) {
      forgotten.push(key);
      return own.call(this, key);
    });
    const { connect, app } = await limited({ events: { points: 2, duration: HOUR } });
    const client = await connect();
    await say(client, 3);
    const ids = Array.from(app.io.of('/').sockets.keys());
    assert.deepEqual(forgotten, []);
    client.disconnect();
    await until('it is forgotten', () => forgotten.length > 0);
    assert.deepEqual(forgotten, ids);
  });

  it('should admit events again after the duration', async () => {
    const { connect } = await limited({ events: { points: 2, duration: 50 } });
    const client = await connect();
    const [, , refused] = await say(client, 3);
    assert.equal((refused as { error: { code: string } }).error.code, 'RATE_LIMITED');
    await until('events are admitted again', async () => (await client.emitWithAck('say', 'again')) === 'said again');
  });

  it('should count the events of a user in all namespaces and connections', async () => {
    const io = { user: (ctx: Context) => ctx.query.user };
    const { connect } = await limited({ events: { points: 3, duration: HOUR, by: 'user' } }, { io });
    const ann = { query: { user: 'ann' } };
    const first = await connect('/', ann);
    const room = await connect('/room/1', ann);
    assert.deepEqual(await say(first, 2), ['said 0', 'said 1']);
    assert.deepEqual(await say(room, 1), ['said 0']);
    for (const client of [first, room]) assertLimited((await say(client, 1))[0] as never);
    assert.deepEqual(await say(await connect('/', { query: { user: 'bob' } }), 1), ['said 0']);
    // Clients without a user are counted by their address.
    const [a, b] = [await connect(), await connect()];
    assert.deepEqual(await say(a, 3), ['said 0', 'said 1', 'said 2']);
    assertLimited((await say(b, 1))[0] as never);
  });

  it('should count the events of an address, which the proxy tells', async () => {
    const events: RateLimit = { points: 2, duration: HOUR, by: 'address' };
    const { connect } = await limited({ events }, { config: { proxy: true } });
    const from = (address: string) => connect('/', { extraHeaders: { 'x-forwarded-for': address } });
    const [a, b, c] = [await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.2')];
    assert.deepEqual(await say(a, 1), ['said 0']);
    assert.deepEqual(await say(b, 1), ['said 0']);
    for (const client of [a, b]) assertLimited((await say(client, 1))[0] as never);
    assert.deepEqual(await say(c, 1), ['said 0']);
  });
});

describe('config.io.limits.events before the chain', () => {
  it('should refuse an event before its session and its middleware', async () => {
    const seen: string[] = [];
    const { connect } = await limited(
      { events: { points: 1, duration: HOUR } },
      {
        io: { packetMiddleware: ['a'] },
        middleware: {
          a: async (ctx, go) => {
            seen.push(ctx.packet[0]);
            return go();
          },
        },
      },
    );
    await say(await connect(), 4);
    assert.deepEqual(seen, ['say']);
  });

  it('should log a flood in few lines, without a stack', async () => {
    const { connect, app } = await limited({ events: { points: 1, duration: HOUR } });
    const { error, warn } = logs(app);
    const info: unknown[] = [];
    mm(app.coreLogger, 'info', (line: unknown) => info.push(line));
    await say(await connect(), 100);
    assert.deepEqual(error, []);
    assert.deepEqual(info, []);
    assert.equal(warn.length, 1);
    assert.match(
      warn[0],
      /too many events: try again in \d+ ms \(event 'say' in \/, client 127\.0\.0\.1\)\. config\.io\.limits\.events sets the limit/,
    );
    assert.equal(app.io.stats().limited.events, 99);
  });

  it('should leave what the client receives to config.io.onerror', async () => {
    const onerror = (err: Error & { code?: unknown; expose?: boolean }) =>
      err.expose ? `${err.code}` : 'internal error';
    const { connect } = await limited({ events: { points: 1, duration: HOUR } }, { io: { onerror } });
    const client = await connect();
    const [, answer] = await say(client, 2);
    assert.deepEqual(answer, { error: { message: 'RATE_LIMITED' } });
    const failed = next(client, 'error');
    client.emit('say');
    assert.deepEqual(await failed, ['RATE_LIMITED']);
  });

  for (const io of [{ limits: { events: { points: 1 } } }, undefined]) {
    it(`should fail the boot if rate-limiter-flexible is not installed, of ${io ? 'the option' : 'app.io.limit()'}`, async () => {
      const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
      const { _load } = loader;
      loader._load = (request, ...rest) => {
        if (request === 'rate-limiter-flexible') throw new Error(`Cannot find module '${request}'`);
        return _load.call(loader, request, ...rest);
      };
      const router = io ? () => {} : (app: Application) => app.io.route('x', app.io.limit({ points: 1 }), () => {});
      try {
        const { message } = await bootError({ ...(io && { io }), router });
        const where = io ? 'config\\.io\\.limits\\.events' : 'app\\.io\\.limit\\(\\)';
        assert.match(message, new RegExp(`${where} needs the package .*run "npm install rate-limiter-flexible"`));
      } finally {
        loader._load = _load;
      }
    });
  }
});

describe('app.io.limit()', () => {
  it('should limit one route, and all events of a chain', async () => {
    const { connect, app } = await limited(
      {},
      {
        io: { namespace: { '/': {}, '/chat': { packetMiddleware: ['a'] } } },
        middleware: {
          // As a file of app/io/middleware that exports app => app.io.limit(…).
          a: (ctx, go) => chain(ctx, go),
        },
        router: (app) => {
          chain = app.io.limit({ points: 2, duration: HOUR });
          app.io.route('say', app.io.limit({ points: 1, duration: HOUR }), (ctx) => `said ${ctx.args[0]}`);
          app.io.route('other', () => 'other');
          app.io.of('/chat').route({ say: (ctx) => `said ${ctx.args[0]}`, other: () => 'other' });
        },
      },
    );
    const client = await connect();
    const [first, second] = await say(client, 2);
    assert.equal(first, 'said 0');
    assertLimited(second as never);
    assert.equal(await client.emitWithAck('other'), 'other');
    const chat = await connect('/chat');
    assert.deepEqual(await say(chat, 1), ['said 0']);
    assert.equal(await chat.emitWithAck('other'), 'other');
    assertLimited(await chat.emitWithAck('other'));
    assert.equal(app.io.stats().limited.routes, 2);
    assert.equal(app.io.stats().limited.events, 0);
  });

  let chain: ReturnType<Application['io']['limit']>;

  it('should refuse wrong options', async () => {
    const { app } = await limited({});
    const limit = (options: unknown) => () => app.io.limit(options as RateLimit);
    assert.throws(limit({}), /app\.io\.limit\(\)\.points is invalid .*a whole number of at least 1/);
    assert.throws(limit({ points: 1, by: 'user' }), /app\.io\.limit\(\)\.by needs config\.io\.user/);
    assert.throws(limit({ points: 1, every: 5 }), /unknown option every/);
    assert.throws(limit(undefined), /app\.io\.limit\(\) is invalid/);
  });
});

describe('config.io.limits.events with Redis', () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis();
  });

  after(() => redis.stop());

  function start(points: number, key: string): Promise<Running> {
    const io: IoConfig = { redis: { ...redis.config, key }, user: (ctx) => ctx.query.user };
    return limited({ events: { points, duration: HOUR, by: 'user' } }, { io });
  }

  it('should count for all workers', async () => {
    const workers = [await start(3, 'shared'), await start(3, 'shared')];
    const [a, b] = (await Promise.all(workers.map(({ connect }) => connect('/', { query: { user: 'ann' } })))) as [
      Socket,
      Socket,
    ];
    // The client of Redis connects at the first event, and each worker counts for itself until then.
    for (const client of [a, b])
      await until('Redis counts', async () => {
        await client.emitWithAck('say', 0);
        return (await redis.command('KEYS', 'shared:limit:events:*')).length > 0;
      });
    await until('all workers refuse', async () => {
      const answers = await Promise.all([a, b].map((client) => client.emitWithAck('say', 1)));
      return answers.every((answer) => answer.error?.code === 'RATE_LIMITED');
    });
    const [name] = await redis.command('KEYS', 'shared:limit:events:*');
    assert(!name.includes('ann'), name);
    assert(Number(await redis.command('PTTL', name)) > 0);
    // A client that goes on sending causes no more commands.
    const count = await redis.command('GET', name);
    for (let i = 0; i < 10; i++) await say(a, 1);
    assert.equal(await redis.command('GET', name), count);
  });

  it('should count in each worker while Redis is unreachable, and log that once', async () => {
    const own = await startRedis();
    const io: IoConfig = { redis: own.config };
    const { connect, app } = await limited({ events: { points: 2, duration: HOUR, by: 'address' } }, { io });
    const { warn } = logs(app);
    const client = await connect();
    await own.stop();
    const answers = await say(client, 4);
    assert.deepEqual(answers.slice(0, 2), ['said 0', 'said 1']);
    for (const answer of answers.slice(2)) assertLimited(answer as never);
    await until('it is logged', () => warn.some((line) => /each worker counts events for itself/.test(line)));
  });

  it('should not ask Redis about the events of a socket, which one worker handles', async () => {
    const { RateLimiterRedis } = require('rate-limiter-flexible');
    const asked: string[] = [];
    mm(RateLimiterRedis.prototype, 'consume', async (key: string) => asked.push(key));
    const io: IoConfig = { redis: redis.config };
    const { connect } = await limited({ events: { points: 1, duration: HOUR } }, { io });
    const [, refused] = await say(await connect(), 2);
    assertLimited(refused as never);
    assert.deepEqual(asked, []);
  });

  it('should leave no connection open', async () => {
    const worker = await start(5, 'closing');
    await say(await worker.connect(), 1);
    await until('the client of the limit is connected', () => redis.clients().length >= 3);
    await worker.close();
    await until('no connection is left', () => redis.clients().length === 0);
  });
});

parityOf(KINDS, 'config.io.limits.concurrency', () => {
  it('should keep the events of a socket in order if it is 1, and not hold back other sockets', async () => {
    const gates = new Map<number, () => void>();
    const begun: number[] = [];
    const { connect } = await limited(
      { concurrency: 1 },
      {
        router: (app) => {
          app.io.route('wait', async (ctx) => {
            const [n] = ctx.args;
            begun.push(n);
            const gate = signal();
            gates.set(n, gate.resolve);
            await gate.promise;
            if (n === 2) throw new Error('failed');
            return n;
          });
          app.io.route('say', (ctx) => `said ${ctx.args[0]}`);
        },
      },
    );
    const client = await connect();
    const answers = [1, 2, 3].map((n) => client.emitWithAck('wait', n));
    const after = client.emitWithAck('say', 'after');
    for (const n of [1, 2, 3]) {
      await until(`event ${n} has begun`, () => gates.has(n));
      assert.deepEqual(begun, [1, 2, 3].slice(0, n));
      assert.deepEqual(await say(await connect(), 1), ['said 0']);
      gates.get(n)?.();
    }
    assert.deepEqual(await Promise.all(answers), [1, { error: { message: 'failed' } }, 3]);
    assert.equal(await after, 'said after');
  });

  it('should handle so many events at once', async () => {
    let running = 0;
    let most = 0;
    const { connect } = await limited(
      { concurrency: 3 },
      {
        router: (app) =>
          app.io.route('work', async () => {
            most = Math.max(most, ++running);
            await new Promise((resolve) => setImmediate(resolve));
            running--;
          }),
      },
    );
    const client = await connect();
    await Promise.all(Array.from({ length: 20 }, () => client.emitWithAck('work')));
    assert.equal(most, 3);
  });

  it('should answer an event with an error if 1,000 wait', async () => {
    const gate = signal();
    let handled = 0;
    const { connect, app } = await limited(
      { concurrency: 1 },
      {
        router: (app) =>
          app.io.route('work', async () => {
            await gate.promise;
            handled++;
          }),
      },
    );
    const client = await connect();
    for (let i = 0; i < 1001; i++) client.emit('work');
    assert.deepEqual(await client.emitWithAck('work'), {
      error: { message: 'too many events wait', code: 'TOO_MANY_EVENTS', data: { limit: 1000 } },
    });
    assert.equal(app.io.stats().limited.concurrency, 1);
    gate.resolve();
    await until('the others are handled', () => handled === 1001);
  });

  it('should handle events that wait after the client has left', async () => {
    const gate = signal();
    let handled = 0;
    const { connect, app } = await limited(
      { concurrency: 1 },
      {
        router: (app) =>
          app.io.route('work', async () => {
            await gate.promise;
            handled++;
          }),
      },
    );
    const client = await connect();
    for (let i = 0; i < 5; i++) client.emit('work');
    client.disconnect();
    await until('it has left', () => app.io.of('/').sockets.size === 0);
    gate.resolve();
    await until('all are handled', () => handled === 5);
  });
});

parityOf(KINDS, 'config.io.limits.argumentBytes', () => {
  it('should answer a larger event with an error', async () => {
    const { connect, app } = await limited({ argumentBytes: 100 });
    const client = await connect();
    assert.equal(await client.emitWithAck('say', 'x'.repeat(100)), `said ${'x'.repeat(100)}`);
    const error = { message: 'the arguments are too large', code: 'ARGUMENTS_TOO_LARGE', data: { limit: 100 } };
    for (const large of ['x'.repeat(101), Buffer.alloc(101), { a: ['x'.repeat(60), { b: 'x'.repeat(60) }] }]) {
      assert.deepEqual(await client.emitWithAck('say', large), { error });
    }
    const failed = next(client, 'error');
    client.emit('say', 'é'.repeat(51));
    assert.deepEqual(await failed, [error]);
    assert.equal(app.io.stats().limited.argumentBytes, 4);
  });
});

describe('the bytes of arguments', () => {
  const sizes: Array<[unknown[], number]> = [
    [[], 0],
    [['abc'], 3],
    [['消息'], 6],
    [[1, true, null], 24],
    [[{ id: 1 }], 10],
    [[Buffer.alloc(9), new Uint16Array(3), new ArrayBuffer(2)], 17],
    [[[['a'], 'b']], 2],
  ];
  for (const [values, size] of sizes) {
    it(`should be ${size} of ${JSON.stringify(values)}`, () => {
      assert.equal(hasMoreBytes(values, size), false);
      if (size > 0) assert.equal(hasMoreBytes(values, size - 1), true);
    });
  }

  it('should be counted of values that are nested deeply', () => {
    let nested: unknown = 'x';
    for (let i = 0; i < 100_000; i++) nested = [nested];
    assert.equal(hasMoreBytes([nested], 1), false);
    assert.equal(hasMoreBytes([nested], 0), true);
  });
});
