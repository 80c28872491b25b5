// config.io.allowedOrigins: which origins may open a connection.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Context } from 'egg';
import type { Page } from 'playwright-core';
import type { IoConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { originWarnings } from '../lib/origins';
import type { TestKitMembers } from '../lib/testkit/types';
import { connected, logs, mm, type Running, refused, track } from './support/app';
import { closeBrowser, closePages, openPage } from './support/browser';
import { startCluster } from './support/cluster';
import { bootError, type Inline, startInline } from './support/inline';
import { examples, startNginx } from './support/nginx';
import { sendRaw } from './support/raw';
import { signal, until } from './support/wait';

type Headers = Record<string, string | undefined>;

/** Returns the bytes of a handshake, or of a request of a session. */
function request(transport: string, headers: Headers, parameters = ''): string {
  const upgrade = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const all = { Host: 'app.example', ...headers, ...(transport === 'websocket' ? upgrade : { Connection: 'close' }) };
  const lines = Object.entries(all).map(([name, value]) => (value === undefined ? '' : `${name}: ${value}\r\n`));
  return `GET /socket.io/?EIO=4&transport=${transport}${parameters} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Sends a handshake by each transport, and returns whether it was accepted. Both must be answered alike. */
async function accepts(port: number, headers: Headers): Promise<boolean> {
  const [polling, webSocket] = await Promise.all(
    ['polling', 'websocket'].map(async (transport) =>
      Number((await sendRaw(port, request(transport, headers))).split(' ')[1]),
    ),
  );
  assert([200, 403].includes(polling as number), `polling was answered by ${polling}`);
  assert.equal(webSocket, polling === 200 ? 101 : 403, `polling ${polling}, websocket ${webSocket}`);
  return polling === 200;
}

/** Asserts which origins an application accepts: an origin and whether it is accepted. */
async function assertAccepts(
  { port }: Running,
  expected: Record<string, boolean>,
  headers: Headers = {},
): Promise<void> {
  const seen: Record<string, boolean> = {};
  for (const origin of Object.keys(expected)) seen[origin] = await accepts(port, { Origin: origin, ...headers });
  assert.deepEqual(seen, expected);
}

/** Starts an inline application. In the environment `local`, which is Egg's default, each loopback host may connect. */
function launch(inline: Inline, env = 'unittest'): Promise<Running> {
  mm.env(env);
  return startInline(inline);
}

describe('config.io.allowedOrigins', () => {
  before(() => mm.consoleLevel?.('NONE'));

  describe('by default', () => {
    let running: Running;

    before(async () => {
      running = await launch({});
    });

    it('should let in the host and the port of the request', async () => {
      const cases: [host: string, origin: string, isAllowed: boolean][] = [
        ['app.example:8080', 'http://app.example:8080', true],
        ['app.example:8080', 'https://app.example:8080', true],
        ['App.Example:8080', 'http://app.example:8080', true],
        ['app.example:8080', 'http://app.example', false],
        ['app.example:8080', 'http://app.example:8081', false],
        ['app.example:8080', 'http://evil.example:8080', false],
        ['app.example:8080', 'http://evil.app.example:8080', false],
        ['app.example:8080', 'http://app.example.evil:8080', false],
        ['app.example:443', 'https://app.example', true],
        ['app.example:80', 'http://app.example', true],
        ['app.example:80', 'https://app.example', false],
        // As nginx's $host.
        ['app.example', 'http://app.example:8080', true],
        ['app.example', 'https://app.example', true],
        ['app.example', 'https://evil.example', false],
        ['[::1]:7001', 'http://[::1]:7001', true],
        ['[::1]:7001', 'http://[::1]:7002', false],
        ['[2001:db8::1]', 'https://[2001:db8::1]:8443', true],
        ['[2001:db8::1]', 'https://[2001:db8::2]', false],
        // The exception of the environment local.
        ['localhost:7001', 'http://localhost:5173', false],
        // Apps are no page of a host.
        ['localhost', 'capacitor://localhost', false],
      ];
      for (const [Host, Origin, isAllowed] of cases) {
        assert.equal(await accepts(running.port, { Host, Origin }), isAllowed, `Host ${Host}, Origin ${Origin}`);
      }
    });

    it('should let in requests without an origin, and ignore X-Forwarded-Host', async () => {
      assert(await accepts(running.port, { Origin: undefined }));
      assert(!(await accepts(running.port, { Origin: 'https://evil.example', 'X-Forwarded-Host': 'evil.example' })));
    });

    it('should refuse hostile origins, and answer the next client', async () => {
      const { port, app } = running;
      const { warn } = logs(app);
      const hostile = [
        'null',
        '',
        'app.example',
        '//app.example',
        'http://',
        'http://app.example/',
        'http://app.example@evil.example',
        'http://evil.example\\@app.example',
        'http://app.example http://evil.example',
        'http://app.example, http://evil.example',
        'http://app.example\r\nOrigin: http://evil.example',
        'http://app.example:',
        'http://app.example:99999999',
        'http://[::1',
        'http://[app.example]',
        'http://%61pp.example',
        'javascript:alert(1)',
        '__proto__://constructor',
        'http://\u00e4\u00ff\u0080',
        `http://${'a'.repeat(8000)}`,
        `http://app.example${':'.repeat(8000)}`,
        `http://${'a.'.repeat(4000)}example`,
      ];
      for (const Origin of hostile) {
        assert(!(await accepts(port, { Host: 'app.example', Origin })), JSON.stringify(Origin.slice(0, 50)));
      }
      for (const Host of ['', ':', '[', '@', 'a'.repeat(8000), 'app.example, evil.example']) {
        assert(!(await accepts(port, { Host, Origin: 'http://evil.example' })), JSON.stringify(Host.slice(0, 50)));
      }
      assert(await accepts(port, { Origin: 'http://app.example' }));
      for (const line of warn) assert(line.length < 1200, line);
    });

    it('should answer with a reason', async () => {
      const body = { code: 4, message: 'the origin http://evil.example is not allowed' };
      for (const transport of ['polling', 'websocket']) {
        const answer = await sendRaw(running.port, request(transport, { Origin: 'http://evil.example' }));
        assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n/);
        assert.deepEqual(JSON.parse(answer.split('\r\n\r\n')[1] as string), body);
      }
      const extraHeaders = { origin: 'http://evil.example' };
      const failed = await refused(running.client('/', { transports: ['polling'], extraHeaders }));
      assert.equal((failed as Error & { description?: unknown }).description, 403);
    });

    it('should refuse the upgrade of a session by another origin, and leave the session alone', async () => {
      const { port } = running;
      const { sid } = JSON.parse(/\{"sid".*\}/.exec(await sendRaw(port, request('polling', {})))?.[0] ?? '{}');
      const upgrade = (Origin: string) => sendRaw(port, request('websocket', { Origin }, `&sid=${sid}`));
      assert.match(await upgrade('http://evil.example'), /^HTTP\/1\.1 403 /);
      assert.match(await upgrade('http://app.example'), /^HTTP\/1\.1 101 /);
    });

    it('should refuse JSONP, which has no origin, and say so once', async () => {
      const { app, port } = await launch({});
      const { warn } = logs(app);
      for (const parameters of ['&j=0', '&%6a=0', '&j=', '&sid=&j=0']) {
        const answer = await sendRaw(port, request('polling', {}, parameters));
        assert.match(answer, /^HTTP\/1\.1 403 .*JSONP has no origin/s, parameters);
      }
      assert.match(await sendRaw(port, request('polling', {}, '&b=j&J=0')), /^HTTP\/1\.1 200 /);
      assert.equal(warn.length, 1);
      assert.match(warn[0], /refused JSONP.*\(client 127\.0\.0\.1\)/);
    });

    it('should not take a session id in the fragment for one', async () => {
      const bytes = request('polling', { Origin: 'http://evil.example' }).replace(' HTTP/1.1', '#?sid=x HTTP/1.1');
      assert.match(await sendRaw(running.port, bytes), /^HTTP\/1\.1 403 /);
    });

    it('should log a line for each of 20 origins, with what to set, and one for all others', async () => {
      const { app, port } = await launch({});
      const { warn } = logs(app);
      for (let n = 0; n < 25; n++) {
        for (const _ of [1, 2]) await accepts(port, { Origin: `https://evil-${n}.example` });
      }
      for (let n = 0; n < 5; n++) await accepts(port, { Origin: `bad ${n}` });
      assert.equal(warn.filter((line) => line.includes('refused a page')).length, 21);
      assert.equal(warn.filter((line) => line.includes('malformed')).length, 1);
      assert.equal(warn.length, 22);
      assert.match(
        warn[0],
        /refused a page of https:\/\/evil-0\.example.*\(client 127\.0\.0\.1\).*request is app\.example\b.*add 'https:\/\/evil-0\.example' to config\.io\.init\.cors\.origin.*allowedOrigins.*proxy_set_header Host/,
      );
    });
  });

  it('should let in JSONP if all origins are allowed', async () => {
    for (const io of [
      { allowedOrigins: false },
      { allowedOrigins: '*' },
      { init: { cors: { origin: '*' } } },
    ] as const) {
      const { port } = await launch({ io });
      assert.match(await sendRaw(port, request('polling', {}, '&j=0')), /^HTTP\/1\.1 200 .*___eio\[0\]/s);
    }
  });

  it('should be checked before init.allowRequest, before middleware of Engine.IO and before a session', async () => {
    const calls: string[] = [];
    const { port, app } = await launch({
      io: {
        init: {
          allowRequest: (_req, done) => {
            calls.push('allowRequest');
            done(null, false);
          },
        },
        connectionMiddleware: ['a'],
      },
      middleware: {
        a: async (ctx, next) => {
          calls.push(`session ${ctx.session.user}`);
          await next();
        },
      },
    });
    app.io.engine.use((_req: unknown, _res: unknown, next: () => void) => {
      calls.push('engine');
      next();
    });
    const errors: [code: number, url: string | undefined][] = [];
    app.io.engine.on('connection_error', ({ code, req }: { code: number; req: { url?: string } }) =>
      errors.push([code, req.url]),
    );
    assert(!(await accepts(port, { Origin: 'http://evil.example' })));
    assert.deepEqual(calls, []);
    assert.equal(errors.length, 2);
    assert(errors.every(([code, url]) => code === 4 && url?.startsWith('/socket.io/')));
    assert.match(await sendRaw(port, request('polling', { Origin: 'http://app.example' })), / 403 /);
    assert.deepEqual(calls, ['engine', 'allowRequest']);
  });

  it('should answer preflights as init.cors says', async () => {
    const { url } = await launch({ io: { init: { cors: { origin: ['https://example.com'] } } } });
    const preflight = async (origin: string) => {
      const { status, headers } = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET' },
      });
      return [status, headers.get('access-control-allow-origin')];
    };
    assert.deepEqual(await preflight('https://example.com'), [204, 'https://example.com']);
    assert.deepEqual(await preflight('https://evil.example'), [204, null]);
  });

  describe('should let in the origins of init.cors', () => {
    const A = 'https://a.example';
    const B = 'https://b.example';
    type Cors = NonNullable<NonNullable<IoConfig['init']>['cors']>;
    const forms: [title: string, cors: Cors, expected: Record<string, boolean>][] = [
      ['a string', { origin: A }, { [A]: true, [B]: false, null: false }],
      ["'*'", { origin: '*' }, { [A]: true, [B]: true, null: true }],
      ['true', { origin: true }, { [A]: true, [B]: true }],
      ['false', { origin: false }, { [A]: false }],
      ['none with a value that turns it off', false as never, { [A]: false }],
      ['a global RegExp', { origin: /^https:\/\/a\./g }, { [A]: true, [B]: false }],
      ['an array', { origin: [/^https:\/\/a\./, 'null'] }, { [A]: true, [B]: false, null: true }],
      ['a function', { origin: (origin, done) => done(null, origin === A) }, { [A]: true, [B]: false }],
      ['a function that returns a list', { origin: (_origin, done) => done(null, [A]) }, { [A]: true, [B]: false }],
      [
        'none with a function that fails',
        { origin: (origin, done) => done(origin === A ? new Error('down') : null, true) },
        { [A]: false, [B]: true },
      ],
      [
        'a function of the request',
        ({ method }, done) => done(null, { origin: method === 'GET' && A }),
        { [A]: true, [B]: false },
      ],
      ['a function of the request that sets nothing', (_req, done) => done(null, {}), { [A]: true }],
    ];
    for (const [title, cors, expected] of forms) {
      it(title, async () => {
        const running = await launch({ io: { init: { cors } } });
        await assertAccepts(running, expected);
        await assertAccepts(running, expected);
        await assertAccepts(running, { 'http://app.example': true });
      });
    }
  });

  describe('should let in', () => {
    const A = 'https://a.example';
    const B = 'https://b.example';
    const forms: [title: string, value: IoConfig['allowedOrigins'], expected: Record<string, boolean>][] = [
      ['an origin', A, { [A]: true, 'https://a.example:444': false, [B]: false, null: false }],
      ['an app', 'capacitor://localhost', { 'capacitor://localhost': true, 'ionic://localhost': false }],
      ['an origin of a RegExp', /^https:\/\/[a-z]\.example$/, { [A]: true, [B]: true, 'https://ab.example': false }],
      ['those of an array', ['same-host', A, /b\.example$/], { [A]: true, [B]: true, 'https://c.example': false }],
      ['none with an empty array', [], { [A]: false }],
      ["all with '*'", '*', { [A]: true, null: true, '': false }],
      ['those of a function', (origin) => origin === A, { [A]: true, [B]: false, null: false, 'bad one': false }],
      ['those of an async function', async (_origin, { headers }) => headers.origin === A, { [A]: true, [B]: false }],
      ['none with a function that returns something else', (() => 'yes') as never, { [A]: false }],
      ['sandboxed frames', 'null', { null: true, [A]: false }],
      ['all with false', false, { [A]: true, null: true, '': true, 'bad one': true }],
    ];
    for (const [title, allowedOrigins, expected] of forms) {
      it(title, async () => {
        const running = await launch({ io: { allowedOrigins } });
        await assertAccepts(running, expected);
        await assertAccepts(running, { 'http://app.example': true });
      });
    }
  });

  it('should refuse if a function throws or rejects, and log the error with its stack', async () => {
    const fail = () => {
      throw new Error('no database');
    };
    const reject = () => Promise.reject(new Error('no database'));
    const forms: IoConfig[] = [
      { allowedOrigins: fail },
      { allowedOrigins: reject },
      { init: { cors: { origin: fail } } },
      { init: { cors: { origin: reject as never } } },
      { init: { cors: reject as never } },
    ];
    for (const io of forms) {
      const running = await launch({ io });
      const { error, warn } = logs(running.app);
      await assertAccepts(running, { 'https://a.example': false });
      // Of all pages, a function of init.cors decides about the headers.
      if (!io.init) await assertAccepts(running, { 'http://app.example': true });
      assert.deepEqual(warn, []);
      // One for each transport.
      assert.deepEqual(
        error.map(({ message }) => message),
        ['no database', 'no database'],
      );
    }
  });

  it('should refuse if a function throws what cannot be converted to a text', async () => {
    for (const thrown of [Object.create(null), Symbol('a'), undefined]) {
      const running = await launch({
        io: {
          allowedOrigins: () => {
            throw thrown;
          },
        },
      });
      const { error } = logs(running.app);
      await assertAccepts(running, { 'https://a.example': false, 'http://app.example': true });
      assert.equal(error.length, 2);
    }
  });

  it('should survive clients that leave while the function runs', async () => {
    const [called, decided] = [signal(), signal()];
    let count = 0;
    const { port, app, url } = await launch({
      io: {
        allowedOrigins: async () => {
          if (++count === 2) called.resolve();
          await decided.promise;
          return true;
        },
      },
    });
    const sockets = ['polling', 'websocket'].map((transport) => {
      const socket = connect(port, '127.0.0.1');
      socket.write(request(transport, { Origin: 'https://a.example' }));
      return socket;
    });
    await called.promise;
    for (const socket of sockets) socket.resetAndDestroy();
    const client = await connected(track(url));
    decided.resolve();
    assert(client.connected);
    await until(
      'the others are gone',
      () => Object.keys((app.io.engine as unknown as { clients: object }).clients).length === 1,
    );
  });

  it('should let in the domains of config.security.domainWhiteList, as egg-security reads them', async () => {
    const running = await launch({
      config: {
        security: {
          domainWhiteList: ['.Dotted.example', 'plain.example', '*.wild.example', 'http://exact.example:81'],
        },
      },
    });
    await assertAccepts(running, {
      'https://dotted.example': true,
      'https://a.dotted.example:8443': true,
      'http://plain.example': true,
      'https://a.b.plain.example': true,
      'https://a.wild.example': true,
      'http://exact.example:81': true,
      'http://exact.example': false,
      'https://notplain.example': false,
      'https://plain.example.evil.example': false,
      null: false,
    });
  });

  it('should compare with X-Forwarded-Host if config.proxy is set, or with config.hostHeaders', async () => {
    const own = { 'http://www.example': true, 'http://app.example': false, 'https://evil.example': false };
    const proxied = await launch({ config: { proxy: true } });
    await assertAccepts(proxied, own, { 'X-Forwarded-Host': 'www.example, proxy.example' });
    await assertAccepts(proxied, { 'http://app.example': true });
    const named = await launch({ config: { proxy: true, hostHeaders: 'X-Real-Host' } });
    await assertAccepts(named, own, { 'X-Real-Host': 'www.example', 'X-Forwarded-Host': 'evil.example' });
  });

  it('should let in any port of a loopback host in the environment local', async () => {
    await assertAccepts(
      await launch({}, 'local'),
      {
        'http://localhost:5173': true,
        'https://shop.localhost:5173': true,
        'http://127.0.0.2:5173': true,
        'http://[::1]:5173': true,
        'http://localhost.evil.example': false,
        'http://127.0.0.1.evil.example': false,
        'http://192.168.0.2:5173': false,
        null: false,
      },
      { Host: 'localhost:7001' },
    );
  });

  it('should log that a browser blocks long-polling of a page that may connect, unless init.cors names it', async () => {
    const Origin = 'http://localhost:5173';
    const poll = (port: number, site: string | undefined, transport = 'polling') =>
      sendRaw(port, request(transport, { Origin, 'Sec-Fetch-Site': site }));
    const named = await launch({ io: { init: { cors: { origin: Origin } } } }, 'local');
    const { warn: none } = logs(named.app);
    await poll(named.port, 'same-site');
    assert.deepEqual(none, []);

    for (const io of [{}, { init: { cors: { origin: 'https://example.com' } } }]) {
      const { port, app } = await launch({ io }, 'local');
      const { warn } = logs(app);
      await poll(port, undefined); // no browser
      await poll(port, 'same-site', 'websocket');
      assert.equal(warn.length, 0);
      assert.match(await poll(port, 'same-site'), / 200 /);
      await poll(port, 'same-site');
      assert.equal(warn.length, 1);
      assert.match(
        warn[0],
        /a page of http:\/\/localhost:5173 may connect, but its browser blocks long-polling.*set config\.io\.init\.cors = \{ origin: \['http:\/\/localhost:5173'\].*transports: \['websocket'\]/,
      );
    }
    const allowed = await launch({ io: { allowedOrigins: Origin } });
    const { warn } = logs(allowed.app);
    await poll(allowed.port, 'cross-site');
    assert.match(warn[0], /blocks long-polling/);
  });

  it('should yield to the origins of config.io.compat', async () => {
    const running = await launch({
      io: { compat: true, allowedOrigins: 'https://a.example', init: { cors: { origin: 'https://c.example' } } },
    });
    await assertAccepts(running, { 'http://app.example': true, 'https://a.example': true, 'https://b.example': false });
    (running.app.io as unknown as { origins(value: string): void }).origins('https://b.example:443');
    await assertAccepts(running, {
      'http://app.example': false,
      'https://a.example': false,
      'https://b.example': true,
      'https://c.example': false,
    });
  });

  it('should fail the boot if it is something else', async () => {
    for (const allowedOrigins of [true, 42, {}, ['https://a.example', 42], function* () {}]) {
      const { message } = await bootError({ io: { allowedOrigins } as never });
      assert.match(message, /config\.io\.allowedOrigins is invalid.*'same-host'.*a RegExp.*false/);
    }
  });

  it('should be warned of if a value matches nothing', () => {
    const wrong: [value: string, advice: RegExp][] = [
      ['localhost:8080', /a scheme, a host and a port/],
      ['example.com', /a scheme, a host and a port/],
      ['https://example.com/', /Write 'https:\/\/example\.com'/],
      ['https://example.com/chat', /Write 'https:\/\/example\.com'/],
      ['https://example.com:443', /Write 'https:\/\/example\.com'/],
      ['https://Example.com', /Write 'https:\/\/example\.com'/],
      ['https://*.example.com', /RegExp/],
      ['', /a scheme, a host and a port/],
    ];
    for (const [value, advice] of wrong) {
      for (const [key, io] of [
        ['config.io.allowedOrigins', { allowedOrigins: value }],
        ['config.io.allowedOrigins', { allowedOrigins: ['https://a.example', value] }],
        ['config.io.init.cors.origin', { init: { cors: { origin: value } } }],
        ['config.io.init.cors.origin', { init: { cors: { origin: [value, /x/] } } }],
      ] as [string, IoConfig][]) {
        const { warnings } = resolveConfig(io);
        assert.equal(warnings.length, 1, `${key}: ${value}`);
        assert(warnings[0]?.startsWith(`${key}: '${value}' matches no origin. `), warnings[0]);
        assert.match(warnings[0] as string, advice);
      }
    }
    assert.match(resolveConfig({ allowedOrigins: ['*'] }).warnings[0] as string, /'\*' outside of an array/);
    const credentials = { cors: { origin: '*', credentials: true } };
    assert.match(resolveConfig({ init: credentials }).warnings[0] as string, /browsers refuse origin '\*'/);
    for (const right of [
      'https://example.com',
      'http://localhost:8080',
      'http://[::1]:80',
      'null',
      'app://x',
      '*',
      'file://',
    ]) {
      const expected = right === 'http://[::1]:80' ? 1 : 0;
      assert.equal(resolveConfig({ allowedOrigins: right }).warnings.length, expected, right);
      assert.equal(resolveConfig({ init: { cors: { origin: right } } }).warnings.length, expected, right);
    }
  });

  it('should be named at boot if config.cors is set alone', () => {
    const warnings = (io: IoConfig, cors: unknown = { origin: '*' }) => originWarnings({ config: { io, cors } });
    assert.match(warnings({})[0] ?? '', /^config\.cors of egg-cors has no effect.*config\.io\.init\.cors = /);
    assert.deepEqual(warnings({}, null), []);
    assert.deepEqual(warnings({ init: { cors: { origin: 'https://example.com' } } }), []);
    assert.deepEqual(warnings({ allowedOrigins: [] }), []);
  });

  it('should be compared with the host that nginx sends', async () => {
    const running = await launch({});
    const page = examples().get('One host') ?? '';
    // As in docs/en/deployment.md, without the port, and without the line.
    for (const [host, isAllowed] of [
      ['$http_host', true],
      ['$host', true],
      ['$proxy_host', false],
    ] as const) {
      const nginx = await startNginx(page.replace('$http_host', host), [running.url]);
      try {
        const { host: Host, port, protocol } = new URL(nginx.url);
        assert.equal(await accepts(Number(port), { Host, Origin: `${protocol}//${Host}` }), isAllowed, host);
        assert(!(await accepts(Number(port), { Host, Origin: 'http://evil.example' })));
      } finally {
        await nginx.close();
      }
    }
  });

  it('should be testable with app.ioClient()', async () => {
    const { app } = await launch({ io: { allowedOrigins: 'https://a.example' } });
    const { ioClient } = app as unknown as TestKitMembers;
    const headers = { origin: 'https://evil.example' };
    assert((await ioClient('/')).connected);
    assert((await ioClient('/', { headers: { origin: 'https://a.example' } })).connected);
    assert((await ioClient('/', { headers: { origin: await ioClient.url() } })).connected);
    await ioClient.expectRefused('/', /403/, { headers });
    await ioClient.expectRefused('/', /403/, { headers, transports: ['polling'] });
    await assert.rejects(ioClient('/', { headers }), /refused the client: websocket error .*403/);
  });

  describe('with 2 workers', () => {
    it('should hold for what a worker forwards', async () => {
      const cluster = await startCluster('forwarding', { workers: 2 });
      try {
        const port = Number(new URL(cluster.url).port);
        const bodies = await Promise.all(Array.from({ length: 6 }, () => sendRaw(port, request('polling', {}))));
        for (const body of bodies) {
          const { sid } = JSON.parse(/\{"sid".*\}/.exec(body)?.[0] ?? '{}');
          const upgrade = (Origin: string) => sendRaw(port, request('websocket', { Origin }, `&sid=${sid}`));
          for (let n = 0; n < 3; n++)
            assert.match(await upgrade('http://evil.example'), /^HTTP\/1\.1 403 .*not allowed/s);
          assert.match(await upgrade('https://app.example'), /^HTTP\/1\.1 101 /);
          assert(!(await accepts(port, { Origin: 'http://evil.example' })));
        }
      } finally {
        await cluster.close();
      }
    });
  });

  describe('in the browser', () => {
    afterEach(closePages);
    after(closeBrowser);

    /** Starts an application whose pages log in. `who` returns the user of the session. */
    const startVictim = (io: IoConfig = {}) =>
      launch({
        io: { ack: 'auto', ...io },
        router: (app) => {
          app.get('/login', async (ctx: Context) => {
            ctx.session.user = 'ann';
            ctx.body = '<!doctype html>logged in';
          });
          app.io.route('who', (ctx) => ctx.session.user);
        },
      });

    /** Opens a page of another server in the browser of a user. */
    async function openAttack(victim: Page, host: string): Promise<{ page: Page; close(): void }> {
      const server = createServer((_req, res) => res.end('<!doctype html>attack')).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const page = await victim.context().newPage();
      await page.goto(`http://${host}:${(server.address() as AddressInfo).port}/`);
      return {
        page,
        close: () => {
          server.close();
          server.closeAllConnections();
        },
      };
    }

    /** Connects from a page. Returns the user whom the server knows, or why the client is refused. */
    async function attempt(page: Page, url: string, transports: string[]): Promise<string> {
      await page.addScriptTag({ path: require.resolve('socket.io-client/dist/socket.io.js') });
      return page.evaluate(
        ([to, by]) =>
          new Promise<string>((resolve) => {
            const options = { transports: by, reconnection: false, forceNew: true, withCredentials: true };
            const socket = (globalThis as any).io(to, options);
            socket.on('connect_error', (err: Error) => resolve(`refused: ${err.message}`));
            socket.on('connect', () => socket.emit('who', (user: string) => resolve(`connected as ${user}`)));
          }),
        [url, transports] as const,
      );
    }

    /** Loads a script of JSONP. Returns what the server passes to it, or that the server refuses it. */
    function loadScript(page: Page, url: string): Promise<string> {
      return page.evaluate(
        (src) =>
          new Promise<string>((resolve) => {
            (globalThis as any).___eio = [resolve];
            const { document } = globalThis as any;
            const onerror = () => resolve('refused');
            document.body.append(Object.assign(document.createElement('script'), { src, onerror }));
          }),
        url,
      );
    }

    const TRANSPORTS = [['websocket'], ['polling', 'websocket']];

    for (const [title, host] of [
      ['of a foreign host', 'attacker.localhost'],
      ['of another port', 'localhost'],
    ] as const) {
      it(`should refuse a page ${title}, and let in the page of the application`, async () => {
        const { port } = await startVictim();
        const url = `http://localhost:${port}`;
        const victim = await openPage(`${url}/login`);
        const attack = await openAttack(victim, host);
        try {
          for (const transports of TRANSPORTS) {
            assert.match(await attempt(attack.page, url, transports), /^refused: (websocket error|xhr poll error)$/);
            assert.equal(await attempt(victim, url, transports), 'connected as ann');
          }
        } finally {
          attack.close();
        }
      });
    }

    it('should refuse the scripts of a page of another port, by which it could read a session id without an origin', async () => {
      for (const allowedOrigins of ['same-host', false] as const) {
        const { port } = await startVictim({ allowedOrigins });
        const attack = await openAttack(await openPage(`http://localhost:${port}/login`), 'localhost');
        try {
          const url = `http://localhost:${port}/socket.io/?EIO=4&transport=polling&j=0`;
          assert.match(await loadScript(attack.page, url), allowedOrigins ? /^refused$/ : /^0\{"sid":/);
        } finally {
          attack.close();
        }
      }
    });

    it('should let the page of another port in as the user if it is off, which shows that the attack works', async () => {
      const { port } = await startVictim({ allowedOrigins: false });
      const url = `http://localhost:${port}`;
      const attack = await openAttack(await openPage(`${url}/login`), 'localhost');
      try {
        assert.equal(await attempt(attack.page, url, ['websocket']), 'connected as ann');
      } finally {
        attack.close();
      }
    });
  });
});
