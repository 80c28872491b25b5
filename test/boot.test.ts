// The boot: what is said of a configuration that works, and what happens more than once.
import assert from 'node:assert/strict';
import IoAgentBoot from '../agent';
import { logs } from './support/app';
import { startInline } from './support/inline';
import { signal } from './support/wait';

describe('boot', () => {
  it('should fail in the agent already where config.io is wrong: one message, before any worker starts', () => {
    const agent = { config: { io: { nonsense: 1 } } };
    assert.throws(
      () => new IoAgentBoot(agent as never).configDidLoad(),
      /unknown option nonsense.*config\.io\.nonsense/,
    );
  });

  it('should warn where the application has no session middleware, and work without', async () => {
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

  it('should attach to a server once, however often Egg announces it', async () => {
    const { app, server, connect } = await startInline({});
    const { engine } = app.io;
    app.emit('server', server);
    assert(app.io.engine === engine);
    assert((await connect()).connected);
  });
});
