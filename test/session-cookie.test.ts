// Sessions in a cookie.
import assert from 'node:assert/strict';
import { ask, itShowsTheLogin, type SessionApp, startSession } from './fixtures/apps/session-app/kit';
import { connected, logs } from './support/app';
import { parity } from './support/clients';
import { next, signal } from './support/wait';

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

  it('should be empty for a client with a forged cookie', async () => {
    const cookie = await app.login({ user: 'ann' });
    const tampered = cookie.replace(/(EGG_SESS=.{10})(.)/, (_all, start, char) => start + (char === 'A' ? 'B' : 'A'));
    assert.notEqual(tampered, cookie);
    const client = await app.enter(tampered);
    assert.deepEqual(await ask(client, 'read'), {});
    assert.deepEqual(await ask(await app.enter(cookie), 'read'), { user: 'ann' });
  });

  it('should have the changes of a connection middleware in packets of the same socket only', async () => {
    app.hooks.connection = (ctx, next) => {
      if (ctx.query.write && ctx.socket.nsp.name === '/') ctx.session.visit = 'first';
      return next();
    };
    const client = await app.connect('/', { query: { write: '1' } });
    // A socket in another namespace on the same connection.
    const beside = await connected(client.io.socket('/other'));
    const stranger = await app.enter();
    assert.deepEqual(await ask(client, 'read'), { visit: 'first' });
    assert.deepEqual(await ask(beside, 'read'), {});
    assert.deepEqual(await ask(stranger, 'read'), {});
    beside.disconnect();
  });

  it('should have the changes of a packet in later packets of the same socket, but not in the browser', async () => {
    const cookie = await app.login({ user: 'ann' });
    const [client, second] = [await app.enter(cookie), await app.enter(cookie)];
    await ask(client, 'write', { cart: 1 });
    await ask(client, 'write', { shop: 'corner' });
    assert.deepEqual(await ask(client, 'read'), { user: 'ann', cart: 1, shop: 'corner' });
    assert.deepEqual(await ask(second, 'read'), { user: 'ann' });
    assert.deepEqual((await app.http('/read', cookie)).body, { user: 'ann' });
  });

  it('should be empty in later packets if a handler sets it to null', async () => {
    const cookie = await app.login({ user: 'ann' });
    const client = await app.enter(cookie);
    await ask(client, 'clear');
    assert.deepEqual(await ask(client, 'read'), {});
    await ask(client, 'write', { user: 'bob' });
    assert.deepEqual(await ask(client, 'read'), { user: 'bob' });
  });

  it('should not change other cookies', async () => {
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

  it('should emit error if the session cannot be saved after a packet, and keep the other cookies of the packet', async () => {
    const { error } = logs(app.app);
    const client = await app.enter();
    app.hooks.packet = async (ctx, next) => {
      await next();
      ctx.cookies.set('theme', 'dark', { signed: false });
      ctx.session.ring = { ring: ctx.session };
    };
    const heard = next(client, 'error');
    client.emit('read', () => {});
    assert.match((await heard)[0], /circular/);
    assert.equal(error.length, 1);
    const theme = signal<unknown>();
    app.hooks.packet = (ctx, next) => {
      theme.resolve(ctx.cookies.get('theme', { signed: false }));
      return next();
    };
    assert.deepEqual(await ask(client, 'read'), {});
    assert.equal(await theme.promise, 'dark');
  });
});
