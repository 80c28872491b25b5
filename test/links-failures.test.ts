// Several workers on one host: what happens when a worker or the agent dies or hangs.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Socket } from 'socket.io-client';
import { type ClientOptions, connected, fixture, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { next, times, until, within } from './support/wait';

const WORKERS = 3;
const APP = fixture('members');
const LOG = path.join(APP, 'logs/members/egg-web.log');

describe(`${WORKERS} workers, linked with each other`, function () {
  this.timeout(300_000);

  let cluster: Cluster;
  /** One client of each worker, by the pid of the worker. */
  let workers: Map<number, Socket>;
  let master: number;
  const stopped = new Set<number>();

  before(async () => {
    cluster = await startCluster('members', { workers: WORKERS });
  });
  after(async () => {
    // The last test has killed a worker: its replacement, if closed while it boots, would not remove its sockets.
    await linked(WORKERS);
    await cluster?.close();
    assert.deepEqual(runDirectories(), [], 'nothing is left in the run directory');
  });
  beforeEach(async () => {
    await linked(WORKERS);
  });
  afterEach(() => {
    for (const pid of stopped) process.kill(pid, 'SIGCONT');
    stopped.clear();
  });

  const connect = (options: ClientOptions = {}) =>
    connected(track(cluster.url, { transports: ['websocket'], ...options }));

  /** Waits until so many workers are linked with each other, and connects a client to each. */
  async function linked(count: number): Promise<void> {
    workers = new Map();
    await until(`${count} workers are linked`, async () => {
      const client = await connect({ reconnection: false }).catch(() => undefined);
      if (client === undefined) return false;
      const pids = await client.emitWithAck('pids');
      master = pids.master;
      if ((await client.emitWithAck('count')) !== count || workers.has(pids.worker)) client.disconnect();
      else workers.set(pids.worker, client);
      return workers.size === count;
    });
  }

  /** Sends numbers from one client's worker until stopped, and then checks that the other clients have received all of them in order. */
  function traffic(from: Socket, to: Socket[]) {
    let sent = 0;
    let sending = true;
    const received = to.map(() => [] as number[]);
    const sockets = to.map((socket, i) => {
      const listener = (n: number) => void received[i]!.push(n);
      socket.on('n', listener);
      return () => socket.off('n', listener);
    });
    const done = (async () => {
      while (sending) await from.emitWithAck('emit', 'n', sent++);
    })();
    return {
      stop: async () => {
        sending = false;
        await done;
        await until('all has arrived', () => received.every((each) => each.at(-1) === sent - 1));
        for (const off of sockets) off();
        for (const each of received)
          assert.deepEqual(
            each,
            Array.from({ length: sent }, (_, n) => n),
          );
        return sent;
      },
      sent: () => sent,
    };
  }

  it('should continue when a worker is killed, whose clients reconnect to others, and link with its replacement', async () => {
    const [victim, ...others] = [...workers] as [number, Socket][] as [[number, Socket], ...[number, Socket][]];
    const [, from] = others[0]!;
    const going = traffic(
      from,
      others.map(([, client]) => client),
    );
    const back = await Promise.all(
      Array.from({ length: 6 }, () => connect({ reconnection: true, reconnectionDelay: 100, transports: undefined })),
    );
    const pids = await Promise.all(back.map(async (client) => (await client.emitWithAck('pids')).worker));
    const its = back.filter((_, i) => pids[i] === victim![0]);
    await until('there is traffic', () => going.sent() > 50);
    const ids = [victim![1].id, ...its.map((client) => client.id)];
    const lost = its.map((client) => next(client, 'disconnect'));
    const found = its.map((client) => next(client, 'connect'));

    process.kill(victim![0], 'SIGKILL');
    await until('its sockets are gone', async () => {
      const left = await from.emitWithAck('sockets');
      return !ids.some((id) => left.includes(id));
    });
    await Promise.all([...lost, ...found]);
    for (const client of its) assert.notEqual((await client.emitWithAck('pids')).worker, victim![0]);
    await going.stop();

    await linked(WORKERS);
    assert(!workers.has(victim![0]));
    const replacement = [...workers].find(([pid]) => !others.some(([other]) => other === pid))!;
    const heard = others.map(([, client]) => next(client, 'hello'));
    await replacement[1].emitWithAck('emit', 'hello');
    await Promise.all(heard);
    assert.equal((await from.emitWithAck('directory')).length, 2 * WORKERS, "the dead one's sockets are removed");
  });

  it('should continue without the agent, and link with a new worker in the meantime', async () => {
    const [victim, ...others] = [...workers] as [[number, Socket], ...[number, Socket][]];
    const going = traffic(
      others[0]![1],
      others.map(([, client]) => client),
    );
    await until('there is traffic', () => going.sent() > 20);
    const agent = agentOf(master)!;
    process.kill(agent, 'SIGKILL');
    process.kill(victim![0], 'SIGKILL');
    await until(
      'the worker is found to be dead',
      async () => (await others[0]![1].emitWithAck('count')) === WORKERS - 1,
    );
    await linked(WORKERS);
    await going.stop();
    await until('there is an agent again', () => ![undefined, agent].includes(agentOf(master)));
    assert.equal((await others[0]![1].emitWithAck('ask')).length, WORKERS - 1);
  });

  it('should drop messages for a worker that does not read, and link with it again', async () => {
    const [hung, ...others] = [...workers] as [[number, Socket], ...[number, Socket][]];
    const from = others[0]![1];
    const before = await from.emitWithAck('memory');
    await from.emitWithAck('observe');
    process.kill(hung![0], 'SIGSTOP');
    stopped.add(hung![0]);
    const going = traffic(
      from,
      others.map(([, client]) => client),
    );

    let most = 0;
    for (let n = 0; n < 200; n++) {
      await from.emitWithAck('flood', 1_000_000);
      // Waits until the others have read it.
      const read = others.map(([, client]) => next(client, 'read'));
      await from.emitWithAck('emit', 'read');
      await Promise.all(read);
      most = Math.max(most, (await from.emitWithAck('memory')) - before);
    }
    assert(most < 40_000_000, `of 200 MB, ${most} bytes were kept`);
    const dropped = `worker ${hung![0]} does not read fast enough: \\d+ bytes that wait for it are dropped`;
    await until('the log says so', () => new RegExp(dropped).test(log()));
    assert.equal(await from.emitWithAck('count'), WORKERS - 1);
    assert.equal((await from.emitWithAck('sockets')).includes(hung![1].id), false);

    process.kill(hung![0], 'SIGCONT');
    stopped.clear();
    await until('it is linked again', async () => (await from.emitWithAck('count')) === WORKERS);
    await until('the log says so', () =>
      new RegExp(`the link to worker ${hung![0]} is up again; messages lost in the meantime: \\d+`).test(log()),
    );
    const heard = times(hung![1], 'again', 2);
    await from.emitWithAck('emit', 'again', 1);
    await from.emitWithAck('emit', 'again', 2);
    assert.deepEqual(await heard, [[1], [2]]);
    await going.stop();
    const [begun, ended] = await from.emitWithAck('outages');
    const name = `worker ${hung![0]}`;
    assert.deepEqual(begun, { name, up: false, reason: 'does not read fast enough', lost: 0 });
    assert.deepEqual([ended.name, ended.up, ended.lost > 100], [name, true, true]);
  });

  it('should lose nothing that is sent to a worker, or by its clients, while it is blocked for 10 s', async () => {
    const [[, client], ...others] = [...workers] as [[number, Socket], ...[number, Socket][]];
    const all = [...workers.values()];
    const going = traffic(others[0]![1], all);
    await until('there is traffic', () => going.sent() > 20);
    const unblocked = client.emitWithAck('block', 10_000);
    const sockets = others[0]![1].emitWithAck('sockets');
    const late = client.emitWithAck('pids');
    const heard = next(others[1]![1], 'meanwhile');
    await others[0]![1].emitWithAck('emit', 'meanwhile');
    await heard;
    await unblocked;
    const ids = await sockets;
    assert(all.every(({ id }) => ids.includes(id)));
    assert.equal(workers.get((await late).worker), client);
    await going.stop();
    assert(all.every(({ connected }) => connected));
  });

  it('should create its sockets again when the run directory is removed, and link with a worker that starts afterwards', async () => {
    const [victim, ...others] = [...workers] as [[number, Socket], ...[number, Socket][]];
    const going = traffic(
      others[0]![1],
      others.map(([, client]) => client),
    );
    await until('there is traffic', () => going.sent() > 20);
    rmSync(path.join(APP, 'run'), { recursive: true });
    for (const pid of workers.keys()) {
      const removed = new RegExp(
        `WARN ${pid} .*sockets of this worker in \\S+/run/egg-socket\\.io-\\d+ were removed`,
        'g',
      );
      await until(`worker ${pid} has created its sockets`, () => removed.test(log()));
      assert.equal(log().match(removed)!.length, 1);
    }
    assert.equal((await others[0]![1].emitWithAck('directory')).length, 2 * WORKERS);
    assert.equal(await others[0]![1].emitWithAck('count'), WORKERS);

    process.kill(victim[0], 'SIGKILL');
    await until('its end is noticed', async () => (await others[0]![1].emitWithAck('count')) === WORKERS - 1);
    await linked(WORKERS);
    const replacement = [...workers].find(([pid]) => !others.some(([other]) => other === pid))!;
    const heard = [...workers.values()].map((client) => next(client, 'hello'));
    await replacement[1].emitWithAck('emit', 'hello');
    await Promise.all(heard);
    // Of each two requests of a client, one is forwarded.
    const polling = await Promise.all(Array.from({ length: 6 }, () => connect({ transports: ['polling'] })));
    for (const client of polling) for (let n = 0; n < 4; n++) await client.emitWithAck('pids');
    await going.stop();
  });

  it('should not wait for the response of a worker that dies', async () => {
    const [hung, ...others] = [...workers] as [[number, Socket], ...[number, Socket][]];
    process.kill(hung![0], 'SIGSTOP');
    const answers = others[0]![1].emitWithAck('ask');
    const sockets = others[0]![1].emitWithAck('sockets');
    // When this is answered, both requests have been sent.
    await others[0]![1].emitWithAck('memory');
    process.kill(hung![0], 'SIGKILL');
    assert.deepEqual(
      await answers,
      others.slice(1).map(([pid]) => pid),
    );
    const ids = await within('the sockets of the others', sockets);
    assert(others.every(([, client]) => ids.includes(client.id)));
  });

  /** Returns the pid of the agent that a master has started. */
  function agentOf(pid: number): number | undefined {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    const agent = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('agent_worker'));
    return agent === undefined ? undefined : Number(agent);
  }

  function log(): string {
    return readFileSync(LOG, 'utf8');
  }

  function runDirectories(): string[] {
    return readdirSync(path.join(APP, 'run')).filter((name) => name.startsWith('egg-socket.io-'));
  }
});
