// docs/en/configuration.md: each key of config.io has a section, and the defaults are those of the code.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import type { ServerOptions } from 'socket.io';
import { Server } from 'socket.io';
import defaults from '../config/config.default';
import type { IoConfig } from '../lib';
import { modeOf } from '../lib/config/admin';
import { KEYS, resolveConfig } from '../lib/config/config';
import { adapterOptions } from '../lib/config/redis';
import { INIT_KEYS } from '../lib/config/server-options';
import { drainTimesOf } from '../lib/config/topology';
import { ConfigError } from '../lib/errors';
import { engineOf } from '../lib/internals/engineio';
import { EGG_MAJOR, ROOT } from './support/app';
import { page } from './support/pages';

const { text } = page('docs/en/configuration.md', 'configuration');

/** The text below each heading of a key, by the key. */
const sections = new Map(
  Array.from(
    text.matchAll(/^(#{3,4}) ([a-z][\w.[\]]*)\n(.*?)(?=^#{1,4} |(?![\s\S]))/gms),
    ([, , key, body]) => [key, body] as const,
  ),
);
/** The headings of the third level that are no keys. */
const OTHERS = ['A dev server on another port'];

/** Returns the keys that the code allows in a section of config.io: it names them in the error of an unknown one. */
function keysOf(section: string): string[] {
  const [first = '', ...rest] = section.split('.');
  const unknown = rest.reduceRight((inner: object, key) => ({ [key]: inner }), { '?': 1 });
  // What a section needs beside the unknown key.
  const config = section === 'namespace' ? { namespace: { '/': { '?': 1 } } } : { [first]: unknown };
  try {
    resolveConfig(config as IoConfig);
  } catch (err) {
    const list = err instanceof ConfigError ? /allowed: one of: ([\w, ]+)/.exec(err.message)?.[1] : undefined;
    return list?.split(', ') ?? assert.fail(`${section}: ${err}`);
  }
  return assert.fail(`${section}: an unknown key is allowed`);
}

/** The sections whose keys have sections of their own. */
const WITH_KEYS = ['expires', 'presence', 'limits', 'metrics', 'otel', 'admin', 'drain'];
/** Those whose keys are in their text. */
const WITH_TEXT = ['limits.events', 'admin.auth'];

/** Returns the options of config.io.redis that are not those of ioredis. */
function redisKeys(): string[] {
  const source = fs.readFileSync(path.join(ROOT, 'lib/config/redis.ts'), 'utf8');
  const body = /^export interface RedisConfig .*?\{$(.*?)^\}/ms.exec(source)?.[1] ?? '';
  return Array.from(body.matchAll(/^ {2}(\w+)\?:/gm), ([, key]) => key as string);
}
/** Options of ioredis that have a section. */
const OF_IOREDIS = ['host', 'port', 'db'];

/** What the page says is the default, as a value. */
function documented(key: string): unknown {
  const line = /^[^\n]*\bDefault: (.*?)\.$/s.exec(sections.get(key)?.trim().split('\n\n')[0] ?? '')?.[1];
  assert(line !== undefined, `${key} has no line "<type>. Default: <value>."`);
  if (/if the application/.test(line)) return line;
  // Of several values, the last one: 80 % of …, `4000`.
  const code = Array.from(line.matchAll(/`([^`]+)`/g), ([, each]) => each).at(-1);
  return code === undefined ? line : new Function(`return (${code});`)();
}

if (EGG_MAJOR === 4) {
  describe('docs/en/configuration.md', () => {
    it('should have a section for each key, and for no other', () => {
      const expected = [
        ...KEYS,
        ...WITH_KEYS.flatMap((section) => keysOf(section).map((key) => `${section}.${key}`)),
        ...keysOf('namespace').map((key) => `namespace[name].${key}`),
        ...[...redisKeys(), ...OF_IOREDIS].map((key) => `redis.${key}`),
      ];
      const found = [...sections.keys()].filter((key) => !key?.startsWith('init.'));
      assert.deepEqual(found.sort(), expected.sort());
      const ofInit = [...sections.keys()].filter((key) => key?.startsWith('init.')).map((key) => key?.slice(5));
      assert.deepEqual(
        ofInit.filter((key) => ![...INIT_KEYS, 'adapter'].includes(key as string)),
        [],
      );
      const headings = Array.from(text.matchAll(/^### (.*)$/gm), ([, heading]) => heading as string);
      assert.deepEqual(
        headings.filter((heading) => !sections.has(heading)),
        OTHERS,
      );
    });

    it('should name the keys that have no section', () => {
      for (const section of WITH_TEXT)
        for (const key of keysOf(section)) assert(sections.get(section)?.includes(key), `${section}.${key}`);
      for (const key of INIT_KEYS)
        assert(sections.has(`init.${key}`) || sections.get('init')?.includes(`| \`${key}\` |`), `init.${key}`);
    });

    it('should have an example and a pitfall for each key of config.io', () => {
      for (const key of KEYS) {
        const own = sections.get(key) ?? '';
        assert.match(own, /```ts\n/, key);
        assert.match(own, /\*\*Pitfalls?:\*\*/, key);
      }
    });

    it('should have the defaults of the code', () => {
      const resolved = resolveConfig({ expires: () => 1, redis: { host: 'localhost' }, admin: { auth: false } });
      const plain = resolveConfig({});
      const { admin, drain: _drain, ...rest } = resolved;
      const redis = adapterOptions(resolved.redis as NonNullable<typeof resolved.redis>, rest.requestsTimeout);
      const app = {
        config: { io: {} },
        loader: {
          FileLoader: class {
            load() {}
          },
        },
      };
      const drain = drainTimesOf(app, {});
      const expected: Record<string, unknown> = {
        init: defaults.io.init,
        generateId: 'random ids of Socket.IO',
        'init.serveClient': plain.init.serveClient,
        'init.allowEIO3': false,
        'init.wsEngine': 'ws',
        allowedOrigins: defaults.io.allowedOrigins,
        namespace: { '/': {} },
        'namespace[name].connectionMiddleware': defaults.io.namespace?.['/']?.connectionMiddleware,
        'namespace[name].packetMiddleware': defaults.io.namespace?.['/']?.packetMiddleware,
        connectionMiddleware: defaults.io.connectionMiddleware,
        packetMiddleware: defaults.io.packetMiddleware,
        maxNamespaces: plain.maxNamespaces,
        slowConnection: plain.slowConnection,
        'expires.grace': rest.expires?.grace,
        presence: plain.presence,
        ...prefixed('presence', plain.presence),
        ack: plain.ack.auto ? 'auto' : 'manual',
        ackTimeout: plain.ack.timeout ?? false,
        containListeners: plain.containListeners,
        requestsTimeout: plain.requestsTimeout,
        'redis.host': 'localhost',
        'redis.port': 6379,
        'redis.db': 0,
        'redis.cluster': resolved.redis?.cluster !== undefined,
        ...prefixed('redis', { ...redis, requestsTimeout: 'none' }),
        ...prefixed('limits', falseIfUnset(plain.limits)),
        accessLog: plain.accessLog ?? false,
        metrics: plain.metrics ?? false,
        'otel.parentFromHandshake': plain.otel?.parentFromHandshake,
        'otel.parentFromEvents': plain.otel?.parentFromEvents,
        'admin.namespaceName': admin?.namespaceName,
        'admin.mode': modeOf({ config: { env: 'prod' } }, { mode: undefined }),
        'admin.readonly': true,
        drain,
        ...prefixed('drain', drain as object),
        compat: plain.origins !== undefined,
      };
      const off = ['user', 'expires', 'redis', 'admin', 'init.connectionStateRecovery'];
      for (const key of off) expected[key] = 'off';
      const none = ['onerror', 'adapter', 'init.cors', 'init.allowRequest', 'init.adapter', 'init.origins'];
      for (const key of none) expected[key] = 'none';
      for (const key of ['user', 'expires', 'redis', 'admin', 'generateId', 'onerror'] as const)
        assert.equal(plain[key], undefined);
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(documented(key), value, key);
      const texts = [...sections.keys()].filter((key) => !((key as string) in expected));
      assert.deepEqual(texts.sort(), [
        'admin.auth',
        'admin.serverId',
        'expires.at',
        'limits',
        'metrics.register',
        'otel',
        'redis.auth_pass',
        'redis.clientName',
        'redis.keyPrefix',
        'redis.nodes',
      ]);
    });

    it('should have the defaults of Socket.IO', () => {
      const io = new Server(createServer());
      const options: Partial<ServerOptions> = {
        ...engineOf(io).opts,
        path: io.path(),
        connectTimeout: io.connectTimeout(),
      };
      const rows = [...(sections.get('init') ?? '').matchAll(/^\| `(\w+)` \| `([^|]+)` \|/gm)];
      assert(rows.length > 8);
      for (const [, key, value] of rows) {
        const actual = options[key as keyof ServerOptions] ?? false;
        assert.deepEqual(actual, new Function(`return (${value});`)(), key);
      }
    });
  });
}

function prefixed(section: string, values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${section}.${key}`, value]));
}

function falseIfUnset(values: object): object {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value ?? false]));
}
