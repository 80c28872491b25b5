// config.io.adapter 'redis-sharded': the sharded channels of Redis 7, on one server and in a Redis Cluster.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import type { IoConfig } from '../lib';
import { logs, type Running } from './support/app';
import { flows, inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { type RedisCluster, startRedisCluster } from './support/redis-cluster';
import { sharesRooms, waitsForSubscription, whileSlow } from './support/redis-suite';
import { DEADLINE, next, until } from './support/wait';

const adapter = 'redis-sharded';

function startSharded(redis: IoConfig['redis'], io: IoConfig = {}, boot?: (app: Application) => void) {
  const namespace = { '/': {}, '/chat': {}, '/early': {} };
  return startWorker(redis, { io: { namespace, adapter, ...io }, boot });
}

describe('redis-sharded', () => {
  let redis: RedisServer;
  let [a, b]: Running[] = [];

  before(async () => {
    redis = await startRedis({ requirepass: 'secret' });
    a = await startSharded(redis.config);
    b = await startSharded(redis.config);
  });
  after(async () => {
    await a?.close();
    await b?.close();
    await redis.stop();
  });

  sharesRooms(() => [a!, b!]);
  waitsForSubscription(() => [a!, b!], 'ssubscribe');

  it('should have a channel for each room if subscriptionMode is dynamic, subscribed before a socket has joined it', async () => {
    const config = { ...redis.config, subscriptionMode: 'dynamic', key: 'dynamic' } as const;
    const [c, d] = [await startSharded(config), await startSharded(config)];
    for (let n = 0; n < 20; n++) {
      const client = await inRoom(c, `room-${n}`);
      const heard = next(client, 'hello');
      d.app.io.to(`room-${n}`).emit('hello');
      await heard;
    }
    await whileSlow('ssubscribe', async () => {
      const heard = next(await inRoom(c, 'slow'), 'hello');
      d.app.io.to('slow').emit('hello');
      await heard;
    });
    const channels: string[] = await redis.command('PUBSUB', 'SHARDCHANNELS', 'dynamic*room-*');
    assert.equal(channels.length, 20);
    assert(channels.includes('dynamic#/#room-7#'));
  });

  it('should reach a room whose channel is also that of another namespace', async () => {
    const config = { ...redis.config, subscriptionMode: 'dynamic', key: 'shared' } as const;
    const namespace = { '/': {}, '/room/:id': { connectionMiddleware: [] } };
    const init = { cleanupEmptyChildNamespaces: true };
    const [c, d] = [await startSharded(config, { namespace, init }), await startSharded(config, { namespace, init })];
    const client = await c.connect('/room/1');
    await c.app.io.of('/room/1').sockets.get(client.id!)!.join('vip');
    const hello = async () => {
      const heard = next(client, 'hello');
      d.app.io.of('/room/1').to('vip').emit('hello');
      await heard;
    };
    await hello();
    // In a URL the client would change the name.
    const other = (await c.connect('/', { multiplex: true })).io.socket('/room/1#vip');
    const stray: string[] = [];
    other.onAny((event) => stray.push(event));
    await next(other, 'connect');
    await hello();
    c.app.io.of('/room/1#vip').adapter.close();
    await hello();
    assert.deepEqual(stray, []);
  });

  it('should reach a socket by its id if the application generates the ids', async () => {
    let made = 0;
    const generateId = () => `client-${process.pid}-${made++}`;
    const config = { ...redis.config, subscriptionMode: 'dynamic', key: 'ids' } as const;
    const [c, d] = [await startSharded(config, { generateId }), await startSharded(config, { generateId })];
    for (const nsp of ['/', '/chat']) {
      const client = await c.connect(nsp);
      assert.match(client.id!, /client-/);
      const heard = next(client, 'hello');
      d.app.io.of(nsp).to(client.id!).emit('hello');
      await heard;
    }
  });

  it('should log and ignore a message that no adapter has sent', async () => {
    const client = await a!.connect();
    const heard = next(client, 'after');
    const { warn } = logs(a!.app);
    const uid = (a!.app.io.sockets.adapter as unknown as { uid: string }).uid;

    const garbage = [
      'garbage',
      '{',
      '{"type":3}',
      'null',
      Buffer.from([0xc0]),
      Buffer.from([0xdd, 255, 255, 255, 255]),
    ];
    const forged = [3, 4, 5, 6, 7, 9].map((type) => JSON.stringify({ uid: 'x', nsp: '/', type, data: null }));
    for (const message of [...garbage, ...forged]) {
      await redis.command('SPUBLISH', 'socket.io#/#', message);
      await redis.command('SPUBLISH', `socket.io#/#${uid}#`, message);
    }
    b!.app.io.emit('after');

    await heard;
    assert(warn.length > 0);
    for (const line of warn) assert.match(line, /a message on the adapter's channels was ignored: /);
  });

  it('should log a response that cannot be encoded, and send the next one', async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    a!.app.io.on('answer with', (index: number, answer: (value: unknown) => void) =>
      answer([circular, 'sound'][index]),
    );
    const { warn } = logs(a!.app);
    const unanswered = b!.app.io.serverSideEmitWithAck('answer with', 0);
    const rejected = assert.rejects(unanswered, /timeout reached: only 0 responses received out of 1/);
    await until('it is logged', () => warn.length === 1);
    assert.match(warn[0], /the response to another worker cannot be encoded: Maximum call stack/);
    assert.deepEqual(await b!.app.io.serverSideEmitWithAck('answer with', 1), ['sound']);
    await rejected;
  });

  it('should log what the callback of serverSideEmit throws', async () => {
    const alone = await startSharded({ ...redis.config, key: 'alone' });
    const { error } = logs(alone.app);
    const bug = new Error('a bug');
    alone.app.io.serverSideEmit('nobody', () => {
      throw bug;
    });
    await until('it is logged', () => error.length > 0);
    assert.deepEqual(error, [bug]);
  });

  it('should wait for other workers for requestsTimeout ms', async () => {
    const c = await startSharded({ ...redis.config, requestsTimeout: 100, key: 'timeout' });
    const blackHole = 'socket.io#/#'.replace('socket.io', 'timeout');
    const mute = await redis.connect();
    await mute.ssubscribe(blackHole);
    await assert.rejects(c.app.io.fetchSockets(), /timeout reached: only 0 responses received out of 1/);
    mute.disconnect();
  });

  it('should let a socket join while Redis hangs', async () => {
    const server = await startRedis();
    const worker = await startSharded({ ...server.config, subscriptionMode: 'dynamic', requestsTimeout: 300 });
    const client = await worker.connect();
    server.pause();
    try {
      await client.timeout(DEADLINE).emitWithAck('join', 'room');
    } finally {
      server.resume();
    }
    await worker.close();
    await server.stop();
  });

  it('should separate applications with different keys', async () => {
    const other = await startSharded({ ...redis.config, key: 'other' });
    const client = await a!.connect();
    const stray: string[] = [];
    client.onAny((event) => stray.push(event));
    const end = next(client, 'end');
    other.app.io.emit('stray');
    await other.app.io.fetchSockets();
    b!.app.io.emit('end');
    await end;
    assert.deepEqual(stray, ['end']);
  });

  it('should leave no connection and no channel when the application is closed', async () => {
    const before = redis.clients().length;
    const worker = await startSharded({ ...redis.config, key: 'gone' });
    await inRoom(worker, 'room');
    assert.equal(redis.clients().length, before + 2);
    await worker.close();
    assert.equal(redis.clients().length, before);
    assert.deepEqual(await redis.command('PUBSUB', 'SHARDCHANNELS', 'gone*'), []);
  });
});

describe('redis-sharded on a server that does not support it', () => {
  let redis: RedisServer;
  const wild: unknown[] = [];
  const catchWild = (err: unknown) => wild.push(err);

  beforeEach(() => {
    wild.length = 0;
    process.on('unhandledRejection', catchWild);
  });
  afterEach(async () => {
    process.off('unhandledRejection', catchWild);
    await redis.stop();
    assert.deepEqual(wild, []);
  });

  /** Returns the errors that are logged at boot and at a broadcast. */
  async function errors(): Promise<string[]> {
    let log = { error: [] as string[] };
    const { app, connect } = await startSharded(redis.config, {}, (app) => {
      log = logs(app);
    });
    const client = await connect();
    const heard = next(client, 'hello');
    app.io.emit('hello');
    await heard;
    await assert.rejects(app.io.fetchSockets(), /is not connected/);
    return log.error;
  }

  it('should log that Redis is too old, and serve its own clients', async () => {
    // Answers as a server before 7.0.
    redis = await startRedis({}, ['--rename-command', 'SSUBSCRIBE', '']);
    const [line, ...others] = await errors();
    assert.match(
      line!,
      /Redis 127.0.0.1:\d+: ERR unknown command 'ssubscribe': config\.io\.adapter 'redis-sharded' needs Redis 7\.0 or later/,
    );
    assert.deepEqual(others, []);
  });

  it('should log that Redis is a node of a Cluster if the configuration does not say so', async () => {
    const { nodes } = await startRedisCluster();
    try {
      redis = nodes[0]!;
      const lines = await errors();
      assert(
        lines.some((line) => /a node of a Redis Cluster: set config\.io\.redis\.cluster = true/.test(line)),
        `${lines}`,
      );
    } finally {
      await Promise.all(nodes.slice(1).map((node) => node.stop()));
    }
  });
});

for (const subscriptionMode of ['static', 'dynamic'] as const) {
  describe(`redis-sharded in a Redis Cluster, subscriptionMode '${subscriptionMode}'`, () => {
    let redis: RedisCluster;
    let [a, b]: Running[] = [];
    const rooms = Array.from({ length: 12 }, (_, n) => `room-${n}`);

    before(async () => {
      redis = await startRedisCluster(3, { requirepass: 'secret', masterauth: 'secret' });
      const config = { ...redis.config, subscriptionMode };
      a = await startSharded(config);
      b = await startSharded(config);
    });
    after(async () => {
      await a?.close();
      await b?.close();
      await redis.stop();
    });

    /** Returns a function that waits until broadcasts of one worker to rooms reach a client of the other in all rooms. */
    async function inAll(from: Running, to: Running) {
      const client = await to.connect();
      for (const room of rooms) await client.emitWithAck('join', room);
      const heard = new Set<string>();
      client.on('room', (room) => heard.add(room));
      return async (these = rooms) => {
        heard.clear();
        await until('the rooms are reached', () => {
          for (const room of rooms) from.app.io.to(room).emit('room', room);
          return these.every((room) => heard.has(room));
        });
      };
    }

    if (subscriptionMode === 'static') {
      sharesRooms(() => [a!, b!]);
    } else {
      it('should spread rooms over the nodes', async () => {
        const reached = await inAll(a!, b!);
        await reached();
        for (const node of redis.nodes) {
          const channels: string[] = await node.command('PUBSUB', 'SHARDCHANNELS', '*room-*');
          assert(channels.length > 0 && channels.length < rooms.length, `${channels}`);
        }
      });
    }

    it('should use the channels of the other nodes while one is down, and all channels afterwards', async () => {
      const { error } = logs(a!.app);
      const reached = await inAll(a!, b!);
      // A node without the channel of the namespace.
      let away: RedisServer | undefined;
      let lost: string[] = [];
      for (const node of redis.nodes) {
        const channels: string[] = await node.command('PUBSUB', 'SHARDCHANNELS', '*');
        if (channels.includes('socket.io#/#')) continue;
        away = node;
        lost = rooms.filter((room) => channels.includes(`socket.io#/#${room}#`));
      }
      await away!.kill();
      await reached(rooms.filter((room) => !lost.includes(room)));
      const heard = next(await b!.connect(), 'hello');
      a!.app.io.emit('hello');
      await heard;
      if (subscriptionMode === 'dynamic') await until('it is logged', () => error.length > 0);
      await away!.start();
      await redis.ready();
      await reached();
      assert(error.length <= 6, `${error}`);
      await flows(b!, a!);
    });

    it('should survive an outage of the whole Cluster', async () => {
      await Promise.all(redis.nodes.map((node) => node.kill()));
      const asks = () => a!.app.io.fetchSockets().then(Boolean, () => false);
      await until('the outage is noticed', async () => {
        a!.app.io.emit('x');
        return !(await asks());
      });
      const heard = next(await a!.connect(), 'own');
      a!.app.io.emit('own');
      await heard;
      await Promise.all(redis.nodes.map((node) => node.start()));
      await redis.ready();
      await flows(a!, b!);
      await flows(b!, a!);
      await until('the others can be asked', asks);
      await (await inAll(a!, b!))();
    });
  });
}
