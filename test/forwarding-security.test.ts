// What a client cannot do through the internal servers of the workers, whatever it sends, and which requests they accept.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, maxHeaderSize, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createSocket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Server } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { ClientLog } from '../lib/client-log';
import { engineOf, replaceGenerateId } from '../lib/internals/engineio';
import { Forwarding } from '../lib/workers/forwarding';
import { InternalServer } from '../lib/workers/internal-server';
import { createSessionId, createWorkerId, RunDirectory } from '../lib/workers/run-directory';
import { connected, track } from './support/app';
import { attempts } from './support/attempts';
import { type Cluster, startCluster } from './support/cluster';
import { sendRaw } from './support/raw';
import { openSession, send } from './support/session';
import { next, until, within } from './support/wait';

const UNKNOWN = '{"code":1,"message":"Session ID unknown"}';
const POLLING = 'EIO=4&transport=polling';
const ORIGIN = 'http://page.example';

describe('forwarding to the internal server of a worker', () => {
  const closing: (() => unknown)[] = [];
  let directory: RunDirectory;
  let warnings: string[];
  const clientLog = () => new ClientLog({ info() {}, warn: (line) => void warnings.push(line), error() {} });

  beforeEach(() => {
    warnings = [];
    const rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
    closing.push(() => rmSync(rundir, { recursive: true }));
    directory = new RunDirectory(rundir, 7);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /**
   * A worker without Egg: its port, its internal server, the requests that were accepted there, the addresses of clients that Engine.IO has
   * refused, and the sessions to drain.
   *
   * @param openFiles - how many files it may open
   */
  async function worker(at = '/socket.io', openFiles?: number) {
    const server = createServer((_req, res) => res.writeHead(404).end());
    const io = new Server(server, { path: at });
    const workerId = createWorkerId();
    const forwarding = new Forwarding({ workerId, directory }, clientLog(), () => {}, openFiles);
    const own = forwarding.attach(engineOf(io));
    replaceGenerateId(engineOf(io), () => () => createSessionId(workerId));
    const accepted: (string | undefined)[] = [];
    const drained: string[] = [];
    const refused: unknown[] = [];
    engineOf(io).on('connection_error', ({ req }) => refused.push(req?.socket.remoteAddress));
    const headers: string[] = [];
    const handlers = {
      request: (req: IncomingMessage, res: ServerResponse) => {
        accepted.push(req.url);
        headers.push(...req.rawHeaders, ...Object.keys(req.headers));
        own.handleRequest(req, res);
      },
      upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => {
        accepted.push(req.url);
        own.handleUpgrade(req, socket, head);
      },
      drain: (sessionId: string) => drained.push(sessionId),
    };
    const internal = new InternalServer(workerId, handlers, clientLog(), openFiles);
    await internal.listen(directory);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => {
      forwarding.close();
      await internal.close();
      server.closeAllConnections();
      await io.close();
    });
    const { port } = server.address() as AddressInfo;
    const open = () => new Promise<number>((resolve) => server.getConnections((_err, count) => resolve(count)));
    const sid = createSessionId(workerId);
    const url = `http://127.0.0.1:${port}`;
    return { port, url, workerId, sid, forwarding, accepted, headers, refused, drained, open };
  }

  /** A server in place of an internal server, which records each request. */
  async function recorder() {
    const workerId = createWorkerId();
    const seen: string[] = [];
    const server = createServer(async (req, res) => {
      const body = await text(req).catch(() => 'aborted');
      seen.push(`${req.method} ${req.url} ${body}`);
      res.end('here');
    });
    server.on('upgrade', (req, socket) => {
      seen.push(`${req.method} ${req.url} `);
      socket.on('error', () => {}).resume();
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    server.on('clientError', (err: NodeJS.ErrnoException, socket) => {
      if (err.code?.startsWith('HPE')) seen.push(err.code);
      socket.destroy();
    });
    await directory.listen(server, workerId, 'http');
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { sid: createSessionId(workerId), seen };
  }

  for (const at of ['/socket.io', '/drain', '/forward']) {
    it(`should send one request for each request of Engine.IO, and no other: ${at}`, async () => {
      const { port, url } = await worker(at);
      const { sid, seen } = await recorder();
      let passed = 0;
      for (const [what, bytes] of Object.entries(attempts(at, sid))) {
        await sendRaw(port, bytes);
        const last = `${at}/?${POLLING}&sid=${sid}&after=${encodeURIComponent(what)}`;
        assert.equal((await send(url + last)).body, 'here');
        const others = seen.splice(0);
        assert.equal(others.pop(), `GET /forward${last} `);
        assert(others.length <= 1, `${what}: ${others.join('\n')}`);
        for (const other of others) {
          passed++;
          assert.match(other, new RegExp(`^[A-Z]+ /forward${at}/`), what);
          if (!/^(POST|PUT)/.test(other)) assert.match(other, / $/, `${what}: it has no body`);
        }
      }
      assert(passed > 20, `${passed} of them were forwarded`);
    });
  }

  it('should use the last of several session ids, as Engine.IO does', async () => {
    const { url } = await worker();
    const [one, two] = [await recorder(), await recorder()];
    const all = `${url}/socket.io/?${POLLING}`;
    for (const name of ['sid', '%73id']) {
      assert.equal((await send(`${all}&${name}=${one.sid}&sid=${two.sid}`)).body, 'here');
      assert.equal((await send(`${all}&sid=${one.sid}&${name}=${two.sid}`)).body, 'here');
      assert.equal(two.seen.splice(0).length, 2);
    }
    const { sid } = one;
    for (const none of [`${sid}&sid=x`, `${sid}x`, sid.slice(1), `${sid}%00`, ` ${sid}`, `${sid}%20`, `%20${sid}`]) {
      assert.equal((await send(`${all}&sid=${none.replace(' ', '+')}`)).body, UNKNOWN);
    }
    for (const name of ['SID', 'sid[]', 'sid.', '_sid']) {
      assert.equal((await send(`${all}&${name}=${sid}`)).status, 200, `${name} is no session id`);
    }
    assert.deepEqual([...one.seen, ...two.seen], []);
  });

  it('should accept a head of the same size as the worker itself accepts', async () => {
    const [one, two] = [await worker(), await worker()];
    const all = `/socket.io/?${POLLING}&sid=${one.sid}`;
    const statuses = new Set<number>();
    for (let length = maxHeaderSize - 300; length <= maxHeaderSize; length += 10) {
      const headers = { filler: 'x'.repeat(length) };
      const [own, through] = [await send(one.url + all, { headers }), await send(two.url + all, { headers })];
      assert.deepEqual([through.status, through.body], [own.status, own.body], `${length} bytes`);
      statuses.add(own.status);
    }
    assert.deepEqual([...statuses], [400, 431]);
  });

  it('should accept connections later if the worker is busy', async () => {
    const { workerId } = await worker();
    const address = directory.address(workerId, 'http');
    // It accepts none before all are waiting.
    const sockets = Array.from({ length: 800 }, () => connect(address));
    await within(
      'all connections',
      Promise.all(sockets.map((socket) => once(socket, 'connect').finally(() => socket.destroy()))),
    );
  });

  it('should release pipelined requests whose connection is lost', async () => {
    const { port, url, forwarding, ...one } = await worker();
    const two = await worker();
    const { sid } = JSON.parse((await send(`${url}/socket.io/?${POLLING}`)).body.slice(1));
    const get = (id: string) => `GET /socket.io/?${POLLING}&sid=${id} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const socket = connect(port, '127.0.0.1');
    // The first one waits for a packet, which is never sent. Of the others, one is forwarded, and waits for the first.
    socket.write(get(sid) + Array.from({ length: 50 }, () => get(createSessionId(two.workerId))).join(''));
    await until('one is forwarded', () => two.accepted.length > 0);
    socket.destroy();
    await until('the connection is gone', async () => (await one.open()) === 0);
    await within('leaving', forwarding.leave(0, 60_000));
    assert.equal(two.accepted.length, 1);
  });

  it('should forward pipelined requests of a connection one after the other, and return the responses in order', async () => {
    const [one, two] = [await worker(), await worker()];
    const session = JSON.parse((await send(`${two.url}/socket.io/?${POLLING}`)).body.slice(1)).sid;
    const get = (sid: string) => `GET /socket.io/?${POLLING}&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const socket = connect(one.port, '127.0.0.1');
    let read = '';
    socket.on('data', (chunk) => {
      read += chunk.toString('latin1');
    });
    socket.write(get(session) + Array.from({ length: 20 }, () => get(two.sid)).join(''));
    await until('the first one is forwarded', () => two.accepted.length > 0);
    const post = { method: 'POST', body: '40', headers: { 'content-type': 'text/plain' } };
    assert.equal((await send(`${one.url}/socket.io/?${POLLING}&sid=${session}`, post)).body, 'ok');
    await until('all are answered', () => read.split('Session ID unknown').length - 1 === 20);
    assert.match(two.accepted[1] as string, new RegExp(session), 'the others have waited for the first one');
    assert.match(read, /^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it('should refuse requests beyond a quarter of the open files, and log that once', async () => {
    const [one, two] = [await worker('/socket.io', 16), await worker()];
    const agent = () => new Agent();
    const sids = await Promise.all(
      Array.from(
        { length: 4 },
        async () => JSON.parse((await send(`${two.url}/socket.io/?${POLLING}`)).body.slice(1)).sid,
      ),
    );
    const sockets = sids.map((sid) => {
      const socket = connect(one.port, '127.0.0.1');
      socket.write(`GET /socket.io/?${POLLING}&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return socket;
    });
    await until('all are forwarded', () => two.accepted.length === 4);
    const path = `/socket.io/?${POLLING}&sid=${two.sid}`;
    for (let n = 0; n < 3; n++) {
      const { status, body, headers } = await send(one.url + path, { agent: agent() });
      assert.deepEqual(
        [status, body, headers.connection],
        [503, '{"message":"too many requests for other workers"}', 'close'],
      );
    }
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    assert.match(await sendRaw(one.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`), /^HTTP\/1\.1 503 /);
    assert.equal(two.accepted.length, 4);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] as string,
      /refused requests for other workers: .* 4 connections.* 16 open files.*ulimit -n/,
    );
    // Requests of its own sessions are not concerned.
    assert.equal((await send(`${one.url}/socket.io/?${POLLING}`)).status, 200);
    sockets.pop()?.destroy();
    await until('one more is forwarded', async () => (await send(one.url + path, { agent: agent() })).status === 400);
    for (const socket of sockets) socket.destroy();
  });

  it('should accept connections of other workers up to a quarter of the open files, and log that once', async () => {
    const { workerId } = await worker('/socket.io', 16);
    const address = directory.address(workerId, 'http');
    const sockets = Array.from({ length: 7 }, () => connect(address));
    closing.push(() => sockets.map((socket) => socket.destroy()));
    let closed = 0;
    for (const socket of sockets) socket.on('error', () => {}).once('close', () => closed++);
    await until('three are closed', () => closed === 3);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] as string, /refused connections of other workers: .* 4 connections.* 16 open files/);
  });

  it('should forward a request of HTTP/1.0 without Host', async () => {
    const [one, two] = [await worker(), await worker()];
    assert.match(
      await sendRaw(one.port, `GET /socket.io/?${POLLING}&sid=${two.sid} HTTP/1.0\r\n\r\n`),
      /Session ID unknown"}/,
    );
    assert.equal(two.accepted.length, 1);
  });

  it("should preserve the client's address, whatever address the client sends", async () => {
    const [one, two] = [await worker(), await worker()];
    const agent = new Agent({ localAddress: '127.0.0.7' });
    const headers = { 'Egg-Socket.IO-Client': '6.6.6.6' };
    const path = `/socket.io/?${POLLING}&sid=${two.sid}`;
    assert.equal((await send(one.url + path, { agent, headers })).body, UNKNOWN);
    assert.deepEqual(two.refused, ['127.0.0.7']);
    assert.deepEqual(
      two.headers.filter((header) => /egg-socket/i.test(header)),
      [],
    );
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nEgg-Socket.IO-Client: 6.6.6.6\r\n';
    await sendRaw(one.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
    assert.deepEqual(two.refused, ['127.0.0.7', '127.0.0.1']);
    // A request that is not forwarded.
    await send(`${one.url}/socket.io/?${POLLING}&sid=${one.sid}`, { headers });
    assert.deepEqual(one.refused, ['127.0.0.1']);
  });

  it('should close the connection of a refused upgrade, whatever its client does', async () => {
    const [one, two] = [await worker(), await worker()];
    const url = `/socket.io/?EIO=4&transport=websocket&sid=${createSessionId(two.workerId)}`;
    const socket = connect({ port: one.port, host: '127.0.0.1', allowHalfOpen: true });
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n';
    socket.write(`GET ${url} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
    assert.match(await text(socket), /^HTTP\/1\.1 400 /);
    assert.equal(two.accepted.length, 1);
    await until('the connection is gone', async () => (await one.open()) === 0);
    socket.destroy();
  });

  it('should forward no new connection when the worker that forwards is closing', async () => {
    const [one, two] = [await worker(), await worker()];
    await one.forwarding.leave(0, 1000);
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    const url = `/socket.io/?EIO=4&transport=websocket&sid=${createSessionId(two.workerId)}`;
    assert.match(await sendRaw(one.port, `GET ${url} HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`), /^HTTP\/1\.1 503 /);
    const answer = await send(`${one.url}/socket.io/?${POLLING}&sid=${createSessionId(two.workerId)}`, {
      agent: new Agent({ keepAlive: true }),
    });
    assert.deepEqual([answer.status, answer.headers.connection], [400, 'close']);
    assert.equal(two.accepted.length, 1);
  });

  it('should accept forwarded requests, and no others', async () => {
    const { workerId, sid, accepted, drained } = await worker();
    const address = directory.address(workerId, 'http');
    const others = createSessionId(createWorkerId());
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    const ask = (url: string, headers = '', method = 'GET') =>
      sendRaw(address, `${method} ${url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n${headers}\r\n`);

    const refused = [
      `/socket.io/?${POLLING}&sid=${sid}`,
      `/forward?${POLLING}&sid=${sid}`,
      `/forwardsocket.io/?${POLLING}&sid=${sid}`,
      `/Forward/socket.io/?${POLLING}&sid=${sid}`,
      `/./forward/socket.io/?${POLLING}&sid=${sid}`,
      `/%66orward/socket.io/?${POLLING}&sid=${sid}`,
      `//forward/socket.io/?${POLLING}&sid=${sid}`,
      `http://localhost/forward/socket.io/?${POLLING}&sid=${sid}`,
      `/forward/socket.io/?${POLLING}`,
      `/forward/socket.io/?${POLLING}&sid=`,
      `/forward/socket.io/?${POLLING}&sid=${workerId}`,
      `/forward/socket.io/?${POLLING}&sid=${others}`,
      `/forward/socket.io/?${POLLING}&sid=${sid}&sid=${others}`,
      `/forward/socket.io/?${POLLING}&sid=${sid}&%73id=${others}`,
      `/forward/?#sid=${sid}`,
      '/',
      '/drain/',
      `/drain/${others}`,
      `/drain/${sid}x`,
      `/drain//${sid}`,
      `/drain/?sid=${sid}`,
    ];
    for (const url of refused) {
      assert.match(await ask(url), /^HTTP\/1\.1 400 /, url);
      assert.match(await ask(url, '', 'POST'), /^HTTP\/1\.1 400 /, url);
      assert.equal(await ask(url, upgrade), '', `an upgrade of ${url}`);
    }
    assert.deepEqual([accepted, drained], [[], []]);

    assert.match(await ask(`/forward/socket.io/?${POLLING}&sid=${others}&sid=${sid}`), /Session ID unknown"}/);
    assert.match(await ask(`/forward/socket.io/?${POLLING}&sid=${sid}`, upgrade), /Session ID unknown$/);
    assert.match(await ask(`/drain/${sid}`, '', 'POST'), /^HTTP\/1\.1 202 /);
    assert.equal(accepted.length, 2);
    assert.deepEqual(drained, [sid]);
  });
});

describe('the internal servers of 2 workers', () => {
  let cluster: Cluster;
  let directory: string;

  before(async () => {
    const io = { init: { cors: { origin: ORIGIN, credentials: true } } };
    cluster = await startCluster('forwarding', { workers: 2 }, { IO: JSON.stringify(io) });
    directory = await (await connectClient()).emitWithAck('directory');
  });
  after(async () => {
    await cluster?.close();
    if (directory) assert(!existsSync(directory), 'nothing is left');
  });

  const connectClient = (): Promise<Socket> => connected(track(cluster.url));

  /** Sends so many requests that each worker receives one. */
  const ask = (query: string) =>
    Promise.all(
      Array.from({ length: 6 }, () =>
        send(`${cluster.url}/socket.io/?${query}`, { headers: { origin: ORIGIN }, agent: new Agent() }),
      ),
    );

  async function unknown(sid: string): Promise<void> {
    const url = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    for (const { status, body, headers } of await ask(`${POLLING}&sid=${sid}`)) {
      assert.deepEqual([status, body], [400, UNKNOWN]);
      assert.equal(headers['access-control-allow-origin'], ORIGIN);
      assert.equal(headers['access-control-allow-credentials'], 'true');
    }
    const upgrade = `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    for (let n = 0; n < 4; n++) {
      assert.match(
        await sendRaw(Number(new URL(cluster.url).port), upgrade),
        /^HTTP\/1\.1 400 .*\r\n\r\nSession ID unknown$/s,
      );
    }
  }

  it('should be accessible to this user alone', () => {
    const mode = (file: string) => (statSync(file).mode & 0o7777).toString(8);
    const names = readdirSync(directory);
    assert.equal(names.filter((name) => name.endsWith('.http')).length, 2);
    assert.equal(names.filter((name) => name.endsWith('.link')).length, 2);
    assert.equal(names.length, 4);
    assert.equal(mode(directory), '700');
    for (const file of [directory, ...names.map((name) => path.join(directory, name))]) {
      assert.equal(statSync(file).uid, process.getuid?.());
      if (file !== directory) assert.equal(mode(file), '600');
    }
  });

  it('should be found by session ids that nobody can guess', async () => {
    const opened = await Promise.all(Array.from({ length: 60 }, () => ask(POLLING)));
    const sids = opened.flat().map(({ body }) => JSON.parse(body.slice(1)).sid as string);
    const workerIds = new Set(sids.map((sid) => sid.slice(0, 8)));
    assert.deepEqual(
      [...workerIds].sort(),
      [...new Set(readdirSync(directory).map((name) => name.slice(0, 8)))].sort(),
    );
    for (const sid of sids) assert.match(sid, /^[\w-]{30}$/);
    const secrets = sids.map((sid) => sid.slice(8));
    assert.equal(new Set(secrets).size, sids.length);
    const valuesAt = (at: number, some: string[]) => new Set(some.map((secret) => secret[at])).size;
    for (let at = 0; at < 22; at++) {
      // 128 bits: 21 characters of 6 bits, and one of the last 2.
      const values = valuesAt(at, secrets);
      assert(at < 21 ? values > 50 : values === 4, `character ${at} has ${values} values`);
      for (const workerId of workerIds) {
        const its = sids.filter((sid) => sid.startsWith(workerId)).map((sid) => sid.slice(8));
        assert(valuesAt(at, its) > 1, `all ids of a worker have the same character ${at}`);
      }
    }
  });

  it('should not be found for a worker that does not exist, or that has stopped', async () => {
    await unknown(createSessionId(createWorkerId()));
    const stale = createWorkerId();
    const server = createSocket();
    await new Promise<void>((resolve) => server.listen(path.join(directory, '.stale'), resolve));
    renameSync(path.join(directory, '.stale'), path.join(directory, `${stale}.http`));
    await new Promise((resolve) => server.close(resolve));
    try {
      await unknown(createSessionId(stale));
    } finally {
      rmSync(path.join(directory, `${stale}.http`));
    }
  });

  it('should not be searched outside of the run directory', async () => {
    let found = 0;
    const server = createSocket((socket) => socket.destroy(void found++));
    const outside = path.join(directory, '../canary.http');
    await new Promise<void>((resolve) => server.listen(outside, resolve));
    try {
      const rest = 'x'.repeat(22);
      const ways = [
        '../canar',
        '../canary',
        '..%2Fcanar',
        '..%2fcanary',
        '%2e%2e%2fcanary',
        '..%5Ccanar',
        '..%252Fcanary',
      ];
      for (const way of ways) for (const tail of ['', '.http', '.http%00', rest]) await unknown(way + tail);
      await unknown(encodeURIComponent(outside.slice(0, -'.http'.length)));
      await unknown(`..%00${rest}`);
      await unknown('__proto__');
    } finally {
      server.close();
    }
    assert.equal(found, 0);
  });

  it('should not be accessible to clients', async () => {
    const agents = Array.from({ length: 2 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const victims = await Promise.all(agents.map((agent) => openSession(cluster.url, agent)));
    const port = Number(new URL(cluster.url).port);
    for (const { sid } of victims) {
      for (const [what, bytes] of Object.entries(attempts('/socket.io', sid))) {
        // Others are valid requests of the session, and may end it.
        if (!what.startsWith('an upgrade')) continue;
        await Promise.all([sendRaw(port, bytes), sendRaw(port, bytes)]);
      }
    }
    for (const { sid, ask: askVictim } of victims) {
      assert.equal(await askVictim('sid', agents[0] as Agent), sid);
      assert.equal(await askVictim('sid', agents[1] as Agent), sid);
    }

    // A process that can enter the directory has access: the request that was tried works.
    const client = await connectClient();
    const sid = await client.emitWithAck('sid');
    const gone = next(client, 'disconnect');
    await sendRaw(path.join(directory, `${sid.slice(0, 8)}.http`), `POST /drain/${sid} HTTP/1.1\r\nHost: x\r\n\r\n`);
    assert.deepEqual((await gone)[0], 'transport close');
    for (const agent of agents) agent.destroy();
    await until('the workers answer', async () => (await connectClient()).connected);
  });
});
