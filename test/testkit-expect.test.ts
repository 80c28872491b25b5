// What a client of app.ioClient() expects: expect(), expectNothing(), emitWithAck().
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { IoTestClient } from '../lib';
import { mm, type Running } from './support/app';
import { startInline } from './support/inline';
import { DEADLINE, next, signal, until } from './support/wait';

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
    chat = await app.ioClient('/chat', { timeout: DEADLINE });
  });

  afterEach(() => held.resolve());

  const emits = (...packets: unknown[][]) => chat.emit('emit', packets);
  const impatient = () => app.ioClient('/chat', { timeout: 1500 });

  describe('expect()', () => {
    it('should return the arguments of the next event', async () => {
      const said = chat.expect('said');
      emits(['said', 'hello', { to: 'all' }]);
      assert.deepEqual(await said, ['hello', { to: 'all' }]);
    });

    it('should return received events in order, and each of them once', async () => {
      emits(['said', 1], ['other'], ['said', 2], ['end']);
      await chat.expect('end');
      assert.deepEqual(await chat.expect('said'), [1]);
      assert.deepEqual(await chat.expect('said'), [2]);
      await chat.expect('other');
      await chat.expectNothing('said');
    });

    it('should return one event to each of two pending calls', async () => {
      const both = Promise.all([chat.expect('said'), chat.expect('said')]);
      emits(['said', 1], ['said', 2]);
      assert.deepEqual(await both, [[1], [2]]);
    });

    it('should compare the arguments', async () => {
      emits(['said', { text: 'hello' }], ['moved', 1, 2], ['nothing'], ['list', ['a']]);
      await chat.expect('said', { text: 'hello' });
      await chat.expect('moved', 1, 2);
      await chat.expect('nothing');
      await chat.expect('list', ['a']);
    });

    it('should fail with the difference if the arguments differ', async () => {
      emits(['said', { text: 'hello' }], ['moved', 1, 2], ['moved', 1, 2], ['nothing'], ['number', 1]);
      await assert.rejects(chat.expect('said', { text: 'bye' }), (err: assert.AssertionError) => {
        assert.equal(err.code, 'ERR_ASSERTION');
        assert.deepEqual([err.actual, err.expected], [{ text: 'hello' }, { text: 'bye' }]);
        for (const text of [err.message, err.stack]) {
          assert.match(String(text), /event 'said' from \/chat: [\s\S]*\+ +text: 'hello'\n- +text: 'bye'/);
        }
        return true;
      });
      await assert.rejects(chat.expect('moved', 1), { actual: [1, 2], expected: [1] });
      await assert.rejects(chat.expect('moved', 1, 2, 3), { actual: [1, 2], expected: [1, 2, 3] });
      await assert.rejects(chat.expect('nothing', 'something'), { actual: [], expected: ['something'] });
      await assert.rejects(chat.expect('number', '1'), { code: 'ERR_ASSERTION' });
    });

    it('should call a function with the arguments', async () => {
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

    it('should wait for the promise that a function returns', async () => {
      emits(['res', 1], ['res', 2]);
      await chat.expect('res', async (n) => n === 1);
      await assert.rejects(
        chat.expect('res', async (n) => n === 1),
        { code: 'ERR_ASSERTION', message: /event from \/chat is not as expected: res\(2\)/ },
      );
    });

    it('should not compare the acknowledgement function', async () => {
      chat.emit('ask');
      const [text, ack] = await chat.expect('question', 'ok?');
      assert.deepEqual([text, typeof ack], ['ok?', 'function']);
    });

    it('should fail after the timeout and list the other events', async () => {
      chat = await impatient();
      emits(['a', 1], ['b', { c: 'd' }]);
      await next(chat as never, 'b');
      await assert.rejects(chat.expect('said'), {
        message:
          "[egg-socket.io] timed out after 1500 ms waiting for event 'said' from /chat; received but not expected: a(1), b({ c: 'd' })",
      });
      // The call that timed out does not consume the next event.
      emits(['said', 2]);
      await chat.expect('said', 2);
    });

    it('should return the reason of the disconnect', async () => {
      chat.emit('kick');
      await chat.expect('disconnect', 'io server disconnect');
    });

    it('should fail at once if the client is disconnected', async () => {
      const said = chat.expect('said');
      chat.emit('kick');
      await assert.rejects(said, /\/chat was disconnected \(io server disconnect\) before event 'said'/);
      await assert.rejects(chat.expect('said'), /was disconnected/);
    });

    it('should store a thousand events and list the last twenty', async () => {
      chat = await app.ioClient('/chat', { timeout: 3000 });
      emits(...Array.from({ length: 1500 }, (_, i) => ['n', i]), ['end']);
      await chat.expect('end');
      await assert.rejects(chat.expect('x'), /not expected: 1480 more, n\(1480\), .*, n\(1499\)$/);
      await chat.expect('n', 500);
    });
  });

  describe('expectNothing()', () => {
    it('should pass if only other events arrive', async () => {
      emits(['other']);
      await chat.expectNothing('said');
      await chat.expect('other');
    });

    it('should fail if the event has arrived', async () => {
      emits(['said', 1], ['said', 2]);
      await assert.rejects(chat.expectNothing('said'), {
        code: 'ERR_ASSERTION',
        message: '/chat sent unexpected events: said(1), said(2)',
      });
    });

    it('should wait for events that the client has just emitted', async () => {
      for (let i = 0; i < 20; i++) {
        emits(['said', i]);
        await assert.rejects(chat.expectNothing('said'), /sent unexpected events/);
        await chat.expect('said', i);
      }
    });

    it('should wait for a running handler', async () => {
      chat.emit('emit later');
      let isOver = false;
      const nothing = assert.rejects(chat.expectNothing('later'), /later\(1\)/).then(() => {
        isOver = true;
      });
      await until('the handler runs', () => begun.length === 1);
      // After a round trip of another event, expectNothing() would have passed if it did not wait for the handler.
      await chat.emitWithAck('echo');
      assert.equal(isOver, false);
      held.resolve();
      await nothing;
    });

    it('should wait for events that other clients have emitted', async () => {
      const other = await app.ioClient('/chat', { transports: ['polling'] });
      other.emit('tell', 'hello');
      await assert.rejects(chat.expectNothing('told'), /told\('hello'\)/);
      await other.expectNothing('told');
    });

    it('should work with long-polling', async () => {
      chat = await app.ioClient('/chat', { transports: ['polling'] });
      emits(['said', 1]);
      await assert.rejects(chat.expectNothing('said'), /said\(1\)/);
    });

    it('should pass if the client is disconnected', async () => {
      chat.emit('kick');
      await chat.expect('disconnect');
      await chat.expectNothing('said');
    });

    it('should fail if the client emits events after the server has disconnected it', async () => {
      chat.emit('kick');
      await chat.expect('disconnect');
      emits(['res']);
      await assert.rejects(
        chat.expectNothing('res'),
        /a client of \/chat has emitted events after it was disconnected/,
      );
    });

    it('should fail if a handler does not return', async () => {
      chat = await impatient();
      chat.emit('emit later');
      await assert.rejects(chat.expectNothing('later'), /waiting for the handlers of events to finish \(1 running\)/);
    });

    it('should not change statistics and not trigger listeners', async () => {
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
    it('should return the acknowledgement', async () => {
      assert.deepEqual(await chat.emitWithAck('echo', { a: 1 }), { a: 1 });
    });

    it('should fail after the timeout and list the received events', async () => {
      chat = await impatient();
      emits(['error', 'no']);
      await next(chat as never, 'error');
      await assert.rejects(chat.emitWithAck('silent', 'x'), {
        message:
          "[egg-socket.io] timed out after 1500 ms waiting for the acknowledgement of silent('x') from /chat; received but not expected: error('no')",
      });
    });

    it('should list the routes if none of them handles the event', async () => {
      chat = await impatient();
      await assert.rejects(chat.emitWithAck('slient'), {
        message:
          /for the acknowledgement of slient\(\) from \/chat; \/chat has no route for 'slient' \(there are: .*silent.*\); received/,
      });
    });

    it("should use socket.io-client's own timeout if the call sets one", async () => {
      await assert.rejects(chat.timeout(20).emitWithAck('silent'), { message: 'operation has timed out' });
      assert.equal(await chat.timeout(DEADLINE).emitWithAck('echo', 1), 1);
    });
  });
});
