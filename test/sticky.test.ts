// Several workers with --sticky.
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { connected, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { next } from './support/wait';

describe('--sticky with 2 workers', () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster('cluster', { workers: 2, sticky: true });
  });

  after(() => cluster?.close());

  // Egg selects the worker by the client's address: each client has an address of its own.
  const addresses = Array.from({ length: 12 }, (_, i) => `127.0.0.${i + 1}`);

  for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
    it(`should connect clients and acknowledge their events: ${transports.join(', then ')}`, async () => {
      const workers = new Set<number>();
      await Promise.all(
        addresses.map(async (localAddress, i) => {
          const agent = new Agent({ localAddress }) as never;
          const nsp = i % 2 === 0 ? '/' : '/chat';
          const client = await connected(track(cluster.url + nsp, { transports, agent }));
          if (transports.length > 1 && client.io.engine.transport.name === 'polling') {
            await next(client.io.engine as never, 'upgrade');
          }
          assert.equal(client.io.engine.transport.name, transports.at(-1));
          const first = await client.emitWithAck('pid');
          for (let n = 0; n < 5; n++) assert.equal(await client.emitWithAck('pid'), first);
          workers.add(first);
        }),
      );
      assert.equal(workers.size, 2);
    });
  }
});
