// config.io.adapter: which adapter is chosen, and which values fail the boot.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import { Adapter } from 'socket.io-adapter';
import type { IoConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { chooseAdapter, type Host } from '../lib/config/topology';
import { bootError, startInline } from './support/inline';

const ONE: Host = { workers: 1, sticky: false };
const MANY: Host = { workers: 4, sticky: false };
const STICKY: Host = { workers: 4, sticky: true };

const choose = (io: IoConfig, host: Host = ONE) => chooseAdapter(resolveConfig(io), host);
const redis = { host: '127.0.0.1' };

describe('config.io.adapter', () => {
  it('should default to memory, cluster or redis', () => {
    assert.equal(choose({}), 'memory');
    assert.equal(choose({}, MANY), 'cluster');
    assert.equal(choose({}, STICKY), 'cluster');
    assert.equal(choose({ redis }), 'redis');
    assert.equal(choose({ redis }, MANY), 'redis');
    assert.equal(choose({ init: { adapter: Adapter as never } }, MANY), 'own');
  });

  it('should be the configured adapter', () => {
    assert.equal(choose({ adapter: 'memory' }, MANY), 'memory');
    assert.equal(choose({ adapter: 'cluster' }, MANY), 'cluster');
    assert.equal(choose({ adapter: 'cluster' }, ONE), 'memory');
    for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as const) {
      assert.equal(choose({ adapter, redis }, MANY), adapter);
      assert.throws(() => choose({ adapter }, MANY), /config\.io\.adapter needs Redis: set config\.io\.redis/);
      assert.throws(() => choose({ adapter, redis: false }, MANY), /needs Redis/);
    }
    assert.equal(choose({ adapter: () => Adapter }, MANY), 'own');
  });

  it('should fail the boot for other values', async () => {
    const { message } = await bootError({ io: { adapter: 'streams' } as unknown as IoConfig });
    assert.match(
      message,
      /config\.io\.adapter is invalid .*'streams'; allowed: 'memory', .*'redis-streams', or a function/,
    );
    assert.throws(() => choose({ adapter: {} as never }), /config\.io\.adapter is invalid/);
    const both = { adapter: 'memory', init: { adapter: Adapter } } as unknown as IoConfig;
    assert.throws(() => choose(both), /config\.io\.init\.adapter is .*nothing if config\.io\.adapter is set/);
  });

  it('should warn if config.io.redis has no effect', () => {
    const { warnings } = resolveConfig({ adapter: 'cluster', redis });
    assert.deepEqual(warnings, ["config.io.redis has no effect: config.io.adapter is 'cluster'"]);
    assert.match(resolveConfig({ adapter: () => Adapter, redis }).warnings[0]!, /config\.io\.adapter is a function/);
  });

  it('should be the adapter that a function returns for the application', async () => {
    class Own extends Adapter {}
    let given: Application | undefined;
    const adapter = (app: Application) => {
      given = app;
      return Own;
    };
    const { app } = await startInline({ io: { adapter, namespace: { '/chat': {} } } });
    assert(given?.io === app.io);
    for (const name of ['/', '/chat', '/late']) assert(app.io.of(name).adapter instanceof Own, name);
  });

  it('should be the adapter that an arrow function creates', async () => {
    class Own extends Adapter {}
    const { app } = await startInline({ io: { adapter: () => (nsp) => new Own(nsp) } });
    assert(app.io.of('/').adapter instanceof Own);
  });

  it('should fail the boot if a function returns no constructor', async () => {
    const { message } = await bootError({ io: { adapter: (() => 'redis') as never } });
    assert.match(message, /the function config\.io\.adapter must return an adapter or its constructor.*'redis'/);
  });

  describe('with connectionStateRecovery', () => {
    const init = { connectionStateRecovery: {} };

    it('should fail the boot if the adapter stores no events, and name those that do', async () => {
      const { message } = await bootError({ io: { init, redis } });
      assert.match(message, /connectionStateRecovery does not work with the adapter 'redis' and 1 worker/);
      assert.match(message, /It works with config\.io\.adapter 'redis-streams', or 'memory' with one worker/);
      assert.throws(() => choose({ init }, MANY), /does not work with the adapter 'cluster' and 4 workers/);
      assert.throws(() => choose({ init, adapter: 'memory' }, MANY), /does not work with the adapter 'memory'/);
      assert.throws(() => choose({ init, redis, adapter: 'redis-sharded' }), /adapter 'redis-sharded'/);
    });

    it('should work with adapters that store events', () => {
      assert.equal(choose({ init }), 'memory');
      assert.equal(choose({ init, adapter: 'memory' }, STICKY), 'memory');
      assert.equal(choose({ init, redis, adapter: 'redis-streams' }, MANY), 'redis-streams');
      assert.equal(choose({ init, adapter: () => Adapter }, MANY), 'own');
    });
  });
});
