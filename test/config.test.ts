// config.io. Invalid values fail the boot with a message that names the key, the value and the allowed values.
import assert from 'node:assert/strict';
import { WebSocket, Server as WsServer } from 'ws';
import type { IoConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { connected, logs, mm, refused } from './support/app';
import { OLD, parity, parityOf } from './support/clients';
import { bootError, startInline } from './support/inline';
import { next, signal, until } from './support/wait';

/** Asserts that the boot with this config.io fails, with a message that matches all patterns. */
async function fails(io: unknown, ...patterns: RegExp[]): Promise<void> {
  const { message } = await bootError({ io: io as IoConfig });
  for (const pattern of patterns) assert.match(message, pattern);
}

describe('config.io', () => {
  before(() => mm.consoleLevel?.('NONE'));

  describe('fails the boot', () => {
    it('if a middleware does not exist, with the key and the existing names', async () => {
      const chains = { connectionMiddleware: ['a', 'nobody'] };
      await fails(
        { namespace: { '/chat': chains } },
        /can't find middleware: nobody !/,
        /config\.io\.namespace\['\/chat'\]\.connectionMiddleware/,
        /allowed: .*a, b, c, guard/,
      );
      await fails({ namespace: { '/': { packetMiddleware: ['__proto__'] } } }, /can't find middleware: __proto__ !/);
      await fails(
        { packetMiddleware: ['toString'] },
        /can't find middleware: toString !/,
        /config\.io\.packetMiddleware/,
      );
    });

    it('if a list is not an array', async () => {
      await fails(
        { namespace: { '/chat': { connectionMiddleware: 'auth' } } },
        /config\.connectionMiddleware must be Array!/,
        /config\.io\.namespace\['\/chat'\]\.connectionMiddleware is 'auth'/,
      );
      await fails(
        { namespace: { '/': { packetMiddleware: {} } } },
        /config\.packetMiddleware must be Array!/,
        /\['\/'\]/,
      );
      await fails({ namespace: { '/': { packetMiddleware: [42] } } }, /packetMiddleware\[0\] is invalid.*42.*a name/);
    });

    it('if an option does not exist', async () => {
      await fails({ namespaces: {} }, /unknown option namespaces/, /config\.io\.namespaces/, /init, namespace/);
      await fails({ cors: { origin: '*' } }, /unknown option cors/, /allowed: config\.io\.init\.cors/);
      await fails({ namespace: { '/': { middleware: [] } } }, /unknown option middleware/, /\['\/'\]\.middleware/);
    });

    it('if the adapter is not a constructor', async () => {
      await fails(
        { init: { adapter: 'redis' } },
        /config\.io\.init\.adapter is invalid/,
        /'redis'/,
        /adapter constructor/,
      );
    });

    it('if a section has the wrong type', async () => {
      await fails('polling', /config\.io is invalid.*'polling'.*an object/);
      await fails({ init: 'polling' }, /config\.io\.init is invalid.*'polling'.*an object/);
      await fails({ namespace: [] }, /config\.io\.namespace is invalid.*an object/);
      await fails({ namespace: { '/': true } }, /config\.io\.namespace\['\/'\] is invalid.*true/);
      await fails({ generateId: 'uuid' }, /config\.io\.generateId is invalid.*'uuid'.*function/);
    });

    it('if cors would allow every origin', async () => {
      for (const cors of ['https://x.y', ['https://x.y'], { orgin: 'https://x.y' }, true]) {
        await fails({ init: { cors } }, /config\.io\.init\.cors is invalid/, /an object with an origin/);
      }
    });

    it('if an option of Socket.IO has a value that it would not report', async () => {
      const wrong: Array<[key: string, value: unknown, allowed: RegExp]> = [
        ['path', 'socket.io', /begins with a slash/],
        ['path', '/', /is not '\/'/],
        ['path', 5, /begins with a slash/],
        ['transports', 'websocket', /an array of 'polling'/],
        ['transports', [], /an array of 'polling'/],
        ['transports', ['websockets'], /an array of 'polling'/],
        ['allowRequest', true, /a function \(request, callback\)/],
        ['pingTimeout', '5s', /a number of ms/],
        ['pingInterval', 0, /a number of ms/],
        ['connectTimeout', Number.NaN, /a number of ms/],
        ['upgradeTimeout', -1, /a number of ms/],
        ['maxHttpBufferSize', '1mb', /a number of bytes/],
        ['allowEIO3', 'yes', /true or false/],
      ];
      for (const [key, value, allowed] of wrong) {
        await fails({ init: { [key]: value } }, new RegExp(`config\\.io\\.init\\.${key} is invalid`), allowed);
      }
    });

    it('without printing the content of an unknown section', async () => {
      await fails({ reddis: { auth_pass: 'secret' } }, /unknown option reddis \(config\.io\.reddis is \{…\};/);
    });

    it('if a namespace has two entries', async () => {
      await fails({ namespace: { chat: {}, '/chat': {} } }, /one entry for \/chat/);
    });

    it('if a middleware is a class or an object', async () => {
      class Guard {}
      const inline = { io: { namespace: { '/': { packetMiddleware: ['a'] } } }, middleware: { a: Guard as never } };
      const { message } = await bootError(inline);
      const object = await bootError({ ...inline, middleware: { a: {} as never } });
      assert.match(object.message, /middleware a is not a function/);
      assert.match(message, /middleware a is not a function \(ctx, next\).*app\/io\/middleware\/a must export/);
    });

    it('if a WebSocket engine cannot be loaded, with the package to install', async () => {
      await fails({ init: { wsEngine: 'no-such-engine' } }, /npm install no-such-engine/, /config\.io\.init\.wsEngine/);
      await fails(
        { init: { wsEngine: 'uws' } },
        /can't load .* uws: remove config\.io\.init\.wsEngine to use ws, .* eiows/,
      );
      await fails({ init: { wsEngine: 'koa-compose/package.json' } }, /a package that exports a Server/);
      await fails({ init: { wsEngine: 1 } }, /a constructor or a package's name/);
    });
  });

  it('should log a warning for options that Socket.IO has removed', () => {
    const init = { origins: '*:*', cookiePath: '/', cookieHttpOnly: true, cookie: 'io' };
    const { warnings } = resolveConfig({ init: init as never });
    assert.equal(warnings.length, 4);
    assert.match(warnings[0] as string, /init\.origins has no effect since Socket\.IO 3: set config\.io\.init\.cors/);
    assert.match(warnings[3] as string, /init\.cookie has no effect as a string.*\{ name: 'io' \}/);
  });

  it('should log a warning for the timeout of upgrades, which has no effect', () => {
    const { warnings } = resolveConfig({ init: { destroyUpgrade: true, destroyUpgradeTimeout: 5_000 } });
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] as string,
      /init\.destroyUpgradeTimeout has no effect: remove it\. Upgrades of other paths/,
    );
  });

  it('should accept a namespace with and without its slash, and without lists', () => {
    const { namespace, everywhere } = resolveConfig({ namespace: { chat: { packetMiddleware: ['a'] }, '/': {} } });
    assert.deepEqual(
      [...namespace],
      [
        ['/chat', { connectionMiddleware: [], packetMiddleware: ['a'] }],
        ['/', { connectionMiddleware: [], packetMiddleware: [] }],
      ],
    );
    assert.deepEqual(everywhere, { connectionMiddleware: [], packetMiddleware: [] });
  });

  it("should use the plugin's defaults without configuration", async () => {
    for (const io of [undefined, null]) {
      const { connect } = await startInline({ io: io as never });
      assert((await connect()).connected);
    }
  });
});

describe('config.io.init', () => {
  it("should be passed to Socket.IO's constructor and to Engine.IO", async () => {
    const init = {
      path: '/realtime',
      transports: ['websocket' as const],
      pingInterval: 12_345,
      maxHttpBufferSize: 1000,
      cors: { origin: 'https://example.com' },
    };
    const { client, app, url } = await startInline({ io: { init } });
    const socket = await connected(client('/', { path: '/realtime' }));
    assert.equal((socket.io.engine as unknown as { _pingInterval: number })._pingInterval, 12_345);
    assert.equal(app.io.path(), '/realtime');
    assert.match((await refused(client())).message, /websocket error/);
    assert.match(
      (await refused(client('/', { path: '/realtime', transports: ['polling'] }))).message,
      /xhr poll error/,
    );
    const preflight = await fetch(`${url}/realtime/?EIO=4&transport=websocket`, {
      method: 'OPTIONS',
      headers: { origin: 'https://example.com' },
    });
    assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://example.com');
  });

  it('should neither enable CORS nor serve the client bundle by default', async () => {
    const closed = await startInline({});
    const get = (url: string) => fetch(`${url}/socket.io/socket.io.js`);
    assert.equal((await get(closed.url)).status, 400);
    const poll = await fetch(`${closed.url}/socket.io/?EIO=4&transport=polling`, {
      headers: { origin: 'https://x.y' },
    });
    assert.equal(poll.headers.get('access-control-allow-origin'), null);
    const open = await startInline({ io: { init: { serveClient: true } } });
    const bundle = await get(open.url);
    assert.equal(bundle.status, 200);
    assert.match(await bundle.text(), /Socket\.IO v4/);
  });

  for (const [title, wsEngine] of [
    ['no value', null],
    ['the name ws', 'ws'],
    ['a constructor', WsServer],
  ] as const) {
    it(`should accept ${title} for wsEngine`, async () => {
      const { connect } = await startInline({ io: { init: { wsEngine: wsEngine as 'ws' } } });
      assert((await connect()).connected);
    });
  }

  it('should accept the name of a package that exports a WebSocket server for wsEngine', async () => {
    const made = signal();
    (globalThis as { wsEngineMade?: () => void }).wsEngineMade = made.resolve;
    const { connect } = await startInline({ io: { init: { wsEngine: require.resolve('./fixtures/ws-engine.cjs') } } });
    await made.promise;
    assert((await connect()).connected);
  });
});

parity('config.io.generateId', (kind) => {
  it('should generate the id of the socket, on client and server', async () => {
    let count = 0;
    const seen: string[] = [];
    const { connect, app } = await startInline({
      io: { generateId: (request) => `${request.headers['x-name']}-${++count}`, namespace: { '/': {}, '/chat': {} } },
      router: (app) => {
        app.io.route('id', (ctx) => ctx.args[0](ctx.id));
        app.io.of('/chat').route('id', (ctx) => ctx.args[0](ctx.id));
        app.io.on('connection', (socket) => seen.push(socket.id));
      },
    });
    const client = await connect('/', { extraHeaders: { 'x-name': 'ann' } });
    assert.equal(client.id, 'ann-1');
    assert.equal(await client.emitWithAck('id'), 'ann-1');
    const chat = await connected(client.io.socket('/chat'));
    assert.equal(chat.id, kind.idOf('/chat#ann-1'));
    assert.equal(await chat.emitWithAck('id'), '/chat#ann-1');
    assert.deepEqual(seen, ['ann-1']);
    // The socket is in the room of its id.
    const direct = next(chat, 'direct');
    app.io.of('/chat').to('/chat#ann-1').emit('direct');
    await direct;
    assert.deepEqual([...app.io.of('/chat').sockets.keys()], ['/chat#ann-1']);
  });

  it('should release its sockets when they are disconnected', async () => {
    let count = 0;
    const { connect, app } = await startInline({ io: { generateId: () => `id-${++count}` } });
    const client = await connect();
    client.disconnect();
    const [socket] = app.io.of('/').sockets.values();
    if (socket) await next(socket, 'disconnect');
    const pending = (app.io.of('/') as unknown as { _preConnectSockets: Map<string, unknown> })._preConnectSockets;
    assert.equal(pending.size, 0);
    assert.equal(app.io.of('/').sockets.size, 0);
  });

  it('should be ignored with a warning if it is async or a generator', async () => {
    for (const generateId of [async () => 'x', function* () {}]) {
      const { warnings } = resolveConfig({ generateId: generateId as never });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] as string, /config\.io\.generateId is ignored/);
      const { connect } = await startInline({ io: { generateId: generateId as never } });
      assert.equal((await connect()).id?.length, 20);
    }
  });

  it('should generate the ids of all namespaces before any middleware runs', async () => {
    const { connect, app } = await startInline({
      io: { generateId: () => 'made', namespace: { '/': {}, '/chat': {} } },
      router: (app) => {
        app.io.of('/native').on('connection', () => {});
        app.io.of('/chat').use((socket, next) => {
          socket.join('room');
          next();
        });
      },
    });
    assert.equal((await connect('/native')).id, kind.idOf('/native#made'));
    const chat = await connect('/chat');
    const heard = next(chat, 'x');
    app.io.of('/chat').to('room').emit('x');
    await heard;
    chat.disconnect();
    await until('nothing is left', () => app.io.of('/chat').adapter.rooms.size === 0);
    assert.equal(app.io.of('/chat').adapter.sids.size, 0);
  });
});

parityOf(OLD, 'config.io.generateId that fails', () => {
  it('should refuse the client and log the error', async () => {
    let answer: () => unknown = () => undefined;
    const { client, connect, app } = await startInline({ io: { generateId: () => answer() as string } });
    const { error } = logs(app);
    await refused(client());
    answer = () => {
      throw new Error('no id');
    };
    await refused(client());
    assert.match(error[0].message, /it returned undefined.*config\.io\.generateId/);
    assert.equal(error[1].message, 'no id');
    answer = () => 'good';
    assert.equal((await connect()).id, 'good');
  });
});

describe('config.io.generateId with new clients', () => {
  it('should refuse the client and log the error if it throws or does not return a string', async () => {
    let answer: () => unknown = () => undefined;
    const { client, connect, app } = await startInline({ io: { generateId: () => answer() as string } });
    const { error } = logs(app);
    assert.equal((await refused(client())).message, 'the server made no id');
    answer = () => Promise.resolve('later');
    await refused(client());
    answer = () => {
      throw new Error('no id');
    };
    assert.equal((await refused(client())).message, 'no id');
    assert.equal(error.length, 3);
    assert.match(error[0].message, /it returned undefined.*config\.io\.generateId/);
    assert.match(error[1].message, /it returned object/);
    answer = () => 'good';
    assert.equal((await connect()).id, 'good');
  });

  it('should not generate the id of the Engine.IO connection: anyone who has that id can send as the client', async () => {
    const { connect, url } = await startInline({ io: { generateId: () => 'known-to-all' } });
    const client = await connect('/', { transports: ['polling'] });
    assert.equal(client.id, 'known-to-all');
    assert.notEqual(client.io.engine.id, 'known-to-all');
    const query = 'EIO=4&transport=polling&sid=known-to-all';
    assert.equal((await fetch(`${url}/socket.io/?${query}`, { method: 'POST', body: '42["x"]' })).status, 400);
  });

  it('should create one socket if a client connects to a namespace twice at once', async () => {
    let connected = 0;
    const { url, app } = await startInline({
      io: { generateId: () => 'made', namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (_ctx, next) => {
          await new Promise(setImmediate);
          await next();
        },
      },
      router: (app) =>
        app.io.on('connection', (socket) => {
          connected++;
          socket.on('disconnect', () => connected--);
        }),
    });
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const heard: string[] = [];
    ws.on('message', (data) => heard.push(String(data)));
    await next(ws, 'open');
    ws.send('40');
    ws.send('40');
    await until('both are answered', () => heard.filter((text) => /^4[04]/.test(text)).length === 2);
    assert(
      heard.some((text) => text.startsWith('44{"message":"already connecting to /"')),
      heard.join(),
    );
    ws.close();
    await until('it has left', () => connected === 0 && app.io.of('/').sockets.size === 0);
  });

  it('should not change the id of a client whose connection is recovered', async () => {
    let count = 0;
    const { connect, app } = await startInline({
      io: {
        generateId: () => `id-${++count}`,
        init: { connectionStateRecovery: {} },
        namespace: { '/': {}, '/chat': {} },
      },
      router: (app) => app.io.route('id', (ctx) => ctx.args[0](ctx.id, ctx.recovered)),
    });
    const client = await connect('/', { reconnection: true, reconnectionDelay: 5 });
    app.io.emit('something to recover from');
    const ask = () => new Promise((done) => client.emit('id', (...all: unknown[]) => done(all)));
    assert.deepEqual(await ask(), ['id-1', false]);
    client.io.engine.close();
    await until('the client is back', () => client.connected && client.recovered);
    assert.deepEqual(await ask(), ['id-1', true]);
    assert.equal((await connected(client.io.socket('/chat'))).id, '/chat#id-1');
  });
});
