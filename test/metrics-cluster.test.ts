// The metrics of several workers, each on a port of its own, as docs/en/observability.md shows.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Socket } from 'socket.io-client';
import { connected, fixture, ROOT, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { type Family, parse } from './support/exposition';
import { freePort } from './support/port';
import { until } from './support/wait';

/** How many ports the application tries. */
const PORTS = 16;

/** Returns the first of `PORTS` ports in a row. None of them is the agent's, which ends at an HTTP request. */
async function freeRange(): Promise<number> {
  let first = await freePort();
  let last = first;
  while (last < first + PORTS - 1) {
    const port = await freePort();
    if (port !== last + 1) first = port;
    last = port;
  }
  return first;
}

describe('the metrics of several workers', () => {
  let cluster: Cluster;
  let firstPort: number;

  before(async () => {
    firstPort = await freeRange();
    cluster = await startCluster('metrics', { workers: 2 }, { METRICS_PORT: String(firstPort) });
  });

  after(() => cluster.close());

  /** Returns the metrics of each worker that listens on one of the ports, by port. */
  async function scrape(): Promise<Map<number, Map<string, Family>>> {
    const found = new Map<number, Map<string, Family>>();
    await Promise.all(
      Array.from({ length: PORTS }, async (_, i) => {
        const response = await fetch(`http://127.0.0.1:${firstPort + i}/`).catch(() => undefined);
        if (response?.headers.get('content-type')?.startsWith('text/plain; version=0.0.4') !== true) return;
        found.set(firstPort + i, parse(await response.text()));
      }),
    );
    return found;
  }

  /** Returns the sum of a metric over its series, of one worker or of several. */
  function sum(workers: Iterable<Map<string, Family>>, name: string): number {
    const samples = [...workers].flatMap((families) => families.get(name)?.samples ?? []);
    return samples.reduce((total, { name: each, value }) => (/_(bucket|sum)$/.test(each) ? total : total + value), 0);
  }

  async function bothWorkers() {
    let workers = await scrape();
    const scraped = async () => {
      workers = await scrape();
      return workers.size === 2;
    };
    await until('each worker has a port', scraped);
    return workers;
  }

  it('should be complete, each connection once, with forwarded requests and messages of the adapter', async () => {
    await bothWorkers();
    const clients: Socket[] = [];
    const pids = new Set<number>();
    for (let i = 0; i < 40 || pids.size < 2; i++) {
      // Long-polling on connections of its own: some of the requests reach the other worker.
      const options = { transports: ['polling'], agent: false as never };
      const client = await connected(track(cluster.url, options));
      clients.push(client);
      pids.add(await client.emitWithAck('worker'));
    }
    await clients[0]?.emitWithAck('broadcast');
    await until('the broadcast is received by the other worker', async () => {
      return sum((await scrape()).values(), 'socketio_server_adapter_messages_received_total') > 0;
    });
    const workers = await bothWorkers();
    const all = [...workers.values()];
    assert.equal(sum(all, 'socketio_server_active_connections'), clients.length);
    assert.equal(sum(all, 'socketio_server_sockets'), clients.length);
    assert.equal(sum(all, 'rpc_server_call_duration_seconds'), clients.length + 1);
    for (const worker of all) {
      assert(sum([worker], 'socketio_server_active_connections') > 0);
      assert.equal(sum([worker], 'socketio_server_links_up'), 1);
      assert.equal(sum([worker], 'socketio_server_links_expected'), 1);
      assert.equal(sum([worker], 'socketio_server_adapter_up'), 1);
      assert.equal(sum([worker], 'socketio_server_adapter_messages_lost_total'), 0);
    }
    assert.equal(sum(all, 'socketio_server_adapter_messages_sent_total'), 1);
    assert(sum(all, 'socketio_server_forwarded_total') > 0);
    for (const client of clients) client.disconnect();
    await until('all have disconnected', async () => {
      return sum((await scrape()).values(), 'socketio_server_active_connections') === 0;
    });
  });

  it('should be on the port of a worker that has died, when the master has replaced it', async () => {
    const ports = [...(await bothWorkers()).keys()];
    const client = await connected(track(cluster.url));
    const pid: number = await client.emitWithAck('worker');
    process.kill(pid, 'SIGKILL');
    await until('a port is released', async () => (await scrape()).size < 2);
    assert.deepEqual([...(await bothWorkers()).keys()].sort(), ports.sort());
  });

  it('should be shown by the documentation as they are tested', () => {
    const page = readFileSync(path.join(ROOT, 'docs/en/observability.md'), 'utf8');
    // eslint-config-egg, which the samples follow, has no parentheses around a single parameter.
    const code = readFileSync(path.join(fixture('metrics'), 'app.js'), 'utf8').replace(/\((\w+)\) =>/g, '$1 =>');
    assert(page.includes(`\`\`\`js\n${code}\`\`\``));
  });
});
