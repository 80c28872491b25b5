// Presence on several workers of one host, over links and over Redis: workers that are killed, stopped and replaced.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import type { IoConfig, PresenceEntries } from '../lib';
import { connected, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { type RedisServer, startRedis } from './support/redis';
import { until } from './support/wait';

const WORKERS = 2;
/** Longer than a test. */
const NEVER = 600_000;
/** How long a worker that replaces another one may take to boot, in ms: on a busy machine longer than other waits. */
const BOOT = 90_000;

/** A client of one worker. */
interface Member {
  client: Socket;
  pid: number;
}

for (const adapter of ['cluster', 'redis'] as const) {
  describe(`presence on ${WORKERS} workers with the adapter ${adapter}`, function () {
    this.timeout(300_000);
    let cluster: Cluster;
    let redis: RedisServer | undefined;
    const stopped = new Set<number>();

    before(async () => {
      if (adapter === 'redis') redis = await startRedis();
    });
    after(() => redis?.stop());
    afterEach(async () => {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
      stopped.clear();
      await until(`${WORKERS} workers are running`, async () => new Set(await pids()).size === WORKERS, BOOT);
      await cluster.close();
    });

    const start = async (heartbeat: number) => {
      const io: IoConfig = { adapter, presence: { heartbeat, interval: 20 }, drain: { timeout: 2000, spread: 0 } };
      const config = { ...io, ...(redis && { redis: redis.config }) };
      cluster = await startCluster('presence', { workers: WORKERS }, { PRESENCE_IO: JSON.stringify(config) });
    };

    const connect = (reconnection = false) =>
      connected(track(cluster.url, { transports: ['websocket'], timeout: 2000, reconnection, reconnectionDelay: 50 }));

    /** Returns the pids of workers that new clients connect to. */
    async function pids(): Promise<number[]> {
      const ask = async () => {
        const client = await connect().catch(() => undefined);
        const pid = await client
          ?.timeout(5000)
          .emitWithAck('pid')
          .catch(() => undefined);
        client?.disconnect();
        return pid === undefined ? [] : [pid as number];
      };
      return (await Promise.all(Array.from({ length: 6 }, ask))).flat();
    }

    /** Returns a client of each worker. */
    async function members(): Promise<[Member, Member]> {
      const found = new Map<number, Member>();
      await until('there is a client of each worker', async () => {
        const client = await connect();
        const pid = await client.emitWithAck('pid');
        if (found.has(pid)) client.disconnect();
        else found.set(pid, { client, pid });
        return found.size === WORKERS;
      });
      return [...found.values()] as [Member, Member];
    }

    const list = async ({ client }: Pick<Member, 'client'>) => Object.keys(await client.emitWithAck('list')).sort();

    const lists = (member: Pick<Member, 'client'>, keys: string[]) =>
      until(`${keys} are present`, async () => String(await list(member)) === String(keys));

    it('should list the clients of all workers in each, and remove those of a worker that is killed', async () => {
      // With links, nothing but their end shows that it is dead.
      await start(adapter === 'cluster' ? NEVER : 300);
      const [a, b] = await members();
      const left: string[] = [];
      a.client.on('presence_diff', ({ leaves }: { leaves: PresenceEntries }) => left.push(...Object.keys(leaves)));
      await a.client.emitWithAck('track', 'ann');
      await b.client.emitWithAck('track', 'bob');
      for (const member of [a, b]) await lists(member, ['ann', 'bob']);
      assert.deepEqual(await a.client.emitWithAck('list'), { ann: [{ pid: a.pid }], bob: [{ pid: b.pid }] });
      assert.equal(await b.client.emitWithAck('count'), 2);

      const told = await b.client.emitWithAck('ask the agent');
      assert.deepEqual([Object.keys(told.list).sort(), told.count, told.elsewhere], [['ann', 'bob'], 2, {}]);
      assert.match(told.wrong, /a topic is a string/);

      process.kill(b.pid, 'SIGKILL');
      await lists(a, ['ann']);
      await until('the diff arrives', () => left.includes('bob'));
      // The worker that replaces it asks the others.
      const isReplaced = async () => (await pids()).some((pid) => pid !== a.pid && pid !== b.pid);
      await until('there is another worker', isReplaced, BOOT);
      const [, c] = (await members()).sort((one) => (one.pid === a.pid ? -1 : 1));
      assert.deepEqual(await list(c as Member), ['ann']);
    });

    it('should remove the clients of a worker that is stopped, and list them again when it continues', async () => {
      await start(300);
      const [a, b] = await members();
      await a.client.emitWithAck('track', 'ann');
      await b.client.emitWithAck('track', 'bob');
      for (const member of [a, b]) await lists(member, ['ann', 'bob']);
      process.kill(b.pid, 'SIGSTOP');
      stopped.add(b.pid);
      await lists(a, ['ann']);
      await a.client.emitWithAck('track', 'cat');
      process.kill(b.pid, 'SIGCONT');
      for (const member of [a, b]) await lists(member, ['bob', 'cat']);
    });

    it('should list each client once after all workers were replaced one after the other', async () => {
      await start(NEVER);
      const clients = await Promise.all(
        Array.from({ length: 6 }, async (_, i) => {
          const client = await connect(true);
          const enter = () => client.emit('track', `c${i}`, () => {});
          client.on('connect', enter);
          enter();
          return { client };
        }),
      );
      const keys = clients.map((_, i) => `c${i}`);
      for (const each of clients) await lists(each, keys);
      for (const pid of new Set(await pids())) {
        process.kill(pid, 'SIGTERM');
        const isReplaced = async () => {
          const running = new Set(await pids());
          return !running.has(pid) && running.size === WORKERS;
        };
        await until('another worker is running', isReplaced, BOOT);
      }
      for (const each of clients) {
        await until('the client is connected', () => each.client.connected);
        await lists(each, keys);
        const metas: object[][] = Object.values(await each.client.emitWithAck('list'));
        assert.deepEqual(
          metas.map(({ length }) => length),
          keys.map(() => 1),
        );
      }
    });
  });
}
