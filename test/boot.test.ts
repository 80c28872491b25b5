// The boot: failures in the agent, warnings, and repeated events.
import assert from 'node:assert/strict';
import IoAgentBoot from '../agent';
import { logs } from './support/app';
import { bootError, startInline } from './support/inline';
import { signal } from './support/wait';

describe('boot', () => {
  it('should fail in the agent if config.io is invalid, before any worker starts', () => {
    const agent = { config: { io: { nonsense: 1 } } };
    assert.throws(
      () => new IoAgentBoot(agent as never).configDidLoad(),
      /unknown option nonsense.*config\.io\.nonsense/,
    );
  });

  it('should name the file to change if config.io is invalid', async () => {
    const file = /; set in config\/config\.default\.js\)$/;
    const wrong: Array<[string, Record<string, unknown>]> = [
      ['an option', { ackTimeout: 'soon' }],
      ['a key', { nonsense: { deep: 1 } }],
      ['an option of an option', { redis: { port: 'six' } }],
      ['a namespace', { namespace: { '/a.b': { connectionMiddleware: [1] } } }],
      ['a middleware that does not exist', { namespace: { '/chat': { packetMiddleware: ['nobody'] } } }],
    ];
    for (const [what, io] of wrong) {
      const err = await bootError({ io: io as never });
      assert.match(err.message, file, what);
      assert(err.stack?.includes(err.message), what);
    }
    process.env.EGG_APP_CONFIG = JSON.stringify({ io: { ackTimeout: 'soon' } });
    const { message } = await bootError({ io: { ackTimeout: 1 } });
    assert.match(message, /; set in <process\.env\.EGG_APP_CONFIG>\)$/);
  });

  it('should log a warning if the application has no session middleware, and work without sessions', async () => {
    const warnings = signal<string[]>();
    const { connect } = await startInline({
      boot: (app) => {
        warnings.resolve(logs(app).warn);
        const { config } = app as unknown as { config: { coreMiddleware: string[] } };
        config.coreMiddleware = config.coreMiddleware.filter((name) => name !== 'session');
      },
      router: (app) => app.io.route('ping', (ctx) => ctx.args[0]('pong')),
    });
    const texts = (await warnings.promise).filter((text) => text.includes('no session middleware'));
    assert.equal(texts.length, 1);
    assert.match(texts[0] as string, /config\.coreMiddleware/);
    assert.equal(await (await connect()).emitWithAck('ping'), 'pong');
  });

  it('should fail if the application changes a chain after the plugin has read config.io', async () => {
    const { message } = await bootError({
      middleware: { guard: () => {} },
      boot: (app) => {
        app.config.io.connectionMiddleware = ['guard'];
      },
    });
    assert.match(message, /config\.io was changed after .* configDidLoad.*configWillLoad of app\.js/);
  });

  it('should attach to a server once if Egg emits the event server twice', async () => {
    const { app, server, connect } = await startInline({});
    const { engine } = app.io;
    app.emit('server', server);
    assert(app.io.engine === engine);
    assert((await connect()).connected);
  });
});
