// config.io.limits with several workers: clients whose requests another worker forwards.
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import type { Socket } from 'socket.io-client';
import type { IoConfig } from '../lib';
import { connected, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';

const HOUR = 3_600_000;

describe('config.io.limits with several workers', () => {
  let cluster: Cluster;
  const agents: Agent[] = [];

  before(async () => {
    const limits: IoConfig['limits'] = {
      packetsPerTurn: 3,
      events: { points: 150, duration: HOUR, by: 'address' },
    };
    const io: IoConfig = { ack: 'auto', limits };
    cluster = await startCluster('forwarding', { workers: 2 }, { IO: JSON.stringify(io) });
  });

  after(async () => {
    for (const agent of agents) agent.destroy();
    await cluster.close();
  });

  /** Returns a client of long-polling from an address of this host. Each of its requests is on a new connection, which any worker accepts. */
  async function from(localAddress: string): Promise<Socket> {
    const agent = new Agent({ localAddress, keepAlive: false });
    agents.push(agent);
    return connected(track(cluster.url, { transports: ['polling'], agent: agent as never }));
  }

  it('should handle the packets of forwarded requests in order, and count the events of each address', async () => {
    const client = await from('127.0.0.2');
    const answered: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const answer = await client.emitWithAck('ip');
        answered.push(i);
        return answer;
      }),
    );
    assert.deepEqual(
      answered,
      Array.from({ length: 200 }, (_, i) => i),
    );
    assert.deepEqual([...new Set(answers.slice(0, 150))], ['127.0.0.2']);
    for (const { error } of answers.slice(150)) assert.equal(error.code, 'RATE_LIMITED');
    const [mine] = await Promise.all([(await from('127.0.0.3')).emitWithAck('ip')]);
    assert.equal(mine, '127.0.0.3');
    const stats = await (await from('127.0.0.4')).emitWithAck('stats');
    const sum = (key: string) => stats.reduce((total: number, { limited }: any) => total + limited[key], 0);
    assert.equal(sum('events'), 50);
    assert(sum('packetsPerTurn') > 0);
  });
});
