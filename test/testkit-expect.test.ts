// What a client of app.ioClient() expects: expect(), expectNothing(), emitWithAck().
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { IoTestClient } from '../lib';
import { mm, type Running } from './support/app';
import { startInline } from './support/inline';
import { next, signal, until } from './support/wait';

describe('a client of app.ioClient()', () => {
  let app: Running['app'];
  let chat: IoTestClient;
  let held: ReturnType<typeof signal<void>>;
  let begun: string[];

  before(async () => {
    mm.env('unittest');
    ({ app } = await startInline({
      io: { init: { pingInterval: 20 } },
      middleware: {},
      router: (app) => {
        app.io.of('/chat').route({
          emit: async (ctx: Context) => {
            for (const packet of ctx.args[0]) ctx.emit(...(packet as [string]));
          },
          'emit later': async (ctx: Context) => {
            begun.push('emit later');
            await held.promise;
            ctx.emit('later', 1);
          },
          tell: async (ctx: Context) => {
            await new Promise(setImmediate);
            ctx.broadcast.emit('told', ctx.args[0]);
          },
          ask: async (ctx: Context) => {
            ctx.emit('question', 'ok?', () => {});
          },
          kick: async (ctx: Context) => {
            ctx.disconnect();
          },
          echo: async (ctx: Context) => ctx.args.at(-1)(...ctx.args.slice(0, -1)),
          silent: async () => {},
        });
      },
    }));
  });

  beforeEach(async () => {
    held = signal();
    begun = [];
    chat = await app.ioClient('/chat', { timeout: 2000 });
  });

  afterEach(() => held.resolve());

  const emits = (...packets: unknown[][]) => chat.emit('emit', packets);
  const impatient = () => app.ioClient('/chat', { timeout: 300 });

  describe('expect()', () => {
    it('should give the arguments of an event that comes', async () => {
      const said = chat.expect('said');
      emits(['said', 'hello', { to: 'all' }]);
      assert.deepEqual(await said, ['hello', { to: 'all' }]);
    });

    it('should take those that have come, in order, and each once', async () => {
      emits(['said', 1], ['other'], ['said', 2], ['end']);
      await chat.expect('end');
      assert.deepEqual(await chat.expect('said'), [1]);
      assert.deepEqual(await chat.expect('said'), [2]);
      await chat.expect('other');
      await chat.expectNothing('said');
    });

    it('should give each that waits its own', async () => {
      const both = Promise.all([chat.expect('said'), chat.expect('said')]);
      emits(['said', 1], ['said', 2]);
      assert.deepEqual(await both, [[1], [2]]);
    });

    it('should compare the payload', async () => {
      emits(['said', { text: 'hello' }], ['moved', 1, 2], ['nothing'], ['list', ['a']]);
      await chat.expect('said', { text: 'hello' });
      await chat.expect('moved', 1, 2);
      await chat.expect('nothing');
      await chat.expect('list', ['a']);
    });

    it('should fail where it differs, with the difference', async () => {
      emits(['said', { text: 'hello' }], ['moved', 1, 2], ['moved', 1, 2], ['nothing'], ['number', 1]);
      await assert.rejects(chat.expect('said', { text: 'bye' }), (err: assert.AssertionError) => {
        assert.equal(err.code, 'ERR_ASSERTION');
        assert.deepEqual([err.actual, err.expected], [{ text: 'hello' }, { text: 'bye' }]);
        for (const text of [err.message, err.stack]) {
          assert.match(String(text), /the event 'said' of \/chat: [\s\S]*\+ +text: 'hello'\n- +text: 'bye'/);
        }
        return true;
      });
      await assert.rejects(chat.expect('moved', 1), { actual: [1, 2], expected: [1] });
      await assert.rejects(chat.expect('moved', 1, 2, 3), { actual: [1, 2], expected: [1, 2, 3] });
      await assert.rejects(chat.expect('nothing', 'something'), { actual: [], expected: ['something'] });
      await assert.rejects(chat.expect('number', '1'), { code: 'ERR_ASSERTION' });
    });

    it('should ask a function', async () => {
      emits(['moved', 1, 2], ['moved', 1, 2], ['moved', 1, 2], ['moved', 1, 2]);
      await chat.expect('moved', (x: number, y: number) => x < y);
      await assert.rejects(
        chat.expect('moved', (x: number, y: number) => x > y),
        { code: 'ERR_ASSERTION', message: /not as expected: moved\(1, 2\)/ },
      );
      await assert.rejects(
        chat.expect('moved', () => undefined),
        { code: 'ERR_ASSERTION' },
      );
      await assert.rejects(
        chat.expect('moved', () => assert.fail('by itself')),
        { message: 'by itself' },
      );
    });

    it('should wait for what a function promises', async () => {
      emits(['res', 1], ['res', 2]);
      await chat.expect('res', async (n) => n === 1);
      await assert.rejects(
        chat.expect('res', async (n) => n === 1),
        { code: 'ERR_ASSERTION', message: /the event of \/chat is not as expected: res\(2\)/ },
      );
    });

    it('should not compare the function that acknowledges', async () => {
      chat.emit('ask');
      const [text, ack] = await chat.expect('question', 'ok?');
      assert.deepEqual([text, typeof ack], ['ok?', 'function']);
    });

    it('should fail after its time, with what came meanwhile', async () => {
      chat = await impatient();
      emits(['a', 1], ['b', { c: 'd' }]);
      await next(chat as never, 'b');
      await assert.rejects(chat.expect('said'), {
        message:
          "[egg-socket.io] waited 300 ms in vain for the event 'said' of /chat; received and not expected: a(1), b({ c: 'd' })",
      });
      // It waits no more: the next is for the next.
      emits(['said', 2]);
      await chat.expect('said', 2);
    });

    it('should know of the end', async () => {
      chat.emit('kick');
      await chat.expect('disconnect', 'io server disconnect');
    });

    it('should not wait for what the end has made impossible', async () => {
      const said = chat.expect('said');
      chat.emit('kick');
      await assert.rejects(said, /\/chat was disconnected \(io server disconnect\) before the event 'said'/);
      await assert.rejects(chat.expect('said'), /was disconnected/);
    });

    it('should keep a thousand events and list a few', async () => {
      chat = await app.ioClient('/chat', { timeout: 500 });
      emits(...Array.from({ length: 1500 }, (_, i) => ['n', i]), ['end']);
      await chat.expect('end');
      await assert.rejects(chat.expect('x'), /not expected: 1480 more, n\(1480\), .*, n\(1499\)$/);
      await chat.expect('n', 500);
    });
  });

  describe('expectNothing()', () => {
    it('should pass where nothing comes, and other events do', async () => {
      emits(['other']);
      await chat.expectNothing('said');
      await chat.expect('other');
    });

    it('should fail where it has come', async () => {
      emits(['said', 1], ['said', 2]);
      await assert.rejects(chat.expectNothing('said'), {
        code: 'ERR_ASSERTION',
        message: '/chat has sent what was not to come: said(1), said(2)',
      });
    });

    it('should wait for what the client has just sent', async () => {
      for (let i = 0; i < 20; i++) {
        emits(['said', i]);
        await assert.rejects(chat.expectNothing('said'), /not to come/);
        await chat.expect('said', i);
      }
    });

    it('should wait for a handler that is running', async () => {
      chat.emit('emit later');
      let isOver = false;
      const nothing = assert.rejects(chat.expectNothing('later'), /later\(1\)/).then(() => {
        isOver = true;
      });
      await until('it runs', () => begun.length === 1);
      // A round trip of another event: the first would be over by now.
      await chat.emitWithAck('echo');
      assert.equal(isOver, false);
      held.resolve();
      await nothing;
    });

    it('should wait for what other clients have sent', async () => {
      const other = await app.ioClient('/chat', { transports: ['polling'] });
      other.emit('tell', 'hello');
      await assert.rejects(chat.expectNothing('told'), /told\('hello'\)/);
      await other.expectNothing('told');
    });

    it('should hold for polling, too', async () => {
      chat = await app.ioClient('/chat', { transports: ['polling'] });
      emits(['said', 1]);
      await assert.rejects(chat.expectNothing('said'), /said\(1\)/);
    });

    it('should hold where the client has left', async () => {
      chat.emit('kick');
      await chat.expect('disconnect');
      await chat.expectNothing('said');
    });

    it('should fail where the client has been thrown out, and goes on sending', async () => {
      chat.emit('kick');
      await chat.expect('disconnect');
      emits(['res']);
      await assert.rejects(chat.expectNothing('res'), /a client of \/chat was disconnected: what it has sent since/);
    });

    it('should fail where a handler does not end', async () => {
      chat = await impatient();
      chat.emit('emit later');
      await assert.rejects(chat.expectNothing('later'), /in vain for the end of what is being handled \(1 packets\)/);
    });

    it('should leave no trace in what is counted and listened to', async () => {
      const heard: unknown[] = [];
      chat.onAny((...args) => heard.push(args));
      const counts = () => {
        const { namespaces, connections } = app.io.stats();
        return JSON.stringify([namespaces, connections, app.io.names()]);
      };
      const before = counts();
      await chat.expectNothing('said');
      assert.equal(counts(), before);
      assert.deepEqual(heard, []);
    });
  });

  describe('emitWithAck()', () => {
    it('should give the answer', async () => {
      assert.deepEqual(await chat.emitWithAck('echo', { a: 1 }), { a: 1 });
    });

    it('should fail where none comes, with what came instead', async () => {
      chat = await impatient();
      emits(['error', 'no']);
      await next(chat as never, 'error');
      await assert.rejects(chat.emitWithAck('silent', 'x'), {
        message:
          "[egg-socket.io] waited 300 ms in vain for the ack of silent('x') from /chat; received and not expected: error('no')",
      });
    });

    it('should say where no route has the event', async () => {
      chat = await impatient();
      await assert.rejects(chat.emitWithAck('slient'), {
        message:
          /for the ack of slient\(\) from \/chat; no route of \/chat has 'slient' \(there are: .*silent.*\); received/,
      });
    });

    it("should have socket.io-client's own deadline where that is asked for", async () => {
      await assert.rejects(chat.timeout(20).emitWithAck('silent'), { message: 'operation has timed out' });
      assert.equal(await chat.timeout(2000).emitWithAck('echo', 1), 1);
    });
  });
});
