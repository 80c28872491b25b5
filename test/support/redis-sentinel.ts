// A Redis with Sentinel for tests: a master, a replica and one Sentinel that suffices to fail over.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RedisConfig } from '../../lib/config/config';
import { freePort } from './port';
import { RedisServer, startRedis } from './redis';
import { until } from './wait';

const NAME = 'mymaster';

/** Starts a master, a replica and a Sentinel, which knows both. The caller stops them. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const master = await startRedis({ 'repl-diskless-sync-delay': '0' });
  const replica = await startRedis({ replicaof: `127.0.0.1 ${master.port}` });
  // At the next look Sentinel would find it, 10 s later.
  await until('the replica is online', async () => {
    return /state=online/.test(await master.command('INFO', 'replication'));
  });
  const sentinel = new SentinelServer(await freePort(), master.port);
  await sentinel.start();
  await until('Sentinel knows the replica', async () => {
    const replicas: string[][] = await sentinel.command('SENTINEL', 'replicas', NAME);
    return replicas.some((fields) => fields.includes('ok') && !fields.join().includes('disconnected'));
  });
  return new RedisSentinel(master, replica, sentinel);
}

export class RedisSentinel {
  constructor(
    readonly master: RedisServer,
    readonly replica: RedisServer,
    readonly sentinel: RedisServer,
  ) {}

  /** `config.io.redis` */
  get config(): RedisConfig {
    return { sentinels: [{ host: '127.0.0.1', port: this.sentinel.port }], name: NAME };
  }

  /** Waits until Sentinel has made the replica the master. */
  async failedOver(): Promise<void> {
    await until('Sentinel has failed over', async () => {
      const [, port] = await this.sentinel.command('SENTINEL', 'get-master-addr-by-name', NAME);
      return Number(port) === this.replica.port;
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.sentinel, this.master, this.replica].map((server) => server.stop()));
  }
}

/** Sentinel is redis-server with a file that it writes its state to. */
class SentinelServer extends RedisServer {
  constructor(port: number, masterPort: number) {
    super(port);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 1`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 5000`,
    ];
    writeFileSync(path.join(this.directory, 'sentinel.conf'), lines.join('\n'));
  }

  protected override get arguments(): string[] {
    return [path.join(this.directory, 'sentinel.conf'), '--sentinel'];
  }

  protected override readonly banner = 'Sentinel ID is';
}
