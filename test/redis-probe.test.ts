// The channels of the probe in a Redis Cluster.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { Probe } from '../lib/adapters/redis/probe';
import { startRedisCluster } from './support/redis-cluster';

const SLOTS = 16_384;

it('the probe should have a channel beside each sharded channel of a Cluster, and no others', async () => {
  const redis = await startRedisCluster(1);
  const sharded = new Set<string>();
  const subscriber = {
    isCluster: true,
    sharded,
    open: () => ({
      on() {},
      ssubscribe: (channel: string) => sharded.add(channel),
      sunsubscribe: (channel: string) => sharded.delete(channel),
    }),
  };
  const publisher = { probe: () => delay(0) };
  const watched = { isConnected: () => true, failed() {}, recovered() {} };
  const options = { key: 'k', healthTimeout: 10_000, sharded: true };
  const probe = new Probe(publisher as never, subscriber as never, options, watched);
  const slotOf = async (channel: string): Promise<number> => redis.nodes[0]!.command('CLUSTER', 'KEYSLOT', channel);
  const partsOf = async (channels: string[]) => {
    const slots = await Promise.all(channels.map(slotOf));
    return [...new Set(slots.map((slot) => Math.floor(slot / (SLOTS / 32))))].sort((a, b) => a - b);
  };
  const channels = [
    'k#/#',
    'k#/chat#',
    'k#/{tag}#',
    'k#/{}#{x}',
    'k#/}{#',
    ...Array.from({ length: 20 }, (_, n) => `k#/${n}#`),
  ];
  try {
    for (const used of [channels.slice(0, 1), channels, channels.slice(1, 3)]) {
      for (const channel of channels) sharded.delete(channel);
      for (const channel of used) sharded.add(channel);
      probe.send();
      const own = [...sharded].filter((channel) => channel.startsWith('k#health#'));
      assert.deepEqual(await partsOf(own), await partsOf(used));
      assert.equal(own.length, (await partsOf(own)).length);
    }
  } finally {
    probe.stop();
    await redis.stop();
  }
});
