// Code that runs before app/router: a function app.js and configDidLoad. Egg has not loaded app/io by then.
import assert from 'node:assert/strict';
import type { Application, Context } from 'egg';
import { EGG_MAJOR, logs } from './support/app';
import { bootError, startInline } from './support/inline';

type Named = Application & { label?: string };

const say = (ctx: Context) => ctx.args.at(-1)?.('said');
const controller = () => ({ say });
const mark = async (ctx: Context, next: () => Promise<void>) => {
  ctx.args.at(-1)('marked');
  await next();
};

describe('a function app.js', () => {
  it('should route events by path, by controller and with middleware', async () => {
    const { connect, app } = await startInline({
      controller,
      middleware: { a: mark },
      boot: (app) => {
        const { a } = app.io.middleware as Record<string, typeof mark>;
        const { chat } = app.io.controller as { chat: { say: typeof say } };
        app.io.route('path', 'chat.say' as never);
        app.io.route('member', chat.say);
        app.io.route('function', (ctx) => chat.say.call(ctx, ctx));
        app.io.route({ table: 'chat.say' as never });
        app.io.route('table', () => assert.fail('it is the second route'));
        app.io.of('/other').route('marked', a as never, chat.say);
      },
      router: (app) => {
        const { warn } = logs(app);
        app.io.route('path', () => assert.fail('it is the second route'));
        assert.equal(warn.length, 1);
      },
    });
    assert(app.io.controller);
    const client = await connect();
    for (const event of ['path', 'member', 'function', 'table']) {
      assert.equal(await client.emitWithAck(event), 'said', event);
    }
    assert.equal(await (await connect('/other')).emitWithAck('marked'), 'marked');
  });

  it('should be able to await app.io.controller', async () => {
    let awaited: Promise<unknown> = Promise.resolve();
    const { app } = await startInline({
      controller,
      boot: (app) => {
        awaited = Promise.resolve(app.io.controller);
      },
    });
    assert.equal(Reflect.get(Object(await awaited), 'chat').say, Reflect.get(app.io.controller, 'chat').say);
  });

  it('should run before the factories of app/io', async () => {
    const { connect } = await startInline({
      controller: (app: Named) => {
        const { label } = app;
        return { say: (ctx: Context) => ctx.args[0](label) };
      },
      boot: (app: Named) => {
        app.label = 'set in app.js';
        app.io.route('say', 'chat.say' as never);
      },
    });
    assert.equal(await (await connect()).emitWithAck('say'), 'set in app.js');
  });

  it('should fail the boot if it routes to a controller or to a middleware that does not exist', async () => {
    const io = (app: Application) => app.io as any;
    const problem = async (boot: (app: Application) => void) => (await bootError({ controller, boot })).message;
    assert.match(
      await problem((app) => io(app).route('x', 'chat.sya')),
      /can't find controller: chat\.sya !.*route\('x'.*chat\.say/,
    );
    if (EGG_MAJOR === 3) return;
    assert.match(
      await problem((app) => io(app).route('x', io(app).controller.chat.sya)),
      /can't find controller: chat\.sya !.*route\('x'.*chat\.say/,
    );
    assert.match(
      await problem((app) => io(app).route('x', io(app).middleware.d, 'chat.say')),
      /can't find middleware: d !.*a, b, c, guard/,
    );
    for (const early of [
      (app: Application) => Object.keys(app.io.controller),
      (app: Application) => io(app).controller.chat.say(),
      (app: Application) => 'a' in app.io.middleware,
    ]) {
      assert.match(await problem(early), /app\.io\.\S+ is not loaded yet.* move this code to app\/router/);
    }
  });
});
