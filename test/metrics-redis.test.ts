// The messages that adapters of Redis count: app.io.stats().adapter, and metrics of it.
import assert from 'node:assert/strict';
import type { AdapterName } from '../lib';
import { logs, type Running } from './support/app';
import { parse } from './support/exposition';
import { flows, type RedisServer, startRedis, startWorker } from './support/redis';
import { until } from './support/wait';

describe('the messages of an adapter', () => {
  let redis: RedisServer;

  before(async () => {
    redis = await startRedis();
  });

  after(() => redis.stop());

  const adapterOf = ({ app }: Running) => app.io.stats().adapter;

  for (const adapter of ['redis', 'redis-sharded', 'redis-streams'] as AdapterName[]) {
    it(`should be counted as sent, received and lost: ${adapter}`, async () => {
      const options = { io: { adapter, metrics: true } };
      const a = await startWorker({ ...redis.config, key: adapter }, options);
      const b = await startWorker({ ...redis.config, key: adapter }, options);
      for (const { app } of [a, b]) logs(app);
      await flows(a, b);
      const before = [adapterOf(a), adapterOf(b)] as const;
      for (let n = 0; n < 10; n++) a.app.io.emit('news', n);
      await until('the messages are received', () => adapterOf(b).received >= before[1].received + 10);
      assert.equal(adapterOf(a).sent, before[0].sent + 10);
      assert.equal(adapterOf(a).lost, 0);
      assert.equal(adapterOf(b).sent, before[1].sent);

      await redis.kill();
      await until('the adapter is down', () => !adapterOf(a).up);
      // It has two connections, and the one that sends may be lost later.
      await until('messages are lost', () => {
        a.app.io.emit('news', 0);
        return adapterOf(a).lost > 0;
      });
      const { sent, lost } = adapterOf(a);
      for (let n = 0; n < 5; n++) a.app.io.emit('news', n);
      assert.equal(adapterOf(a).sent, sent + 5);
      assert.equal(adapterOf(a).lost, lost + 5);
      const families = parse(await a.app.io.metrics());
      const readingOf = (name: string) =>
        families.get(name)?.samples.map(({ labels, value }) => [labels.socketio_adapter, value]);
      assert.deepEqual(readingOf('socketio_server_adapter_up'), [[adapter, 0]]);
      assert.deepEqual(readingOf('socketio_server_adapter_messages_lost_total'), [[adapter, lost + 5]]);
      await redis.start();
      await until('the adapter is up', () => adapterOf(a).up);
      assert.equal(adapterOf(a).lost, lost + 5);
    });
  }
});
