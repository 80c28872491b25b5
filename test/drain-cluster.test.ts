// Drain with real processes: no event that a worker has acknowledged is lost.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Socket } from 'socket.io-client';
import { connected, mm, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { DEADLINE, next, until, within } from './support/wait';

const WORKERS = 4;
/**
 * The timeout for an answer on a new connection, in ms. If Node's cluster module assigns a connection to a worker that is just
 * exiting, the connection stays open and is not assigned again, so the client needs a timeout. The fixture's pingInterval and
 * pingTimeout are short for the same reason.
 */
const LOST = 3000;

/** Waits until a client that reconnects is connected. On a busy machine its first attempts may take longer than `LOST`. */
async function connectedAtLast(socket: Socket): Promise<Socket> {
  await next(socket, 'connect');
  return socket;
}

describe(`${WORKERS} workers that close`, function () {
  this.timeout(300_000);

  let store: string;
  let cluster: Cluster | undefined;

  beforeEach(() => {
    store = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-drain-'));
    mm(process.env, 'DRAIN_STORE', store);
  });
  afterEach(async () => {
    await cluster?.close();
    cluster = undefined;
    rmSync(store, { recursive: true });
  });

  /** @param closeTimeout - Egg's close timeout in ms: of the master, and on Egg 4 also of the workers */
  async function startWorkers(closeTimeout: number): Promise<Cluster> {
    for (const name of ['EGG_APP_CLOSE_TIMEOUT', 'GRACEFUL_TIMEOUT']) mm(process.env, name, String(closeTimeout));
    cluster = await startCluster('drain', { workers: WORKERS });
    return cluster;
  }

  /** Returns the lines that the workers have stored. */
  function stored(): string[] {
    return readdirSync(store).flatMap((name) => readFileSync(path.join(store, name), 'utf8').trim().split('\n'));
  }

  /** Sends a signal. Returns whether the process exists. */
  function sendSignal(pid: number, name: 0 | 'SIGTERM'): boolean {
    try {
      return process.kill(pid, name);
    } catch {
      return false;
    }
  }

  /** Returns the pid of the next worker, over a new connection. Undefined if that worker is exiting. */
  async function pid(url: string): Promise<number | undefined> {
    return fetch(`${url}/pid`, { signal: AbortSignal.timeout(LOST) }).then(
      async (answer) => Number(await answer.text()),
      () => undefined,
    );
  }

  /** Waits for `count` workers that are not among the `known` ones, and returns their pids. */
  async function others(url: string, count: number, known: Iterable<number> = []): Promise<number[]> {
    const before = new Set(known);
    const found = new Set<number>();
    const seen = async () => {
      const one = await pid(url);
      if (one !== undefined && !before.has(one)) found.add(one);
      return found.size === count;
    };
    await until(`${count} workers have answered that are not ${[...before]}`, seen);
    return [...found];
  }

  it('should wait for running handlers after the master receives SIGTERM, up to EGG_APP_CLOSE_TIMEOUT', async () => {
    // Longer than Egg's default.
    const { url, close } = await startWorkers(12_000);
    const clients = await Promise.all(Array.from({ length: 12 }, () => connected(track(url))));
    const answers = clients.map((client) => client.timeout(DEADLINE).emitWithAck('slow', 6000));
    const left = clients.map((client) => next(client, 'disconnect'));
    const ids = clients.map(({ id }) => id);
    await until('all are running', () => stored().length === clients.length);
    await within('the end of the workers', close());
    cluster = undefined;
    for (const answer of await Promise.all(answers)) assert.equal(answer.length, 100_000);
    for (const [reason] of await Promise.all(left)) assert.equal(reason, 'transport close');
    const expected = ids.flatMap((id) => [`begun ${id}`, `ended ${id}`, `left ${id}`]);
    assert.deepEqual(stored().sort(), expected.sort());
  });

  it('should disconnect clients and run their disconnect handlers if a handler never ends', async () => {
    const { url, close } = await startWorkers(3000);
    const client = await connected(track(url));
    const { id } = client;
    client.emit('hang');
    await until('the handler is running', () => stored().length === 1);
    const left = next(client, 'disconnect');
    await within('the end of the workers', close());
    cluster = undefined;
    assert.equal((await left)[0], 'transport close');
    assert.deepEqual(stored(), [`hanging ${id}`, `left ${id}`]);
  });

  it('should drain a worker that Egg closes after an uncaught exception, and leave the others alone', async () => {
    const { url } = await startWorkers(4000);
    const clients = await Promise.all(
      Array.from({ length: 12 }, () => connectedAtLast(track(url, { reconnection: true, timeout: LOST }))),
    );
    const pidOf = (client: Socket): Promise<number> => client.timeout(DEADLINE).emitWithAck('pid');
    const pids = await Promise.all(clients.map(pidOf));
    const crashed = pids[0]!;
    const affected = clients.filter((_, i) => pids[i] === crashed);
    const others = clients.filter((_, i) => pids[i] !== crashed);
    const ids = affected.map(({ id }) => id);
    const otherIds = others.map(({ id }) => id);
    assert(others.length > 0);
    const slow = affected[0]!.timeout(DEADLINE).emitWithAck('slow', 500);
    const left = affected.map((client) => next(client, 'disconnect'));
    await until('the handler is running', () => stored().length === 1);

    affected[0]!.emit('crash');
    assert.equal((await slow).length, 100_000);
    for (const [reason] of await Promise.all(left)) assert.equal(reason, 'transport close');
    const leaving = () => stored().filter((line) => line.startsWith('left'));
    await until('the handlers of disconnect have run', () => leaving().length === affected.length);
    assert.deepEqual(leaving().sort(), ids.map((id) => `left ${id}`).sort());

    await until('the clients are connected again', () => affected.every(({ connected }) => connected));
    for (const again of await Promise.all(affected.map(pidOf))) assert.notEqual(again, crashed);
    assert.deepEqual(
      others.map(({ connected, id }) => connected && id),
      otherIds,
    );
    // Egg would end it after 30 s.
    sendSignal(crashed, 'SIGTERM');
    await until('the worker has ended', () => !sendSignal(crashed, 0));
  });

  it('should execute no commands of the agent after an uncaught exception', async () => {
    const { url } = await startWorkers(4000);
    const first = await connected(track(url));
    const emitted = next(first, 'news');
    first.emit('emit by the agent', 'before');
    assert.deepEqual(await emitted, ['before']);
    const executing = await until('the command is stored', () => stored().find((line) => line.startsWith('executing')));
    const crashed = Number(executing?.split(' ')[1]);
    let affected: Socket | undefined;
    let other: Socket | undefined;
    while (affected === undefined || other === undefined) {
      const client = await connected(track(url));
      const worker = await client.timeout(DEADLINE).emitWithAck('pid');
      if (worker === crashed) affected = client;
      else other = client;
    }

    const left = next(affected, 'disconnect');
    affected.emit('crash');
    await left;
    const again = next(other, 'news');
    other.emit('emit by the agent', 'after');
    assert.deepEqual(await again, ['after']);
    sendSignal(crashed, 'SIGTERM');
  });

  // Includes clients that begin with polling, whose requests workers forward to each other.
  it('should lose no event in a rolling restart', async () => {
    const KINDS = [['websocket'], ['polling', 'websocket'], ['polling']];
    const { url } = await startWorkers(8000);
    const first = await others(url, WORKERS);
    const talking = await Promise.all(
      Array.from({ length: 24 }, (_, i) => talk(url, `client-${i}`, KINDS[i % 3] as string[])),
    );
    await until('all clients have an answer', () => talking.every(({ acked }) => acked.length > 0));

    const known = new Set(first);
    for (const worker of first) {
      process.kill(worker, 'SIGTERM');
      const [replacement] = await others(url, 1, known);
      known.add(replacement as number);
      const counts = talking.map(({ acked }) => acked.length);
      await until('all have been answered since', () => talking.every(({ acked }, i) => acked.length > counts[i]!));
    }

    const sent = (await Promise.all(talking.map(({ stop }) => stop()))).flat();
    const acked = talking.flatMap((each) => each.acked);
    assert.deepEqual(acked.sort(), sent.sort(), 'every message is acknowledged, once');
    const lines = new Set(stored());
    assert.deepEqual(
      acked.filter((line) => !lines.has(line)),
      [],
      'every acknowledged message is stored',
    );
    await until('all are connected', () => talking.every(({ socket }) => socket.connected));
    const workers = new Set(
      await Promise.all(talking.map(({ socket }) => socket.timeout(DEADLINE).emitWithAck('pid'))),
    );
    for (const worker of workers) assert(known.has(worker) && !first.includes(worker), `${worker} is a replacement`);
  });

  /** Connects a client that sends numbered events. `stop` waits for the last acknowledgement and returns all sent events. */
  async function talk(url: string, name: string, transports: string[]) {
    const socket: Socket = track(url, {
      transports: transports as never,
      reconnection: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 500,
      retries: 1000,
      ackTimeout: 5000,
      timeout: LOST,
    });
    await connectedAtLast(socket);
    const sent: string[] = [];
    const acked: string[] = [];
    let talks = true;
    const done = (async () => {
      while (talks) {
        const line = `${name} ${sent.length}`;
        sent.push(line);
        acked.push(await socket.emitWithAck('store', line));
        // The rate of the load: without a pause the clients take the processors that the workers need to start.
        await setTimeout(5);
      }
    })();
    const stop = async () => {
      talks = false;
      await within(`the last answer to ${name}`, done);
      return sent;
    };
    return { socket, acked, stop };
  }
});
