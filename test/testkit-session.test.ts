// The option `session` of app.ioClient(), with sessions in cookies and in a store.
import assert from 'node:assert/strict';
import { type SessionApp, startSession } from './fixtures/apps/session-app/kit';
import { mm } from './support/app';

for (const store of [false, true]) {
  describe(`the session of app.ioClient(), in a ${store ? 'store' : 'cookie'}`, () => {
    let running: SessionApp;
    let app: SessionApp['app'];

    before(async () => {
      mm.env('unittest');
      running = await startSession({ store });
      ({ app } = running);
    });

    beforeEach(() => running.reset());

    it('should be available in connection middleware, packet middleware and controllers', async () => {
      const seen: unknown[] = [];
      running.hooks.connection = async (ctx, next) => {
        seen.push(ctx.session.user);
        await next();
      };
      running.hooks.packet = async (ctx, next) => {
        seen.push(ctx.session.user);
        await next();
      };
      const client = await app.ioClient('/', { session: { user: { name: 'ann' } } });
      assert.deepEqual(await client.emitWithAck('read'), { user: { name: 'ann' } });
      assert.deepEqual(seen, [{ name: 'ann' }, { name: 'ann' }]);
    });

    it('should belong to one client', async () => {
      const ann = await app.ioClient('/', { session: { user: 'ann' } });
      const bob = await app.ioClient('/', { session: { user: 'bob' } });
      const nobody = await app.ioClient('/');
      assert.deepEqual(await ann.emitWithAck('read'), { user: 'ann' });
      assert.deepEqual(await bob.emitWithAck('read'), { user: 'bob' });
      assert.deepEqual(await nobody.emitWithAck('read'), {});
      assert.deepEqual(await (await app.ioClient('/', { session: {} })).emitWithAck('read'), {});
    });

    it('should keep other cookies and replace an older session', async () => {
      const cookie = `theme=dark; ${await running.login({ user: 'old' })}`;
      let seen: unknown;
      running.hooks.connection = async (ctx, next) => {
        seen = ctx.get('cookie');
        await next();
      };
      const client = await app.ioClient('/', { session: { user: 'ann' }, headers: { Cookie: cookie } });
      assert.deepEqual(await client.emitWithAck('read'), { user: 'ann' });
      assert.match(String(seen), /^theme=dark; .*EGG_SESS=/);
      assert.equal(String(seen).match(/EGG_SESS=/g)?.length, 1);
      const old = await app.ioClient('/', { headers: { Cookie: cookie } });
      assert.deepEqual(await old.emitWithAck('read'), { user: 'old' });
    });

    it('should be the session of HTTP requests with its cookie', async () => {
      let cookie = '';
      running.hooks.connection = async (ctx, next) => {
        cookie = ctx.get('cookie');
        await next();
      };
      const client = await app.ioClient('/', { session: { user: 'ann' } });
      const read = async () => (await fetch(`${await app.ioClient.url()}/read`, { headers: { cookie } })).json();
      assert.deepEqual(await read(), { user: 'ann' });
      if (!store) return;
      await fetch(`${await app.ioClient.url()}/write?user=bob`, { headers: { cookie } });
      assert.deepEqual(await client.emitWithAck('read'), { user: 'bob' });
      await client.emitWithAck('write', { cart: 3 });
      await client.expectNothing('error');
      assert.deepEqual(await read(), { user: 'bob', cart: 3 });
    });

    it('should fail if it cannot be saved', async () => {
      (app as unknown as { mockSession(session: object): void }).mockSession({ user: 'ann' });
      await assert.rejects(app.ioClient('/', { session: { user: 'bob' } }), /was not saved \(app.mockSession/);
    });

    it('should be available when a middleware refuses clients', async () => {
      running.hooks.connection = async (ctx, next) => {
        if (ctx.session.user !== 'ann') throw new Error('log in first');
        await next();
      };
      await app.ioClient('/', { session: { user: 'ann' } });
      await app.ioClient.expectRefused('/', /log in/);
      await app.ioClient.expectRefused('/', /log in/, { session: { user: 'bob' } });
    });
  });
}

describe('the session of app.ioClient()', () => {
  it('should work if its cookie is for TLS only', async () => {
    mm.env('unittest');
    const { app } = await startSession({ store: false, session: { secure: true } });
    const client = await app.ioClient('/', { session: { user: 'ann' } });
    assert.deepEqual(await client.emitWithAck('read'), { user: 'ann' });
  });
});
