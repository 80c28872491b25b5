// The trace context that a broadcast carries to the workers that deliver it, and the channel of deliveries.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Channel, channel, tracingChannel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Application } from 'egg';
import type { Redis } from 'ioredis';
import type { Namespace } from 'socket.io';
import { ClusterAdapter } from 'socket.io-adapter';
import type { Socket } from 'socket.io-client';
import type { BroadcastMessage, Carrier, DeliveryMessage, IoConfig } from '../lib';
import { Links } from '../lib/adapters/links';
import { LinkedNamespaces, LinksAdapter } from '../lib/adapters/links-adapter';
import { AgentIo } from '../lib/agent/io';
import { ACTION, decodeCommand } from '../lib/agent/relay';
import { carrierOf } from '../lib/diagnostics';
import { Users } from '../lib/users';
import { createWorkerId, RunDirectory } from '../lib/workers/run-directory';
import { connected, logs, mm, type Running, track } from './support/app';
import { type Cluster, startCluster } from './support/cluster';
import { startInline } from './support/inline';
import { flows, inRoom, type RedisServer, startRedis, startWorker } from './support/redis';
import { DEADLINE, next, until } from './support/wait';

const BROADCAST = channel('egg-socket.io:broadcast');
const DELIVERY = tracingChannel('egg-socket.io:delivery');
const CARRIER = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' };

const undo: Array<() => void> = [];

function subscribe(to: Channel, subscriber: (message: never) => void): void {
  const listener = (message: unknown) => subscriber(message as never);
  to.subscribe(listener);
  undo.push(() => to.unsubscribe(listener));
}

/** Sets what the broadcasts of this process carry from now on. */
function carry(carrier: Carrier): void {
  subscribe(BROADCAST, (message: BroadcastMessage) => {
    message.carrier = carrier;
  });
}

/** Collects the deliveries of this process. */
function collectDeliveries(): DeliveryMessage[] {
  const deliveries: DeliveryMessage[] = [];
  subscribe(DELIVERY.start as Channel, (message: DeliveryMessage) => deliveries.push(message));
  return deliveries;
}

const seen = ({ namespace, event, rooms, except, carrier }: DeliveryMessage) => ({
  namespace,
  event,
  rooms,
  except,
  carrier,
});

afterEach(() => {
  for (const each of undo.splice(0)) each();
  mm.restore();
});

for (const adapter of ['cluster', 'redis', 'redis-sharded', 'redis-streams'] as const) {
  describe(`what a broadcast carries with the adapter ${adapter}`, function () {
    this.timeout(120_000);

    let redis: RedisServer | undefined;
    let rundir: string;
    const joined: Links[] = [];
    let a: Running;
    let b: Running;

    /** Links the workers of this process, in place of `config.io.adapter` of several processes. */
    const linked = (app: Application) => {
      const worker = { workerId: createWorkerId(), directory: new RunDirectory(rundir, 1) };
      const links = new Links(worker, app);
      const namespaces = new LinkedNamespaces(links, 5000);
      joined.push(links);
      void links.join(namespaces);
      return class extends LinksAdapter {
        constructor(nsp: Namespace) {
          super(nsp, namespaces);
        }
      };
    };

    function startOne(io: IoConfig = {}): Promise<Running> {
      const namespace = { '/': {}, '/room/:id': {} };
      const own = adapter === 'cluster' ? { adapter: linked as unknown as IoConfig['adapter'] } : { adapter };
      return startWorker(redis?.config, { io: { namespace, ...own, ...io } });
    }

    before(async () => {
      rundir = mkdtempSync(path.join(tmpdir(), 'egg-socket.io-run-'));
      if (adapter !== 'cluster') redis = await startRedis();
      a = await startOne();
      b = await startOne();
      await flows(a, b);
    });
    after(async () => {
      await Promise.all([a?.close(), b?.close()]);
      await Promise.all(joined.map((links) => links.leave()));
      await redis?.stop();
      rmSync(rundir, { recursive: true });
    });

    /** Broadcasts as a worker does whose flags are not those of this version. */
    const broadcastRaw = (event: string, flags: object) =>
      a.app.io.sockets.adapter.broadcast(
        { type: 2, nsp: '/', data: [event] } as never,
        { rooms: new Set(), except: new Set(), flags } as never,
      );

    it('should be delivered with it by the other worker alone, whatever the target', async () => {
      for (const worker of [a, b]) {
        const client = await inRoom(worker, 'room');
        client.on('ask', (answer) => answer(1));
      }
      const child = await b.connect('/room/7');
      await a.connect('/room/7');
      carry(CARRIER);
      const deliveries = collectDeliveries();
      const heard = next(child, 'child');
      a.app.io.emit('all', 1);
      a.app.io
        .to('room')
        .except('other')
        .emit('binary', Buffer.from([1]));
      a.app.io.to('nobody').emit('nobody');
      a.app.io.to('room').to('other').emit('two');
      assert.deepEqual(await a.app.io.timeout(DEADLINE).to('room').emitWithAck('ask'), [1, 1]);
      a.app.io.of('/room/7').emit('child');
      await heard;
      await until('all are delivered', () => deliveries.length === 5);
      const none = { namespace: '/', rooms: 0, except: 0, carrier: CARRIER };
      const expected = [
        { ...none, event: 'all' },
        { ...none, event: 'binary', rooms: 1, except: 1 },
        { ...none, event: 'two', rooms: 2 },
        { ...none, event: 'ask', rooms: 1 },
        { ...none, event: 'child', namespace: '/room/:id' },
      ];
      // The adapters of Redis have a channel for acknowledgements, and two channels have no order.
      const byEvent = (each: { event: unknown }[]) =>
        each.sort((one, other) => String(one.event).localeCompare(String(other.event)));
      assert.deepEqual(byEvent(deliveries.map(seen)), byEvent(expected));
    });

    it('should be what is set for each broadcast of an operator', async () => {
      const client = await inRoom(b, 'room');
      const deliveries = collectDeliveries();
      subscribe(BROADCAST, (message: BroadcastMessage) => {
        if (message.event === 'first') message.carrier = CARRIER;
      });
      const operator = a.app.io.to('room');
      const end = next(client, 'end');
      operator.emit('first');
      operator.emit('end');
      await end;
      assert.deepEqual(
        deliveries.map(({ event, carrier }) => [event, carrier]),
        [
          ['first', CARRIER],
          ['end', undefined],
        ],
      );
    });

    it('should be undefined without a subscriber at the sender, and be validated by the receiver', async () => {
      const client = await b.connect();
      const deliveries = collectDeliveries();
      const end = next(client, 'end');
      a.app.io.emit('none');
      broadcastRaw('text', { carrier: 'x' });
      broadcastRaw('list', { carrier: [1, ['x']] });
      broadcastRaw('null', { carrier: null });
      broadcastRaw('long', { carrier: { traceparent: 'x'.repeat(513), tracestate: 'x'.repeat(512) } });
      broadcastRaw('values', { carrier: { a: 1, b: { c: 'x' }, d: null, traceparent: 'x' } });
      broadcastRaw('names', { carrier: JSON.parse('{"__proto__":"x","":"x","a b":"x","b":"x"}') });
      const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, 'x']));
      broadcastRaw('many', { carrier: many });
      a.app.io.emit('end');
      await end;
      assert.deepEqual(
        deliveries.map(({ event, carrier }) => [event, carrier]),
        [
          ['none', undefined],
          ['text', undefined],
          ['list', undefined],
          ['null', undefined],
          ['long', { tracestate: 'x'.repeat(512) }],
          ['values', { traceparent: 'x' }],
          ['names', { b: 'x' }],
          ['many', Object.fromEntries(Object.entries(many).slice(0, 8))],
          ['end', undefined],
        ],
      );
    });

    it('should send what it sent before if no subscriber sets it, and the same to clients if one does', async () => {
      const clients = [await a.connect(), await b.connect()];
      const packets: unknown[][] = [[], []];
      clients.forEach((client, i) => {
        client.io.engine.on('packet', ({ type, data }) => {
          if (type === 'message') packets[i]?.push(data);
        });
      });
      const messages = await recording(redis);
      for (const carrier of [undefined, CARRIER]) {
        const received = clients.map((client) => next(client, 'same'));
        if (carrier) carry(carrier);
        a.app.io.emit('same', 'x');
        await Promise.all(received);
      }
      // A subscriber that sets nothing.
      for (const each of undo.splice(0)) each();
      subscribe(BROADCAST, () => {});
      const received = clients.map((client) => next(client, 'same'));
      a.app.io.emit('same', 'x');
      await Promise.all(received);
      const [first, second, third] = (await messages.stop()) as [string, string, string];
      assert.equal(third, first);
      assert(!/carrier|traceparent/.test(first), first);
      assert(/traceparent/.test(second), second);
      for (const each of packets) assert.deepEqual(each, Array(3).fill('2["same","x"]'));
    });

    it('should be available while the broadcast is delivered, and not be published for requests', async () => {
      const spans = new AsyncLocalStorage<unknown>();
      const { start } = DELIVERY;
      start.bindStore(spans, (message) => (message as DeliveryMessage).carrier as never);
      undo.push(() => start.unbindStore(spans));
      const client = await inRoom(b, 'room');
      const socket = b.app.io.sockets.sockets.get(client.id as string);
      const stores: unknown[] = [];
      socket?.onAnyOutgoing((event) => stores.push([event, spans.getStore()]));
      const deliveries = collectDeliveries();
      carry(CARRIER);
      a.app.io.in('room').socketsJoin('moved');
      assert.equal((await a.app.io.in('room').fetchSockets()).length, 1);
      b.app.io.once('asked' as never, ((answer: (n: number) => void) => answer(1)) as never);
      assert.deepEqual(await a.app.io.serverSideEmitWithAck('asked'), [1]);
      b.app.io.emit('own');
      const end = next(client, 'end');
      a.app.io.emit('end');
      await end;
      assert.deepEqual(stores, [
        ['own', undefined],
        ['end', CARRIER],
      ]);
      assert.deepEqual(
        deliveries.map(({ event }) => event),
        ['end'],
      );
    });

    if (adapter !== 'cluster') {
      it('should survive a packet without an event', async () => {
        const client = await b.connect();
        logs(b.app);
        logs(a.app);
        const events: unknown[] = [];
        subscribe(DELIVERY.start as Channel, (message: DeliveryMessage) => events.push(message.event));
        const data = { packet: { type: 2, nsp: '/' }, opts: { rooms: [], except: 5, flags: 7 } };
        const message = JSON.stringify({ uid: 'x', nsp: '/', type: 3, data });
        const { encode } = require('notepack.io') as { encode(value: unknown): Buffer };
        if (adapter === 'redis') {
          await redis?.command('PUBLISH', 'socket.io#/#', encode(['x', data.packet, data.opts]));
          await redis?.command('PUBLISH', 'socket.io#/#', encode([5]));
          await redis?.command('PUBLISH', 'socket.io-request#/#', encode({ type: 7, uid: 'x', ...data }));
        } else if (adapter === 'redis-sharded') await redis?.command('SPUBLISH', 'socket.io#/#', message);
        else
          await redis?.command(
            'XADD',
            'socket.io',
            '*',
            ...['uid', 'x', 'nsp', '/', 'type', '3', 'data', JSON.stringify(data)],
          );
        const end = next(client, 'end');
        await until('a broadcast is received', async () => {
          a.app.io.emit('end');
          return events.includes('end');
        });
        await end;
        assert.equal(events[0], undefined);
      });
    }

    if (adapter === 'redis-streams') {
      it('should be sent with events that a client receives when it is recovered', async () => {
        const io = { init: { connectionStateRecovery: {} } };
        const [c, d] = [await startOne(io), await startOne(io)];
        await flows(c, d);
        const client = await d.connect('/', { reconnection: true, reconnectionDelay: 10 });
        await flows(c, d);
        carry(CARRIER);
        const first = next(client, 'first');
        c.app.io.emit('first');
        await first;
        const missed = next(client, 'missed');
        client.io.engine.close();
        c.app.io.emit('missed', 1);
        const [n] = await missed;
        assert.deepEqual([n, client.recovered], [1, true]);
      });
    }

    /** Records the messages of broadcasts of the event `same`, without what Redis adds. */
    async function recording(server: RedisServer | undefined) {
      const messages: string[] = [];
      if (server === undefined) {
        const { publish } = Links.prototype;
        mm(Links.prototype, 'publish', function (this: Links, frame: Buffer) {
          messages.push(frame.toString('latin1'));
          publish.call(this, frame);
        });
        return { stop: () => messages };
      }
      const { Redis: Client } = require('ioredis') as { Redis: typeof Redis };
      const client = new Client(server.config);
      const monitor = await client.monitor();
      monitor.on('monitor', (_time: string, args: string[]) => {
        if (args.some((arg) => arg.includes('same'))) messages.push(args.join(' '));
      });
      return {
        stop: async () => {
          await until('Redis has shown all commands', () => messages.length === 3);
          monitor.disconnect();
          client.disconnect();
          return messages;
        },
      };
    }
  });
}

describe('what a broadcast of agent.io carries', () => {
  it('should be set in the agent, and be delivered by the worker that executes it', async () => {
    const { app, connect } = await startInline({ io: { namespace: { '/': {}, '/room/:id': {} } } });
    const client = await connect('/room/1');
    const commands: string[] = [];
    const agent = new AgentIo((command) => commands.push(command), new Users({ config: {} }, undefined), {
      of: () => assert.fail('no presence is asked for'),
    });
    const broadcasts: BroadcastMessage[] = [];
    const deliveries = collectDeliveries();
    subscribe(BROADCAST, (message: BroadcastMessage) => broadcasts.push(message));
    const execute = () => commands.splice(0).map((command) => app.messenger.emit(ACTION, command));

    agent.of('/room/1').to('a').except('b').emit('none');
    assert.deepEqual(decodeCommand(commands.shift() as string).opts.flags, {});
    carry(CARRIER);
    agent.of('/room/:id').emit('all');
    assert.throws(() => (agent.of('/') as unknown as Namespace).local.emit('local'), /agent\.io has no clients/);
    agent.of('/room/1').socketsJoin('a');
    for (const each of undo.splice(2)) each();
    const heard = next(client, 'all');
    execute();
    await heard;
    const target = { rooms: 0, except: 0, isLocal: false, withAck: false };
    assert.deepEqual(
      broadcasts.map(({ carrier, server, ...rest }) => rest),
      [
        { ...target, namespace: '/room/1', event: 'none', rooms: 1, except: 1 },
        { ...target, namespace: '/room/:id', event: 'all' },
        { ...target, namespace: '/room/:id', event: 'all' },
      ],
    );
    assert.deepEqual(deliveries.map(seen), [
      { namespace: '/room/:id', event: 'all', rooms: 0, except: 0, carrier: CARRIER },
    ]);
  });
});

describe('what a broadcast carries with an adapter of the application', () => {
  it('should be delivered if the adapter extends ClusterAdapter', async () => {
    const wire = new EventEmitter();
    const adapter = () =>
      class extends ClusterAdapter {
        constructor(nsp: Namespace) {
          super(nsp);
          wire.on('message', (text) => this.onMessage(JSON.parse(text)));
        }
        protected override async doPublish(message: object): Promise<string> {
          wire.emit('message', JSON.stringify(message));
          return '';
        }
        protected override async doPublishResponse(): Promise<void> {}
      };
    const [a, b] = [await startInline({ io: { adapter } }), await startInline({ io: { adapter } })];
    const clients = [await a.connect(), await b.connect()];
    const deliveries = collectDeliveries();
    carry(CARRIER);
    const heard = clients.map((client) => next(client, 'news'));
    a.app.io.emit('news');
    await Promise.all(heard);
    assert.deepEqual(deliveries.map(seen), [{ namespace: '/', event: 'news', rooms: 0, except: 0, carrier: CARRIER }]);
  });
});

describe('carrierOf', () => {
  it('should not call getters of a prototype, and return undefined without a field', () => {
    for (const value of [undefined, null, 'x', 1, {}, Object.create({ traceparent: 'x' }), new Map([['a', 'b']])]) {
      assert.equal(carrierOf(value), undefined);
    }
  });
});

describe('what a broadcast carries between two processes', function () {
  this.timeout(120_000);

  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster('members', { workers: 2 });
  });
  after(() => cluster?.close());

  it('should be delivered by the other process, and not by its own', async () => {
    const clients = new Map<number, Socket>();
    await until('each worker has a client', async () => {
      const client = await connected(track(cluster.url, { transports: ['websocket'] }));
      const { worker } = await client.emitWithAck('pids');
      if (clients.has(worker)) client.disconnect();
      else clients.set(worker, client);
      return clients.size === 2;
    });
    const [near, far] = clients.values() as Iterable<Socket> as [Socket, Socket];
    await until('they are linked', async () => (await near.emitWithAck('count')) === 2);
    for (const client of [near, far]) await client.emitWithAck('observe');
    await near.emitWithAck('carry', CARRIER);
    const heard = next(far, 'news');
    await near.emitWithAck('emit', 'news', 1);
    await heard;
    assert.deepEqual(await near.emitWithAck('deliveries'), []);
    assert.deepEqual(await far.emitWithAck('deliveries'), [
      { namespace: '/', event: 'news', rooms: 0, except: 0, carrier: CARRIER },
    ]);
  });
});
