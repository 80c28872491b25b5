// config.io.redis: allowed values, and values that fail the boot. No message shows a password.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Application } from 'egg';
import { ConfigError, type IoConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { logs } from './support/app';
import { bootError, startInline } from './support/inline';
import { freePort } from './support/port';
import { until } from './support/wait';

function resolve(redis: unknown, init: IoConfig['init'] = {}) {
  return resolveConfig({ init, redis: redis as IoConfig['redis'] });
}

describe('config.io.redis', () => {
  it('should be off if it is not set, null or false', () => {
    for (const redis of [undefined, null, false]) assert.equal(resolve(redis).redis, undefined);
  });

  it('should be on for an empty object, with the defaults of ioredis', () => {
    assert.deepEqual(resolve({}).redis?.options, {});
  });

  it('should accept the options of egg-socket.io 4, and pass the rest to ioredis', () => {
    const raw = { host: 'h', port: '6380', auth_pass: 'p', db: 2, maxRetriesPerRequest: null, tls: {} };
    const { redis, warnings } = resolve({ ...raw, key: 'k', requestsTimeout: 100, healthTimeout: 200 });
    assert.deepEqual(redis, {
      clientName: undefined,
      options: { host: 'h', port: '6380', password: 'p', db: 2, maxRetriesPerRequest: null, tls: {} },
      adapter: { key: 'k', requestsTimeout: 100, healthTimeout: 200 },
    });
    assert.deepEqual(warnings, []);
  });

  it('should keep the defaults if a value is missing', () => {
    const raw = { host: undefined, port: null, auth_pass: undefined, db: null, key: null, requestsTimeout: null };
    const { redis } = resolve(raw);
    assert.deepEqual(redis, {
      clientName: undefined,
      options: {},
      adapter: { key: undefined, requestsTimeout: undefined, healthTimeout: undefined },
    });
    assert.equal(resolve({ clientName: 'default', host: undefined, auth_pass: null }).redis?.clientName, 'default');
  });

  it('should accept a password that is a number, and prefer password to auth_pass', () => {
    assert.equal(resolve({ auth_pass: 1234 }).redis?.options.password, '1234');
    assert.equal(resolve({ auth_pass: 'old', password: 'new' }).redis?.options.password, 'new');
  });

  const wrong: Array<[string, unknown, RegExp]> = [
    [
      'a URL',
      'redis://user:secret@host:6379/1',
      /config\.io\.redis is 'redis:\/\/user:\*\*\*@host:6379\/1'; allowed: an object/,
    ],
    [
      'a URL with a password that is not encoded',
      'redis://user:a secret:/secret@secret@host:6379/1',
      /config\.io\.redis is 'redis:\/\/user:\*\*\*@host:6379\/1'; allowed: an object/,
    ],
    ['a URL without a user', 'rediss://:/secret@host', /config\.io\.redis is 'rediss:\/\/:\*\*\*@host'/],
    ['a user and a password', 'user:a/secret:secret@secret@host', /config\.io\.redis is 'user:\*\*\*@host'/],
    ['a password with a space', 'user:a secret@host', /config\.io\.redis is 'user:\*\*\*@host'/],
    ['a URL without a password', 'redis://host:6379/1', /config\.io\.redis is 'redis:\/\/host:6379\/1'/],
    ['true', true, /config\.io\.redis is true; allowed: an object: \{ host, port, auth_pass, db \}/],
    ['an array', [], /config\.io\.redis is \[\]/],
    ['an array of servers', [{ host: 'h', auth_pass: 'secret' }], /config\.io\.redis is '\[…\]'; allowed: an object/],
    ['a host that is no name', { host: 1 }, /config\.io\.redis\.host is 1; allowed: a string/],
    ['an empty host', { host: '' }, /config\.io\.redis\.host is ''/],
    ['a prefix that is none', { keyPrefix: 5 }, /config\.io\.redis\.keyPrefix is 5; allowed: a string/],
    ['a port that is none', { port: 'six' }, /config\.io\.redis\.port is 'six'; allowed: a port number/],
    ['port 0', { port: 0 }, /config\.io\.redis\.port is 0/],
    ['a port too high', { port: 65536 }, /config\.io\.redis\.port is 65536/],
    ['a port of NaN', { port: Number.NaN }, /config\.io\.redis\.port is NaN/],
    ['a db that is none', { db: -1 }, /config\.io\.redis\.db is -1/],
    ['a key that is none', { key: '' }, /config\.io\.redis\.key is ''/],
    ['no time', { requestsTimeout: 0 }, /config\.io\.redis\.requestsTimeout is 0; allowed: a number of ms/],
    ['a time too long', { requestsTimeout: 2 ** 31 }, /config\.io\.redis\.requestsTimeout is 2147483648/],
    ['a short time', { healthTimeout: 99 }, /config\.io\.redis\.healthTimeout is 99; allowed: a number of ms from 100/],
    [
      'a password that is none',
      { auth_pass: { secret: 1 } },
      /config\.io\.redis\.auth_pass is '\*\*\*'; allowed: a string/,
    ],
    ['an adapter', { adapter: 'cluster' }, /unknown option adapter .*config\.io\.adapter/],
    ['clients', { pubClient: {} }, /unknown option pubClient .*config\.io\.redis\.clientName/],
    ['a URL in url', { url: 'redis://:secret@host' }, /unknown option url .*allowed: host, port, auth_pass and db/],
    ['a client without a name', { clientName: '' }, /config\.io\.redis\.clientName is ''/],
    ['clientName and host', { clientName: 'one', host: 'h' }, /clientName is 'one'; .*remove clientName or host\)/],
    ['clientName and a password', { clientName: 'one', auth_pass: 'secret' }, /remove clientName or password\)/],
  ];
  for (const [what, redis, message] of wrong) {
    it(`should refuse ${what}`, () => {
      assert.throws(
        () => resolve(redis),
        (err: Error) => {
          assert(err instanceof ConfigError);
          assert.match(err.message, message);
          assert.doesNotMatch(err.message, /secret/);
          return true;
        },
      );
    });
  }

  it('should refuse another adapter beside it', () => {
    class Other {}
    const init = { adapter: Other } as unknown as IoConfig['init'];
    assert.throws(() => resolve({}, init), /config\.io\.init\.adapter is .*nothing if config\.io\.redis is set/);
    assert.doesNotThrow(() => resolve(false, init));
  });

  it('should accept requestsTimeout in config.io, in config.io.redis, and in both if they agree', async () => {
    const timeout = (requestsTimeout?: number, ofRedis?: number) =>
      resolveConfig({ requestsTimeout, redis: { requestsTimeout: ofRedis } }).requestsTimeout;
    assert.deepEqual([timeout(), timeout(1), timeout(undefined, 2), timeout(3, 3)], [5000, 1, 2, 3]);
    const differ =
      /config\.io\.requestsTimeout is 1; allowed: the same as config\.io\.redis\.requestsTimeout, which is 2/;
    assert.throws(() => timeout(1, 2), differ);
    const { loadRedis } = resolveConfig({ requestsTimeout: 1, redis: () => ({ requestsTimeout: 2 }) });
    await assert.rejects(async () => loadRedis?.({} as Application), differ);
    for (const wrong of [0, -1, '5', Number.NaN]) {
      assert.throws(() => timeout(wrong as number), /config\.io\.requestsTimeout is /);
    }
  });

  it('should warn of options that have no effect', () => {
    const { warnings } = resolve({ retry_strategy: () => 1 });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /config\.io\.redis\.retry_strategy has no effect/);
  });

  it('should not write the password to the files of Egg', async () => {
    let log: unknown;
    const boot = (app: Application) => {
      log = logs(app);
    };
    const redis = {
      host: '127.0.0.1',
      port: await freePort(),
      auth_pass: 'the secret',
      sentinelPassword: 'the secret',
    };
    // Other tests use the run directory of the application at the same time.
    const rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
    await startInline({ io: { redis }, boot, config: { rundir } });
    for (const name of ['application', 'agent']) {
      const file = path.join(rundir, `${name}_config.json`);
      const written = await until(`${file} is written`, () => {
        const content = readFileSync(file, 'utf8');
        return content.includes(`"port": ${redis.port}`) ? content : '';
      });
      assert.doesNotMatch(written, /the secret/, name);
    }
    assert.doesNotMatch(JSON.stringify(log), /the secret/);
    rmSync(rundir, { recursive: true });
  });

  it('should not write the password in a URL to the files of Egg, although the boot fails', async () => {
    const url = 'redis://:the secret@host';
    for (const redis of [url, [url], { url }, { cluster: true, nodes: [url] }]) {
      const rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
      const { message } = await bootError({ io: { redis: redis as never }, config: { rundir } });
      assert.doesNotMatch(message, /the secret/);
      const file = path.join(rundir, 'agent_config.json');
      const written = await until(`${file} is written`, () => {
        const content = existsSync(file) ? readFileSync(file, 'utf8') : '';
        return /\}\s*$/.test(content) ? content : '';
      });
      assert.doesNotMatch(written, /the secret/);
      assert.match(written, /"rundir"/);
      rmSync(rundir, { recursive: true });
    }
  });
});
