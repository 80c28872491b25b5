// The connection to Redis, without an application.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import { RedisConnection } from '../lib/adapters/redis/connection';
import { Subscriber } from '../lib/adapters/redis/subscriber';
import { type RedisServer, startRedis } from './support/redis';
import { next, until } from './support/wait';

/** In ms: longer than a busy machine delays an answer. */
const HEALTH_TIMEOUT = 900;

/** How long ioredis waits for the end of a connection, in ms. Its types lack the option. */
const FAST = { disconnectTimeout: 50 };

describe('the connection to redis', () => {
  let redis: RedisServer;
  const opened: Array<{ close(): Promise<void> }> = [];

  beforeEach(async () => {
    redis = await startRedis();
  });

  afterEach(async () => {
    redis.resume();
    await Promise.all(opened.splice(0).map((each) => each.close()));
    await redis.stop();
  });

  /** Returns a connection with its log, and the messages on a channel. */
  async function link({ ownsPub = true, ...options }: Settings = {}) {
    const connect = (more: RedisOptions = {}) =>
      new Redis({ host: '127.0.0.1', port: redis.port, ...FAST, ...options, ...more });
    const [pub, sub] = [connect(), connect({ autoResubscribe: false })];
    const log: string[] = [];
    const write = (line: string) => void log.push(line);
    const made = new RedisConnection(
      { pub, sub, ownsPub, name: 'test', password: options.password },
      { coreLogger: { error: write, warn: write, info: write } } as never,
      { key: 'test', healthTimeout: HEALTH_TIMEOUT },
    );
    const heard: string[] = [];
    const subscription = made.subscriber.open();
    subscription.on('messageBuffer', (channel, message) => {
      if (String(channel) === 'channel') heard.push(String(message));
    });
    subscription.subscribe(['channel']);
    await made.settled(5000);
    opened.push(made);
    return { link: made, subscription, pub, sub, log, heard };
  }

  for (const ownsPub of [true, false]) {
    it(`should detect that Redis hangs, queue no messages, and continue afterwards (${ownsPub ? 'own' : 'shared'} client)`, async () => {
      const { link: made, pub, log, heard } = await link({ ownsPub });
      const replaced = ownsPub && next(pub, 'close');
      redis.pause();
      made.publisher.publish('channel', 'on its way');
      await until('it is detected', () => log.length > 0);
      assert.deepEqual(log, [
        `[egg-socket.io] Redis test: no answer for ${HEALTH_TIMEOUT} ms. Broadcasts reach the clients of this worker only, until a new attempt to connect succeeds`,
      ]);
      assert.equal(made.up, false);
      // An own connection is replaced, long before TCP gives up.
      await replaced;
      const before = queued(pub);
      for (let n = 0; n < 1000; n++) made.publisher.publish('channel', 'lost');
      assert.equal(queued(pub), before);

      redis.resume();
      await until('the connection is up', () => made.up);
      assert.equal(
        log[1],
        '[egg-socket.io] Redis test: connected; messages to other workers lost in the meantime: 1000',
      );
      made.publisher.publish('channel', 'after');
      await until('messages arrive', () => heard.includes('after'));
      assert(!heard.includes('lost'));
      if (!ownsPub) await pub.quit();
    });
  }

  it('should not mistake a busy worker for a Redis that hangs', async () => {
    const { link: made, log, heard } = await link();
    made.publisher.publish('channel', 'before');
    const end = Date.now() + 2 * HEALTH_TIMEOUT;
    while (Date.now() < end);
    made.publisher.publish('channel', 'after');
    await until('messages arrive', () => heard.includes('after'));
    assert.deepEqual(heard, ['before', 'after']);
    assert.deepEqual(log, []);
  });

  it('should queue no message in an outage', async () => {
    const { link: made, pub, sub, log } = await link();
    await redis.kill();
    await until('the outage is noticed on both sides', () => !made.publisher.up && !made.subscriber.up);
    for (let n = 0; n < 10_000; n++) made.publisher.publish('channel', Buffer.alloc(1000));
    assert.equal(queued(pub) + queued(sub), 0);
    await redis.start();
    await until('the end of the outage is logged', () => log.at(-1)?.includes('lost in the meantime: '));
    assert.match(log.at(-1)!, /lost in the meantime: 10000$/);
  });

  it('should subscribe and unsubscribe in an outage', async () => {
    const { link: made, subscription } = await link();
    await redis.kill();
    await until('the outage is noticed', () => !made.up);
    subscription.subscribe(['new']);
    subscription.unsubscribe(['channel']);
    subscription.psubscribe('pattern*');
    await redis.start();
    await until('the connection is up', () => made.up);
    assert.deepEqual(await redis.command('PUBSUB', 'CHANNELS', '[^t]*'), ['new']);
    assert.equal(await redis.command('PUBSUB', 'NUMPAT'), 1);
    assert.equal(await made.publisher.count('new'), 1);
  });

  it('should not count the workers if Redis has lost the subscription of this one', async () => {
    const { link: made } = await link();
    assert.equal(await made.count('channel', 5000), 1);
    assert.equal(await made.count('lost', 5000), Number.POSITIVE_INFINITY);
  });

  it('should log once that Redis refuses a command, with its channel, and continue', async () => {
    await redis.command('ACL', 'SETUSER', 'limited', 'on', '>secret', '+@all', 'resetchannels', '&channel', '&test#*');
    const { link: made, log, heard } = await link({ username: 'limited', password: 'secret' });
    for (let n = 0; n < 3; n++) made.publisher.publish('elsewhere', 'a message');
    made.publisher.publish('channel', 'allowed');
    await until('messages arrive', () => heard.includes('allowed'));
    await until('it is logged', () => log.length === 1);
    assert.match(log[0]!, /NOPERM .*: PUBLISH elsewhere\. docs\/en\/redis\.md .* the rights/);
    assert.doesNotMatch(log[0]!, /a message|new attempt/);
  });

  it('should log that Redis refuses channels, and subscribe to them when it does not', async () => {
    const user = [
      'ACL',
      'SETUSER',
      'limited',
      'on',
      '>secret',
      '+@all',
      'resetchannels',
      '&channel',
      '&test#*',
    ] as const;
    await redis.command(...user);
    const { link: made, log, heard } = await link({ username: 'limited', password: 'secret' });
    const subscription = made.subscriber.open();
    subscription.on('messageBuffer', (channel) => heard.push(String(channel)));
    subscription.subscribe(['a', 'b', 'c', 'd', 'e']);
    await until('it is logged', () => log.length === 1);
    assert.match(log[0]!, /NOPERM .*: SUBSCRIBE a b c and 2 others\./);
    assert.equal(made.up, false);
    await redis.command(...user, '&?');
    await until('the connection is up', () => made.up);
    await redis.command('PUBLISH', 'e', 'x');
    await until('messages arrive', () => heard.includes('e'));
    assert.equal(log.filter((line) => /NOPERM/.test(line)).length <= 2, true, `${log}`);
  });

  it('should subscribe to the other channels of one turn if Redis refuses one', async () => {
    const channels = ['&channel', '&more', '&test#*'];
    await redis.command('ACL', 'SETUSER', 'limited', 'on', '>secret', '+@all', 'resetchannels', ...channels);
    const { link: made, log, heard } = await link({ username: 'limited', password: 'secret' });
    const [refused, allowed] = [made.subscriber.open(), made.subscriber.open()];
    allowed.on('messageBuffer', (_channel, message) => heard.push(String(message)));
    refused.subscribe(['elsewhere']);
    allowed.subscribe(['more']);
    await allowed.settled(5000);
    await redis.command('PUBLISH', 'more', 'allowed');
    await until('messages arrive', () => heard.includes('allowed'));
    assert.equal(log.length, 1);
    assert.match(log[0]!, /NOPERM .*: SUBSCRIBE elsewhere more\./);
  });

  it('should log no password', async () => {
    const { sub, log } = await link({ password: 'secret' });
    sub.emit('error', Object.assign(new Error("can't take secret"), { command: { name: 'auth', args: ['secret'] } }));
    assert.equal(log.length, 1);
    assert.match(log[0]!, /Redis test: can't take \*\*\*\./);
  });

  it('should log the code of an error without a message', async () => {
    const { sub, log } = await link();
    // The error of Node for a host with several addresses.
    sub.emit('error', Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }));
    assert.match(log.join(), /Redis test: ECONNREFUSED\./);
  });

  it('should log that Redis has not answered in time', async () => {
    redis.pause();
    const log: string[] = [];
    const connect = () => new Redis({ host: '127.0.0.1', port: redis.port });
    const write = (line: string) => void log.push(line);
    const made = new RedisConnection(
      { pub: connect(), sub: connect(), ownsPub: true, name: 'test' },
      { coreLogger: { error: write, warn: write, info: write } } as never,
      { key: 'test', healthTimeout: 10_000 },
    );
    opened.push(made);
    await made.settled(50);
    assert.match(log.join(), /no answer for 50 ms/);
  });
});

it('a connection to redis should subscribe to a sharded channel of a Cluster once, until its node accepts', async () => {
  const subscribed: string[] = [];
  const refused: string[] = [];
  let refusals = 1;
  const client = Object.assign(new EventEmitter(), {
    status: 'ready',
    isCluster: true,
    async ssubscribe(channel: string) {
      subscribed.push(channel);
      if (refusals-- > 0) throw new Error('CLUSTERDOWN');
    },
    async sunsubscribe(channel: string) {
      subscribed.splice(subscribed.indexOf(channel) >>> 0, 1);
    },
  });
  const log = { failed: (err: Error) => refused.push(err.message), recovered() {} };
  const subscriber = new Subscriber(log as never, 10_000, () => {});
  subscriber.use(client as never);
  subscriber.open().ssubscribe('channel');
  client.emit('subscribersReady');
  await until('the node has accepted', () => subscriber.up);
  // It comes back from a failure, say.
  refusals = 1;
  await subscriber.restore();
  subscriber.reset();
  await until('the node has accepted', () => subscriber.up);
  assert.deepEqual(refused, ['CLUSTERDOWN', 'CLUSTERDOWN']);
  assert.deepEqual(subscribed, ['channel']);
});

type Settings = RedisOptions & { ownsPub?: boolean };

/** The commands that ioredis has queued. */
function queued(client: Redis): number {
  const { commandQueue, offlineQueue } = client as unknown as Record<string, { length: number }>;
  return commandQueue!.length + offlineQueue!.length;
}
