// What other workers receive if a value cannot be sent, and how long they wait for a response: with each adapter.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Application } from 'egg';
import type { Namespace, Socket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { Socket as ClientSocket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { Links } from '../lib/adapters/links';
import { LinkedNamespaces, LinksAdapter } from '../lib/adapters/links-adapter';
import { createWorkerId, RunDirectory } from '../lib/workers/run-directory';
import { connected, fixture, logs, mm, type Running, track } from './support/app';
import { startCluster } from './support/cluster';
import { startInline } from './support/inline';
import { type RedisServer, startRedis } from './support/redis';
import { until, within } from './support/wait';

/** In ms. */
const BRIEF = 1000;
/** More levels than a stack of Node has frames. */
const ENDLESS = 100_000;

let redis: RedisServer | undefined;
let rundir: string;
const joined: Links[] = [];

before(async () => {
  redis = await startRedis();
  rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
});
afterEach(mm.restore);
after(async () => {
  await Promise.all(joined.map((links) => links.leave()));
  rmSync(rundir, { recursive: true });
  await redis?.stop();
});

/** `config.io` of a worker whose adapters have links to those of the other workers of the same group, in one process. */
function linked(group: number, requestsTimeout = 5000): IoConfig {
  const adapter = (app: Application) => {
    const worker = { workerId: createWorkerId(), directory: new RunDirectory(rundir, group) };
    const links = new Links(worker, app);
    const namespaces = new LinkedNamespaces(links, requestsTimeout);
    joined.push(links);
    void links.join(namespaces);
    return class extends LinksAdapter {
      constructor(nsp: Namespace) {
        super(nsp, namespaces);
      }
    };
  };
  return { adapter: adapter as IoConfig['adapter'] };
}

function nested(levels: number): object {
  let value = {};
  for (let level = 0; level < levels; level++) value = { value };
  return value;
}

function circular(): object {
  const object: Record<string, unknown> = {};
  object.self = object;
  return object;
}

for (const adapter of ['cluster', 'redis', 'redis-sharded', 'redis-streams'] as const) {
  describe(`between workers with the adapter ${adapter}`, () => {
    let a: Running;
    let b: Running;

    async function start(group: number, requestsTimeout?: number): Promise<[Running, Running]> {
      const worker = () => {
        const key = `${adapter} ${group}`;
        const io: IoConfig =
          adapter === 'cluster'
            ? linked(group, requestsTimeout)
            : { adapter, requestsTimeout, redis: { ...redis?.config, key } };
        return startInline({ io: { user: (ctx) => ctx.query.user, ...io } });
      };
      const workers: [Running, Running] = [await worker(), await worker()];
      for (const { app } of workers) {
        await until('the workers reach each other', async () => (await app.io.of('/').adapter.serverCount()) === 2);
      }
      return workers;
    }

    /** Returns a connected client's socket of a worker. */
    async function socketOf(worker: Running, user = 'ann'): Promise<Socket> {
      const client = await worker.connect('/', { query: { user } });
      return worker.app.io.sockets.sockets.get(client.id!) as unknown as Socket;
    }

    before(async () => {
      [a, b] = await start(1, BRIEF);
    });

    it('should list sockets without the data that cannot be sent, and log each key once', async () => {
      const broken = await socketOf(a);
      Object.assign(broken.data, {
        name: 'ann',
        at: [1, 'x'],
        circular: circular(),
        big: 1n,
        inside: { list: [1, { at: 2n }] },
        deep: nested(ENDLESS),
        file: Buffer.from('content'),
        blob: new Blob([]),
        json: {
          toJSON() {
            throw new Error('a bug');
          },
        },
        call: () => {},
      });
      Object.defineProperty(broken.data, 'getter', {
        enumerable: true,
        get() {
          throw new Error('a bug');
        },
      });
      Object.assign(broken.handshake.auth, { token: 'secret', user: circular() });
      const odd = await socketOf(a, 'odd');
      odd.data = 1n;
      const sound = await socketOf(a, 'bob');
      sound.data.name = 'bob';
      const { warn } = logs(a.app);
      for (let round = 0; round < 2; round++) {
        const sockets = new Map((await b.app.io.fetchSockets()).map((socket) => [socket.id, socket]));
        const { data, rooms, handshake } = sockets.get(broken.id)!;
        assert.deepEqual(Object.keys(data).sort(), ['at', 'file', 'name']);
        assert.deepEqual([data.name, data.at], ['ann', [1, 'x']]);
        assert(rooms.has(broken.id));
        assert.deepEqual(handshake.auth, { token: 'secret' });
        assert.equal(handshake.query.user, 'ann');
        assert.deepEqual(sockets.get(odd.id)?.data, {});
        assert.deepEqual(sockets.get(sound.id)?.data, { name: 'bob' });
        assert.equal((await b.app.io.user('ann').fetchSockets()).length, 1);
      }
      const paths = ['big', 'blob', 'circular', 'deep', 'getter', 'inside', 'json'].map((key) => `data.${key}`);
      assert.deepEqual(
        warn.map((line) => /sockets of \/ without socket\.(\S+): .+ \(socket \S+\)$/.exec(line)?.[1]).sort(),
        ['data', ...paths, 'handshake.auth.user'],
      );
      for (const socket of [broken, odd, sound]) socket.disconnect(true);
    });

    it('should log one short line of what clients have sent, and what is left out of data as well', async () => {
      const auth = (name: string) =>
        JSON.parse(`{${JSON.stringify(name)}:${'['.repeat(ENDLESS)}${']'.repeat(ENDLESS)}}`);
      const sockets: Socket[] = [];
      for (let n = 0; n < 3; n++) {
        const socket = await socketOf(a);
        Object.assign(socket.handshake.auth, auth(`${n}\n2026-11-28 ERROR forged ${'x'.repeat(1000)}`));
        sockets.push(socket);
      }
      const { warn } = logs(a.app);
      await b.app.io.fetchSockets();
      sockets[0]!.data.afterwards = 1n;
      await b.app.io.fetchSockets();
      const ofClients = warn.filter((line) => line.includes('socket.handshake'));
      assert(ofClients.length <= 1, ofClients.join());
      assert(
        warn.every((line) => line.length < 500 && !line.includes('\n')),
        warn.join(),
      );
      assert(warn.some((line) => line.includes('socket.data.afterwards')));
      for (const socket of sockets) socket.disconnect(true);
    });

    it('should list a socket whose data has binary data and more levels than MessagePack encodes', async () => {
      const socket = await socketOf(a, 'deep');
      Object.assign(socket.data, { file: Buffer.from('content'), deep: nested(200) });
      const [found] = await b.app.io.user('deep').fetchSockets();
      assert('file' in found!.data);
      socket.disconnect(true);
    });

    it('should send an object that is contained twice', async () => {
      await socketOf(a);
      const shared = { list: [1] };
      const received = new Promise((resolve) => b.app.io.once('twice' as never, resolve as never));
      a.app.io.serverSideEmit('twice', { first: shared, second: [shared] });
      assert.deepEqual(await within('the event', received), { first: shared, second: [shared] });
    });

    it('should throw if the arguments of an event cannot be sent', async () => {
      await socketOf(a);
      const { io } = a.app;
      for (const value of [1n, circular()]) {
        assert.throws(() => io.emit('x', value), /BigInt|Maximum call stack/);
        assert.throws(() => io.serverSideEmit('x', { in: [value] }), TypeError);
        await assert.rejects(async () => io.timeout(BRIEF).emitWithAck('x', value), /BigInt|call stack/);
        await assert.rejects(async () => io.serverSideEmitWithAck('x', value), TypeError);
      }
    });

    it('should send no answer that cannot be sent, and log that', async () => {
      const log = logs(b.app);
      b.app.io.on('big', (answer: (value: unknown) => void) => answer(1n));
      await assert.rejects(a.app.io.serverSideEmitWithAck('big'), /timeout reached: .*serverSideEmit\('big'\)/);
      assert.equal(log.error.length + log.warn.length, 1);
    });

    it('should survive an acknowledgement of a client that cannot be sent, and log that', async () => {
      const client = await b.connect();
      client.io.on('packet', ({ id, type }) => {
        if (type !== 2) return;
        // As no encoder of a client would encode it.
        (client.io.engine as unknown as { write(data: string): void }).write(
          `3${id}[${'['.repeat(ENDLESS)}${']'.repeat(ENDLESS)}]`,
        );
      });
      const log = logs(b.app);
      await assert.rejects(a.app.io.in(client.id!).timeout(BRIEF).emitWithAck('deep'), (err: Error) => {
        assert.deepEqual((err as Error & { responses: unknown[] }).responses, []);
        return true;
      });
      await until('it is logged', () => log.error.length + log.warn.length === 1);
      // Its client repeats it.
      await Promise.all(
        Array.from({ length: 20 }, () => assert.rejects(a.app.io.in(client.id!).timeout(BRIEF).emitWithAck('deep'))),
      );
      assert.equal(log.error.length + log.warn.length, 1);
      assert(client.connected);
    });

    it('should wait for responses for config.io.requestsTimeout, and name the request that has failed', async () => {
      const { io } = a.app;
      b.app.io.on('silence', () => {});
      const begin = performance.now();
      await assert.rejects(io.serverSideEmitWithAck('silence'), {
        message: `timeout reached: only 0 responses received out of 1: serverSideEmit('silence') in /, after ${BRIEF} ms`,
      });
      const { fetchSockets } = Adapter.prototype;
      mm(Adapter.prototype, 'fetchSockets', function (this: Adapter, opts: Parameters<typeof fetchSockets>[0]) {
        return this.nsp.server === (b.app.io as unknown) ? new Promise(() => {}) : fetchSockets.call(this, opts);
      });
      await assert.rejects(io.fetchSockets(), {
        message: new RegExp(`^timeout reached.*: fetchSockets\\(\\) in /, after ${BRIEF} ms$`),
      });
      assert(performance.now() - begin >= 2 * BRIEF - 5);
      b.app.io.on('answer', (done: (answer: string) => void) => done('answered'));
      assert.deepEqual(await io.serverSideEmitWithAck('answer'), ['answered']);
    });
  });
}

describe('with the adapter cluster in several processes', () => {
  const log = path.join(fixture('members'), 'logs/members/egg-web.log');

  it('should list sockets without the data that cannot be sent, and end after config.io.requestsTimeout', async () => {
    const { url, close } = await startCluster('members', { workers: 2 }, { REQUESTS_TIMEOUT: `${BRIEF}` });
    try {
      const clients = new Map<number, ClientSocket>();
      await until('a client of each worker is connected, and they are linked', async () => {
        const client = await connected(track(url, { transports: ['websocket'] }));
        clients.set((await client.emitWithAck('pids')).worker, client);
        return clients.size === 2 && (await client.emitWithAck('count')) === 2;
      });
      const [one, other] = [...clients.values()] as [ClientSocket, ClientSocket];
      const { worker } = await one.emitWithAck('pids');
      await one.emitWithAck('spoil');
      const found: object[] = await other.emitWithAck('data');
      assert.deepEqual(
        found.filter((data) => 'name' in data),
        [{ name: 'ann' }],
      );
      // Egg writes its log files once a second.
      const lines = (key: string) =>
        readFileSync(log, 'utf8')
          .split('\n')
          .filter(
            (line) => line.includes(`WARN ${worker} `) && line.includes(`sockets of / without socket.data.${key}: `),
          );
      for (const key of ['big', 'circular']) await until(`${key} is logged`, () => lines(key).length === 1);
      assert.match(await one.emitWithAck('silence'), /timeout reached: only 0 responses received out of 1/);
    } finally {
      await close();
    }
  });
});
