// app.io.of(name).presence(topic) in one worker: tracking, states and diffs, and the end of sockets.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { PresenceEntries } from '../lib';
import { logs, mm, type Running, refused } from './support/app';
import { bootError, startInline } from './support/inline';
import { comeBack, cut } from './support/recovery';
import { next, times, until } from './support/wait';

type Message = { topic: string; state: PresenceEntries; joins: PresenceEntries; leaves: PresenceEntries };

/** Routes whose arguments are a topic, a key and a meta. */
function routes(app: Running['app'], nsp: string): void {
  const route = (event: string, handler: (ctx: Context, ...args: any[]) => unknown) =>
    app.io.of(nsp).route(event, async (ctx) => {
      const answer = ctx.args.pop();
      try {
        answer(await handler(ctx, ...ctx.args));
      } catch (err) {
        answer(String(err));
      }
    });
  const here = (topic: string) => app.io.of(nsp).presence(topic);
  route('track', (ctx, topic, key, meta) => here(topic).track(ctx, key, meta));
  route('update', (ctx, topic, meta) => here(topic).update(ctx, meta));
  route('untrack', (ctx, topic) => here(topic).untrack(ctx));
}

/** Returns the metas of entries, without their references. */
const metas = (entries: PresenceEntries) =>
  Object.fromEntries(Object.entries(entries).map(([key, all]) => [key, all.map(({ meta }) => meta)]));

describe('presence', () => {
  let running: Running;

  before(async () => {
    running = await startInline({
      io: {
        user: (ctx: Context) => ctx.query.user,
        presence: { interval: 20 },
        namespace: { '/in': { connectionMiddleware: ['a'] } },
      },
      middleware: {
        a: async (ctx, nextMiddleware) => {
          await ctx.app.io.of('/in').presence('door').track(ctx, null, { by: 'middleware' });
          if (ctx.query.user === 'eve') throw new Error('not you');
          await nextMiddleware();
        },
      },
      router: (app) => {
        for (const nsp of ['/', '/chat', '/room/:id']) routes(app, nsp);
        app.io.of('/room/:id').route('enter', async (ctx) => {
          const [answer] = ctx.args;
          await app.io.of(ctx.socket.nsp.name).presence().track(ctx);
          answer();
        });
        app.router.get('/here', async (ctx) => {
          const here = ctx.app.io.of('/chat').presence('web');
          ctx.body = { list: await here.list(), count: here.count() };
        });
      },
    });
  });

  const here = (topic?: string, nsp = '/chat') => running.app.io.of(nsp).presence(topic);
  const connect = (user?: string, nsp = '/chat') => running.connect(nsp, user === undefined ? {} : { query: { user } });

  async function tracked(topic: string, user?: string, meta: object = {}, key?: string) {
    const client = await connect(user);
    const state = next<[Message]>(client, 'presence_state');
    assert.equal(await client.emitWithAck('track', topic, key, meta), null);
    return { client, state: (await state)[0] };
  }

  /** Returns the next diff that contains what it is asked for. */
  async function diff(client: Socket, matches: (message: Message) => boolean): Promise<Message> {
    const found: Message[] = [];
    const listener = (message: Message) => {
      if (matches(message)) found.push(message);
    };
    client.on('presence_diff', listener);
    try {
      await until('the diff arrives', () => found.length > 0);
      return found[0] as Message;
    } finally {
      client.off('presence_diff', listener);
    }
  }

  it('should list the metas of each key, one for each socket, and count the keys', async () => {
    await tracked('lists', 'ann', { device: 'phone' });
    await tracked('lists', 'ann', { device: 'desk' });
    await tracked('lists', 'bob');
    assert.deepEqual(await here('lists').list(), { ann: [{ device: 'phone' }, { device: 'desk' }], bob: [{}] });
    assert.equal(here('lists').count(), 2);
    assert.deepEqual(await here('other').list(), {});
    assert.equal(here('other').count(), 0);
    assert.deepEqual(await here('lists', '/').list(), {});
  });

  it('should use the id of the socket as the key of a client without a user', async () => {
    const { client } = await tracked('nobody');
    assert.deepEqual(await here('nobody').list(), { [client.id as string]: [{}] });
  });

  it('should send the state to a client that is tracked, and diffs from then on', async () => {
    const { client: ann, state } = await tracked('states', 'ann', { n: 1 });
    assert.equal(state.topic, 'states');
    assert.deepEqual(metas(state.state), { ann: [{ n: 1 }] });
    const joined = diff(ann, ({ joins }) => 'bob' in joins);
    const { client: bob, state: second } = await tracked('states', 'bob', { n: 2 });
    assert.deepEqual(metas(second.state), { ann: [{ n: 1 }], bob: [{ n: 2 }] });
    const { topic, joins, leaves } = await joined;
    assert.equal(topic, 'states');
    assert.deepEqual(metas(joins).bob, [{ n: 2 }]);
    assert.deepEqual(leaves, {});
    const left = diff(ann, (message) => 'bob' in message.leaves);
    bob.disconnect();
    assert.deepEqual((await left).leaves, { bob: joins.bob });
    assert.deepEqual(await here('states').list(), { ann: [{ n: 1 }] });
  });

  it('should send a new meta under the same reference', async () => {
    const { client: ann, state } = await tracked('updates', 'ann', { mood: 'good' });
    const ref = state.state.ann?.[0]?.ref;
    const changed = diff(ann, ({ joins }) => joins.ann?.[0]?.ref === ref && joins.ann?.[0]?.meta.mood === 'better');
    assert.equal(await ann.emitWithAck('update', 'updates', { mood: 'better' }), true);
    assert.deepEqual((await changed).leaves, {});
    assert.deepEqual(await here('updates').list(), { ann: [{ mood: 'better' }] });
    assert.equal(await ann.emitWithAck('update', 'elsewhere', {}), false);
  });

  it('should end the tracking of a client by untrack()', async () => {
    const { client: ann } = await tracked('ends', 'ann');
    const joined = diff(ann, ({ joins }) => 'bob' in joins);
    const { client: bob } = await tracked('ends', 'bob');
    await joined;
    const emptied = next<[Message]>(bob, 'presence_state');
    const left = diff(ann, ({ leaves }) => 'bob' in leaves);
    assert.equal(await bob.emitWithAck('untrack', 'ends'), true);
    assert.deepEqual((await emptied)[0], { topic: 'ends', state: {} });
    await left;
    assert.deepEqual(await here('ends').list(), { ann: [{}] });
    assert.equal(await bob.emitWithAck('untrack', 'ends'), false);
    // A client that is not tracked receives no diffs.
    const received: unknown[] = [];
    bob.on('presence_diff', ({ topic }: Message) => received.push(topic));
    const seen = diff(ann, ({ joins }) => 'cat' in joins);
    await tracked('ends', 'cat');
    await seen;
    await tracked('sentinel', 'bob');
    assert.deepEqual(received, []);
  });

  it('should replace the key of a client that is tracked again', async () => {
    const { client } = await tracked('again', 'ann', { n: 1 });
    await client.emitWithAck('track', 'again', 'someone', { n: 2 });
    assert.deepEqual(await here('again').list(), { someone: [{ n: 2 }] });
    client.disconnect();
    await until('it has left', () => here('again').count() === 0);
  });

  it('should collect the changes of a window in one diff, without clients that have come and gone', async () => {
    const clock = running.app.io.of('/window').presence('w');
    running.app.io.of('/window').route('track', async (ctx) => {
      await clock.track(ctx, ctx.args[0]);
      if (ctx.args[0] === 'gone') clock.untrack(ctx);
      ctx.args.at(-1)();
    });
    const watcher = await running.connect('/window');
    await watcher.emitWithAck('track', 'watcher');
    const clients = await Promise.all(Array.from({ length: 30 }, () => running.connect('/window')));
    const diffs: Message[] = [];
    watcher.on('presence_diff', (message) => diffs.push(message));
    const names = clients.map((_, i) => (i % 3 === 0 ? 'gone' : `c${i}`));
    await Promise.all(clients.map((client, i) => client.emitWithAck('track', names[i])));
    const seen = () => new Set(diffs.flatMap(({ joins }) => Object.keys(joins)));
    await until('all have joined', () => seen().size >= 20);
    assert(!seen().has('gone'));
    assert(!diffs.some(({ leaves }) => 'gone' in leaves));
    assert(diffs.length < 20, `${diffs.length} diffs`);
  });

  it('should follow several topics, which end together with the socket', async () => {
    const { client } = await tracked('one', 'ann');
    const state = next<[Message]>(client, 'presence_state');
    await client.emitWithAck('track', 'two');
    assert.equal((await state)[0].topic, 'two');
    client.disconnect();
    await until('it has left both', () => here('one').count() + here('two').count() === 0);
  });

  for (const [how, end] of [
    ['the server disconnects it', () => running.app.io.of('/chat').disconnectSockets()],
    ['its connection is lost', (client: Socket) => client.io.engine.close()],
  ] as [string, (client: Socket) => void][]) {
    it(`should end the entry of a client if ${how}`, async () => {
      const { client } = await tracked('end', 'ann');
      assert.equal(here('end').count(), 1);
      end(client);
      await until('it has left', () => here('end').count() === 0);
    });
  }

  it('should track a client in connection middleware as soon as it is connected, with its user', async () => {
    const client = running.client('/in', { query: { user: 'ann' } });
    const [{ state }] = await next<[Message]>(client, 'presence_state');
    assert.deepEqual(metas(state), { ann: [{ by: 'middleware' }] });
    await refused(running.client('/in', { query: { user: 'eve' } }));
    assert.deepEqual(await here('door', '/in').list(), { ann: [{ by: 'middleware' }] });
  });

  it('should have a topic for a namespace itself, and for each child of a parent namespace', async () => {
    const client = await connect('ann', '/room/7');
    await client.emitWithAck('enter');
    assert.deepEqual(await here(undefined, '/room/7').list(), { ann: [{}] });
    assert.deepEqual(await here(undefined, '/room/8').list(), {});
    assert.throws(() => here(undefined, '/room/:id'), /TypeError: .*\/room\/:id stands for many namespaces/);
  });

  it('should list clients in a response over HTTP', async () => {
    await tracked('web', 'ann');
    const response = await fetch(`${running.url}/here`);
    assert.deepEqual(await response.json(), { list: { ann: [{}] }, count: 1 });
  });

  it('should take any string as a key', async () => {
    const { client, state } = await tracked('keys', 'ann', { n: 1 }, '__proto__');
    assert.deepEqual(Object.keys(state.state), ['__proto__']);
    assert.deepEqual(Object.entries(await here('keys').list()), [['__proto__', [{ n: 1 }]]]);
    client.disconnect();
  });

  it('should reject keys, metas and topics that are not valid, and contexts of another namespace', async () => {
    const client = await connect('ann');
    const track = (...args: unknown[]) => client.emitWithAck('track', 'wrong', ...args);
    assert.match(await track({}, {}), /^TypeError: .*a key is a number, or a string of 1 to 256 characters/);
    assert.match(await track('', {}), /^TypeError: .*a key/);
    assert.match(await track('x'.repeat(257), {}), /^TypeError: .*a key/);
    assert.match(await track('ann', 'text'), /^TypeError: .*a meta is an object/);
    assert.match(await track('ann', { text: 'x'.repeat(5000) }), /^TypeError: .*at most 4096 bytes as JSON, not 5011/);
    const deep = Array.from({ length: 20 }).reduce<object>((inner) => ({ inner }), {});
    assert.match(await track('ann', deep), /^TypeError: .*at most 16 levels/);
    assert.throws(() => here(7 as never), /TypeError: .*a topic is a string of 256 characters at most/);
    assert.deepEqual(await here('wrong').list(), {});
    const other = (await connect('ann', '/')) as Socket;
    running.app.io.of('/').route('wrong', async (ctx) => {
      const answer = ctx.args.pop();
      await here('wrong')
        .track(ctx)
        .catch((err) => answer(err.message));
    });
    assert.match(await other.emitWithAck('wrong'), /the context belongs to \/, not to \/chat/);
  });

  it('should log nothing, and warn of nothing', async () => {
    const seen = logs(running.app);
    const warned: unknown[] = [];
    mm(console, 'warn', (...args: unknown[]) => warned.push(args));
    const { client } = await tracked('quiet', 'ann');
    const left = times(client, 'presence_diff', 1);
    await tracked('quiet', 'bob');
    await left;
    assert.deepEqual([seen, warned], [{ error: [], warn: [] }, []]);
  });
});

describe('presence with connectionStateRecovery', () => {
  for (const skipMiddlewares of [true, false]) {
    it(`should track a client again that is recovered, skipMiddlewares: ${skipMiddlewares}`, async () => {
      const { app, url, client } = await startInline({
        io: { presence: { interval: 20 }, init: { connectionStateRecovery: { skipMiddlewares } } },
        router: ({ io }) => {
          io.route('connect', (ctx) => io.presence('lobby').track(ctx, 'ann', { recovered: ctx.recovered }));
        },
      });
      const here = app.io.presence('lobby');
      const ann = client('/', { reconnection: false });
      await next(ann, 'presence_state');
      // Without an offset, there is nothing to recover.
      const first = next(ann, 'n');
      app.io.emit('n', 1);
      await first;
      await cut(ann);
      await until('it has left', () => here.count() === 0);
      const state = next<[Message]>(ann, 'presence_state');
      await comeBack(ann, url);
      assert(ann.recovered);
      assert.deepEqual(metas((await state)[0].state), { ann: [{ recovered: true }] });
      assert.deepEqual(await here.list(), { ann: [{ recovered: true }] });
    });
  }
});

describe('config.io.presence', () => {
  for (const [presence, message] of [
    [{ interval: -1 }, /config\.io\.presence\.interval/],
    [{ heartbeat: 0 }, /config\.io\.presence\.heartbeat/],
    [{ every: 5 }, /config\.io\.presence\.every/],
    [7, /config\.io\.presence/],
  ] as const) {
    it(`should be rejected if it is ${JSON.stringify(presence)}`, async () => {
      assert.match((await bootError({ io: { presence: presence as never } })).message, message);
    });
  }
});
