// Several workers without Redis and --sticky: a request that reaches any worker is handled by the worker of the client.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Socket } from 'socket.io-client';
import type { IoStats } from '../lib';
import { type ClientOptions, connected, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { examples, type Nginx, startNginx } from './support/nginx';
import { openSession } from './support/session';
import { next } from './support/wait';

const connectOld = require('socket.io-client2') as (url: string, options: object) => Socket;

const DEFAULT = ['polling', 'websocket'];
/** How long the clients of a crowd may take to connect, and to upgrade, in ms. */
const CROWDED = 60_000;

/** Workers with a log directory of their own. */
interface Workers extends Cluster {
  /** Stops the workers, and returns their log. */
  stop(): Promise<string>;
}

describe('forwarding', function () {
  this.timeout(300_000);

  async function startWorkers(workers: number, io?: object, options: object = {}): Promise<Workers> {
    const home = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-home-'));
    const env = { EGG_HOME: home, IO: io ? JSON.stringify(io) : '' };
    const cluster = await startCluster('forwarding', { workers, ...options }, env);
    const stop = async () => {
      await cluster.close();
      const log = readFileSync(path.join(home, 'logs/forwarding/egg-web.log'), 'utf8');
      rmSync(home, { recursive: true });
      return log;
    };
    return { ...cluster, stop };
  }

  async function behindNginx(heading: string, apps: Cluster[], test: (nginx: Nginx) => Promise<void>): Promise<void> {
    const config = examples();
    const [upstream, rest] = [config.get(heading), config.get('One host')];
    assert(upstream && rest, `docs/en/deployment.md has an example of nginx: ${heading}`);
    const nginx = await startNginx(
      heading === 'One host' ? rest : upstream + rest.replace(/^upstream .*?^}\n/ms, ''),
      apps.map(({ url }) => url),
    );
    try {
      await test(nginx);
      assert.doesNotMatch(nginx.log(), /\[(error|crit|alert)\]/);
    } finally {
      await nginx.close();
    }
  }

  /** Connects a client at its first attempt, and waits until it is upgraded to its last transport. */
  async function member(url: string, options: ClientOptions = {}): Promise<Socket> {
    const client = await connected(track(url, { transports: DEFAULT, timeout: CROWDED, ...options }));
    const { engine } = client.io;
    const last = (options.transports ?? DEFAULT).at(-1);
    if (engine.transport.name !== last) await next(engine as never, 'upgrade', CROWDED);
    assert.equal(engine.transport.name, last);
    return client;
  }

  /** Returns the pid of the worker that responds to a client, and checks that it is always the same. */
  async function workerOf(client: Socket): Promise<number> {
    const pid = await client.emitWithAck('pid');
    for (let n = 0; n < 4; n++) assert.equal(await client.emitWithAck('pid'), pid);
    return pid;
  }

  /** Returns how many of the clients each worker has. */
  async function shares(clients: Socket[]): Promise<number[]> {
    const counts = new Map<number, number>();
    for (const pid of await Promise.all(clients.map(workerOf))) counts.set(pid, (counts.get(pid) ?? 0) + 1);
    return [...counts.values()];
  }

  /** Connects 300 clients at once. Returns how many each worker has. */
  async function crowd(url: string): Promise<number[]> {
    const kinds = [...Array(200).fill(DEFAULT), ...Array(50).fill(['polling']), ...Array(50).fill(['websocket'])];
    const clients = await Promise.all(kinds.map((transports) => member(url, { transports })));
    const sizes = await shares(clients);
    for (const client of clients) client.disconnect();
    return sizes;
  }

  /** Connects crowds until one is distributed evenly. */
  async function crowds(url: string): Promise<void> {
    const seen: string[] = [];
    // If Egg's master has more connections than the workers accept, it sends the next one to the first worker that is ready: the
    // distribution depends on what else the machine does.
    for (let attempt = 1; attempt <= 8; attempt++) {
      const sizes = await crowd(url);
      if (sizes.length === 4 && Math.max(...sizes) <= 2 * Math.min(...sizes)) return;
      seen.push(sizes.join(', '));
    }
    assert.fail(`the workers had ${seen.join('; ')} clients`);
  }

  describe('by 2 workers that refuse clients', () => {
    /** Counts the lines of each kind, without the part that differs. */
    const linesOf = (log: string) => log.split('\n').filter((line) => /WARN|ERROR|not you/.test(line));

    it('should log no unknown session if requests of a refused client are still under way', async () => {
      const cluster = await startWorkers(2, { namespace: { '/closed': { connectionMiddleware: ['guard'] } } });
      for (let round = 0; round < 10; round++) {
        const clients = Array.from({ length: 10 }, (_, i) => {
          const query = { refusal: i % 2 ? 'disconnect' : 'throw' };
          return track(`${cluster.url}/closed`, { transports: DEFAULT, query, reconnection: false });
        });
        await Promise.all(clients.map((client) => next(client, 'connect_error')));
        for (const client of clients) client.disconnect();
      }
      // The same in a known order: the requests of a closed session arrive at either worker.
      const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      const sessions = await Promise.all(agents.map((agent) => openSession(cluster.url, agent)));
      for (const { post } of sessions) assert.equal((await post('1', agents[0] as Agent)).body, 'ok');
      for (const { post } of sessions) {
        for (const agent of agents) assert.equal((await post('40', agent)).status, 400);
      }
      for (const agent of agents) agent.destroy();
      assert.doesNotMatch(linesOf(await cluster.stop()).join('\n'), /Session ID unknown|WARN|ERROR/);
    });

    it('should log sessions that are unknown, with the address of the client and once for each worker', async () => {
      const cluster = await startWorkers(2);
      const agents = Array.from(
        { length: 4 },
        () => new Agent({ keepAlive: true, maxSockets: 1, localAddress: '127.0.0.9' }),
      );
      const sessions = await Promise.all(agents.map((agent) => openSession(cluster.url, agent)));
      for (let n = 0; n < 100; n++) {
        for (const { sid, post } of sessions) {
          // An id that this worker has not made.
          const unknown = sid.slice(0, -1) + (sid.endsWith('A') ? 'B' : 'A');
          for (const agent of agents) assert.equal((await post('40', agent, unknown)).status, 400);
        }
      }
      for (const agent of agents) agent.destroy();
      const lines = linesOf(await cluster.stop());
      assert.equal(
        lines.filter((line) =>
          /Session ID unknown \(POST \/socket.io\/ from 127\.0\.0\.9\)\. .*load balancer/.test(line),
        ).length,
        lines.length,
      );
      assert.equal(lines.length, 4, lines.join('\n'));
    });
  });

  describe('by 4 workers without any configuration, and by 2 on another host', () => {
    let four: Workers;
    let two: Workers;

    before(async () => {
      [four, two] = await Promise.all([
        startWorkers(4),
        startWorkers(2, { init: { allowEIO3: true, cors: { origin: 'http://page.example' } } }),
      ]);
    });
    after(async () => {
      const [log] = await Promise.all([four.stop(), two.stop()]);
      assert.equal(log.split('forwarding: on').length - 1, 4, 'the log is of this run');
      assert.doesNotMatch(log, /refused|Session ID unknown|ERROR/);
    });

    it('should connect all clients at the first attempt', async () => {
      await crowds(four.url);
    });

    it('should connect them behind nginx, which has one address', async () => {
      await behindNginx('One host', [four], ({ url }) => crowds(url));
    });

    it('should not change how clients with one address are distributed among the workers', async () => {
      await behindNginx('One host', [four], async ({ url }) => {
        const clients: Socket[] = [];
        while (clients.length < 40) clients.push(await member(url, { transports: ['websocket'] }));
        const sizes = await shares(clients);
        assert.equal(sizes.length, 4);
        assert(Math.max(...sizes) <= 2 * Math.min(...sizes), `the workers have ${sizes.join(', ')} clients`);
      });
    });

    it('should preserve the address of a client', async () => {
      const addresses = Array.from({ length: 12 }, (_, i) => `127.0.0.${i + 2}`);
      await Promise.all(
        addresses.map(async (localAddress) => {
          const client = await member(four.url, { agent: new Agent({ localAddress }) as never });
          assert.equal(await client.emitWithAck('ip'), localAddress);
        }),
      );
    });

    it('should support requests of several clients over one connection', async () => {
      // The master distributes connections round-robin.
      const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      const clients = await Promise.all(agents.map((agent) => openSession(four.url, agent)));
      const [agent] = agents as [Agent];
      const pids = new Set<number>();
      for (const { ask } of clients) {
        const pid = await ask('pid', agent);
        for (let n = 0; n < 3; n++) assert.equal(await ask('pid', agent), pid);
        pids.add(pid);
      }
      assert(pids.size > 1);
      for (const each of agents) each.destroy();
    });

    it('should keep a connection open if the body of a request is not read', async () => {
      const agents = Array.from({ length: 2 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      const clients = await Promise.all(agents.map((agent) => openSession(two.url, agent)));
      const [agent] = agents as [Agent];
      for (const { sid, ask, post } of clients) {
        const unknown = sid.slice(0, 8).split('').reverse().join('') + sid.slice(8);
        assert.equal((await post('x'.repeat(3_000_000), agent, unknown)).status, 400);
        assert.equal((await post('x'.repeat(3_000_000), agent)).status, 413);
        assert(await ask('pid', agent));
      }
      for (const each of agents) each.destroy();
    });

    it('should support clients of Socket.IO 2', async () => {
      const clients = Array.from({ length: 12 }, () => connectOld(two.url, { forceNew: true, reconnection: false }));
      try {
        const pids = clients.map(async (client) => {
          const engine = (client.io as unknown as { engine: Socket['io']['engine'] }).engine;
          await Promise.all([next(client, 'connect'), next(engine as never, 'upgrade')]);
          const ask = () => new Promise<number>((done) => client.emit('pid', done));
          const pid = await ask();
          for (let n = 0; n < 4; n++) assert.equal(await ask(), pid);
          return pid;
        });
        assert.equal(new Set(await Promise.all(pids)).size, 2);
        // The stats of both workers: one has requested those of the other.
        const stats = await new Promise<IoStats[]>((done) => clients[0]?.emit('stats', done));
        assert.deepEqual(stats.map(({ pid }) => pid).sort(), [...new Set(await Promise.all(pids))].sort());
        const old = stats.map(({ protocols }) => protocols[3]);
        assert.equal(
          old.reduce((sum, { now }) => sum + now, 0),
          12,
        );
        assert.equal(
          old.reduce((sum, { websocket }) => sum + websocket, 0),
          12,
        );
      } finally {
        for (const client of clients) client.close();
      }
    });

    for (const heading of ['Many hosts, by address', 'Many hosts, by cookie']) {
      it(`should work with several hosts behind nginx: ${heading}`, async () => {
        await behindNginx(heading, [four, two], async ({ url }) => {
          const masters = Array.from({ length: 24 }, async (_, i) => {
            const agent = new Agent({ localAddress: `127.0.0.${i + 2}` }) as never;
            const client = await member(url, { agent, withCredentials: true });
            await workerOf(client);
            return client.emitWithAck('master');
          });
          assert.equal(new Set(await Promise.all(masters)).size, 2);
        });
      });
    }
  });

  const needless: [string, object, object, string[]][] = [
    ['--sticky', {}, { sticky: true }, DEFAULT],
    ["init.transports: ['websocket']", { init: { transports: ['websocket'] } }, {}, ['websocket']],
  ];
  for (const [how, io, options, transports] of needless) {
    it(`should be off with ${how}`, async () => {
      const workers = await startWorkers(2, io, options);
      let log = '';
      try {
        // With --sticky, Egg selects the worker by the client's address.
        const clients = Array.from({ length: 12 }, (_, i) =>
          member(workers.url, { transports, agent: new Agent({ localAddress: `127.0.0.${i + 2}` }) as never }),
        );
        const connections = await Promise.all(clients);
        assert.equal(new Set(await Promise.all(connections.map(workerOf))).size, 2);
        const directory = await (connections[0] as Socket).emitWithAck('directory');
        assert.deepEqual(
          readdirSync(directory).filter((name) => !name.endsWith('.link')),
          [],
        );
      } finally {
        log = await workers.stop();
      }
      assert.equal(log.split('forwarding: off').length - 1, 2);
      assert.doesNotMatch(log, /refused|ERROR/);
    });
  }
});
