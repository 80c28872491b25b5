// app.io.stats(): the statistics of a worker, by protocol.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { format } from 'node:util';
import type { Socket } from 'socket.io-client';
import type { IoStats } from '../lib';
import { type ClientOptions, connected, logs, ROOT, type Running, track } from './support/app';
import { type Kind, NEW, OLD } from './support/clients';
import { type Inline, startInline } from './support/inline';
import { next, signal, until } from './support/wait';

const [TWO, ONE] = OLD as [Kind, Kind];
const NONE = { now: 0, total: 0, refused: 0, events: 0, expired: 0, errors: 0 };
const EMPTY = { ...NONE, rooms: 0, protocols: { 3: NONE, 4: NONE } };
const DURATIONS = { sum: 0, bounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] };

describe('app.io.stats()', () => {
  /** Starts an application that accepts clients of all protocols. */
  const startAll = async (inline: Inline) => {
    const running = await startInline({
      ...inline,
      io: { ...inline.io, init: { allowEIO3: true, ...inline.io?.init } },
    });
    const enter = (kind: Kind, nsp = '/', options?: ClientOptions) =>
      connected(track(running.url + nsp, options, kind));
    const attempt = (kind: Kind, nsp: string, options: ClientOptions) => track(running.url + nsp, options, kind);
    return { ...running, enter, attempt };
  };

  const leave = async ({ app }: Pick<Running, 'app'>, ...clients: Socket[]) => {
    for (const client of clients) client.disconnect();
    await until('all have disconnected', () => app.io.engine.clientsCount === 0);
  };

  it('should be zero at first', async () => {
    const begin = Date.now();
    const { app } = await startInline({});
    const none = { now: 0, polling: 0, websocket: 0, webtransport: 0, total: 0, last: null };
    const { since, adapter, ...stats } = app.io.stats();
    assert.equal(Date.parse(adapter.since) >= begin, true);
    assert.deepEqual({ ...adapter, since: '' }, { name: 'memory', up: true, since: '', sent: 0, received: 0, lost: 0 });
    assert.deepEqual(stats, {
      pid: process.pid,
      draining: false,
      connections: { ...none, unsentBytes: 0 },
      handshakes: {
        accepted: 0,
        forbidden: 0,
        unknownSession: 0,
        unknownTransport: 0,
        badMethod: 0,
        badRequest: 0,
        unsupportedProtocol: 0,
      },
      events: { total: 0, inFlight: 0, errors: 0, durations: { ...DURATIONS, counts: Array(14).fill(0) } },
      links: { expected: 0, up: 0 },
      forwarded: 0,
      protocols: { 3: none, 4: none },
      refusedOld: 0,
      limited: {
        namespaces: 0,
        unsentBytes: 0,
        packetsPerTurn: 0,
        events: 0,
        concurrency: 0,
        argumentBytes: 0,
        connectionsPerAddress: 0,
        connectionsPerUser: 0,
        routes: 0,
      },
      namespaces: { '/': EMPTY },
    });
    assert(Date.parse(since) >= begin && Date.parse(since) <= Date.now(), since);
  });

  it('should count connections by protocol and transport, the open ones and all since the start', async () => {
    const running = await startAll({});
    const { app, enter } = running;
    const begin = Date.now();
    const clients = [await enter(NEW), await enter(NEW, '/', { transports: ['polling'] })];
    assert.equal(app.io.stats().protocols[3].last, null);
    clients.push(await enter(TWO), await enter(ONE), await enter(TWO, '/', { transports: ['polling'] }));
    const { connections, protocols } = app.io.stats();
    const { last, ...three } = protocols[3];
    assert.deepEqual(three, { now: 3, polling: 1, websocket: 2, webtransport: 0, total: 3 });
    assert(Date.parse(last as string) >= begin && Date.parse(last as string) <= Date.now(), String(last));
    const { last: _last, ...four } = protocols[4];
    assert.deepEqual(four, { now: 2, polling: 1, websocket: 1, webtransport: 0, total: 2 });
    const { last: latest, ...all } = connections;
    assert.deepEqual(all, { now: 5, polling: 2, websocket: 3, webtransport: 0, total: 5, unsentBytes: 0 });
    assert.equal(latest, last);
    assert.equal(app.io.stats().handshakes.accepted, 5);

    // After the last client of Socket.IO 2 has disconnected, its date stays.
    await leave(running, ...clients);
    await enter(NEW);
    const after = app.io.stats().protocols;
    assert.deepEqual(after[3], { now: 0, polling: 0, websocket: 0, webtransport: 0, total: 3, last });
    assert.deepEqual([after[4].now, after[4].total], [1, 3]);
  });

  it('should count the transport after the upgrade, and a connection once for all its namespaces', async () => {
    const { app, enter } = await startAll({ io: { namespace: { '/': {}, '/chat': {} } } });
    for (const [kind, protocol] of [
      [NEW, 4],
      [TWO, 3],
    ] as const) {
      const client = await enter(kind, '/', { transports: ['polling', 'websocket'] });
      await connected(client.io.socket('/chat') as Socket);
      await until('the connection is upgraded', () => app.io.stats().protocols[protocol].websocket === 1);
      const { now, polling, total } = app.io.stats().protocols[protocol];
      assert.deepEqual({ now, polling, total }, { now: 1, polling: 0, total: 1 });
    }
    const { namespaces } = app.io.stats();
    for (const protocol of [3, 4] as const) {
      assert.deepEqual(namespaces['/']?.protocols[protocol], { ...NONE, now: 1, total: 1 });
      assert.deepEqual(namespaces['/chat']?.protocols[protocol], { ...NONE, now: 1, total: 1 });
    }
  });

  it('should be plain JSON', async () => {
    const { app, enter } = await startAll({});
    await enter(TWO);
    const stats = app.io.stats();
    assert.deepEqual(JSON.parse(JSON.stringify(stats)), stats);
  });

  it('should be a copy each time', async () => {
    const { app } = await startInline({});
    const stats = app.io.stats();
    stats.protocols[4].total = 7;
    (stats.namespaces['/'] as IoStats['namespaces'][string]).protocols[4].events = 7;
    assert.equal(app.io.stats().protocols[4].total, 0);
    assert.deepEqual(app.io.stats().namespaces, { '/': EMPTY });
  });

  for (const [kind, protocol, other] of [
    [NEW, 4, 3],
    [TWO, 3, 4],
  ] as const) {
    it(`should count clients, refusals, events and errors by namespace: ${kind.name}`, async () => {
      let broken = false;
      const running = await startAll({
        io: { namespace: { '/': {}, '/chat': { connectionMiddleware: ['a'], packetMiddleware: ['b'] } } },
        boot: (app) => {
          const create = app.createContext;
          app.createContext = ((req, res) => {
            if (broken && req.url?.includes('broken')) throw new Error('no context');
            return create.call(app, req, res);
          }) as typeof create;
        },
        middleware: {
          a: async (ctx, next) => {
            if (ctx.query.how === 'throw') throw new Error('not you');
            if (ctx.query.how === 'disconnect') return ctx.disconnect() as never;
            await next();
            if (ctx.query.how === 'late') throw new Error('too late');
          },
          b: async (ctx, next) => {
            if (ctx.packet[0] === 'bad') throw new Error('bad');
            if (ctx.packet[0] !== 'swallowed') await next();
          },
        },
        router: (app) => {
          const chat = app.io.of('/chat');
          chat.route('hail', (ctx) => ctx.args[0]('you'));
          chat.route('worse', () => {
            throw new Error('worse');
          });
          chat.route('disconnect', (ctx) => {
            if (ctx.query.how === 'late') throw new Error('at the end');
          });
        },
      });
      const { app, enter, attempt } = running;
      const { error } = logs(app);
      const chat = () => app.io.stats().namespaces['/chat']?.protocols;
      const here = await enter(kind, '/chat');
      for (const event of ['bad', 'worse', 'swallowed', 'nobody knows']) here.emit(event);
      assert.equal(await here.emitWithAck('hail'), 'you');
      await until('both events have failed', () => error.length === 2);
      assert.deepEqual(chat(), { [other]: NONE, [protocol]: { ...NONE, now: 1, total: 1, events: 5, errors: 2 } });

      const refusal = protocol === 3 ? 'error' : 'connect_error';
      await next(attempt(kind, '/chat', { query: { how: 'throw' } }), refusal);
      await next(attempt(kind, '/chat', { query: { how: 'disconnect' } }), 'disconnect');
      assert.deepEqual(chat()?.[protocol], { ...NONE, now: 1, total: 1, refused: 2, events: 5, errors: 2 });

      const late = await enter(kind, '/chat', { query: { how: 'late', broken: '' } });
      assert.equal(chat()?.[protocol].now, 2);
      broken = true;
      late.emit('hail');
      await until('the context cannot be created', () => error.length === 4);
      broken = false;
      late.disconnect();
      await until('the errors at the disconnect are logged', () => error.length === 6);
      assert.deepEqual(chat()?.[protocol], { ...NONE, now: 1, total: 2, refused: 2, events: 6, errors: 5 });

      broken = true;
      attempt(kind, '/chat', { query: { broken: '' } });
      await until('the client is refused', () => error.length === 7);
      // A client of Socket.IO 2 is refused in / already.
      const where = protocol === 3 ? '/' : '/chat';
      assert.equal(app.io.stats().namespaces[where]?.protocols[protocol].refused, protocol === 3 ? 1 : 3);
      assert.deepEqual(chat()?.[other], NONE);
    });
  }

  it('should count an error of the socket without a route for it', async () => {
    const { app, enter } = await startAll({
      router: ({ io }) =>
        io.on('connection', (socket) => socket.use((_packet, done) => done(new Error('by a function put on by hand')))),
    });
    const { error } = logs(app);
    (await enter(NEW)).emit('anything');
    await until('the error is logged', () => error.length === 1);
    assert.equal(app.io.stats().namespaces['/']?.protocols[4].errors, 1);
  });

  it('should count an error that the acknowledgement contains, and a timeout', async () => {
    const go = signal();
    const { app, enter } = await startAll({
      io: { ack: 'auto', ackTimeout: 20 },
      router: (app) => {
        app.io.route('fail', () => {
          throw new Error('no');
        });
        app.io.route('late', () => go.promise);
      },
    });
    logs(app);
    const client = await enter(TWO);
    assert.match((await client.emitWithAck('fail')).error.message, /no/);
    assert.match((await client.emitWithAck('nobody')).error.message, /no route/);
    assert.match((await client.emitWithAck('late')).error.message, /no answer/);
    go.resolve();
    assert.deepEqual(app.io.stats().namespaces['/']?.protocols[3], { ...NONE, now: 1, total: 1, events: 3, errors: 3 });
  });

  it('should count rooms, without those that sockets have for themselves', async () => {
    const { app, enter } = await startAll({
      router: ({ io }) =>
        io.route('join', (ctx) => {
          ctx.socket.join(['one', 'two']);
          ctx.args[0]();
        }),
    });
    const [first, second] = [await enter(NEW), await enter(TWO)];
    await first.emitWithAck('join');
    await second.emitWithAck('join');
    assert.equal(app.io.stats().namespaces['/']?.rooms, 2);
  });

  it('should count events by their durations, those that fail as well, and those in flight', async () => {
    const held = signal();
    const { app, enter } = await startAll({
      router: (app) => {
        app.io.route('hail', (ctx) => ctx.args[0]());
        app.io.route('fail', () => {
          throw new Error('no');
        });
        app.io.route('wait', async () => {
          await held.promise;
          await delay(60);
        });
      },
    });
    logs(app);
    const client = await enter(NEW);
    client.emit('fail');
    client.emit('wait');
    await client.emitWithAck('hail');
    await until('one event is in flight', () => app.io.stats().events.inFlight === 1);
    held.resolve();
    await until('no event is in flight', () => app.io.stats().events.inFlight === 0);
    const { total, errors, durations } = app.io.stats().events;
    assert.deepEqual([total, errors], [3, 1]);
    const { sum, bounds, counts } = durations;
    assert.equal(
      counts.reduce((all, each) => all + each),
      3,
    );
    // At least one has taken more than 50 ms.
    assert(
      counts.slice(bounds.indexOf(100)).some((count) => count > 0),
      String(counts),
    );
    assert(sum >= 59, String(sum));
  });

  it('should count the bytes that wait to be sent', async () => {
    const { app, enter } = await startAll({});
    await enter(NEW, '/', { transports: ['polling'] });
    // Until the client polls again, the packets wait.
    for (let i = 0; i < 3; i++) app.io.emit('news', 'x'.repeat(10_000));
    assert(app.io.stats().connections.unsentBytes >= 20_000);
    await until('they are sent', () => app.io.stats().connections.unsentBytes === 0);
  });

  it('should count the children of a parent namespace under its name, those that existed before its first route as well', async () => {
    const { app, enter } = await startAll({
      router: (app) => {
        app.io.of(/^\/native-\d+$/);
        app.io.of('/early');
      },
    });
    const rooms = app.io.of(/^\/room-\d+$/);
    const early = await enter(TWO, '/room-0');
    rooms.route('hail', (ctx) => ctx.args[0]('you'));
    for (let i = 0; i < 20; i++) {
      assert.equal(await (await enter(NEW, `/room-${i}`)).emitWithAck('hail'), 'you');
      await enter(NEW, `/native-${i}`);
    }
    early.disconnect();
    await until('the client has disconnected', () => app.io.stats().protocols[3].now === 0);
    const { namespaces } = app.io.stats();
    assert.deepEqual(Object.keys(namespaces).sort(), ['/', '/^\\/native-\\d+$/', '/^\\/room-\\d+$/', '/early']);
    assert.deepEqual(namespaces['/^\\/room-\\d+$/']?.protocols[4], { ...NONE, now: 20, total: 20, events: 20 });
    assert.deepEqual(namespaces['/^\\/native-\\d+$/']?.protocols[4], { ...NONE, now: 20 });
  });

  it('should count the children of a namespace with parameters under its name, those that were removed as well', async () => {
    const { app, enter } = await startAll({
      io: { maxNamespaces: 2 },
      router: (app) => app.io.of('/room/:id').route('hail', (ctx) => ctx.args[0](ctx.params?.id)),
    });
    for (const [i, kind] of [NEW, TWO, ONE, NEW].entries()) {
      const client = await enter(kind, `/room/${i}`);
      assert.equal(await client.emitWithAck('hail'), String(i));
      client.disconnect();
      await until('the client has disconnected', () => app.io.engine.clientsCount === 0);
    }
    const { namespaces } = app.io.stats();
    assert.deepEqual(Object.keys(namespaces), ['/', '/room/:id']);
    const both = { ...NONE, total: 2, events: 2 };
    assert.deepEqual(namespaces['/room/:id']?.protocols, { 3: both, 4: both });
    const { protocols: _protocols, ...sum } = namespaces['/room/:id'];
    assert.deepEqual(sum, { ...NONE, rooms: 0, total: 4, events: 4 });
  });

  it('should count the handshakes of clients of Socket.IO 2 that are refused', async () => {
    const { app, url } = await startInline({});
    const { warn } = logs(app);
    for (const kind of [TWO, ONE]) await next(track(url, {}, kind), 'connect_error');
    await next(track(url, { transports: ['polling'] }, TWO), 'connect_error');
    assert.equal((await fetch(`${url}/socket.io/?EIO=4&transport=carrier-pigeon`)).status, 400);
    // Requests that are not from a client.
    for (const query of ['', 'EIO=5&']) {
      assert.equal((await fetch(`${url}/socket.io/?${query}transport=polling`)).status, 400);
    }
    // Each cause is logged once.
    assert.equal(warn.length, 4);
    const { refusedOld, protocols, handshakes } = app.io.stats();
    assert.equal(refusedOld, 3);
    assert.equal(protocols[3].total, 0);
    const { accepted, unknownTransport, unsupportedProtocol } = handshakes;
    assert.deepEqual([accepted, unknownTransport, unsupportedProtocol], [0, 1, 5]);
  });

  it('should be logged by the schedule of docs/en/clients.md', async () => {
    const page = readFileSync(path.join(ROOT, 'docs/en/clients.md'), 'utf8');
    const code = /```js\n(.*?)```/s.exec(page.slice(page.indexOf('`app/schedule/old-clients.js`')))?.[1];
    const module = { exports: {} as { schedule: object; task(ctx: object): Promise<void> } };
    new Function('module', code as string)(module);
    assert.deepEqual(module.exports.schedule, { interval: '10m', type: 'all' });
    const { app, enter } = await startAll({});
    await enter(TWO);
    const lines: string[] = [];
    await module.exports.task({ app, logger: { info: (...args: unknown[]) => lines.push(format(...args)) } });
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] as string,
      /^\[old clients\] worker \d+: \{"now":1,"polling":0,"websocket":1,.*"total":1,"last":".+"\}$/,
    );
  });

  it('should have the form that the documentation shows', async () => {
    const page = readFileSync(path.join(ROOT, 'docs/en/observability.md'), 'utf8');
    const code = /```js\n(\{\n {2}pid.*?)```/s.exec(page)?.[1];
    const shown = new Function(`return ${code}`)() as IoStats;
    const { app } = await startInline({});
    const stats = app.io.stats();
    assert.deepEqual(Object.keys(shown), Object.keys(stats));
    assert.deepEqual(shown.limited, stats.limited);
    for (const key of ['connections', 'handshakes', 'events', 'adapter', 'links'] as const) {
      assert.deepEqual(Object.keys(shown[key]), Object.keys(stats[key]), key);
    }
    assert.deepEqual(shown.events.durations.bounds, stats.events.durations.bounds);
    assert.equal(shown.events.durations.counts.length, stats.events.durations.counts.length);
    for (const protocol of [3, 4] as const) {
      assert.deepEqual(Object.keys(shown.protocols[protocol]), Object.keys(stats.protocols[protocol]));
      const [one, other] = [shown.namespaces['/chat'], stats.namespaces['/']];
      assert.deepEqual(Object.keys(one?.protocols[protocol] ?? {}), Object.keys(other?.protocols[protocol] ?? {}));
      assert.deepEqual(Object.keys(one ?? {}), Object.keys(other ?? {}));
    }
  });

  it('should keep the totals when the application has closed', async () => {
    const { app, enter } = await startAll({});
    await enter(TWO);
    await app.close();
    const { protocols, namespaces } = app.io.stats();
    assert.deepEqual([protocols[3].now, protocols[3].total], [0, 1]);
    assert.deepEqual(namespaces['/']?.protocols[3], { ...NONE, total: 1 });
  });
});
