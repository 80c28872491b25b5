// Events and answers that clients could not decode fail in the code that sends them. The client stays connected.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import * as parser from 'socket.io-parser';
import { logs, type Running } from './support/app';
import { ALL, parityOf } from './support/clients';
import { startInline } from './support/inline';
import { type RedisServer, startRedis } from './support/redis';
import { until, within } from './support/wait';

type Emit = (event: unknown, ...args: unknown[]) => unknown;

function circular(): object {
  const value: Record<string, unknown> = {};
  value.self = value;
  return value;
}

/** Arguments that cannot be sent, with the reason. */
const UNSENDABLE: [string, () => unknown, RegExp][] = [
  ['a Blob', () => new Blob(['x']), /Blob/],
  ['a Blob in an object', () => ({ list: [new Blob(['x'])] }), /Blob/],
  ['a BigInt', () => 1n, /BigInt/],
  ['an object that contains itself', circular, /circular|call stack/],
  [
    'a getter that throws',
    () => ({
      get value() {
        throw new Error('a getter throws');
      },
    }),
    /a getter throws/,
  ],
  [
    'a toJSON that throws',
    () => ({
      toJSON() {
        throw new Error('toJSON throws');
      },
    }),
    /toJSON throws/,
  ],
];

const NO_EVENTS: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a symbol', Symbol('x')],
  ['a function', () => {}],
  ['an object', {}],
  ['NaN', Number.NaN],
  ['a boolean', true],
];

/** Starts an application whose route `send` sends what `send` does. The route answers with the message of the error that it has caught. */
async function startWith(
  ways: Record<string, (ctx: Context) => Emit>,
  send: (emit: Emit) => void,
  adapter?: 'cluster',
) {
  const caught: Record<string, string> = {};
  const running = await startInline({
    io: { ...(adapter && { adapter }), init: { connectionStateRecovery: adapter ? undefined : {} } },
    router: (app) => {
      app.io.route('send', (ctx) => {
        for (const [name, way] of Object.entries(ways)) {
          try {
            send(way(ctx));
            caught[name] = 'nothing';
          } catch (err) {
            caught[name] = (err as Error).message;
          }
        }
        ctx.args[0]('done');
      });
      app.io.route('odd', (ctx) => {
        ctx.emit('odd', undefined, () => {}, Symbol('x'), Number.NaN, new Map(), new Date(0), {
          toJSON: () => new Uint8Array([1]),
        });
      });
    },
  });
  return { ...running, caught };
}

const WAYS: Record<string, (ctx: Context) => Emit> = {
  'ctx.emit': (ctx) => ctx.emit.bind(ctx) as Emit,
  'socket.emit': (ctx) => ctx.socket.emit.bind(ctx.socket) as Emit,
  'nsp.emit': (ctx) => ctx.socket.nsp.emit.bind(ctx.socket.nsp) as Emit,
  'a broadcast': (ctx) => ctx.socket.nsp.to(ctx.socket.id).emit.bind(ctx.socket.nsp.to(ctx.socket.id)) as Emit,
};

parityOf(ALL.slice(0, 2), 'emits that cannot be sent', () => {
  for (const adapter of [undefined, 'cluster'] as const) {
    it(`should throw, and leave the client connected, with the adapter ${adapter ?? 'memory'}`, async () => {
      const cases = [
        ...UNSENDABLE.map(([title, make, message]) => ({
          title,
          message,
          send: (emit: Emit) => void emit('news', make()),
        })),
        ...NO_EVENTS.map(([title, event]) => ({
          title: `${title} as the event`,
          message: /the name of an event must be a string/,
          send: (emit: Emit) => void emit(event, 1),
        })),
      ];
      let current = cases[0];
      const running = await startWith(WAYS, (emit) => current?.send(emit), adapter);
      const client = await running.connect();
      client.on('disconnect', (reason) => assert.fail(`the client was disconnected: ${reason}`));
      client.on('news', () => assert.fail('it was sent'));
      for (current of cases) {
        assert.equal(await within('an answer', client.emitWithAck('send')), 'done');
        for (const name of Object.keys(WAYS)) {
          assert.match(running.caught[name] ?? '', current.message, `${current.title} by ${name}`);
        }
      }
      client.off('disconnect');
    });
  }

  it('should send all that clients can decode', async () => {
    const running = await startWith({}, () => {});
    const client = await running.connect();
    const received = new Promise<unknown[]>((resolve) => client.on('odd', (...args) => resolve(args)));
    client.emit('odd');
    const [nothing, fn, symbol, nan, map, date, bytes] = await within('the event', received);
    assert.deepEqual([nothing, fn, symbol, nan, map, date], [null, null, null, null, {}, new Date(0).toJSON()]);
    assert.equal(Buffer.from(bytes as ArrayBuffer).toString('hex'), '01');
  });
});

parityOf(ALL.slice(0, 2), 'answers that cannot be sent', () => {
  for (const ack of ['auto', 'manual'] as const) {
    it(`should be errors of the controller with config.io.ack: '${ack}'`, async () => {
      let make: () => unknown = () => {};
      const running: Running = await startInline({
        io: { ack },
        router: (app) => {
          app.io.route('ask', (ctx) => (ack === 'auto' ? make() : ctx.args[0](make())));
          app.io.route('hello', (ctx) => (ack === 'auto' ? 'pong' : ctx.args[0]('pong')));
        },
      });
      const { error } = logs(running.app);
      const client = await running.connect();
      client.on('disconnect', (reason) => assert.fail(`the client was disconnected: ${reason}`));
      for (const [title, unsendable, message] of UNSENDABLE) {
        make = unsendable;
        const logged = error.length;
        const heard = new Promise((resolve) => client.once('error', resolve));
        if (ack === 'auto') {
          const answer = await within(`an answer to ${title}`, client.emitWithAck('ask'));
          assert.match(answer.error.message, message, title);
        } else {
          client.emit('ask', () => assert.fail('it was sent'));
          assert.match(String(await within('the event error', heard)), message, title);
        }
        await until('the error is logged', () => error.length > logged);
      }
      assert.equal(await within('an answer', client.emitWithAck('hello')), 'pong');
      client.off('disconnect');
    });
  }
});

describe('emits that cannot be sent, with Redis', () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
    it(`should throw, and reach no other worker, with the adapter ${adapter}`, async () => {
      const worker = () => startInline({ io: { adapter, redis: { ...redis.config, key: `emits ${adapter}` } } });
      const [a, b] = [await worker(), await worker()];
      for (const { app } of [a, b]) {
        await until('the workers reach each other', async () => (await app.io.of('/').adapter.serverCount()) === 2);
      }
      const client = await b.connect();
      client.on('disconnect', (reason) => assert.fail(`the client was disconnected: ${reason}`));
      client.on('news', () => assert.fail('it was sent'));
      const nsp = a.app.io.of('/') as unknown as Socket;
      for (const [, event] of NO_EVENTS) assert.throws(() => (nsp.emit as Emit)(event, 1), /the name of an event/);
      assert.throws(() => (nsp.emit as Emit)('news', new Blob(['x'])), /Blob/);
      const received = new Promise((resolve) => client.on('last', resolve));
      (nsp.emit as Emit)('last', 1);
      assert.equal(await within('the last event', received), 1);
      client.off('disconnect');
    });
  }

  for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
    it(`should leave that to a parser of the application, with the adapter ${adapter}`, async () => {
      const io = { adapter, redis: { ...redis.config, key: `parser ${adapter}` }, init: { parser } };
      const [a, b] = [await startInline({ io }), await startInline({ io })];
      for (const { app } of [a, b]) {
        await until('the workers reach each other', async () => (await app.io.of('/').adapter.serverCount()) === 2);
      }
      const client = await b.connect('/', { reconnection: false });
      const received = new Promise((resolve) => client.on('disconnect', resolve));
      (a.app.io.emit as Emit)(undefined, 1);
      assert.equal(await within('the event that the client cannot decode', received), 'parse error');
    });
  }
});
