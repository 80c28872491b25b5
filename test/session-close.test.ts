// The session of a connection is not saved when the socket is disconnected: HTTP requests may have changed it in the meantime.
import assert from 'node:assert/strict';
import { type SessionApp, startSession } from './fixtures/apps/session-app/kit';
import { parity } from './support/clients';
import { DEADLINE, signal, until } from './support/wait';

const HOUR = 3_600_000;

parity('session at the end of a connection', () => {
  /**
   * Sets a connection middleware that changes the session before and after `await next()`.
   *
   * @returns the session after `await next()`, when the middleware has ended
   */
  function touch(app: SessionApp) {
    const ended = signal<unknown>();
    app.hooks.connection = async (ctx, next) => {
      // The sentinel client has no session.
      if (!ctx.get('cookie')) return next();
      const session = ctx.session as unknown as Record<string, unknown>;
      session.visit = 'handshake';
      await next();
      const read = { ...ctx.session.toJSON() };
      session.visit = 'disconnect';
      ended.resolve(read);
    };
    return ended.promise;
  }

  /** Connects and disconnects another client. A session that is saved at a disconnect would be saved by then. */
  async function sentinel(app: SessionApp) {
    const client = await app.connect();
    assert.deepEqual(await client.timeout(DEADLINE).emitWithAck('read'), {});
    client.disconnect();
    await app.http('/read');
  }

  it('should not overwrite the changes of an HTTP request', async () => {
    const app = await startSession();
    const cookie = await app.login({ user: 'ann' });
    const ended = touch(app);
    const client = await app.connect('/', { extraHeaders: { cookie } });
    assert.deepEqual(app.store.data(), [{ user: 'ann', visit: 'handshake' }]);

    await app.http('/write?visit=http&cart=1', cookie);
    const written = app.store.count('set');
    client.disconnect();
    assert.deepEqual(await ended, { user: 'ann', visit: 'handshake' }, 'the session of the handshake, to the end');
    await sentinel(app);
    assert.equal(app.store.count('set'), written);
    assert.deepEqual((await app.http('/read', cookie)).body, { user: 'ann', visit: 'http', cart: '1' });
  });

  it('should not be created again after an HTTP request has destroyed it', async () => {
    const app = await startSession();
    const cookie = await app.login({ user: 'ann' });
    const ended = touch(app);
    const client = await app.connect('/', { extraHeaders: { cookie } });
    await app.http('/clear', cookie);
    client.disconnect();
    await ended;
    await sentinel(app);
    assert.equal(app.store.entries.size, 0);
  });

  it('should not overwrite the changes of a packet of the same socket', async () => {
    const app = await startSession();
    const cookie = await app.login({ user: 'ann' });
    const ended = touch(app);
    const client = await app.connect('/', { extraHeaders: { cookie } });
    await client.timeout(DEADLINE).emitWithAck('write', { visit: 'packet' });
    client.disconnect();
    await ended;
    await sentinel(app);
    assert.deepEqual(app.store.data(), [{ user: 'ann', visit: 'packet' }]);
  });

  it('should let the chain end if the client disconnects while the session is read', async () => {
    const app = await startSession();
    const cookie = await app.login({ user: 'ann' });
    const ended = touch(app);
    const reading = signal();
    const held = signal();
    app.store.before = async (call) => {
      if (call !== 'get') return;
      reading.resolve();
      await held.promise;
    };
    const client = app.client('/', { extraHeaders: { cookie } });
    await reading.promise;
    client.disconnect();
    await until('it has left', () => app.app.io.engine.clientsCount === 0);
    held.resolve();
    assert.deepEqual(await ended, { user: 'ann', visit: 'handshake' });
    await sentinel(app);
    await until('nobody is in', () => app.app.io.of('/').sockets.size === 0);
  });

  for (const option of ['rolling', 'renew'] as const) {
    it(`should not be written with config.session.${option}`, async () => {
      const app = await startSession({ session: { [option]: true, maxAge: HOUR } });
      const cookie = await app.login({ user: 'ann' });
      const [key, entry] = Array.from(app.store.entries)[0]!;
      // It expires so soon that saving it would renew it.
      app.store.entries.set(key, { ...entry, _expire: Date.now() + HOUR / 4 });
      const ended = signal();
      app.hooks.connection = async (ctx, next) => {
        await next();
        if (ctx.get('cookie')) ended.resolve();
      };
      const written = app.store.count('set');
      const client = await app.connect('/', { extraHeaders: { cookie } });
      assert.equal(app.store.count('set'), written + 1, 'at the handshake');
      app.store.entries.set(key, { ...entry, user: 'bob' });
      client.disconnect();
      await ended.promise;
      await sentinel(app);
      assert.equal(app.store.count('set'), written + 1);
      assert.deepEqual(app.store.data(), [{ user: 'bob' }]);
    });
  }
});
