// The limits of config.io.limits that hold for a connection: its namespaces, what is unsent, and the connections of an address or a user.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { Context } from 'egg';
import { WebSocket } from 'ws';
import type { IoConfig, LimitsConfig } from '../lib';
import { networkOf } from '../lib/client-address';
import { resolveConfig } from '../lib/config/config';
import { ConfigError } from '../lib/errors';
import type { Connection } from '../lib/internals/engineio';
import { UnsentBytes } from '../lib/limits/unsent-bytes';
import { connected, logs, type Running, refused } from './support/app';
import { type Kind, kind, NEW, OLD, parityOf } from './support/clients';
import { startInline } from './support/inline';
import { comeBack, cut } from './support/recovery';
import { next, signal, until, within } from './support/wait';

const KINDS = [NEW, OLD[0] as Kind];

describe('config.io.limits', () => {
  it('should be on for namespaces, unsentBytes and packetsPerTurn, and off for the others', () => {
    const off = {
      events: undefined,
      concurrency: undefined,
      argumentBytes: undefined,
      connectionsPerAddress: undefined,
      connectionsPerUser: undefined,
    };
    const on = { namespaces: 100, unsentBytes: 16_777_216, packetsPerTurn: 50 };
    assert.deepEqual(resolveConfig({}).limits, { ...on, ...off });
    assert.deepEqual(resolveConfig({ limits: { namespaces: undefined } }).limits, { ...on, ...off });
    assert.deepEqual(resolveConfig({ limits: { namespaces: false } }).limits, { ...on, namespaces: undefined, ...off });
    const none = { namespaces: undefined, unsentBytes: undefined, packetsPerTurn: undefined };
    assert.deepEqual(resolveConfig({ limits: false }).limits, { ...none, ...off });
  });

  const wrong: Array<[unknown, RegExp]> = [
    [true, /config\.io\.limits is invalid \(config\.io\.limits is true/],
    [{ rooms: 1 }, /unknown option rooms .*namespaces, unsentBytes/],
    [{ namespaces: 0 }, /config\.io\.limits\.namespaces is invalid .*a whole number of at least 1, or false/],
    [{ unsentBytes: '16MB' }, /config\.io\.limits\.unsentBytes/],
    [{ concurrency: 1.5 }, /config\.io\.limits\.concurrency/],
    [{ argumentBytes: -1 }, /config\.io\.limits\.argumentBytes/],
    [{ connectionsPerAddress: true }, /config\.io\.limits\.connectionsPerAddress/],
    [{ connectionsPerUser: 3 }, /config\.io\.limits\.connectionsPerUser needs config\.io\.user/],
    [{ events: 10 }, /config\.io\.limits\.events is invalid .*points, duration, by/],
    [{ events: {} }, /config\.io\.limits\.events\.points/],
    [{ events: { points: 5, duration: 0 } }, /config\.io\.limits\.events\.duration/],
    [{ events: { points: 5, by: 'ip' } }, /config\.io\.limits\.events\.by .*'socket', 'user', 'address'/],
    [{ events: { points: 5, by: 'user' } }, /config\.io\.limits\.events\.by needs config\.io\.user/],
    [{ events: { points: 5, seconds: 1 } }, /unknown option seconds/],
  ];
  for (const [limits, message] of wrong) {
    it(`should not be ${JSON.stringify(limits)}`, () => {
      assert.throws(
        () => resolveConfig({ limits: limits as LimitsConfig }),
        (err: Error) => err instanceof ConfigError && message.test(err.message),
      );
    });
  }
});

parityOf(KINDS, 'config.io.limits.namespaces', () => {
  /** Asserts that a client is refused by the limit. */
  function assertTooMany(err: Error & { data?: unknown }, limit: number): void {
    const data = { code: 'TOO_MANY_NAMESPACES', limit };
    if (kind().protocol === 3) assert.deepEqual(err.data, { message: 'too many namespaces', ...data });
    else assert.deepEqual({ message: err.message, data: err.data }, { message: 'too many namespaces', data });
  }

  async function rooms(io: IoConfig, guard = async (_ctx: Context, go: () => Promise<void>) => go()): Promise<Running> {
    const namespace = { '/': {}, '/a': {}, '/b': {}, '/room/:id': { connectionMiddleware: ['guard'] } };
    return await startInline({ io: { namespace, init: { allowEIO3: true }, ...io }, middleware: { guard } });
  }

  it('should refuse a namespace beyond the limit, keep the others, and admit one when another is left', async () => {
    const { connect, app } = await rooms({ limits: { namespaces: 3 } });
    const { warn } = logs(app);
    const first = await connect();
    const { io: manager } = first;
    const a = await connected(manager.socket('/a'));
    await connected(manager.socket('/room/1'));
    for (const name of ['/b', '/room/2', '/nowhere']) assertTooMany(await refused(manager.socket(name)), 3);
    assert(!app.io._nsps.has('/room/2'), 'the refused child was created');
    assert(first.connected && a.connected);
    assert.equal(app.io.stats().limited.namespaces, 3);
    assert.equal(warn.length, 1);
    assert.match(
      warn[0],
      /a client has exceeded 3 namespaces of one connection \(client 127\.0\.0\.1\)\. config\.io\.limits\.namespaces sets/,
    );
    const left = next(app.io.of('/a').sockets.values().next().value as never, 'disconnect');
    a.disconnect();
    await left;
    await connected(manager.socket('/room/3'));
    // Another connection has a limit of its own.
    await connected((await connect()).io.socket('/b'));
  });

  it('should count namespaces whose middleware has not decided', async () => {
    const gate = signal();
    const { connect, app } = await rooms({ limits: { namespaces: 3 } }, async (_ctx, go) => {
      await gate.promise;
      await go();
    });
    const { io: manager } = await connect();
    const pending = [manager.socket('/room/1'), manager.socket('/room/2')];
    assertTooMany(await refused(manager.socket('/room/3')), 3);
    gate.resolve();
    await Promise.all(pending.map(connected));
    assert.equal(app.io.stats().limited.namespaces, 1);
  });

  it('should not count namespaces that have refused the client', async () => {
    const { connect, app } = await rooms({ limits: { namespaces: 2 } }, async (ctx) => {
      throw new Error(`not to ${ctx.socket.nsp.name}`);
    });
    const { io: manager } = await connect();
    for (let i = 0; i < 5; i++) {
      await refused(manager.socket(`/room/${i}`));
      await refused(manager.socket(`/nowhere/${i}`));
    }
    await connected(manager.socket('/a'));
    assert.equal(app.io.stats().limited.namespaces, 0);
  });

  it('should not limit anything if it is false', async () => {
    const { connect, app } = await rooms({ limits: { namespaces: false } });
    const { io: manager } = await connect();
    await Promise.all(Array.from({ length: 120 }, (_, i) => connected(manager.socket(`/room/${i}`))));
    assert.equal(app.io.stats().limited.namespaces, 0);
  });
});

describe('config.io.limits.namespaces of a hostile client', () => {
  it('should bound the requests for one namespace that has not decided', async () => {
    let running = 0;
    const { url, app } = await startInline({
      io: { limits: { namespaces: 10 }, connectionMiddleware: ['a'] },
      middleware: {
        a: async () => {
          running++;
          await new Promise(() => {});
        },
      },
    });
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const refusals: string[] = [];
    ws.on('message', (data) => {
      if (String(data).startsWith('0')) for (let i = 0; i < 100; i++) ws.send('40');
      if (String(data).startsWith('44')) refusals.push(String(data));
    });
    await until('it is refused', () => refusals.length === 90);
    assert.equal(running, 10);
    assert.equal(app.io.stats().limited.namespaces, 90);
    ws.terminate();
  });

  it('should bound the children of a parent namespace, also if the client has connected to no other namespace', async () => {
    const { url, app } = await startInline({ io: { namespace: { '/': {}, '/room/:id': {} } } });
    logs(app);
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const answers: string[] = [];
    ws.on('message', (data) => {
      if (String(data).startsWith('0')) for (let i = 0; i < 102; i++) ws.send(`40/room/${i},`);
      else answers.push(String(data));
    });
    await until('all requests are answered', () => answers.length === 102);
    assert.deepEqual(
      answers.filter((answer) => answer.startsWith('44')).map((answer) => answer.split(',')[0]),
      ['44/room/100', '44/room/101'],
    );
    assert.equal(app.io.stats().limited.namespaces, 2);
    ws.terminate();
  });
});

describe('config.io.limits.unsentBytes', () => {
  let interval: number;

  before(() => {
    interval = UnsentBytes.interval;
    UnsentBytes.interval = 10;
  });

  after(() => {
    UnsentBytes.interval = interval;
  });

  const MB = 1024 * 1024;

  /** Opens a WebSocket that has joined `/`, answers pings and does not read what the server sends. */
  async function deaf(url: string): Promise<WebSocket> {
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const joined = signal();
    ws.on('error', () => {});
    ws.on('message', (data) => {
      if (String(data).startsWith('0')) ws.send('40');
      if (String(data).startsWith('40')) joined.resolve();
    });
    await within('a raw connection', joined.promise);
    ws.pause();
    return ws;
  }

  it('should close the connection of a client that does not read, release what is unsent, and keep the others', async () => {
    const { url, connect, app } = await startInline({ io: { limits: { unsentBytes: 4 * MB } } });
    const { warn } = logs(app);
    const reading = await connect();
    let received = 0;
    reading.on('news', () => received++);
    const ws = await deaf(url);
    const [socket] = Array.from(app.io.of('/').sockets.values()).filter(({ id }) => id !== reading.id);
    assert(socket);
    const disconnected = next(socket, 'disconnect');
    const conn = socket.conn as unknown as { writeBuffer: unknown[]; transport: { socket: WebSocket } };
    const news = 'x'.repeat(MB);
    let sent = 0;
    let isClosed = false;
    void disconnected.then(() => {
      isClosed = true;
    });
    while (!isClosed) {
      app.io.emit('news', news);
      sent++;
      await until('the other client has received it', () => received === sent);
    }
    assert.deepEqual((await disconnected)[0], 'forced close');
    assert.deepEqual(conn.writeBuffer, []);
    await until('the WebSocket is closed', () => conn.transport.socket.readyState === WebSocket.CLOSED);
    assert.equal(app.io.stats().limited.unsentBytes, 1);
    assert.equal(warn.length, 1);
    assert.match(
      warn[0],
      /exceeded 4194304 bytes that wait for one connection: .* closed \(client 127\.0\.0\.1\)\. config\.io\.limits\.unsentBytes/,
    );
    assert(reading.connected);
    ws.terminate();
  });

  it('should close a client of long-polling that does not poll', async () => {
    const { url, app } = await startInline({ io: { limits: { unsentBytes: MB } } });
    logs(app);
    const endpoint = `${url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(endpoint)).text()).slice(1));
    await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body: '40' });
    await until('it has joined', () => app.io.of('/').sockets.size === 1);
    for (let i = 0; i < 3; i++) app.io.emit('news', 'x'.repeat(MB));
    await until('it is closed', () => app.io.of('/').sockets.size === 0);
    assert.equal(app.io.stats().limited.unsentBytes, 1);
  });

  it('should close a client of long-polling that polls and does not read the responses', async () => {
    const { url, app } = await startInline({ io: { limits: { unsentBytes: 16 * MB } } });
    const { warn } = logs(app);
    const { port } = new URL(url);
    const endpoint = '/socket.io/?EIO=4&transport=polling';
    const { sid } = JSON.parse((await (await fetch(url + endpoint)).text()).slice(1));
    await fetch(`${url}${endpoint}&sid=${sid}`, { method: 'POST', body: '40' });
    await until('it has joined', () => app.io.of('/').sockets.size === 1);
    await (await fetch(`${url}${endpoint}&sid=${sid}`)).text();
    const [conn] = Object.values((app.io.engine as unknown as { clients: Record<string, Connection> }).clients);
    const { transport } = conn as unknown as { transport: { writable: boolean } };
    const requests: Socket[] = [];
    const closed: unknown[] = [];
    // Each response is larger than the buffers of the TCP connection.
    while (conn?.readyState === 'open' && requests.length < 20) {
      const request = connect(Number(port), '127.0.0.1').pause();
      request.on('error', () => {});
      request.on('close', () => closed.push(request));
      request.write(`GET ${endpoint}&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      requests.push(request);
      await until('it polls', () => transport.writable || conn.readyState !== 'open');
      app.io.emit('news', 'x'.repeat(12 * MB));
      await until('the event is sent', () => !transport.writable);
    }
    await until('it is closed', () => app.io.of('/').sockets.size === 0);
    assert.equal(app.io.stats().limited.unsentBytes, 1);
    assert.match(warn[0], /exceeded 16777216 bytes that wait for one connection/);
    for (const request of requests) request.resume();
    await until('the responses are dropped', () => closed.length === requests.length);
    assert(requests.some(({ bytesRead }) => bytesRead < 12 * MB));
  });

  it('should count many small packets by what they take', async () => {
    const { url, app } = await startInline({ io: { limits: { unsentBytes: MB } } });
    logs(app);
    const endpoint = `${url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(endpoint)).text()).slice(1));
    await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body: '40' });
    await until('it has joined', () => app.io.of('/').sockets.size === 1);
    for (let i = 0; i < 12_000; i++) app.io.emit('n');
    await until('it is closed', () => app.io.of('/').sockets.size === 0);
  });

  it('should count each packet once, however often it looks', () => {
    const buffer: Array<{ data: string }> = [];
    let reads = 0;
    const writeBuffer = new Proxy(buffer, {
      get: (target, key) => {
        if (/^\d+$/.test(String(key))) reads++;
        return Reflect.get(target, key);
      },
    });
    const conn = { writeBuffer, transport: { name: 'polling' } } as unknown as Connection;
    const exceeded: number[] = [];
    const unsent = new UnsentBytes(
      1000,
      () => [conn],
      (_conn, bytes) => exceeded.push(bytes),
    );
    buffer.push({ data: 'x'.repeat(300) }, { data: 'y'.repeat(100) });
    for (let i = 0; i < 5; i++) unsent.check();
    assert.equal(reads, 2);
    buffer.push({ data: 'z'.repeat(400) });
    unsent.check();
    assert.deepEqual(exceeded, [1100]);
  });
});

describe('config.io.limits.connectionsPerAddress', () => {
  const forwardedFor = (address: string, transport: string) => ({
    transports: [transport],
    extraHeaders: { 'x-forwarded-for': address },
  });

  parityOf(KINDS, 'of clients behind a proxy', () => {
    for (const transport of ['websocket', 'polling']) {
      it(`should refuse further connections of an address over ${transport}`, async () => {
        const { client, connect, app } = await startInline({
          io: { limits: { connectionsPerAddress: 2 }, init: { allowEIO3: true } },
          config: { proxy: true },
        });
        const { warn } = logs(app);
        const options = forwardedFor('192.0.2.1', transport);
        const first = await connect('/', options);
        await connect('/', options);
        const { message } = await refused(client('/', options));
        assert.match(message, /xhr poll error|websocket error/);
        assert.equal(app.io.stats().limited.connectionsPerAddress, 1);
        assert.match(warn[0], /exceeded 2 connections of one address \(client 192\.0\.2\.1\)/);
        await connect('/', forwardedFor('192.0.2.2', transport));
        first.disconnect();
        await until('the first one is closed', () => app.io.engine.clientsCount === 2);
        await connect('/', options);
      });
    }
  });

  it('should answer 429', async () => {
    const { url, connect, app } = await startInline({ io: { limits: { connectionsPerAddress: 1 } } });
    logs(app);
    await connect();
    const response = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    assert.equal(response.status, 429);
    assert.deepEqual(await response.json(), { message: 'too many connections' });
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const [{ message }] = await next(ws, 'error');
    assert.match(message, /429/);
  });

  it('should hold for handshakes at the same time', async () => {
    const { client, app } = await startInline({ io: { limits: { connectionsPerAddress: 3 } } });
    logs(app);
    const clients = Array.from({ length: 10 }, () => client());
    const ended = clients.map((each) => Promise.race(['connect', 'connect_error'].map((event) => next(each, event))));
    await Promise.all(ended);
    await until('three are left', () => app.io.of('/').sockets.size === 3);
    assert.equal(app.io.stats().limited.connectionsPerAddress, 7);
  });

  it('should count the addresses of an IPv6 network as one', () => {
    const networks = {
      '192.0.2.1': '192.0.2.1',
      '::ffff:192.0.2.1': '192.0.2.1',
      '2001:db8::1': '2001:db8:0:0::/64',
      '2001:0DB8:0:0:1:2:3:4': '2001:db8:0:0::/64',
      '2001:db8:0:1::1': '2001:db8:0:1::/64',
      'fe80::1%eth0': 'fe80:0:0:0::/64',
      '::1': '0:0:0:0::/64',
      '': '',
    };
    for (const [address, network] of Object.entries(networks)) assert.equal(networkOf(address), network);
  });
});

parityOf(KINDS, 'config.io.limits.connectionsPerUser', () => {
  it('should refuse further connections of a user, in any namespace, and admit one when another is closed', async () => {
    const { client, connect, app } = await startInline({
      io: {
        namespace: { '/': {}, '/chat': {} },
        limits: { connectionsPerUser: 2 },
        user: (ctx: Context) => ctx.query.user,
        init: { allowEIO3: true },
      },
    });
    const { warn } = logs(app);
    const ann = { query: { user: 'ann' } };
    const first = await connect('/', ann);
    // The same connection counts once.
    await connected(first.io.socket('/chat'));
    await connect('/', ann);
    const err = await refused(client('/', ann));
    const data = { code: 'TOO_MANY_CONNECTIONS', limit: 2 };
    if (kind().protocol === 3) assert.deepEqual(err.data, data);
    else assert.deepEqual({ message: err.message, data: err.data }, { message: 'too many connections', data });
    assert.equal(app.io.stats().limited.connectionsPerUser, 1);
    assert.match(
      warn.join('\n'),
      /too many connections \(connection to \/, client 127\.0\.0\.1\)\. config\.io\.limits\.connectionsPerUser sets/,
    );
    await connect('/', { query: { user: 'bob' } });
    for (let i = 0; i < 3; i++) await connect();
    first.io.engine.close();
    await until('the first one is closed', () => app.io.of('/chat').sockets.size === 0);
    await connect('/', ann);
  });

  it('should count a connection for the new user after ctx.reauthenticate(), and refuse that at the limit', async () => {
    const { client, connect, app } = await startInline({
      io: {
        ack: 'auto',
        namespace: { '/': {}, '/chat': {} },
        limits: { connectionsPerUser: 1 },
        user: (ctx: Context) => ctx.data.user ?? ctx.query.user,
        init: { allowEIO3: true },
      },
      router: (app) => {
        for (const name of ['/', '/chat']) {
          app.io.of(name).route('become', async (ctx) => {
            [ctx.data.user] = ctx.args;
            await ctx.reauthenticate();
          });
        }
      },
    });
    logs(app);
    const as = (user: string) => ({ query: { user } });
    const refusal = { code: 'TOO_MANY_CONNECTIONS', limit: 1 };
    const first = await connect('/', as('ann'));
    const chat = await connected(first.io.socket('/chat', { query: { user: 'ann' } } as object));
    const bob = await connect('/', as('bob'));
    const { error } = await bob.emitWithAck('become', 'ann');
    assert.deepEqual(error, { message: 'too many connections', code: 'TOO_MANY_CONNECTIONS', data: refusal });
    assert.equal((await app.io.user('bob').fetchSockets()).length, 1);
    await first.emitWithAck('become', 'cid');
    // The socket of /chat is still one of ann.
    await refused(client('/', as('ann')));
    await chat.emitWithAck('become', 'cid');
    await connect('/', as('ann'));
    await refused(client('/', as('cid')));
    assert.equal(app.io.stats().limited.connectionsPerUser, 3);
  });
});

describe('config.io.limits.connectionsPerUser with connectionStateRecovery', () => {
  it('should count the connection of a recovered client whose middleware is skipped', async () => {
    const { app, client, connect, url } = await startInline({
      io: {
        limits: { connectionsPerUser: 1 },
        user: (ctx: Context) => ctx.query.user,
        init: { connectionStateRecovery: { skipMiddlewares: true } },
      },
    });
    const { warn } = logs(app);
    const ann = { query: { user: 'ann' } };
    const first = await connect('/', ann);
    const heard = next(first, 'news');
    app.io.emit('news');
    await heard;
    await cut(first);
    await comeBack(first, url);
    assert(first.recovered);
    await refused(client('/', ann));
    await cut(first);
    await connect('/', ann);
    const gone = next(first, 'disconnect');
    await comeBack(first, url);
    assert(first.recovered);
    assert.deepEqual((await gone)[0], 'io server disconnect');
    assert(warn.some((line) => /too many connections \(connection to \/, client 127\.0\.0\.1\)/.test(line)));
  });
});
