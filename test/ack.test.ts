// Automatic acknowledgements: config.io.ack and config.io.ackTimeout.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { logs, type Running, start } from './support/app';
import { parity } from './support/clients';
import { bootError, type Inline, startInline } from './support/inline';
import { lenientParser } from './support/parser';
import { next, signal, until } from './support/wait';

const PREFIX = '[egg-socket.io] controller execute error: ';

/** Some handlers never end: the application does not wait for them when it closes. In ms. */
const BRIEF = { timeout: 100 };

type Handlers = Record<string, (ctx: Context) => unknown>;

const auto = (handlers: Handlers, io: IoConfig = {}, more: Inline = {}) =>
  startInline({ io: { ack: 'auto', drain: BRIEF, ...io }, router: (app) => app.io.route(handlers), ...more });

/** Collects the arguments of the events `error` that a client receives from now on. */
function errorsOf(client: Socket): unknown[] {
  const seen: unknown[] = [];
  client.on('error', (err) => seen.push(err));
  return seen;
}

parity('ack: auto', (kind) => {
  it('should answer with the value that the controller returns', async () => {
    const binary = Buffer.from('bytes');
    const values: unknown[] = ['text', 0, false, null, { a: [1] }, [], binary];
    const { connect } = await auto({
      now: (ctx) => values[ctx.args[0]],
      later: async (ctx) => values[ctx.args[0]],
    });
    const client = await connect();
    for (const [index, value] of values.entries()) {
      assert.deepEqual(await client.emitWithAck('now', index), value);
      assert.deepEqual(await client.emitWithAck('later', index), value);
    }
  });

  it('should answer without arguments if the controller returns nothing', async () => {
    const { connect } = await auto({ now: () => {}, later: async () => {} });
    const client = await connect();
    const answered = signal<unknown[]>();
    client.emit('now', (...args: unknown[]) => answered.resolve(args));
    assert.deepEqual(await answered.promise, []);
    assert.equal(await client.emitWithAck('later'), undefined);
  });

  it('should answer after the whole chain, including the code after next() in middleware', async () => {
    const steps: string[] = [];
    const { connect } = await auto(
      { work: async () => 'done' },
      { packetMiddleware: ['a'] },
      {
        middleware: {
          a: async (_ctx, next) => {
            await next();
            steps.push('after');
          },
        },
      },
    );
    assert.equal(await (await connect()).emitWithAck('work'), 'done');
    assert.deepEqual(steps, ['after']);
  });

  it('should pass what the controller returns through middleware, which may replace it', async () => {
    const seen: unknown[] = [];
    const note = async (_ctx: Context, next: () => Promise<unknown>) => {
      seen.push(await next());
    };
    const replace = async ({ packet: [event] }: Context, next: () => Promise<number>) => {
      try {
        const result = await next();
        return event === 'doubled' ? result * 2 : undefined;
      } catch {
        return 'failed';
      }
    };
    const { connect } = await auto(
      {},
      { packetMiddleware: ['a', 'b', 'c'] },
      {
        middleware: { a: note, b: replace, c: note },
        router: (app) => {
          app.io.route('kept', note, () => 21);
          app.io.route('doubled', note, async () => 21);
          app.io.route('failing', () => {
            throw new Error('no');
          });
        },
      },
    );
    const client = await connect();
    assert.equal(await client.emitWithAck('kept'), 21);
    assert.equal(await client.emitWithAck('doubled'), 42);
    assert.equal(await client.emitWithAck('failing'), 'failed');
    assert.deepEqual(seen, [21, 21, 21, 21, 21, 42, 'failed']);
  });

  it('should not answer with what middleware returns that has swallowed the event', async () => {
    const { connect } = await auto(
      { swallowed: () => 'never', after: () => 'after' },
      { packetMiddleware: ['a'] },
      { middleware: { a: async (ctx, next) => (ctx.packet[0] === 'swallowed' ? true : next()) } },
    );
    const client = await connect();
    client.emit('swallowed', () => assert.fail('it was answered'));
    assert.equal(await client.emitWithAck('after'), 'after');
  });

  it('should not answer again if the controller has called the ack itself', async () => {
    const { connect, app } = await auto({
      byHand: async (ctx) => {
        ctx.args[0]('by hand', 2);
      },
    });
    const { warn } = logs(app);
    const client = await connect();
    const answered = signal<unknown[]>();
    client.emit('byHand', (...args: unknown[]) => answered.resolve(args));
    assert.deepEqual(await answered.promise, ['by hand', 2]);
    assert.equal(await client.emitWithAck('byHand'), 'by hand');
    assert.deepEqual(warn, []);
  });

  it('should send nothing if the client did not ask for an ack', async () => {
    const { connect } = await auto({ work: (ctx) => ctx.args.length, count: () => 'done' });
    const client = await connect();
    client.emit('work', 1);
    assert.equal(await client.emitWithAck('count'), 'done');
  });

  it('should answer with message, code, data and errors of a thrown error, and not emit error', async () => {
    const { connect, app } = await auto({
      plain: async () => {
        throw new Error('plain');
      },
      atOnce: () => {
        throw Object.assign(new Error('rich'), { code: 'E_RICH', data: { a: 1 }, errors: [{ field: 'x' }], secret: 1 });
      },
      frozen: async () => {
        throw Object.freeze(new Error('frozen'));
      },
      text: async () => {
        throw 'just text';
      },
      object: async () => {
        throw { message: 'no error', code: 7, data: 0 };
      },
      nothing: async () => {
        throw undefined;
      },
    });
    const { error } = logs(app);
    const client = await connect();
    const errors = errorsOf(client);
    const answer = (event: string) => client.emitWithAck(event);
    assert.deepEqual(await answer('plain'), { error: { message: 'plain' } });
    assert.deepEqual(await answer('atOnce'), {
      error: { message: 'rich', code: 'E_RICH', data: { a: 1 }, errors: [{ field: 'x' }] },
    });
    assert.deepEqual(await answer('frozen'), { error: { message: 'frozen' } });
    assert.deepEqual(await answer('text'), { error: { message: 'just text' } });
    assert.deepEqual(await answer('object'), { error: { message: 'no error', code: 7, data: 0 } });
    assert.deepEqual(await answer('nothing'), { error: { message: 'non-error thrown: undefined' } });
    assert.deepEqual(errors, []);
    assert.equal(error.length, 6);
  });

  it('should answer with all properties of an error that cannot be modified, but not with the errors of an AggregateError', async () => {
    const { connect } = await auto({
      frozen: async () => {
        throw Object.freeze(Object.assign(new Error('frozen'), { code: 'E_F', data: 1, errors: [1] }));
      },
      getter: async () => {
        throw new (class extends Error {
          code = 'E_G';
          override get message() {
            return 'got';
          }
        })();
      },
      list: async () => {
        throw new AggregateError([Object.assign(new Error('inner'), { address: 'secret' })], 'all failed');
      },
    });
    const client = await connect();
    const answer = (event: string) => client.emitWithAck(event);
    assert.deepEqual(await answer('frozen'), { error: { message: 'frozen', code: 'E_F', data: 1, errors: [1] } });
    assert.deepEqual(await answer('getter'), { error: { message: 'got', code: 'E_G' } });
    assert.deepEqual(await answer('list'), { error: { message: 'all failed' } });
  });

  it('should answer with the result or the error of a controller that finishes after its chain', async () => {
    const finish = signal();
    const after = async (ctx: Context) => {
      await finish.promise;
      if (ctx.args[0]) throw new Error('in the end');
      return 'late';
    };
    const { connect } = await auto(
      { after, between: () => {}, last: () => finish.resolve() },
      { packetMiddleware: ['a'] },
      { middleware: { a: async (_ctx, next) => void next() } },
    );
    const client = await connect();
    const answers = [client.emitWithAck('after', false), client.emitWithAck('after', true)];
    // The chains of both have ended by then.
    await client.emitWithAck('between');
    client.emit('last');
    assert.deepEqual(await Promise.all(answers), ['late', { error: { message: 'in the end' } }]);
  });

  it('should log the error of a controller once, with its prefix', async () => {
    const { connect, app } = await auto({
      fail: async () => {
        throw new Error('broken');
      },
    });
    const seen: string[] = [];
    app.coreLogger.error = (err: Error) => void seen.push(err.message);
    await (await connect()).emitWithAck('fail');
    assert.deepEqual(seen, [`${PREFIX}broken`]);
  });

  it('should emit error if the client did not ask for an ack, as with ack: manual', async () => {
    const { connect } = await auto({
      fail: async () => {
        throw new Error('broken');
      },
    });
    const client = await connect();
    const heard = next(client, 'error');
    client.emit('fail');
    assert.deepEqual(await heard, [`${PREFIX}broken`]);
  });

  it('should answer with the error that a packet middleware throws before or after the controller', async () => {
    const { connect } = await auto(
      { work: () => 'done' },
      { packetMiddleware: ['a'] },
      {
        middleware: {
          a: async (ctx, next) => {
            if (ctx.args[0] === 'before') throw new Error('before');
            await next();
            throw new Error('after');
          },
        },
      },
    );
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('work', 'before'), { error: { message: 'before' } });
    assert.deepEqual(await client.emitWithAck('work', 'x'), { error: { message: 'after' } });
  });

  it('should emit error if the controller throws after it has called the ack', async () => {
    const { connect } = await auto({
      both: async (ctx) => {
        ctx.args[0]('fine');
        throw new Error('and yet');
      },
    });
    const client = await connect();
    const heard = next(client, 'error');
    assert.equal(await client.emitWithAck('both'), 'fine');
    assert.deepEqual(await heard, [`${PREFIX}and yet`]);
  });

  it('should log a warning for a second answer, and send only the first', async () => {
    const late = signal<(value: string) => void>();
    const { connect, app } = await auto({
      twice: async (ctx) => {
        ctx.args[0](1);
        ctx.args[0](2);
      },
      late: async (ctx) => late.resolve(ctx.args[0]),
    });
    const { warn } = logs(app);
    const client = await connect();
    assert.equal(await client.emitWithAck('twice'), 1);
    assert.match(
      warn[0],
      /second answer to 'twice' in \/ is dropped: its acknowledgement was called, but the first answer was sent when its acknowledgement was called/,
    );
    assert.equal(await client.emitWithAck('late'), undefined);
    (await late.promise)('too late');
    assert.match(warn[1], /'late' in \/ .*the first answer was sent when its controller returned/);
    assert.equal(warn.length, 2);
  });

  it('should answer with an error if the value that the controller returns cannot be sent', async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const { connect, app } = await auto({
      circle: async () => circle,
      big: async () => 1n,
      data: async () => {
        throw Object.assign(new Error('with a circle'), { data: circle });
      },
      ok: () => 'ok',
    });
    const { error } = logs(app);
    const client = await connect();
    assert.match(
      (await client.emitWithAck('circle')).error.message,
      /controller of 'circle' in \/ returned can't be sent: /,
    );
    assert.match((await client.emitWithAck('big')).error.message, /BigInt/);
    assert.deepEqual(await client.emitWithAck('data'), { error: { message: 'with a circle' } });
    assert.equal(await client.emitWithAck('ok'), 'ok');
    assert.equal(error.length, 4);
  });

  it('should answer with an error that names what to return if the value would be sent as {}', async () => {
    class Model extends Map {
      toJSON() {
        return { id: 1 };
      }
    }
    const values: Record<string, [value: () => unknown, message: RegExp]> = {
      generator: [() => [1].values(), /an iterator, .* \[\.\.\.values\]/],
      'async generator': [
        async function* () {
          yield 1;
        },
        /an async iterable, .* array/,
      ],
      observable: [() => ({ subscribe() {} }), /an observable, .* promise/],
      stream: [() => Readable.from(['x']), /a stream, .* node:stream\/consumers/],
      'web stream': [() => new Blob(['x']).stream(), /an async iterable/],
      map: [() => new Map([[1, 2]]), /a Map, .* Object\.fromEntries/],
      set: [() => new Set([1]), /a Set, .* \[\.\.\.set\]/],
    };
    const routes = Object.entries(values).map(([event, [value]]) => [event, () => value()] as const);
    const { connect } = await auto({
      ...Object.fromEntries(routes),
      model: () => new Model(),
      array: () => [1],
      bytes: () => Buffer.from('x'),
      date: () => new Date(0),
    });
    const client = await connect();
    for (const [event, [, message]] of Object.entries(values)) {
      const { error } = await client.emitWithAck(event);
      assert.match(error.message, message);
      assert(error.message.includes(`the controller of '${event}' in / returned`), error.message);
    }
    assert.deepEqual(await client.emitWithAck('model'), { id: 1 });
    assert.deepEqual(await client.emitWithAck('array'), [1]);
    assert.equal(Buffer.from(await client.emitWithAck('bytes')).toString(), 'x');
    assert.equal(await client.emitWithAck('date'), new Date(0).toJSON());
  });

  it('should answer an unrouted event with an error', async () => {
    const { connect, app } = await auto({ known: () => 1 });
    const { error, warn } = logs(app);
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('unknown', 1), {
      error: { message: "no route for 'unknown' in /", code: 'NO_ROUTE' },
    });
    const long = await client.emitWithAck('x'.repeat(100_000));
    assert(long.error.message.length < 200);
    // The client has made a mistake: the log has one line for all, without a stack.
    assert.deepEqual([warn.length, error.length], [1, 0]);
    assert.match(warn[0], /no route for 'unknown' in \/ \(client 127\.0\.0\.1\)/);
    assert.equal(await client.emitWithAck('known'), 1);
  });

  it('should answer an event named error like any other unrouted event', async () => {
    // Old clients reserve the name.
    if (kind.protocol === 3) return;
    const routed: unknown[] = [];
    const { connect, app } = await auto(
      { error: (ctx) => routed.push(ctx), '*': (ctx) => routed.push(ctx) },
      {},
      {
        boot: (app) =>
          app.io.on('connection', (socket) => {
            if (socket.handshake.auth.listens)
              socket.on('error', ((text: unknown, ack: (text: unknown) => void) => ack(text)) as never);
          }),
      },
    );
    const { warn } = logs(app);
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('error', 'x'), {
      error: { message: "no route for 'error' in /", code: 'NO_ROUTE' },
    });
    assert.equal(warn.length, 1);
    const other = await connect('/', { auth: { listens: true } });
    assert.equal(await other.emitWithAck('error', 'heard'), 'heard');
    assert.deepEqual(routed, []);
  });

  it('should not answer events that have native listeners, or that a middleware swallows', async () => {
    const { connect, app } = await auto(
      {},
      { packetMiddleware: ['a'] },
      {
        middleware: { a: (ctx, next) => (ctx.packet[0] === 'swallowed' ? undefined : next()) },
        router: (app) =>
          app.io.of('/').on('connection', (socket) => {
            socket.on('native', (value, ack) => process.nextTick(ack, value));
            socket.onAny((event, ...args) => event === 'any' && process.nextTick(args.at(-1), 'by onAny'));
          }),
      },
    );
    const { warn, error } = logs(app);
    const client = await connect();
    let answered = 0;
    client.emit('swallowed', () => answered++);
    assert.equal(await client.emitWithAck('native', 5), 5);
    assert.equal(await client.emitWithAck('any'), 'by onAny');
    assert.equal(answered, 0);
    assert.deepEqual([warn, error], [[], []]);
  });

  it('should answer an event whose controller reads and writes the session', async () => {
    const { connect } = await auto({
      work: async (ctx) => {
        (ctx.session as { n?: number }).n = ((ctx.session as { n?: number }).n ?? 0) + 1;
        return (ctx.session as { n?: number }).n;
      },
    });
    const client = await connect();
    assert.equal(await client.emitWithAck('work'), 1);
  });
});

describe('ackTimeout', () => {
  it('should answer with an error after the timeout, and log a warning for a later answer', async () => {
    const late = signal<(value: string) => void>();
    const { connect, app } = await auto(
      {
        never: (ctx) => {
          late.resolve(ctx.args[0]);
          return new Promise(() => {});
        },
        soon: async () => 'soon',
      },
      { ackTimeout: 30 },
    );
    const { error, warn } = logs(app);
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('never'), {
      error: { message: "no answer to 'never' in / in 30 ms", code: 'ACK_TIMEOUT' },
    });
    assert.equal(await client.emitWithAck('soon'), 'soon');
    assert.deepEqual(error, []);
    assert.match(warn[0], /no answer to 'never' in \/ in 30 ms \(client 127\.0\.0\.1\)/);
    (await late.promise)('late');
    assert.match(
      warn[1],
      /'never' in \/ is dropped: its acknowledgement was called, but the first answer was sent when it timed out/,
    );
  });

  it('should log an error that is thrown after the timeout, and not send it', async () => {
    const fail = signal();
    const { connect, app } = await auto(
      {
        slow: async () => {
          await fail.promise;
          throw new Error('in the end');
        },
        ok: () => 'ok',
      },
      { ackTimeout: 20 },
    );
    const { error } = logs(app);
    const client = await connect();
    const errors = errorsOf(client);
    assert.equal((await client.emitWithAck('slow')).error.code, 'ACK_TIMEOUT');
    fail.resolve();
    await until('it is logged', () => error.length === 1);
    assert.equal(await client.emitWithAck('ok'), 'ok');
    assert.deepEqual(errors, []);
  });

  it('should work with ack: manual', async () => {
    const { connect } = await auto(
      {
        forgets: async () => 'returned in vain',
        calls: (ctx) => ctx.args[0]('called'),
        fails: async () => {
          throw new Error('broken');
        },
      },
      { ack: 'manual', ackTimeout: 20 },
    );
    const client = await connect();
    assert.equal((await client.emitWithAck('forgets')).error.code, 'ACK_TIMEOUT');
    assert.equal(await client.emitWithAck('calls'), 'called');
    const heard = next(client, 'error');
    assert.equal((await client.emitWithAck('fails')).error.code, 'ACK_TIMEOUT');
    assert.deepEqual(await heard, [`${PREFIX}broken`]);
  });

  it('should do nothing if the client is disconnected before the timeout', async () => {
    const left = signal();
    const { connect, app } = await auto(
      {
        // The server disconnects the client, so that it is disconnected before the timeout even on a busy machine.
        leaves: (ctx) => {
          ctx.disconnect(true);
          left.resolve();
          return new Promise(() => {});
        },
        never: () => new Promise(() => {}),
        ok: () => 'ok',
      },
      { ackTimeout: 20 },
    );
    const { warn } = logs(app);
    const client = await connect();
    client.emit('leaves', () => {});
    await left.promise;
    const other = await connect();
    // The timeout of this event passes after that of the first client.
    assert.equal((await other.emitWithAck('never')).error.code, 'ACK_TIMEOUT');
    assert.equal(await other.emitWithAck('ok'), 'ok');
    assert.equal(warn.length, 1);
    assert.match(warn[0], /no answer to 'never'/);
  });

  it('should log a warning if the controller returns after the timeout', async () => {
    const finish = signal();
    const { connect, app } = await auto(
      {
        slow: async () => {
          await finish.promise;
          return 'late';
        },
      },
      { ackTimeout: 20 },
    );
    const { warn } = logs(app);
    const client = await connect();
    assert.equal((await client.emitWithAck('slow')).error.code, 'ACK_TIMEOUT');
    finish.resolve();
    await until('it is warned of', () => warn.length === 2);
    assert.match(
      warn[1],
      /'slow' in \/ is dropped: its controller returned, but the first answer was sent when it timed out/,
    );
  });

  it('should call onerror with the context as app.currentContext', async () => {
    const seen: unknown[] = [];
    const { connect, app } = await auto(
      { never: () => new Promise(() => {}) },
      {
        ackTimeout: 20,
        onerror: (_err, ctx) => void seen.push((app as { currentContext?: unknown }).currentContext === ctx),
      },
    );
    await (await connect()).emitWithAck('never');
    assert.deepEqual(seen, [true]);
  });

  it('should not wait for an answer to an event that a middleware has swallowed', async () => {
    const { connect, app } = await auto(
      { never: () => new Promise(() => {}) },
      { ackTimeout: 20, packetMiddleware: ['a'] },
      { middleware: { a: (ctx, next) => (ctx.packet[0] === 'swallowed' ? undefined : next()) } },
    );
    const { warn } = logs(app);
    const client = await connect();
    let answered = 0;
    client.emit('swallowed', () => answered++);
    assert.equal((await client.emitWithAck('never')).error.code, 'ACK_TIMEOUT');
    assert.deepEqual([answered, warn.length], [0, 1]);
    assert.match(warn[0], /no answer to 'never'/);
  });

  it('should accept events whose name is not a string if the parser accepts them', async () => {
    const parser = lenientParser();
    const { connect, app } = await auto(
      { '*': (ctx) => ctx.packet[0], never: () => new Promise(() => {}) },
      { ackTimeout: 20, init: { parser }, packetMiddleware: ['a'] },
      // The middleware never ends for names that are not strings, so their timeout passes.
      { middleware: { a: (ctx, next) => (typeof ctx.packet[0] === 'string' ? next() : new Promise<void>(() => {})) } },
    );
    const { warn } = logs(app);
    const client = await connect('/', { parser });
    const hostile = [{ toString: 1, valueOf: 1 }, null, 5, []];
    for (const [id, name] of hostile.entries()) {
      (client as unknown as { packet(packet: object): void }).packet({ type: 2, id: 100 + id, data: [name, 'x'] });
    }
    const errors = () => app.io.stats().namespaces['/']?.errors;
    await until('their time is up', () => errors() === hostile.length);
    assert.equal(warn.length, 1);
    assert.match(warn[0], /no answer to an event that is no string \(object\) in \/ in 20 ms/);
    assert.equal(await client.emitWithAck('anything'), 'anything');
  });
});

parity('ack: manual', () => {
  it("should pass Socket.IO's own ack function to the controller", async () => {
    const { connect, app } = await startInline({
      router: (app) => {
        app.io.route('returns', async () => 'nobody hears');
        app.io.route('calls', (ctx) => {
          ctx.args[0]('first');
          ctx.args[0]('second');
          return 'ignored';
        });
      },
    });
    const { warn } = logs(app);
    const client = await connect();
    let answered = false;
    client.emit('returns', () => {
      answered = true;
    });
    client.emit('unknown', () => {
      answered = true;
    });
    assert.equal(await client.emitWithAck('calls'), 'first');
    assert.equal(answered, false);
    assert.deepEqual(warn, []);
  });
});

describe('validation', () => {
  let running: Running;
  before(async () => {
    running = await start('routes');
  });

  it('should send the validation errors in the ack', async () => {
    const client = await running.connect();
    assert.equal((await client.emitWithAck('say')).error.errors[0].code, 'missing_field');
    const errors = [{ message: 'should be a string', code: 'invalid', field: 'text' }];
    assert.deepEqual(await client.emitWithAck('say', { text: 5 }), {
      error: { message: 'Validation Failed', code: 'invalid_param', errors },
    });
    assert.deepEqual(await client.emitWithAck('say', { text: 'five' }), { said: 'five' });
  });

  it('should work in middleware', async () => {
    const client = await running.connect();
    const { error } = await client.emitWithAck('checked', { id: 'x' });
    assert.deepEqual([error.code, error.errors[0].field], ['invalid_param', 'id']);
    assert.equal(await client.emitWithAck('checked', { id: 5 }), 5);
  });
});

describe('config.io.ack and config.io.ackTimeout', () => {
  it('should fail the boot if their value is invalid, and name the key', async () => {
    assert.match(
      (await bootError({ io: { ack: 'always' as never } })).message,
      /config\.io\.ack.*'always'.*'auto' or 'manual'/,
    );
    for (const ackTimeout of [0, -1, Number.NaN, Infinity, '5s' as never, 2 ** 31]) {
      assert.match((await bootError({ io: { ackTimeout } })).message, /config\.io\.ackTimeout.*number of ms/);
    }
  });
});
