// Sessions that are kept in the cookie: contract section 7.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { type SessionApp, startSession } from './fixtures/apps/session-app/kit';
import { connected } from './support/app';

describe('session in the cookie', () => {
  let app: SessionApp;

  before(async () => {
    app = await startSession({ store: false });
  });

  beforeEach(() => {
    app.hooks.connection = undefined;
    app.hooks.packet = undefined;
  });

  const connect = (cookie?: string) => app.connect('/', cookie ? { extraHeaders: { cookie } } : {});
  const ask = (client: Socket, event: string, ...args: unknown[]) => client.timeout(5000).emitWithAck(event, ...args);

  it('should be that of the HTTP request that logged in: in connection middleware, packet middleware, controller', async () => {
    const seen: unknown[] = [];
    app.hooks.connection = (ctx, next) => {
      seen.push(['connection', ctx.session.user]);
      return next();
    };
    app.hooks.packet = (ctx, next) => {
      seen.push(['packet', ctx.session.user]);
      return next();
    };
    const client = await connect(await app.login({ user: 'ann' }));
    assert.deepEqual(await ask(client, 'read'), { user: 'ann' });
    assert.deepEqual(seen, [
      ['connection', 'ann'],
      ['packet', 'ann'],
    ]);
  });

  it('should be empty for a client without a cookie', async () => {
    await app.login({ user: 'ann' });
    const seen: unknown[] = [];
    app.hooks.connection = (ctx, next) => {
      seen.push(ctx.session.toJSON());
      return next();
    };
    const client = await connect();
    assert.deepEqual(await ask(client, 'read'), {});
    assert.deepEqual(seen, [{}]);
  });

  it('should be empty for a client with a cookie that somebody has tampered with', async () => {
    const cookie = await app.login({ user: 'ann' });
    const tampered = cookie.replace(/(EGG_SESS=.{10})(.)/, (_all, start, char) => start + (char === 'A' ? 'B' : 'A'));
    assert.notEqual(tampered, cookie);
    const client = await connect(tampered);
    assert.deepEqual(await ask(client, 'read'), {});
    assert.deepEqual(await ask(await connect(cookie), 'read'), { user: 'ann' });
  });

  it('should keep what a connection middleware writes for the packets of that socket alone', async () => {
    app.hooks.connection = (ctx, next) => {
      if (ctx.query.write && ctx.socket.nsp.name === '/') ctx.session.visit = 'first';
      return next();
    };
    const client = await app.connect('/', { query: { write: '1' } });
    // Over the same connection, in another namespace.
    const beside = await connected(client.io.socket('/other'));
    const stranger = await connect();
    assert.deepEqual(await ask(client, 'read'), { visit: 'first' });
    assert.deepEqual(await ask(beside, 'read'), {});
    assert.deepEqual(await ask(stranger, 'read'), {});
    beside.disconnect();
  });

  it('should keep what a packet handler writes for the packets that follow, and not reach the browser', async () => {
    const cookie = await app.login({ user: 'ann' });
    const [client, second] = [await connect(cookie), await connect(cookie)];
    await ask(client, 'write', { cart: 1 });
    await ask(client, 'write', { shop: 'corner' });
    assert.deepEqual(await ask(client, 'read'), { user: 'ann', cart: 1, shop: 'corner' });
    assert.deepEqual(await ask(second, 'read'), { user: 'ann' });
    assert.deepEqual((await app.http('/read', cookie)).body, { user: 'ann' });
  });

  it('should be gone for the packets that follow a handler that sets it to null', async () => {
    const cookie = await app.login({ user: 'ann' });
    const client = await connect(cookie);
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
    const client = await connect('plain=crumb; theme=light');
    assert.deepEqual(await ask(client, 'read'), { visit: 'first' });
    assert.deepEqual(cookies, ['crumb', 'dark']);
  });
});
