// app.io.of(name).presence(topic) in one worker: tracking, states and diffs, and the end of sockets.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import type { PresenceEntries } from '../lib';
import { logs, mm, type Running, refused } from './support/app';
import { OLD, parityOf } from './support/clients';
import { bootError, startInline } from './support/inline';
import { comeBack, cut } from './support/recovery';
import { next, signal, times, until, within } from './support/wait';

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
        init: { cleanupEmptyChildNamespaces: true },
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
        for (const pattern of ['/room/:id', /^\/any\/\w+$/]) {
          app.io.of(pattern).route('enter', async (ctx: Context) => {
            const [answer] = ctx.args;
            await app.io.of(ctx.socket.nsp.name).presence().track(ctx);
            answer();
          });
        }
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

  it('should keep apart topics with any characters', async () => {
    const names = ['t', 't\n', '\nt', 't\nt', '"', '__proto__', 'constructor'];
    for (const topic of names) {
      const { state } = await tracked(topic, 'ann', { topic });
      assert.deepEqual([state.topic, metas(state.state)], [topic, { ann: [{ topic }] }]);
    }
    for (const topic of names) assert.deepEqual(await here(topic).list(), { ann: [{ topic }] });
  });

  it('should track clients of a child namespace that was removed and is created again', async () => {
    for (let round = 0; round < 2; round++) {
      const client = await connect('ann', '/any/again');
      const state = next<[Message]>(client, 'presence_state');
      await client.emitWithAck('enter');
      assert.deepEqual(metas((await state)[0].state), { ann: [{}] });
      client.disconnect();
      await until('the namespace is removed', () => !running.app.io._nsps.has('/any/again'));
    }
  });

  it('should not track a client that has disconnected', async () => {
    const done = signal();
    running.app.io.of('/chat').route('track late', async (ctx) => {
      const gone = new Promise((resolve) => ctx.socket.once('disconnect', resolve));
      ctx.socket.disconnect();
      await gone;
      await here('late').track(ctx);
      assert.equal(here('late').update(ctx, { n: 1 }), false);
      assert.equal(here('late').untrack(ctx), false);
      done.resolve();
    });
    (await connect('ann')).emit('track late');
    await within('track()', done.promise);
    assert.equal(here('late').count(), 0);
  });

  it('should release a client that is tracked while it disconnects', async () => {
    const done = signal();
    running.app.io.of('/chat').route('disconnecting', async (ctx) => {
      if (ctx.query.user !== 'dave') return;
      await here('leaving').track(ctx);
      done.resolve();
    });
    (await connect('dave')).disconnect();
    await within('track()', done.promise);
    await until('it has left', () => here('leaving').count() === 0);
  });

  it('should update a meta before track() resolves', async () => {
    running.app.io.of('/chat').route('at once', async (ctx) => {
      const tracking = here('at once').track(ctx, null, { n: 1 });
      assert.equal(here('at once').update(ctx, { n: 2 }), true);
      await tracking;
      ctx.args[0](await here('at once').list());
    });
    const client = await connect('ann');
    const state = next<[Message]>(client, 'presence_state');
    assert.deepEqual(await client.emitWithAck('at once'), { ann: [{ n: 2 }] });
    assert.deepEqual(metas((await state)[0].state), { ann: [{ n: 2 }] });
  });

  it('should track a client in 1,000 topics at most, which it may have chosen', async () => {
    running.app.io.of('/chat').route('track many', async (ctx) => {
      const answer = ctx.args.pop();
      for (let n = 0; n < 1000; n++) await here(`many ${n}`).track(ctx, 'eve');
      await here('many 7').track(ctx, 'eve', { n: 7 });
      await here('one more')
        .track(ctx)
        .catch((err) => answer(String(err)));
    });
    const client = await connect();
    assert.match(await client.emitWithAck('track many'), /^TypeError: .*in 1000 topics at most/);
    assert.deepEqual(await here('many 7').list(), { eve: [{ n: 7 }] });
    assert.equal(here('one more').count(), 0);
    client.disconnect();
    await until('it has left all', () => here('many 0').count() + here('many 999').count() === 0);
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

describe('presence of recovered clients', () => {
  it('should have the user as the key, also if the connection middleware was skipped', async () => {
    const { app, url, client } = await startInline({
      io: {
        user: (ctx) => ctx.handshake.auth.name,
        presence: { interval: 20 },
        init: { connectionStateRecovery: { skipMiddlewares: true } },
      },
      router: ({ io }) => io.route('connect', (ctx) => io.presence().track(ctx)),
    });
    const ann = client('/', { reconnection: false, auth: { name: 'ann' } });
    const first = next(ann, 'n');
    await next(ann, 'presence_state');
    app.io.emit('n', 1);
    await first;
    await cut(ann);
    await until('it has left', () => app.io.presence().count() === 0);
    const state = next<[Message]>(ann, 'presence_state');
    await comeBack(ann, url);
    assert(ann.recovered);
    assert.deepEqual(metas((await state)[0].state), { ann: [{}] });
  });

  it('should have the user of a reauthentication, also if the former user is found later', async () => {
    const found = signal();
    let isRecovered = false;
    const { app, url, client } = await startInline({
      io: {
        user: (ctx) =>
          isRecovered && !ctx.reauthenticating ? found.promise.then(() => 'ann') : ctx.handshake.auth.name,
        ack: 'auto',
        presence: { interval: 20 },
        init: { connectionStateRecovery: { skipMiddlewares: true } },
      },
      router: ({ io }) => {
        io.route('track', (ctx) => io.presence().track(ctx));
        io.route('renew', (ctx) => ctx.reauthenticate({ auth: { name: 'bob' } }));
      },
    });
    const ann = client('/', { reconnection: false, auth: { name: 'ann' } });
    const first = next(ann, 'n');
    await next(ann, 'connect');
    app.io.emit('n', 1);
    await first;
    await cut(ann);
    isRecovered = true;
    await comeBack(ann, url);
    assert(ann.recovered);
    const tracked = ann.emitWithAck('track');
    await ann.emitWithAck('renew');
    found.resolve();
    await tracked;
    assert.deepEqual(await app.io.presence().list(), { bob: [{}] });
  });

  it('should cost no memory for what they miss: they receive a new state', async () => {
    const { app, connect } = await startInline({
      io: { presence: { interval: 0 }, init: { connectionStateRecovery: {} } },
      router: ({ io }) => {
        io.route('track', (ctx) => io.presence().track(ctx));
        io.route('set', (ctx) => io.presence().update(ctx, { n: ctx.args[0] }));
      },
    });
    const client = await connect();
    const state = next(client, 'presence_state');
    client.emit('track');
    await state;
    for (let n = 0; n < 10; n++) {
      const diff = next(client, 'presence_diff');
      client.emit('set', n);
      await diff;
    }
    assert.deepEqual((app.io.of('/').adapter as unknown as { packets: unknown[] }).packets, []);
  });
});

describe('presence of clients that reauthenticate', () => {
  const start = async () => {
    const running = await startInline({
      io: {
        user: (ctx) => ctx.data.user,
        presence: { interval: 20 },
        connectionMiddleware: ['a'],
        ack: 'auto',
      },
      middleware: {
        a: async (ctx, go) => {
          const { auth } = ctx.handshake;
          await ctx.app.io.presence('names').track(ctx, auth.user, { by: auth.user });
          await ctx.app.io.presence('users').track(ctx);
          if (auth.user === 'mallory') throw new Error('not you');
          ctx.data.user = auth.user;
          await go();
        },
      },
      router: ({ io }) => {
        io.route('renew', async (ctx) => ctx.reauthenticate({ auth: ctx.args[0] }));
        io.route('track', (ctx) => io.presence('later').track(ctx, null, { n: 1 }));
        io.route('track as', (ctx) => io.presence('other').track(ctx, 'nickname'));
      },
    });
    logs(running.app);
    const lists = async () =>
      Object.assign(
        {},
        ...(await Promise.all(
          ['names', 'users', 'later', 'other'].map(async (topic) => ({
            [topic]: await running.app.io.presence(topic).list(),
          })),
        )),
      );
    const client = running.client('/', { auth: { user: 'ann' } });
    await next(client, 'connect');
    const state = next(client, 'presence_state');
    await client.emitWithAck('track');
    await client.emitWithAck('track as');
    await state;
    return { ...running, client, lists };
  };

  it('should have the new user as its key if that was the user', async () => {
    const { client, lists, app } = await start();
    assert.deepEqual(await lists(), {
      names: { ann: [{ by: 'ann' }] },
      users: { ann: [{}] },
      later: { ann: [{ n: 1 }] },
      other: { nickname: [{}] },
    });
    const changes: Message[] = [];
    client.on('presence_diff', (diff: Message) => changes.push(diff));
    await client.emitWithAck('renew', { user: 'bob' });
    assert.deepEqual(await lists(), {
      names: { bob: [{ by: 'bob' }] },
      users: { bob: [{}] },
      later: { bob: [{ n: 1 }] },
      other: { nickname: [{}] },
    });
    await until('the diff arrives', () => changes.some(({ topic, joins }) => topic === 'later' && 'bob' in joins));
    await client.emitWithAck('renew', {});
    assert.deepEqual(Object.keys((await lists()).later), [client.id]);
    client.disconnect();
    await until('it has left', () => app.io.presence('users').count() + app.io.presence('later').count() === 0);
  });

  it('should have no effect if the client is refused', async () => {
    const { client, lists } = await start();
    const before = await lists();
    const { error } = await client.emitWithAck('renew', { user: 'mallory' });
    assert.match(error.message, /not you/);
    assert.deepEqual(await lists(), before);
    await client.emitWithAck('renew', { user: 'ann' });
    assert.deepEqual(await lists(), before);
  });
});

parityOf(OLD, 'presence', () => {
  it('should send states and diffs', async () => {
    const { client } = await startInline({
      io: { presence: { interval: 20 } },
      router: ({ io }) =>
        io.of('/chat').route('connect', (ctx) => io.of('/chat').presence('lobby').track(ctx, String(ctx.query.name))),
    });
    const ann = client('/chat', { query: { name: 'ann' } });
    const [{ topic, state }] = await next<[Message]>(ann, 'presence_state');
    assert.deepEqual([topic, metas(state)], ['lobby', { ann: [{}] }]);
    const joined = next<[Message]>(ann, 'presence_diff');
    const bob = client('/chat', { query: { name: 'bob' } });
    const bobsState = next(bob, 'presence_state');
    const [{ joins }] = await joined;
    assert.deepEqual(metas(joins), { bob: [{}] });
    await bobsState;
    const left = next<[Message]>(ann, 'presence_diff');
    bob.disconnect();
    assert.deepEqual((await left)[0].leaves, joins);
  });
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
