// Sessions in an external store. They are read for each packet, and saved if a handler has changed them.
import assert from 'node:assert/strict';
import { ask, itShowsTheLogin, type SessionApp, startSession } from './fixtures/apps/session-app/kit';
import { parity } from './support/clients';
import { next, signal, until } from './support/wait';

parity('session in an external store', () => {
  let app: SessionApp;

  before(async () => {
    app = await startSession();
  });

  beforeEach(() => app.reset());

  itShowsTheLogin(() => app);

  it('should be read for each packet, with the changes of HTTP requests', async () => {
    const cookie = await app.login({ user: 'ann' });
    const client = await app.enter(cookie);
    assert.deepEqual(await ask(client, 'read'), { user: 'ann' });
    await app.http('/write?user=bob', cookie);
    assert.deepEqual(await ask(client, 'read'), { user: 'bob' });
    await app.http('/clear', cookie);
    assert.deepEqual(await ask(client, 'read'), {});
  });

  it('should be saved if a handler has changed it, so that HTTP requests read the changes', async () => {
    const cookie = await app.login({ user: 'ann' });
    const client = await app.enter(cookie);
    await ask(client, 'write', { cart: 3 });
    await until('the session is saved', () => app.store.count('set') === 2);
    assert.deepEqual((await app.http('/read', cookie)).body, { user: 'ann', cart: 3 });
  });

  it('should not be saved if it has not changed', async () => {
    const cookie = await app.login({ user: 'ann' });
    const client = await app.enter(cookie);
    await ask(client, 'read');
    await ask(client, 'write', { user: 'ann' });
    await ask(client, 'read');
    assert.equal(app.store.count('set'), 1, 'the login');
    assert.equal(app.store.count('get'), 4, 'the handshake and three packets');
  });

  it('should be saved before the client receives its connect packet', async () => {
    const held = signal();
    app.store.before = async (call) => {
      if (call === 'set') await held.promise;
    };
    app.hooks.connection = async (ctx, next) => {
      if (ctx.query.write) ctx.session.visit = 'first';
      await next();
    };
    const order: string[] = [];
    const client = app.client('/', { query: { write: '1' } });
    client.on('connect', () => order.push('connected'));
    await until('the session is being saved', () => app.store.count('set') === 1);
    // Another client connects and disconnects. The connect packet of the first client would have arrived before.
    (await app.enter()).disconnect();
    order.push('saved');
    const admitted = next(client, 'connect');
    held.resolve();
    await admitted;
    assert.deepEqual(order, ['saved', 'connected']);
    assert.deepEqual(app.store.data(), [{ visit: 'first' }]);
    assert.deepEqual(await ask(client, 'read'), { visit: 'first' });
  });

  it('should have one entry for each socket without a cookie, for all its packets', async () => {
    const clients = [await app.enter(), await app.enter()];
    for (const [i, client] of clients.entries()) {
      await ask(client, 'write', { client: i });
      await ask(client, 'write', { cart: i });
      assert.deepEqual(await ask(client, 'read'), { client: i, cart: i });
    }
    assert.deepEqual(app.store.data(), [
      { client: 0, cart: 0 },
      { client: 1, cart: 1 },
    ]);
  });

  it('should have one entry for a socket without a cookie that sends its first packets at once', async () => {
    const client = await app.enter();
    const held = signal();
    app.store.before = async (call) => {
      if (call === 'set') await held.promise;
    };
    await Promise.all([1, 2, 3].map((cart) => ask(client, 'write', { cart })));
    await until('all are being saved', () => app.store.count('set') === 3);
    held.resolve();
    assert.deepEqual(await ask(client, 'read'), { cart: 3 });
    assert.deepEqual(app.store.data(), [{ cart: 3 }]);
  });

  for (const who of ['with a cookie', 'without a cookie']) {
    it(`should have a new entry each time a handler regenerates it, for a client ${who}`, async () => {
      app.hooks.packet = async (ctx, next) => {
        await next();
        if (ctx.packet[0] === 'write') await (ctx.session as unknown as { regenerate(): Promise<void> }).regenerate();
      };
      const client = await app.enter(who === 'with a cookie' ? await app.login({ user: 'ann' }) : undefined);
      const seen = new Set(app.store.entries.keys());
      for (const role of ['admin', 'owner']) {
        const written = app.store.count('set');
        await ask(client, 'write', { role });
        await until('the session is saved', () => app.store.count('set') > written);
        assert.equal((await ask(client, 'read')).role, role);
        const [key, ...more] = app.store.entries.keys();
        assert(key && !seen.has(key), 'the old key');
        assert.deepEqual(more, []);
        seen.add(key);
      }
    });
  }

  it('should have a new entry after a logout, for a client without a cookie', async () => {
    app.hooks.packet = (ctx) => {
      ctx.session = ctx.packet[0] === 'log out' ? null : { user: 'ann' };
      ctx.args.at(-1)();
    };
    const client = await app.enter();
    for (const [event, calls] of [
      ['log in', 1],
      ['log out', 2],
      ['log in', 3],
    ] as const) {
      await ask(client, event);
      const written = () => app.store.calls.filter(([call]) => call !== 'get').length === calls;
      await until(`the store has heard of the ${event}`, written);
    }
    const [first, second, third] = app.store.calls.filter(([call]) => call !== 'get');
    assert.deepEqual([first?.[0], second?.[0], third?.[0]], ['set', 'destroy', 'set']);
    assert.equal(second?.[1], first?.[1]);
    assert.notEqual(third?.[1], first?.[1]);
  });

  it('should be destroyed if a handler sets it to null, also for HTTP requests', async () => {
    const cookie = await app.login({ user: 'ann' });
    const client = await app.enter(cookie);
    await ask(client, 'clear');
    await until('the session is destroyed', () => app.store.count('destroy') === 1);
    assert.equal(app.store.entries.size, 0);
    assert.deepEqual(await ask(client, 'read'), {});
    assert.deepEqual((await app.http('/read', cookie)).body, {});
  });
});
