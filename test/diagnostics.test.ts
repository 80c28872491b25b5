// The diagnostics channels, and the context of listeners of onAny() and onAnyOutgoing().
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Channel, channel, tracingChannel } from 'node:diagnostics_channel';
import { setImmediate as turn } from 'node:timers/promises';
import type { Application, Context } from 'egg';
import type { Socket as ServerSocket } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import type { BroadcastMessage, ConnectionMessage, EventMessage, IoConfig, LimitMessage, OutageMessage } from '../lib';
import { OutageLog } from '../lib/adapters/redis/outage-log';
import { logs, refused } from './support/app';
import { parity } from './support/clients';
import { startInline } from './support/inline';
import { next, signal, until } from './support/wait';

type Middleware = (ctx: Context, go: () => Promise<unknown>) => unknown;

const EVENT = 'egg-socket.io:event';
const CONNECTION = 'egg-socket.io:connection';
const PARTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;

const undo: Array<() => void> = [];

function subscribe(to: Channel, subscriber: (message: never) => void): void {
  const listener = (message: unknown) => subscriber(message as never);
  to.subscribe(listener);
  undo.push(() => to.unsubscribe(listener));
}

/** Collects the messages of a channel. */
function collect<T>(name: string): T[] {
  const messages: T[] = [];
  subscribe(channel(name), (message: T) => messages.push(message));
  return messages;
}

/** Collects the messages of operations when they have ended, as they are then. */
const ended = <T>(name: string) => collect<T>(`tracing:${name}:asyncEnd`);

function unsubscribeAll(): void {
  for (const each of undo.splice(0)) each();
}

const messageOf = (thrown: unknown) =>
  (thrown as Error).message.replace('[egg-socket.io] controller execute error: ', '');

parity('diagnostics channels', () => {
  afterEach(unsubscribeAll);

  it('should publish each event from its first middleware to its answer, with its outcome', async () => {
    const events = ended<EventMessage>(EVENT);
    const tooLate = signal();
    const { app, connect } = await startInline({
      io: { packetMiddleware: ['guard'], ack: 'auto', ackTimeout: 50 },
      middleware: {
        guard: (async (ctx, go) => {
          if (ctx.packet[0] === 'stopped') return (ctx.packet[1] as (answer: string) => void)('stopped');
          if (ctx.packet[0] === 'forbidden') throw Object.assign(new Error('no'), { code: 'FORBIDDEN' });
          return go();
        }) as Middleware,
      },
      router: ({ io }) => {
        io.route('fine', () => 'fine');
        io.route('broken', () => {
          throw new Error('broken');
        });
        io.route('slow', () => tooLate.promise);
        io.on('connection', (socket) => socket.on('by hand', (ack) => ack('by hand')));
      },
    });
    logs(app);
    const client = await connect();
    for (const event of ['fine', 'broken', 'forbidden', 'stopped', 'nobody', 'by hand', 'slow']) {
      await client.emitWithAck(event);
    }
    tooLate.resolve();
    await until('all events have ended', () => events.length === 7);
    const seen = events.map(({ event, route, outcome, error }) => [event, route, outcome, error && messageOf(error)]);
    assert.deepEqual(seen, [
      ['fine', 'fine', 'ok', undefined],
      ['broken', 'broken', 'error', 'broken'],
      ['forbidden', undefined, 'error', 'no'],
      ['stopped', undefined, 'swallowed', undefined],
      ['nobody', undefined, 'no route', "no route for 'nobody' in /"],
      ['by hand', undefined, 'ok', undefined],
      ['slow', 'slow', 'error', "no answer to 'slow' in / in 50 ms"],
    ]);
    const [first] = events as [EventMessage];
    assert.deepEqual([first.namespace, first.isSystem, first.ctx.packet[0]], ['/', false, 'fine']);
    assert.equal(first.socket, app.io.sockets.sockets.get(first.socket.id));
  });

  it('should publish the parts of an event in order, around what the application does', async () => {
    const steps: string[] = [];
    for (const part of PARTS) subscribe(tracingChannel(EVENT)[part], () => steps.push(part));
    const { app, connect } = await startInline({
      io: { packetMiddleware: ['a'], ack: 'auto' },
      middleware: {
        a: (async (_ctx, go) => {
          steps.push('middleware');
          await turn();
          return go();
        }) as Middleware,
      },
      router: ({ io }) => {
        io.route('fail', async () => {
          await turn();
          steps.push('controller');
          throw new Error('broken');
        });
      },
    });
    logs(app);
    const client = await connect();
    await client.emitWithAck('fail');
    await until('the event has ended', () => steps.includes('asyncEnd'));
    assert.deepEqual(steps, ['start', 'middleware', 'end', 'controller', 'error', 'asyncStart', 'asyncEnd']);
  });

  it('should run an event, its listeners and a connection chain in the async context that a store is bound to', async () => {
    const spans = new AsyncLocalStorage<string>();
    const seen: Record<string, unknown> = {};
    const note = (name: string, app: { currentContext?: Context }) => {
      seen[name] = [spans.getStore(), app.currentContext?.packet?.[0]];
    };
    for (const [name, span] of [
      [EVENT, 'event'],
      [CONNECTION, 'connection'],
    ] as const) {
      const { start } = tracingChannel(name);
      start.bindStore(spans, () => span as never);
      undo.push(() => start.unbindStore(spans));
    }
    const { app, connect } = await startInline({
      io: { connectionMiddleware: ['a'], packetMiddleware: ['b'] },
      middleware: {
        a: (async (ctx, go) => {
          await turn();
          note('connection middleware', ctx.app);
          await go();
          note('after the disconnect', ctx.app);
        }) as Middleware,
        b: (async (ctx, go) => {
          await turn();
          note('packet middleware', ctx.app);
          return go();
        }) as Middleware,
      },
      router: (app) => {
        app.io.on('connection', (socket: ServerSocket) => {
          socket.onAny(async () => {
            note('onAny', app);
            await turn();
            note('onAny, later', app);
          });
          socket.onAnyOutgoing(() => note('onAnyOutgoing', app));
          socket.use((_packet, next) => {
            note('use', app);
            next();
          });
          socket.on('hail', () => note('on', app));
        });
        app.io.route('hail', async (ctx) => {
          await turn();
          note('controller', app);
          ctx.emit('hail', 'back');
        });
        app.io.route('disconnect', () => note('system event', app));
      },
    });
    assert.equal(app.currentContext, undefined);
    const client = await connect();
    const answer = next(client, 'hail');
    client.emit('hail');
    await answer;
    client.disconnect();
    await until('the chain has ended', () => seen['after the disconnect']);
    assert.deepEqual(seen, {
      'connection middleware': ['connection', undefined],
      'after the disconnect': ['connection', undefined],
      onAny: ['event', 'hail'],
      'onAny, later': ['event', 'hail'],
      'packet middleware': ['event', 'hail'],
      use: ['event', 'hail'],
      on: ['event', 'hail'],
      controller: ['event', 'hail'],
      onAnyOutgoing: ['event', 'hail'],
      'system event': ['event', undefined],
    });
  });

  it('should publish system events that are routed, with what they have thrown', async () => {
    const events = ended<EventMessage>(EVENT);
    const { app, connect } = await startInline({
      router: ({ io }) => {
        io.route('connect', () => {});
        io.route('disconnect', async () => {
          await turn();
          throw new Error('broken');
        });
      },
    });
    const { error } = logs(app);
    const client = await connect();
    client.disconnect();
    await until('both have ended', () => events.length === 2);
    const seen = events.map(({ event, isSystem, outcome, error }) => [
      event,
      isSystem,
      outcome,
      error && messageOf(error),
    ]);
    assert.deepEqual(seen, [
      ['connect', true, 'ok', undefined],
      ['disconnect', true, 'error', 'broken'],
    ]);
    await until('the error is logged', () => error.length === 1);
  });

  it('should publish admissions, refusals and disconnects with the pattern of the namespace', async () => {
    const connections = ended<ConnectionMessage>(CONNECTION);
    const refusals = collect<{ stage: string; reason: string; requested?: string; ctx?: Context }>(
      'egg-socket.io:refusal',
    );
    const disconnects = collect<{ namespace: string; reason: string; duration: number }>('egg-socket.io:disconnect');
    const { app, client, connect } = await startInline({
      io: { namespace: { '/room/:id': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: (async (ctx, go) => {
          if (ctx.params?.id === '2') throw new Error('full');
          if (ctx.params?.id === '3') ctx.disconnect();
          return go();
        }) as Middleware,
      },
    });
    logs(app);
    const first = await connect('/room/1');
    await refused(client('/room/2'));
    await refused(client('/nowhere'));
    const third = client('/room/3');
    // A client of Socket.IO 2 connects to `/` as well.
    const ofRooms = () => connections.filter(({ namespace }) => namespace !== '/');
    await until('three clients are published', () => ofRooms().length === 3);
    assert.deepEqual(
      ofRooms().map(({ socket, outcome, error, ...rest }) => {
        return [socket.nsp.name, rest.namespace, outcome, error && messageOf(error)];
      }),
      [
        ['/room/1', '/room/:id', 'admitted', undefined],
        ['/room/2', '/room/:id', 'refused', 'full'],
        ['/room/3', '/room/:id', 'refused', undefined],
      ],
    );
    const reason = 'there is no such namespace. app.io.of() and config.io.namespace create it';
    assert.deepEqual(
      refusals.map(({ stage, reason, requested, ctx }) => [stage, reason, requested, ctx?.params?.id]),
      [
        ['admission', 'full', undefined, '2'],
        ['namespace', reason, '/nowhere', undefined],
      ],
    );
    third.disconnect();
    first.disconnect();
    const byClient = () => disconnects.filter(({ namespace, reason }) => namespace !== '/' && /^client/.test(reason));
    await until('the disconnect is published', () => byClient().length > 0);
    assert.deepEqual(
      byClient().map(({ namespace, reason, duration }) => [namespace, reason, duration >= 0]),
      [['/room/:id', 'client namespace disconnect', true]],
    );
  });

  it('should handle packets as before if a subscriber throws', async () => {
    for (const name of [EVENT, CONNECTION]) {
      for (const part of PARTS) {
        subscribe(tracingChannel(name)[part], () => {
          throw new Error('subscriber');
        });
      }
    }
    const { connect } = await startInline({
      io: { ack: 'auto' },
      router: ({ io }) => io.route('fine', () => 'fine'),
    });
    // After the application has added listeners that end the process.
    const handlers = process.listeners('uncaughtException');
    const thrown: unknown[] = [];
    process.removeAllListeners('uncaughtException').on('uncaughtException', (err) => thrown.push(err));
    undo.push(() => {
      process.removeAllListeners('uncaughtException');
      for (const handler of handlers) process.on('uncaughtException', handler);
    });
    const client = await connect();
    assert.equal(await client.emitWithAck('fine'), 'fine');
    await until('Node reports what the subscribers throw', () => thrown.length === 8);
    assert.deepEqual(new Set(thrown.map(messageOf)), new Set(['subscriber']));
  });
});

describe('diagnostics channels', () => {
  afterEach(unsubscribeAll);

  it('should publish an expired client with its reason', async () => {
    const disconnects = collect<{ reason: string }>('egg-socket.io:disconnect');
    const { connect } = await startInline({ io: { expires: { at: () => Date.now() + 20, grace: 0 } } });
    await connect();
    await until('the disconnect is published', () => disconnects.length > 0);
    assert.deepEqual(
      disconnects.map(({ reason }) => reason),
      ['expired'],
    );
  });

  it('should publish a client that leaves before the decision, and one that is recovered without its chain', async () => {
    const connections = ended<ConnectionMessage>(CONNECTION);
    const gate = signal();
    const entered = signal();
    const io: IoConfig = { connectionMiddleware: ['a'], init: { connectionStateRecovery: { skipMiddlewares: true } } };
    const running = await startInline({
      io,
      middleware: {
        a: (async (ctx, go) => {
          if (ctx.handshake.query.wait) {
            entered.resolve();
            await gate.promise;
          }
          return go();
        }) as Middleware,
      },
    });
    const client = await running.connect('/', { reconnection: true, reconnectionDelay: 10 });
    const news = next(client, 'news');
    running.app.io.emit('news');
    await news;
    client.io.engine.close();
    await next(client, 'connect');
    const leaving = running.client('/', { query: { wait: '1' } });
    await entered.promise;
    leaving.disconnect();
    await until('the client has left', () => running.app.io.engine.clientsCount === 1);
    gate.resolve();
    await until('all are published', () => connections.length === 3);
    assert.deepEqual(
      connections.map(({ outcome }) => outcome),
      ['admitted', 'recovered', 'left'],
    );
  });

  it('should publish a handshake that is refused', async () => {
    const refusals = collect<{ stage: string; reason: string }>('egg-socket.io:refusal');
    const { app, url } = await startInline({});
    logs(app);
    await fetch(`${url}/socket.io/?EIO=4&transport=smoke`);
    assert.deepEqual(
      refusals.map(({ stage, reason }) => [stage, reason]),
      [['handshake', 'Transport unknown']],
    );
  });

  it('should publish what limits have refused', async () => {
    const limits = collect<LimitMessage>('egg-socket.io:limit');
    const { app, connect } = await startInline({
      io: { ack: 'auto', limits: { argumentBytes: 10 } },
      router: ({ io }) => io.route('say', io.limit({ points: 1, duration: 60_000, by: 'socket' }), () => {}),
    });
    logs(app);
    const client = await connect();
    await client.emitWithAck('say', 'x');
    await client.emitWithAck('say', 'x');
    await client.emitWithAck('say', 'x'.repeat(20));
    assert.deepEqual(
      limits.map(({ app: of, limit }) => [of.io === app.io, limit]),
      [
        [true, 'routes'],
        [true, 'argumentBytes'],
      ],
    );
    assert.equal(limits[0]?.request, app.io.sockets.sockets.values().next().value?.request);
  });

  it('should publish each reason of an outage without the password, and its end', () => {
    const outages = collect<OutageMessage>('egg-socket.io:adapter-outage');
    const app = { coreLogger: { error() {}, warn() {}, info() {} } } as unknown as Application;
    const log = new OutageLog(app, '127.0.0.1:6379', 'secret', () => true);
    log.failed(new Error('AUTH secret refused'));
    log.failed(new Error('AUTH secret refused'));
    log.failed(new Error('connect ECONNREFUSED'));
    log.lost = 3;
    log.recovered();
    log.recovered();
    log.close();
    assert.deepEqual(outages, [
      { app, name: '127.0.0.1:6379', up: false, reason: 'AUTH *** refused', lost: 0 },
      { app, name: '127.0.0.1:6379', up: false, reason: 'connect ECONNREFUSED', lost: 0 },
      { app, name: '127.0.0.1:6379', up: true, lost: 3 },
    ]);
  });

  for (const [title, io] of Object.entries<IoConfig>({
    'the adapter in memory': {},
    'an adapter of the application': { adapter: () => class extends Adapter {} },
    'config.io.compat': { compat: true, adapter: () => Adapter },
  })) {
    it(`should publish broadcasts with the number of rooms, and not their names: ${title}`, async () => {
      const broadcasts = collect<BroadcastMessage>('egg-socket.io:broadcast');
      const { app, connect } = await startInline({ io: { ...io, namespace: { '/': {}, '/room/:id': {} } } });
      const client = await connect();
      await connect('/room/1');
      await connect('/room/2');
      client.on('ask', (ack) => ack(1));
      app.io.emit('all');
      app.io.to('a').to('b').except('c').emit('rooms');
      app.io.local.emit('local');
      await app.io.timeout(10_000).emitWithAck('ask');
      app.io.of('/room/:id').emit('parent');
      const none = { namespace: '/', rooms: 0, except: 0, isLocal: false, withAck: false };
      assert(broadcasts.every(({ server }) => server === app.io));
      const seen = broadcasts.map(({ server: _server, ...rest }) => rest);
      assert.deepEqual(seen, [
        { ...none, event: 'all' },
        { ...none, event: 'rooms', rooms: 2, except: 1 },
        { ...none, event: 'local', isLocal: true },
        { ...none, event: 'ask', withAck: true },
        { ...none, event: 'parent', namespace: '/room/:id' },
        { ...none, event: 'parent', namespace: '/room/:id' },
      ]);
    });
  }

  it('should call a listener of onAny() that throws in its turn, also if config.io.containListeners is false', async () => {
    const steps: string[] = [];
    const { connect } = await startInline({
      io: { ack: 'auto', containListeners: false, packetMiddleware: ['a'] },
      middleware: {
        a: (async (_ctx, go) => {
          steps.push('middleware');
          return go();
        }) as Middleware,
      },
      router: (app) => {
        app.io.route('hail', () => 'back');
        app.io.on('connection', (socket: ServerSocket) =>
          socket.onAny((...args) =>
            steps.push(`onAny ${args[0]} ${typeof args.at(-1)} ${app.currentContext?.packet?.[0]}`),
          ),
        );
      },
    });
    const client = await connect();
    assert.equal(await client.emitWithAck('hail'), 'back');
    assert.deepEqual(steps, ['onAny hail function hail', 'middleware']);
  });
});
