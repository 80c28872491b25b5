// Other WebSocket servers on the HTTP server of the application: upgrades of Engine.IO's path reach Engine.IO alone, all others the other
// listeners alone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import type { Application, Context } from 'egg';
import { Server as SocketServer } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { WebSocket, WebSocketServer } from 'ws';
import type { IoConfig } from '../lib';
import { connected, logs, ROOT, type Running, track } from './support/app';
import { NEW, OLD } from './support/clients';
import { startCluster } from './support/cluster';
import { startInline } from './support/inline';
import { sendRaw } from './support/raw';
import { next, signal, until, within } from './support/wait';

type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Time in which Engine.IO would end an upgrade of another path, in ms. */
const DESTROY_TIMEOUT = 20;
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const WEBSOCKET = `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
const HANDSHAKE = 'EIO=4&transport=websocket';
const [CLIENT_2] = OLD;

describe('other WebSocket servers on the same port', () => {
  const sockets: Array<WebSocket | TcpSocket> = [];

  afterEach(() => {
    for (const socket of sockets.splice(0)) 'terminate' in socket ? socket.terminate() : socket.destroy();
  });

  /** Returns a ws server that echoes messages. */
  function echoServer(options: ConstructorParameters<typeof WebSocketServer>[0]): WebSocketServer {
    const echo = new WebSocketServer(options);
    echo.on('connection', (socket) => socket.on('message', (message) => socket.send(message)));
    return echo;
  }

  /** Returns a listener that echoes on /ws, and answers 404 to all other paths. */
  function strictEcho(seen: string[] = []): UpgradeListener {
    const echo = echoServer({ noServer: true });
    return (req, socket, head) => {
      seen.push(req.url as string);
      if (req.url === '/ws') echo.handleUpgrade(req, socket, head, (ws) => echo.emit('connection', ws, req));
      else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    };
  }

  /** Starts an application that calls a function with its HTTP server, before or after Engine.IO is attached to it. */
  function startBeside(
    order: 'before' | 'after',
    add: (server: Server) => void,
    init: IoConfig['init'] = {},
    io: IoConfig = {},
  ): Promise<Running> {
    return startInline({
      io: { ...io, init: { allowEIO3: true, ...init } },
      boot: (app: Application) => {
        if (order === 'before') app.prependListener('server', add);
        else app.on('server', add);
      },
      router: (app) => app.io.route('echo', (ctx) => ctx.args[1](ctx.args[0])),
    });
  }

  /** Opens a plain WebSocket. */
  async function open(url: string, options: object = {}): Promise<WebSocket> {
    const socket = new WebSocket(url.replace('http', 'ws'), options);
    sockets.push(socket);
    await within(
      `a WebSocket of ${url}`,
      new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)),
    );
    return socket;
  }

  async function assertEchoes(url: string, options: object = {}): Promise<void> {
    const socket = await open(url, options);
    const received = next(socket, 'message');
    socket.send('hello');
    assert.equal(String((await received)[0]), 'hello');
  }

  /** Waits until a client of Socket.IO that begins with long-polling has upgraded. */
  async function assertUpgrades(client: Socket): Promise<void> {
    await connected(client);
    const { engine } = client.io;
    if (engine.transport.name !== 'websocket') await next(engine as never, 'upgrade');
    assert.equal(engine.transport.name, 'websocket');
  }

  /** Connects six clients of Socket.IO 4 and six of Socket.IO 2 at once. */
  async function assertAllUpgrade(url: string): Promise<Socket[]> {
    const transports = ['polling', 'websocket'];
    const kinds = Array.from({ length: 12 }, (_, i) => (i % 2 ? NEW : CLIENT_2));
    const clients = kinds.map((kind) => track(url, { transports }, kind));
    await Promise.all(clients.map(assertUpgrades));
    return clients;
  }

  /** Sends an upgrade of a path, and returns the status line of the answer. */
  async function statusOf(port: number, path: string, headers = WEBSOCKET): Promise<string | undefined> {
    return (await sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}\r\n`)).split('\r\n')[0];
  }

  for (const order of ['before', 'after'] as const) {
    describe(`that are added ${order} Engine.IO is attached`, () => {
      it('should upgrade all clients beside a listener that answers 404 to other paths, which does not see theirs', async () => {
        const seen: string[] = [];
        const { url } = await startBeside(order, (server) => server.on('upgrade', strictEcho(seen)));
        for (const client of await assertAllUpgrade(url)) assert.equal(await client.emitWithAck('echo', 1), 1);
        await assertUpgrades(track(url, { transports: ['websocket'] }));
        await assertEchoes(`${url}/ws`);
        assert.deepEqual(seen, ['/ws']);
      });

      it('should upgrade all clients beside it if init.allowRequest takes time', async () => {
        const allowRequest = (_req: unknown, done: (err: null, ok: boolean) => void) =>
          setTimeout(done, 20, null, true);
        const { url } = await startBeside(order, (server) => server.on('upgrade', strictEcho()), { allowRequest });
        await assertAllUpgrade(url);
        await assertUpgrades(track(url, { transports: ['websocket'] }));
        await assertEchoes(`${url}/ws`);
      });

      it('should upgrade all clients beside a server of ws with a path', async () => {
        const { url, port } = await startBeside(order, (server) => echoServer({ server, path: '/ws' }));
        await assertAllUpgrade(url);
        await assertEchoes(`${url}/ws`);
        // ws itself refuses all other paths.
        assert.equal(await statusOf(port, '/other'), 'HTTP/1.1 400 Bad Request');
      });

      it('should let another server take its time with a handshake', async () => {
        const echo = echoServer({ noServer: true });
        const slow: UpgradeListener = (req, socket, head) => {
          const accept = () => echo.handleUpgrade(req, socket, head, (ws) => echo.emit('connection', ws, req));
          setTimeout(accept, 5 * DESTROY_TIMEOUT);
        };
        const init = { destroyUpgradeTimeout: DESTROY_TIMEOUT };
        const { url } = await startBeside(order, (server) => server.on('upgrade', slow), init);
        await Promise.all([assertEchoes(`${url}/ws`), assertEchoes(`${url}/any`), assertAllUpgrade(url)]);
      });
    });
  }

  it('should leave the other listeners to those that add, count and remove them', async () => {
    const { server, url, port } = await startBeside('after', () => {});
    const seen: string[] = [];
    const note =
      (name: string): UpgradeListener =>
      (req) =>
        seen.push(`${name} ${req.url}`);
    const strict = strictEcho();
    const [first, once, last] = [note('first'), note('once'), note('last')];
    const own = server.listeners('upgrade');
    server.on('upgrade', last);
    server.prependListener('upgrade', first);
    server.once('upgrade', once);
    server.on('upgrade', strict);
    assert.deepEqual(server.listeners('upgrade'), [first, ...own, last, once, strict]);
    assert.equal(server.listenerCount('upgrade'), own.length + 4);
    await assertUpgrades(track(url, { transports: ['websocket'] }));
    assert.deepEqual(seen, []);
    await assertEchoes(`${url}/ws`);
    assert.deepEqual(seen.splice(0), ['first /ws', 'last /ws', 'once /ws']);
    server.off('upgrade', first);
    assert.equal(await statusOf(port, '/other'), 'HTTP/1.1 404 Not Found');
    assert.deepEqual(seen, ['last /other']);
    assert.deepEqual(server.listeners('upgrade'), [...own, last, strict]);
  });

  it('should handle its path when another owner has replaced all listeners', async () => {
    const { server, url } = await startBeside('after', () => {});
    const replaced = server.listeners('upgrade') as UpgradeListener[];
    const strict = strictEcho();
    server.removeAllListeners('upgrade');
    server.on('upgrade', (req, socket, head) => {
      // As Engine.IO does with the listeners of `request`.
      for (const listener of replaced) listener.call(server, req, socket, head);
      strict(req, socket, head);
    });
    await assertAllUpgrade(url);
    await assertEchoes(`${url}/ws`);
  });

  it('should answer an upgrade that no listener handles by 404, and log nothing', async () => {
    const { app, server, url, port } = await startBeside('after', () => {});
    const lines = logs(app);
    const gone = strictEcho();
    server.on('upgrade', gone).off('upgrade', gone);
    for (const other of ['/', '/ws', '/socket.io', '/socket.i/', '/x/socket.io/', '//socket.io/']) {
      assert.equal(await statusOf(port, other), 'HTTP/1.1 404 Not Found', other);
    }
    await assertUpgrades(track(url, { transports: ['polling', 'websocket'] }));
    assert.deepEqual(lines, { error: [], warn: [] });
  });

  describe('requests that offer an upgrade to HTTP/2', () => {
    const HTTP2 = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    const router = (app: Application) => {
      app.get('/hello', (ctx: Context) => {
        ctx.body = `hello ${ctx.query.name}`;
      });
      app.post('/hello', (ctx: Context) => {
        ctx.body = `hello ${ctx.request.body.name}`;
      });
    };
    const io = { init: { transports: ['polling', 'websocket'] } } as IoConfig;
    const config = { security: { csrf: { enable: false } } };
    const JSON_BODY = '{"name":"Ann"}';
    const post = `POST /hello HTTP/1.1\r\nHost: x\r\n${HTTP2}Content-Type: application/json\r\nContent-Length: ${JSON_BODY.length}\r\n\r\n`;

    it('should be ordinary requests', async () => {
      const { port } = await startInline({ io, config, router });
      const get = `GET /hello?name=%E4%B8%AD HTTP/1.1\r\nHost: x\r\n${HTTP2}\r\n`;
      assert.match(await sendRaw(port, get), /^HTTP\/1\.1 200 OK\r\n.*\r\nhello \xe4\xb8\xad$/s);
      assert.match(await sendRaw(port, post + JSON_BODY), /^HTTP\/1\.1 200 OK\r\n.*\r\nhello Ann$/s);
      const handshake = `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n${HTTP2}\r\n`;
      assert.match(await sendRaw(port, handshake), /^HTTP\/1\.1 200 OK\r\n.*"sid":/s);
    });

    it('should be ordinary requests, many of one connection', async () => {
      const { port, server } = await startInline({ io, config, router });
      const accepted = next(server, 'connection');
      const socket = connectTcp(port, '127.0.0.1');
      sockets.push(socket);
      let received = '';
      socket.on('data', (chunk) => (received += chunk));
      const [connection] = (await accepted) as [TcpSocket];
      const answers = () => received.match(/hello Ann/g)?.length ?? 0;
      for (let n = 1; n <= 20; n++) {
        socket.write(post);
        socket.write(JSON_BODY);
        await until(`${n} answers`, () => answers() === n);
      }
      for (const event of ['close', 'data', 'end', 'error', 'timeout'])
        assert(connection.listenerCount(event) <= 3, event);
    });

    it('should be refused if Node may have dropped a header, such as the length of the body', async () => {
      const { port } = await startInline({ io, config, router });
      const many = Array.from({ length: 1500 }, (_, n) => `a${n}: b\r\n`).join('');
      const hidden = 'GET /hello?name=hidden HTTP/1.1\r\nHost: x\r\n\r\n';
      for (const headers of [`${HTTP2}${many}`, `${many}${HTTP2}`]) {
        const head = `POST /hello HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${hidden.length}\r\n\r\n`;
        const answer = await sendRaw(port, head + hidden);
        assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n/);
        assert(!answer.includes('hello hidden'));
      }
    });

    it('should reach another listener', async () => {
      const { port } = await startBeside('after', (server) => server.on('upgrade', strictEcho()));
      assert.equal(await statusOf(port, '/', HTTP2), 'HTTP/1.1 404 Not Found');
    });
  });

  it('should end the connection of an upgrade that no listener handles', async () => {
    const { port } = await startBeside('after', () => {});
    const socket = connectTcp(port, '127.0.0.1');
    sockets.push(socket);
    socket.resume().write(`GET /ws HTTP/1.1\r\nHost: x\r\n${WEBSOCKET}\r\n`);
    await next(socket, 'close');
  });

  it('should not answer it if init.destroyUpgrade is false', async () => {
    const { server, port } = await startBeside('after', () => {}, { destroyUpgrade: false });
    const { emit } = server;
    // An owner that does not listen.
    server.emit = (event: string, ...args: unknown[]) => {
      const isHandled = Reflect.apply(emit, server, [event, ...args]);
      if (event === 'upgrade') (args[1] as Duplex).end('HTTP/1.1 418 \r\nContent-Length: 0\r\n\r\n');
      return isHandled;
    };
    assert.equal(await statusOf(port, '/ws'), 'HTTP/1.1 418 ');
  });

  for (const [init, own, foreign] of [
    [{}, ['/socket.io/?', '/socket.io/x?'], ['/socket.io?', '/socket.iox?']],
    [{ path: '/io/' }, ['/io/?'], ['/io?', '/socket.io/?']],
    [{ path: '/io', addTrailingSlash: false }, ['/io?', '/io/?', '/iox?'], ['/i?', '/socket.io/?']],
  ] as Array<[IoConfig['init'], string[], string[]]>) {
    it(`should take the same paths for its own as Engine.IO does for requests: ${JSON.stringify(init)}`, async () => {
      const { url, port } = await startBeside('after', (server) => server.on('upgrade', strictEcho()), init);
      for (const path of own) {
        assert.equal((await fetch(`${url}${path}EIO=4&transport=polling`)).status, 200, path);
        assert.equal(await statusOf(port, path + HANDSHAKE), 'HTTP/1.1 101 Switching Protocols', path);
      }
      for (const path of foreign) {
        assert.equal((await fetch(`${url}${path}EIO=4&transport=polling`)).status, 404, path);
        assert.equal(await statusOf(port, path + HANDSHAKE), 'HTTP/1.1 404 Not Found', path);
      }
    });
  }

  it('should leave all upgrades to other listeners without the transport websocket', async () => {
    const seen: string[] = [];
    const add = (server: Server) => server.on('upgrade', strictEcho(seen));
    const { url, port } = await startBeside('after', add, { transports: ['polling'] });
    assert.equal(await statusOf(port, `/socket.io/?${HANDSHAKE}`), 'HTTP/1.1 404 Not Found');
    await assertEchoes(`${url}/ws`);
    assert.deepEqual(seen, [`/socket.io/?${HANDSHAKE}`, '/ws']);
  });

  it('should check origins and limits of its own path only', async () => {
    const allowRequest = (_req: unknown, done: (err: string, ok: boolean) => void) => done('nobody', false);
    const io = { limits: { connectionsPerAddress: 1 } };
    const add = (server: Server) => server.on('upgrade', strictEcho());
    const { url, port } = await startBeside('after', add, { allowRequest }, io);
    const origin = 'https://example.com';
    assert.equal(
      await statusOf(port, `/socket.io/?${HANDSHAKE}`, `${WEBSOCKET}Origin: ${origin}\r\n`),
      'HTTP/1.1 403 Forbidden',
    );
    assert.equal(await statusOf(port, `/socket.io/?${HANDSHAKE}`), 'HTTP/1.1 400 Bad Request');
    for (let n = 0; n < 3; n++) await assertEchoes(`${url}/ws`, { origin });
  });

  it('should attach to several HTTP servers, each with listeners of its own', async () => {
    const { app, url } = await startBeside('after', () => {});
    const other = await startBeside('after', () => {});
    app.emit('server', other.server);
    other.server.on('upgrade', strictEcho());
    await Promise.all([assertAllUpgrade(url), assertAllUpgrade(other.url), assertEchoes(`${other.url}/ws`)]);
    await assert.rejects(assertEchoes(`${url}/ws`), /Unexpected server response: 404/);
  });

  it('should share the HTTP server with a Socket.IO server of another path', async () => {
    for (const order of ['before', 'after'] as const) {
      const attached = signal<SocketServer>();
      const { url } = await startBeside(order, (server) =>
        attached.resolve(new SocketServer(server, { path: '/two' })),
      );
      const two = await attached.promise;
      const transports = ['polling', 'websocket'];
      await Promise.all([assertAllUpgrade(url), assertUpgrades(track(url, { path: '/two', transports }))]);
      two.disconnectSockets(true);
    }
  });

  it('should leave other paths to their listeners while the application closes', async () => {
    const inside = signal();
    const release = signal();
    const { app, server, url, port } = await startInline({
      router: (app) =>
        app.io.route('work', async () => {
          inside.resolve();
          await release.promise;
        }),
    });
    server.on('upgrade', strictEcho());
    const client = await connected(track(url));
    client.emit('work');
    await inside.promise;
    const closed = app.close();
    try {
      assert.equal(await statusOf(port, `/socket.io/?${HANDSHAKE}`), 'HTTP/1.1 503 Service Unavailable');
      await assertEchoes(`${url}/ws`);
    } finally {
      release.resolve();
      await closed;
    }
    await assertEchoes(`${url}/ws`);
  });

  for (const [owner, path] of [
    ['another listener', '/ws'],
    ['init.allowRequest', `/socket.io/?${HANDSHAKE}`],
  ]) {
    it(`should survive a client that resets its connection while ${owner} decides`, async () => {
      const deciding = signal<Duplex>();
      const add = (server: Server) => server.on('upgrade', (_req, socket) => deciding.resolve(socket));
      const allowRequest = (req: IncomingMessage) => deciding.resolve(req.socket);
      const { url, port } = await startBeside('after', add, path === '/ws' ? {} : { allowRequest });
      const socket = connectTcp(port, '127.0.0.1');
      sockets.push(socket);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${WEBSOCKET}\r\n`);
      const upgrading = await deciding.promise;
      const closed = within('the connection to close', new Promise((resolve) => upgrading.once('close', resolve)));
      socket.resetAndDestroy();
      await closed;
      assert.equal((await fetch(`${url}/none`)).status, 404);
    });
  }

  it('should work as in docs/en/deployment.md', async () => {
    const docs = readFileSync(path.join(ROOT, 'docs/en/deployment.md'), 'utf8');
    const code = /^## Other WebSocket servers.*?```js\n(.*?)```/ms.exec(docs)?.[1] as string;
    const example = { exports: (_app: Application) => {} };
    new Function('require', 'module', code)(require, example);
    const { url } = await startInline({ boot: (app) => example.exports(app) });
    await assertUpgrades(track(url, { transports: ['polling', 'websocket'] }));
    await assertEchoes(`${url}/ws`);
    await assert.rejects(assertEchoes(`${url}/none`), /Unexpected server response: 404/);
  });

  it('should upgrade 12 of 12 clients with three workers that forward requests, beside two other owners', async function () {
    this.timeout(120_000);
    const cluster = await startCluster('upgrade', { workers: 3 });
    try {
      const clients = await assertAllUpgrade(cluster.url);
      const pids = await Promise.all(clients.map((client) => client.emitWithAck('pid') as Promise<number>));
      assert(new Set(pids).size > 1);
      for (const path of ['/ws', '/late']) {
        await Promise.all(Array.from({ length: 6 }, () => assertEchoes(cluster.url + path)));
        await assert.rejects(assertEchoes(`${cluster.url}${path}/none`), /Unexpected server response: 404/);
      }
    } finally {
      await cluster.close();
    }
  });
});
