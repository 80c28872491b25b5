// The forms in which a file of app/io/controller may export its handlers, beside those of the legacy tests.
import assert from 'node:assert/strict';
import path from 'node:path';
import type { Application, Context } from 'egg';
import type { Socket } from 'socket.io-client';
import { type Running, start } from './support/app';
import { bootError, startInline } from './support/inline';

describe('controllers', () => {
  let running: Running;
  let client: Socket;
  const controllers = () => running.app.io.controller as Record<string, any>;

  before(async () => {
    running = await start('controller-forms');
  });

  beforeEach(async () => {
    client = await running.connect();
  });

  it('should be instances of a class that a compiler has turned into a function', async () => {
    assert.deepEqual(await client.emitWithAck('compiled'), [true, client.id]);
  });

  it('should have inherited methods, and those of the class itself in their place', async () => {
    assert.equal(await client.emitWithAck('inherited'), 'base');
    assert.equal(await client.emitWithAck('overridden'), 'own');
  });

  it('should have the name of their file, which Egg prints in their log lines', async () => {
    assert.equal(await client.emitWithAck('path'), 'controller.inherited');
  });

  it('should have no getters', () => {
    assert.deepEqual(Object.keys(controllers().inherited).sort(), ['both', 'hello', 'path']);
  });

  it('should call functions of objects and of files with the context as this and as the argument', async () => {
    assert.deepEqual(await client.emitWithAck('labelled'), [true, client.id]);
    assert.equal(await client.emitWithAck('nested'), client.id);
    assert.equal(await client.emitWithAck('single'), client.id);
  });

  it('should keep the properties of a function', () => {
    assert.equal(controllers().object.labelled.label, 'kept');
  });

  it('should get the context as their argument if code calls them with it as this', async () => {
    const ctx = { id: 'mock', app: running.app };
    assert.equal(await controllers().object.nested.arrow.call(ctx), 'mock');
    assert.deepEqual(await controllers().compiled.who.call(ctx), [true, 'mock']);
  });
});

describe('a framework that loads no app/router', () => {
  const framework = path.join(__dirname, 'fixtures/framework');
  const inline = {
    controller: () => ({ say: (ctx: Context) => ctx.args[0]('said') }),
    boot: (app: Application) => app.io.route('say', 'chat.say' as never),
    router: () => assert.fail('app/router was loaded'),
  };

  it('should load app/io/middleware', async () => {
    let runs = 0;
    const a = async (_ctx: Context, next: () => Promise<void>) => {
      runs++;
      await next();
    };
    const io = { namespace: { '/': { connectionMiddleware: ['a'] } } };
    const { app, connect } = await startInline({ ...inline, io, middleware: { a } }, { framework });
    await connect();
    assert.equal(runs, 1);
    assert.deepEqual(Object.keys(app.io.middleware).sort(), ['a', 'b', 'c', 'guard']);
  });

  it('should load app/io/controller, also if nothing but a route names it', async () => {
    const { connect } = await startInline(inline, { framework });
    assert.equal(await (await connect()).emitWithAck('say'), 'said');
  });

  it('should fail the boot if app/io cannot be loaded', async () => {
    const controller = () => {
      throw new Error('a bug in the controller');
    };
    await assert.rejects(startInline({ ...inline, controller }, { framework }), /a bug in the controller/);
  });
});

describe('a method of a controller that is named like a member of the base class', () => {
  for (const name of ['app', 'config', 'ctx', 'logger', 'service']) {
    it(`should fail the boot: ${name}`, async () => {
      const controller = ({ Controller }: Application) => {
        class Chat extends Controller {}
        Object.defineProperty(Chat.prototype, name, { value: () => {} });
        return Chat;
      };
      const { message } = await bootError({ controller });
      assert.match(message, new RegExp(`Chat\\.${name}\\(\\) of \\S+chat\\.js has the name of a member`));
    });
  }

  it('should be called if the class does not extend it', async () => {
    const { connect } = await startInline({
      controller: () =>
        class {
          service() {
            return 'served';
          }
        },
      router: (app) => {
        app.io.route('service', 'chat.service' as never);
      },
      io: { ack: 'auto' },
    });
    assert.equal(await (await connect()).emitWithAck('service'), 'served');
  });
});
