// A worker loads only the modules that its configuration requires.
import assert from 'node:assert/strict';
import path from 'node:path';
import { connected, track } from './support/app';
import { startCluster } from './support/cluster';

const LIB = path.resolve(__dirname, '../lib');

describe('the modules of a worker', () => {
  /** Starts an application without configuration. Returns the modules in lib/adapters and lib/workers that a worker has loaded. */
  async function loadedModules(workers: number): Promise<string[]> {
    const cluster = await startCluster('forwarding', { workers });
    try {
      const client = await connected(track(cluster.url));
      const files: string[] = await client.emitWithAck('modules');
      assert(files.some((file) => /node_modules\/socket\.io\//.test(file)));
      assert.deepEqual(
        files.filter((file) => /node_modules\/(ioredis|@socket\.io\/redis-|rate-limiter-flexible)/.test(file)),
        [],
      );
      const own = files.filter((file) => file.startsWith(LIB)).map((file) => path.relative(LIB, file));
      return own.filter((file) => /^(adapters|workers)\//.test(file)).map((file) => file.replace(/\.[jt]s$/, ''));
    } finally {
      await cluster.close();
    }
  }

  // Agent messages are encoded as frames, with several workers and with one.
  const FORWARDING = ['connection-limit', 'forwarding', 'internal-server', 'proxy'].map((name) => `workers/${name}`);
  const ALWAYS = [
    'adapters/frame',
    'adapters/memory-adapter',
    'adapters/select',
    'workers/run-directory',
    'workers/workers',
  ];

  it('should not include those of Redis, links and forwarding with one worker', async () => {
    assert.deepEqual((await loadedModules(1)).sort(), ALWAYS);
  });

  it('should not include those of Redis with several workers', async () => {
    const several = ['link', 'links', 'links-adapter', 'sendable'].map((name) => `adapters/${name}`);
    assert.deepEqual((await loadedModules(2)).sort(), [...ALWAYS, ...several, ...FORWARDING].sort());
  });
});
