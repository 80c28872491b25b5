// A session store that fails. At the handshake the client is refused, for a packet it receives `error`. Other clients are not affected.
import assert from 'node:assert/strict';
import { ask, type SessionApp, startSession } from './fixtures/apps/session-app/kit';
import { logs, refused } from './support/app';
import { assertRefusal, parity } from './support/clients';
import { next, signal, until } from './support/wait';

parity('session in a store that fails', () => {
  let app: SessionApp;

  before(async () => {
    app = await startSession();
  });

  beforeEach(() => app.reset());

  /** Creates two sessions. After `fail()` the store throws if `call` is called for the first of them. */
  async function failing(call: string) {
    const [ann, bob] = [await app.login({ user: 'ann' }), await app.login({ user: 'bob' })];
    const [key] = app.store.entries.keys();
    const fail = () => {
      app.store.before = (each, of) => {
        if (each === call && of === key) throw Object.assign(new Error(`the store can't ${call}`), { data: { call } });
      };
    };
    return { ann, bob, fail, error: logs(app.app).error };
  }

  it('should refuse a client if its session cannot be read, and log it once', async () => {
    const { ann, bob, fail, error } = await failing('get');
    fail();
    let ran = 0;
    app.hooks.connection = (_ctx, next) => {
      ran++;
      return next();
    };
    const err = await refused(app.client('/', { extraHeaders: { cookie: ann } }));
    assertRefusal(err, "the store can't get", { call: 'get' });
    assert.equal(ran, 0, 'no middleware has run');
    assert.deepEqual(
      error.map(({ message }) => message),
      ["the store can't get"],
    );
    assert.deepEqual(await ask(await app.enter(bob), 'read'), { user: 'bob' });
  });

  it('should refuse a client if its session cannot be saved, and unwind the chain', async () => {
    const { ann, bob, fail, error } = await failing('set');
    fail();
    const thrown = signal<unknown>();
    app.hooks.connection = async (ctx, next) => {
      ctx.session.visit = 'first';
      await next().catch((err) => {
        if (ctx.session.user === 'ann') thrown.resolve(err);
        throw err;
      });
    };
    const err = await refused(app.client('/', { extraHeaders: { cookie: ann } }));
    assertRefusal(err, "the store can't set", { call: 'set' });
    assert.equal(((await thrown.promise) as Error).message, "the store can't set");
    assert.deepEqual(await ask(await app.enter(bob), 'read'), { user: 'bob', visit: 'first' });
    assert.equal(error.length, 1);
  });

  it('should admit a client when the store works again', async () => {
    const { ann, fail } = await failing('get');
    fail();
    await refused(app.client('/', { extraHeaders: { cookie: ann } }));
    app.store.before = () => {};
    assert.deepEqual(await ask(await app.enter(ann), 'read'), { user: 'ann' });
  });

  it('should emit error if the session cannot be read for a packet, and not disconnect the client', async () => {
    const { ann, bob, fail, error } = await failing('get');
    const [first, second] = [await app.enter(ann), await app.enter(bob)];
    let ran = 0;
    app.hooks.packet = (_ctx, next) => {
      ran++;
      return next();
    };
    fail();
    const heard = next(first, 'error');
    first.emit('read', () => assert.fail('the controller has run'));
    assert.deepEqual(await heard, [{ call: 'get' }]);
    assert.equal(ran, 0, 'no middleware has run');
    assert.deepEqual(await ask(second, 'read'), { user: 'bob' });
    app.store.before = () => {};
    assert.deepEqual(await ask(first, 'read'), { user: 'ann' });
    assert.deepEqual(
      error.map(({ message }) => message),
      ["the store can't get"],
    );
  });

  for (const [call, event, args] of [
    ['set', 'write', [{ cart: 1 }]],
    ['destroy', 'clear', []],
  ] as const) {
    it(`should emit error if the session cannot be saved after a packet (${call}), and not disconnect the client`, async () => {
      const { ann, bob, fail, error } = await failing(call);
      const [first, second] = [await app.enter(ann), await app.enter(bob)];
      fail();
      const heard = next(first, 'error');
      await ask(first, event, ...args);
      assert.deepEqual(await heard, [{ call }]);
      assert.deepEqual(await ask(first, 'read'), { user: 'ann' });
      assert.deepEqual(await ask(second, 'read'), { user: 'bob' });
      assert.equal(error.length, 1);
      assert.equal(error[0].message, `the store can't ${call}`, 'no prefix: no controller has failed');
    });
  }

  it('should emit the error of the controller if the session cannot be saved either, and log both', async () => {
    const { ann, fail, error } = await failing('set');
    const client = await app.enter(ann);
    const { errors } = app.app.io.stats().events;
    fail();
    app.hooks.packet = async (ctx, next) => {
      ctx.session.cart = 1;
      await next();
      throw Object.assign(new Error('broken'), { data: 'broken' });
    };
    const heard = next(client, 'error');
    client.emit('read', () => {});
    assert.deepEqual(await heard, ['broken']);
    await until('both are logged', () => error.length === 2);
    assert.deepEqual(
      error.map(({ message }) => message),
      ['broken', "the store can't set"],
    );
    assert.equal(app.app.io.stats().events.errors, errors + 2);
  });
});
