// Requests that make workers open connections to each other: a client cannot use up the file descriptors of the workers.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connected, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { openSession } from './support/session';
import { next, until } from './support/wait';

const OPEN_FILES = 256;
const POLLING = 'EIO=4&transport=polling';

describe(`forwarding by 2 workers with ${OPEN_FILES} open files each`, function () {
  this.timeout(120_000);

  let cluster: Cluster;
  let port: number;
  const sockets: Socket[] = [];

  before(async () => {
    cluster = await startCluster('forwarding', { workers: 2, openFiles: OPEN_FILES });
    port = Number(new URL(cluster.url).port);
  });
  after(() => cluster?.close());
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  const get = (sid: string) => `GET /socket.io/?${POLLING}&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const madeUp = (workerId: string) => workerId + randomBytes(16).toString('base64url').slice(0, 22);

  /** Returns the ids and the pids of both workers. */
  async function workers(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    await until('both workers have answered', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const { sid, ask } = await openSession(cluster.url, agent);
      found.set(sid.slice(0, 8), await ask('pid', agent));
      agent.destroy();
      return found.size === 2;
    });
    return found;
  }

  function openFiles(pid: number): number {
    return readdirSync(`/proc/${pid}/fd`).length;
  }

  it('should continue while clients pipeline hundreds of requests with session ids that they have made up', async () => {
    const ids = await workers();
    for (const pid of ids.values())
      assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files +256 +256/);
    const before = new Map([...ids.values()].map((pid) => [pid, openFiles(pid)]));
    const responses: Promise<unknown>[] = [];
    // Connections are assigned to the workers in turn: each worker forwards to the other.
    for (const workerId of [...ids.keys(), ...ids.keys(), ...ids.keys()]) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      sockets.push(socket);
      let read = '';
      socket.on('data', (chunk) => {
        read += chunk.toString('latin1');
      });
      socket.write(Array.from({ length: 500 }, () => get(madeUp(workerId))).join(''));
      responses.push(until('all requests are answered', () => read.split('Session ID unknown').length - 1 === 500));
    }
    await Promise.all(responses);
    for (const [pid, count] of before)
      assert(openFiles(pid) < count + 30, `${openFiles(pid)} files are open, and ${count} were`);
    // Each worker accepts new connections.
    for (let n = 0; n < 8; n++) {
      const client = await connected(track(cluster.url, { transports: ['polling', 'websocket'] }));
      const { engine } = client.io;
      if (engine.transport.name !== 'websocket') await next(engine as never, 'upgrade');
      assert([...ids.values()].includes(await client.emitWithAck('pid')));
    }
  });
});
