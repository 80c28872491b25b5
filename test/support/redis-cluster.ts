// A Redis Cluster for tests: masters that share the slots. All ports are free ones, including those of the cluster bus.
import type { RedisConfig } from '../../lib/config/config';
import { freePort } from './port';
import { RedisServer, type RedisSettings } from './redis';
import { until } from './wait';

const SLOTS = 16_384;

/** Starts a Cluster. The caller stops it. */
export async function startRedisCluster(size = 3, settings: RedisSettings = {}): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  for (let n = 0; n < size; n++) {
    nodes.push(
      new RedisServer(await freePort(), {
        'cluster-enabled': 'yes',
        'cluster-port': `${await freePort()}`,
        'cluster-announce-ip': '127.0.0.1',
        'cluster-node-timeout': '1000',
        // The slots of the other nodes are served while a node is down.
        'cluster-require-full-coverage': 'no',
        ...settings,
      }),
    );
  }
  const cluster = new RedisCluster(nodes);
  await Promise.all(nodes.map((node) => node.start()));
  for (const [n, node] of nodes.entries()) {
    const [first, last] = [n, n + 1].map((part) => Math.ceil((part * SLOTS) / size));
    await node.command('CLUSTER', 'ADDSLOTSRANGE', `${first}`, `${last! - 1}`);
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', `${n + 1}`);
  }
  const [first, ...others] = nodes as [RedisServer, ...RedisServer[]];
  // On a busy machine a handshake may take longer than its timeout, which is that of the nodes: then Redis forgets it.
  await until('the nodes know each other', async () => {
    for (const node of others) {
      await node.command('CLUSTER', 'MEET', '127.0.0.1', `${first.port}`, first.settings['cluster-port']!);
    }
    return (await cluster.isComplete(first)) && (await cluster.isComplete(others.at(-1) ?? first));
  });
  await cluster.ready();
  return cluster;
}

export class RedisCluster {
  constructor(readonly nodes: RedisServer[]) {}

  /** `config.io.redis`, with one node: clients discover the others. */
  get config(): RedisConfig {
    const [{ port, settings }] = this.nodes as [RedisServer];
    return { cluster: true, nodes: [{ host: '127.0.0.1', port, password: settings.requirepass }] };
  }

  /** Waits until each node has seen all others. */
  async ready(): Promise<void> {
    for (const node of this.nodes) {
      await until('the cluster is up', async () => {
        return (await this.isComplete(node)) && /cluster_state:ok/.test(await node.command('CLUSTER', 'INFO'));
      });
    }
  }

  /** Whether a node is connected to all others. */
  async isComplete(node: RedisServer): Promise<boolean> {
    const known = String(await node.command('CLUSTER', 'NODES'))
      .trim()
      .split('\n');
    const up = known.filter((line) => / connected \d/.test(line) && !/fail|handshake/.test(line));
    return up.length === this.nodes.length;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}
