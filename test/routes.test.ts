// Routes by the path of a controller, with middleware of their own, for several events, and for all other events.
import assert from 'node:assert/strict';
import type { Application, Context } from 'egg';
import { logs, type Running, start } from './support/app';
import { parity } from './support/clients';
import { bootError, noting, startInline } from './support/inline';
import { next, signal, until } from './support/wait';

type Router = (app: Application) => void;

const bootFails = async (router: Router, expected: RegExp) => {
  assert.match((await bootError({ router })).message, expected);
};

parity('routes of an application', () => {
  let running: Running;
  before(async () => {
    running = await start('routes');
  });

  it('should find a controller by its path', async () => {
    const client = await running.connect();
    assert.deepEqual(await client.emitWithAck('say', { text: 'hello' }), { said: 'hello' });
  });

  it('should accept several events at once: by path, by nested path, by method and by function', async () => {
    const client = await running.connect('/admin');
    assert.equal(await client.emitWithAck('kick', 'bob'), 'kicked bob');
    assert.equal(await client.emitWithAck('leave'), 'left');
    assert.equal(await client.emitWithAck('inline', 1), 2);
  });

  it('should run the middleware of one route only for that route', async () => {
    const { error } = logs(running.app);
    const client = await running.connect();
    assert.equal(await client.emitWithAck('limited'), 'left');
    assert.equal(await client.emitWithAck('limited'), 'left');
    assert.deepEqual(await client.emitWithAck('limited'), { error: { message: 'too many', code: 'RATE' } });
    assert.deepEqual(await client.emitWithAck('say', { text: 'free' }), { said: 'free' });
    // A middleware has failed, so the message has no prefix.
    assert.deepEqual(
      error.map((err) => err.message),
      ['too many'],
    );
  });

  it('should fail the boot if a path has no controller, and list the existing paths', () => {
    const route = (path: string) => () => running.app.io.route('x', path as 'chat.say');
    const known =
      /can't find controller: .* !.*app\.io\.of\('\/'\)\.route\('x'.*: admin\.user\.kick, chat\.leave, chat\.say/;
    for (const path of [
      'chta.say',
      'chat',
      'chat.said',
      'chat.say.more',
      '',
      'chat.constructor',
      '__proto__.toString',
    ]) {
      assert.throws(route(path), known, path);
      assert.throws(route(path), { name: 'EggSocketIOConfigError' });
    }
  });

  it('should name the event of an invalid handler in an object of routes', () => {
    const { io } = running.app;
    assert.throws(() => io.of('/x').route({ a: 'chat.say', b: undefined as never }), /handler must be function!.*'b'/);
    assert.throws(() => io.of('/x').route({ b: undefined as never }), /It is undefined: is its name misspelt\?/);
    assert.throws(
      () => io.of('/x').route({ b: [() => {}, 'chat.say'] as never }),
      /write route\(event, middleware, handler/,
    );
    const { chat } = io.controller as unknown as Record<string, unknown>;
    assert.throws(
      () => io.of('/x').route('c', chat as never),
      /handler must be function! It is a controller: name one of its methods, such as \w+ /,
    );
    assert.throws(() => io.route([] as never), /event must be string!/);
    assert.throws(() => io.route(new Map() as never), /event must be string!/);
    assert.throws(() => io.route(null as never), /event must be string!/);
    assert.throws(() => io.route({ a: 'chat.say' } as never, 'chat.say'), /event must be string!/);
  });
});

describe('a path without controllers', () => {
  it('should fail the boot if the application has no controllers', async () => {
    await bootFails((app) => app.io.route('say', 'chat.say'), /can't find controller: chat\.say !.*there are none/);
  });
});

parity('middleware of a route', () => {
  it('should run inside the packet chain, in order, around the controller', async () => {
    const steps: string[] = [];
    const over = signal();
    const { connect } = await startInline({
      io: { packetMiddleware: ['a'] },
      middleware: { a: noting(steps, 'packet', over.resolve) },
      router: (app) =>
        app.io.route('work', noting(steps, 'first'), noting(steps, 'second'), async (ctx: Context) => {
          steps.push(`controller ${ctx.args[0]}`);
        }),
    });
    (await connect()).emit('work', 7);
    await over.promise;
    assert.deepEqual(steps, [
      'packet in',
      'first in',
      'second in',
      'controller 7',
      'second out',
      'first out',
      'packet out',
    ]);
  });

  it('should pass its changes of the packet to the controller, and drop the event without next()', async () => {
    const { connect } = await startInline({
      router: (app) => {
        const double = (ctx: Context, next: () => Promise<void>) => {
          if (ctx.args[0] > 10) return ctx.args[1]('kept back');
          ctx.packet[1] = ctx.args[0] * 2;
          return next();
        };
        app.io.route('double', double, (ctx) => ctx.args[1](ctx.args[0]));
      },
    });
    const client = await connect();
    assert.equal(await client.emitWithAck('double', 4), 8);
    assert.equal(await client.emitWithAck('double', 11), 'kept back');
  });

  it('should emit its errors to the client, and be able to catch those of the controller', async () => {
    const caught: unknown[] = [];
    const { connect, app } = await startInline({
      router: (app) => {
        const refuse = () => {
          throw Object.assign(new Error('no'), { data: { code: 1 } });
        };
        app.io.route('refuse', refuse, () => assert.fail('the controller has run'));
        const mend = async (ctx: Context, next: () => Promise<void>) => {
          await next().catch((err) => caught.push(err.message));
          ctx.args[0]('mended');
        };
        app.io.route('mend', mend, async () => {
          throw new Error('broken');
        });
      },
    });
    const { error } = logs(app);
    const client = await connect();
    const heard = next(client, 'error');
    client.emit('refuse');
    assert.deepEqual(await heard, [{ code: 1 }]);
    assert.equal(error.length, 1);
    assert.equal(await client.emitWithAck('mend'), 'mended');
    assert.deepEqual(caught, ['[egg-socket.io] controller execute error: broken']);
    assert.equal(error.length, 1);
  });

  it('should run around the handlers of system events', async () => {
    const steps: string[] = [];
    const over = signal();
    const { connect } = await startInline({
      router: (app) =>
        app.io.route('disconnect', noting(steps, 'around', over.resolve), (ctx) => {
          steps.push(ctx.args[0]);
        }),
    });
    (await connect()).disconnect();
    await over.promise;
    assert.deepEqual(steps, ['around in', 'client namespace disconnect', 'around out']);
  });

  it('should fail the boot if it is not a function, and name the route', async () => {
    const missing = (app: Application) => app.io.of('/chat').route('say', (app.io.middleware as any).nobody, () => {});
    await bootFails(
      missing,
      /middleware must be function!.*app\.io\.of\('\/chat'\)\.route\('say'.*undefined.*app\/io\/middleware/,
    );
    await bootFails((app) => app.io.route('say', 'auth' as never, () => {}), /middleware must be function!.*'auth'/);
  });

  it('should suggest what to write instead', async () => {
    const handler = () => {};
    await bootFails(
      (app) => app.io.route('say', 'guard' as never, handler),
      /must be function! Write app\.io\.middleware\.guard .*: a, b, c, guard/,
    );
    await bootFails(
      (app) => app.io.route('say', Promise.resolve() as never, handler),
      /It was called: leave out the \(\)/,
    );
  });

  it('should log a warning for a route of an event that sockets do not have', async () => {
    const { app } = await startInline({});
    const { warn } = logs(app);
    app.io.route('connection', () => {});
    assert.match(warn[0], /route\('connection'.*connectionMiddleware/);
  });
});

parity('a catch-all route', () => {
  const router: Router = (app) => {
    app.io.route('*', (ctx) => ctx.args.at(-1)(['rest', ctx.packet[0], ctx.args.length]));
    app.io.route('known', (ctx) => ctx.args[0]('known'));
    app.io.of('/other').route('known', (ctx) => ctx.args[0]('other'));
  };

  it('should handle the unrouted events of its namespace', async () => {
    const { connect } = await startInline({ router });
    const [client, other] = [await connect(), await connect('/other')];
    assert.equal(await client.emitWithAck('known'), 'known');
    assert.deepEqual(await client.emitWithAck('anything', 1, 2), ['rest', 'anything', 3]);
    for (const event of ['*', '__proto__', 'constructor', '']) {
      assert.deepEqual(await client.emitWithAck(event), ['rest', event, 1]);
    }
    let answered = false;
    other.emit('anything', () => {
      answered = true;
    });
    assert.equal(await other.emitWithAck('known'), 'other');
    assert.equal(answered, false);
  });

  it('should not handle system events', async () => {
    const seen: unknown[] = [];
    const gone = signal();
    const { connect } = await startInline({
      router: (app) => {
        app.io.route('*', (ctx) => void seen.push(ctx.packet?.[0]));
        app.io.of('/').on('connection', (socket) => socket.on('disconnect', () => gone.resolve()));
      },
    });
    const client = await connect();
    client.emit('a');
    client.emit('error', 'sent by hand');
    client.emit('b');
    await until('both have come', () => seen.length === 2);
    client.disconnect();
    await gone.promise;
    assert.deepEqual(seen, ['a', 'b']);
  });

  it('should log a warning for a second one', async () => {
    const { app } = await startInline({ router });
    const { warn } = logs(app);
    app.io.route('*', () => {});
    assert.match(warn[0], /route\('\*'.*is ignored/);
  });
});
