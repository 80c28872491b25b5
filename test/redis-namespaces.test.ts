// Many namespaces on one worker with Redis: what they cost when one client asks for all of them, and what a message costs.
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Redis } from 'ioredis';
import { WebSocket } from 'ws';
import type { AdapterName } from '../lib';
import { ChildNamespaces } from '../lib/namespaces/child-namespaces';
import { mm, type Running } from './support/app';
import { startInline } from './support/inline';
import { type RedisServer, startRedis } from './support/redis';
import { next, until } from './support/wait';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const FEW = 500;
const MANY = 8 * FEW;
/** How many times as much CPU time eight times as many namespaces may take. If each waited for all others, it would be 64 times. */
const LINEAR = 24;
/** In bytes: of one namespace, so that 10,000 take less than 150 MB, and of all that are removed. */
const EACH = 15_000;
const ALL_REMOVED = 10_000_000;
/** How many times as much CPU time a message may take if there are many namespaces. If each looked at it, it would be about a hundred. */
const SAME = 20;
const MESSAGES = 1000;

/** Publish a message to the adapter of `/` that it reads and ignores. */
const PUBLISH: Array<[AdapterName, (client: Redis) => unknown]> = [
  ['redis', (client) => client.publish('socket.io-request#/#', '{"type":99}')],
  ['redis-sharded', (client) => client.spublish('socket.io#/#', '{"uid":"x","nsp":"/","type":99}')],
  // An empty object of MessagePack.
  ['redis-streams', (client) => client.publish('socket.io#/#', Buffer.from([0x80]))],
];

for (const [adapter, publish] of PUBLISH) {
  describe(`${adapter} and many namespaces`, function () {
    this.timeout(300_000);
    let redis: RedisServer;
    let worker: Running;

    before(async () => {
      mm(ChildNamespaces, 'idleTimeout', 1);
      redis = await startRedis();
      worker = await startInline({
        config: { logger: { level: 'NONE', consoleLevel: 'NONE', coreLogger: { consoleLevel: 'NONE' } } },
        io: {
          adapter,
          redis: redis.config,
          maxNamespaces: Number.POSITIVE_INFINITY,
          limits: { namespaces: false },
          namespace: { '/': {}, '/room/:id': {} },
        },
        router: (app) => app.io.route('echo', (ctx) => ctx.args[0]()),
      });
      await worker.connect();
    });
    after(async () => {
      await worker.close();
      await redis.stop();
    });

    it('should create them in linear time, answer other clients meanwhile, and release them', async () => {
      const empty = await settledHeap();
      await create(FEW);
      const few = await create(FEW);
      const many = await create(MANY);
      assert(many.cpu < LINEAR * few.cpu, `${MANY} namespaces: ${many.cpu} µs, ${FEW}: ${few.cpu} µs`);
      assert(many.answered > 0, 'another client was answered before all namespaces were created');
      assert(many.heap - empty < EACH * MANY, `${many.heap - empty} bytes`);
      const left = (await settledHeap()) - empty;
      assert(left < ALL_REMOVED, `${left} bytes`);
    });

    it('should handle a message in the same time as with few', async () => {
      const client = await redis.connect();
      const flood = async () => {
        const before = process.cpuUsage();
        const pipeline = client.pipeline();
        for (let n = 0; n < MESSAGES; n++) publish(pipeline as unknown as Redis);
        await pipeline.exec();
        // Redis has sent them before it confirms the channels of a new namespace.
        (await worker.connect(`/room/after-${Math.random()}`)).disconnect();
        return cpuSince(before);
      };
      const cheapest = async () => Math.min(await flood(), await flood(), await flood());
      await cheapest();
      const few = await cheapest();
      const { many } = await create(MANY, async () => ({ many: await cheapest() }));
      client.disconnect();
      assert(many < SAME * few, `with ${MANY} namespaces: ${many} µs, without: ${few} µs`);
    });

    /** Has one client ask for that many namespaces at once. Afterwards the client disconnects, and its namespaces are removed. */
    async function create<T>(count: number, meanwhile?: () => Promise<T>): Promise<Created & T> {
      const other = await worker.connect();
      const client = new WebSocket(`${worker.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      await next(client, 'message');
      let admitted = 0;
      let answered = 0;
      let heap = 0;
      const ask = () => {
        other.emit('echo', () => {
          if (admitted === 0 || admitted === count) return;
          answered++;
          if (answered < 5) heap = Math.max(heap, liveHeap());
          ask();
        });
      };
      client.on('message', (data) => {
        if (String(data) === '2') client.send('3');
        if (!String(data).startsWith('40/room/')) return;
        if (++admitted === 1) ask();
      });
      const before = process.cpuUsage();
      for (let n = 0; n < count; n++) client.send(`40/room/${n},`);
      await until('the client is in all namespaces', () => admitted === count, 200_000);
      const cpu = cpuSince(before);
      heap = Math.max(heap, liveHeap());
      const rest = (await meanwhile?.()) as T;
      client.close();
      other.disconnect();
      await until('the namespaces are removed', () => worker.app.io._nsps.size < 3, 200_000);
      await until('Redis has no channels of rooms', async () => (await channels()) === 0);
      return { cpu, heap, answered, ...rest };
    }

    /** How many channels and patterns of rooms Redis has. */
    async function channels(): Promise<number> {
      const names: string[] = [
        ...(await redis.command('PUBSUB', 'CHANNELS', '*/room/*')),
        ...(await redis.command('PUBSUB', 'SHARDCHANNELS', '*/room/*')),
      ];
      // The adapter 'redis' has one pattern for each namespace: that of `/` stays.
      return names.length + Math.max(0, (await redis.command('PUBSUB', 'NUMPAT')) - 1);
    }
  });
}

interface Created {
  /** CPU time in µs. */
  cpu: number;
  /** The largest size of the live heap, in bytes. */
  heap: number;
  /** How many questions of another client were answered while the namespaces were created. */
  answered: number;
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function liveHeap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

async function settledHeap(): Promise<number> {
  // A collection frees objects that finalizers of the previous one have released.
  for (let n = 0; n < 4; n++) {
    collect();
    await new Promise(setImmediate);
  }
  return process.memoryUsage().heapUsed;
}
