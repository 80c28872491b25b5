// Sessions that are kept in the cookie: contract section 7.
import assert from 'node:assert/strict';
import { ask, itShowsTheLogin, type SessionApp, startSession } from './fixtures/apps/session-app/kit';
import { connected } from './support/app';
import { parity } from './support/clients';

parity('session in the cookie', () => {
  let app: SessionApp;

  before(async () => {
    app = await startSession({ store: false });
  });

  beforeEach(() => app.reset());

  itShowsTheLogin(() => app);

  it('should be empty for a client without a cookie', async () => {
    await app.login({ user: 'ann' });
    const seen: unknown[] = [];
    app.hooks.connection = (ctx, next) => {
      seen.push(ctx.session.toJSON());
      return next();
    };
    const client = await app.enter();
    assert.deepEqual(await ask(client, 'read'), {});
    assert.deepEqual(seen, [{}]);
  });

  it('should be empty for a client with a cookie that somebody has tampered with', async () => {
    const cookie = await app.login({ user: 'ann' });
    const tampered = cookie.replace(/(EGG_SESS=.{10})(.)/, (_all, start, char) => start + (char === 'A' ? 'B' : 'A'));
    assert.notEqual(tampered, cookie);
    const client = await app.enter(tampered);
    assert.deepEqual(await ask(client, 'read'), {});
    assert.deepEqual(await ask(await app.enter(cookie), 'read'), { user: 'ann' });
  });

  it('should keep what a connection middleware writes for the packets of that socket alone', async () => {
    app.hooks.connection = (ctx, next) => {
      if (ctx.query.write && ctx.socket.nsp.name === '/') ctx.session.visit = 'first';
      return next();
    };
    const client = await app.connect('/', { query: { write: '1' } });
    // Over the same connection, in another namespace.
    const beside = await connected(client.io.socket('/other'));
    const stranger = await app.enter();
    assert.deepEqual(await ask(client, 'read'), { visit: 'first' });
    assert.deepEqual(await ask(beside, 'read'), {});
    assert.deepEqual(await ask(stranger, 'read'), {});
    beside.disconnect();
  });

  it('should keep what a packet handler writes for the packets that follow, and not reach the browser', async () => {
    const cookie = await app.login({ user: 'ann' });
    const [client, second] = [await app.enter(cookie), await app.enter(cookie)];
    await ask(client, 'write', { cart: 1 });
    await ask(client, 'write', { shop: 'corner' });
    assert.deepEqual(await ask(client, 'read'), { user: 'ann', cart: 1, shop: 'corner' });
    assert.deepEqual(await ask(second, 'read'), { user: 'ann' });
    assert.deepEqual((await app.http('/read', cookie)).body, { user: 'ann' });
  });

  it('should be gone for the packets that follow a handler that sets it to null', async () => {
    const cookie = await app.login({ user: 'ann' });
    const client = await app.enter(cookie);
    await ask(client, 'clear');
    assert.deepEqual(await ask(client, 'read'), {});
    await ask(client, 'write', { user: 'bob' });
    assert.deepEqual(await ask(client, 'read'), { user: 'bob' });
  });

  it('should leave the other cookies as they are', async () => {
    const cookies: unknown[] = [];
    app.hooks.packet = (ctx, next) => {
      cookies.push(ctx.cookies.get('plain', { signed: false }), ctx.cookies.get('theme', { signed: false }));
      return next();
    };
    app.hooks.connection = (ctx, next) => {
      ctx.session.visit = 'first';
      ctx.cookies.set('theme', 'dark', { signed: false });
      return next();
    };
    const client = await app.enter('plain=crumb; theme=light');
    assert.deepEqual(await ask(client, 'read'), { visit: 'first' });
    assert.deepEqual(cookies, ['crumb', 'dark']);
  });
});
