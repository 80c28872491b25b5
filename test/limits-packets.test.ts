// config.io.limits.packetsPerTurn: a client that floods the worker does not keep it from the events of others.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import { WebSocket } from 'ws';
import type { IoConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { drain } from '../lib/drain';
import { logs, type Running } from './support/app';
import { NEW, OLD, parityOf } from './support/clients';
import { bootError, startInline } from './support/inline';
import { next, signal, until, within } from './support/wait';

/** An application that records which client has sent an event, in the order in which they are handled. */
async function recording(limits: IoConfig['limits']): Promise<Running & { handled: string[]; order: number[] }> {
  const handled: string[] = [];
  const order: number[] = [];
  const running = await startInline({
    io: { limits, init: { allowEIO3: true } },
    router: (app) => {
      app.io.route('flood', (ctx) => {
        handled.push('flood');
        order.push(ctx.args[0]);
      });
      app.io.route('polite', (ctx) => {
        handled.push('polite');
        ctx.args[0]?.();
      });
      app.io.route('last', (ctx) => ctx.args[0](order.length));
    },
  });
  return { ...running, handled, order };
}

/** Opens a raw connection, and joins `/`. */
async function raw(url: string): Promise<WebSocket> {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  const joined = signal();
  ws.on('error', () => {});
  ws.on('message', (data) => {
    const text = String(data);
    if (text.startsWith('0')) ws.send('40');
    if (text.startsWith('40')) joined.resolve();
    if (text === '2') ws.send('3');
  });
  await within('a raw connection', joined.promise);
  return ws;
}

const FLOOD = 5_000;

function flood(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `42["flood",${from + i}]`);
}

/** Sends a flood in one piece, as one write to the TCP connection. */
function sendAtOnce(ws: WebSocket, packets: string[]): void {
  const { _socket: socket } = ws as unknown as { _socket: { cork(): void; uncork(): void } };
  socket.cork();
  for (const packet of packets) ws.send(packet);
  socket.uncork();
}

function waited(app: Application): number {
  return app.io.stats().limited.packetsPerTurn;
}

describe('config.io.limits.packetsPerTurn', () => {
  /** Floods the worker beside a client that sends its next event when the last one is answered. Returns the longest run of the flood. */
  async function longestRun(limits: IoConfig['limits']): Promise<{ longest: number; waiting: number }> {
    const { url, connect, handled, order, app } = await recording(limits);
    const polite = await connect();
    const flooding = await raw(url);
    let isOver = false;
    const answers = (async () => {
      while (!isOver) await polite.emitWithAck('polite');
    })();
    await until('the polite client is answered', () => handled.length > 0);
    sendAtOnce(flooding, flood(0, FLOOD));
    await until('the flood is handled', () => order.length === FLOOD);
    isOver = true;
    await answers;
    assert.deepEqual(
      order,
      Array.from({ length: FLOOD }, (_, i) => i),
    );
    flooding.close();
    const runs = handled.join(' ').split(/(?:polite ?)+/);
    return { longest: Math.max(...runs.map((run) => run.split(' ').filter(Boolean).length)), waiting: waited(app) };
  }

  it('should let other clients in between the packets of a client that floods the worker', async () => {
    // The polite client, which runs in this process, needs some turns of the event loop for one event.
    const turns = 20;
    const limited = await longestRun({ packetsPerTurn: 10 });
    assert(limited.longest <= 10 * turns, `${limited.longest} packets of the flood in one run`);
    assert(limited.waiting > FLOOD / 2, `${limited.waiting} packets have waited`);
    const unlimited = await longestRun({ packetsPerTurn: false });
    assert(unlimited.longest > 10 * turns, `${unlimited.longest} packets of the flood in one run`);
    assert.equal(unlimited.waiting, 0);
  });

  it('should not hold back a client that sends less than half of it at a time', async () => {
    const { connect, app } = await recording({ packetsPerTurn: 8 });
    const client = await connect();
    for (let i = 0; i < 100; i++) {
      await Promise.all([1, 2, 3].map(() => client.emitWithAck('polite')));
    }
    assert.equal(waited(app), 0);
  });

  it('should handle no more packets of a connection in one turn of the event loop', async () => {
    const { url, order, app } = await recording({ packetsPerTurn: 7 });
    const ws = await raw(url);
    const turns: number[] = [];
    let seen = 0;
    let isOver = false;
    const watch = () => {
      turns.push(order.length - seen);
      seen = order.length;
      if (!isOver) setImmediate(watch);
    };
    setImmediate(watch);
    sendAtOnce(ws, flood(0, 500));
    await until('all are handled', () => order.length === 500);
    isOver = true;
    // An immediate of this test runs before or after those of the limit: it sees the packets of two turns at most.
    assert(Math.max(...turns) <= 14, String(Math.max(...turns)));
    assert(waited(app) > 0);
    ws.close();
  });

  parityOf([NEW, OLD[0] as (typeof OLD)[0]], 'the packets that wait', () => {
    for (const transport of ['websocket', 'polling']) {
      it(`should be handled in order, and answered, over ${transport}`, async () => {
        const { connect, order } = await recording({ packetsPerTurn: 3 });
        const client = await connect('/', { transports: [transport] });
        for (let i = 0; i < 300; i++) client.emit('flood', i);
        assert.equal(await client.emitWithAck('last'), 300);
        assert.deepEqual(
          order,
          Array.from({ length: 300 }, (_, i) => i),
        );
      });

      it(`should be handled before the disconnect of a client that leaves, over ${transport}`, async () => {
        const { connect, order, app } = await recording({ packetsPerTurn: 3 });
        const client = await connect('/', { transports: [transport] });
        const disconnected = next(Array.from(app.io.of('/').sockets.values())[0] as never, 'disconnect');
        let atDisconnect = -1;
        void disconnected.then(() => {
          atDisconnect = order.length;
        });
        for (let i = 0; i < 300; i++) client.emit('flood', i);
        // The client writes what it has emitted, then the end of the connection.
        if (transport === 'polling') await next(client.io.engine as never, 'drain');
        client.io.engine.close();
        await disconnected;
        assert.equal(atDisconnect, 300);
      });
    }
  });

  it('should keep binary arguments', async () => {
    const received: Buffer[] = [];
    const { connect } = await startInline({
      io: { limits: { packetsPerTurn: 2 } },
      router: (app) => {
        app.io.route('binary', (ctx) => received.push(...ctx.args.filter(Buffer.isBuffer)));
        app.io.route('last', (ctx) => ctx.args[0]());
      },
    });
    const client = await connect();
    for (let i = 0; i < 20; i++) client.emit('binary', Buffer.from([i]), Buffer.from([i, i]));
    await client.emitWithAck('last');
    assert.deepEqual(
      received.map((each) => [...each]),
      Array.from({ length: 20 }, (_, i) => [[i], [i, i]]).flat(),
    );
  });

  it('should drop the packets that wait if the server closes the connection', async () => {
    const order: number[] = [];
    const { url, app } = await startInline({
      io: { limits: { packetsPerTurn: 5 } },
      router: (app) =>
        app.io.route('flood', (ctx) => {
          order.push(ctx.args[0]);
          if (ctx.args[0] === 9) ctx.disconnect(true);
        }),
    });
    const ws = await raw(url);
    const closed = next(ws, 'close');
    sendAtOnce(ws, flood(0, 100));
    await closed;
    await until('the socket is released', () => app.io.of('/').sockets.size === 0);
    assert(order.length <= 15, String(order.length));
  });

  it('should drop the packets that wait if the worker drains, and close the paused WebSocket', async () => {
    const { url, order, app } = await recording({ packetsPerTurn: 1 });
    const ws = await raw(url);
    const closed = next(ws, 'close');
    sendAtOnce(ws, flood(0, FLOOD));
    await until('it is handled', () => order.length > 0);
    const draining = drain(app);
    await closed;
    await draining;
    assert(order.length < FLOOD, String(order.length));
    assert.equal(app.io.of('/').sockets.size, 0);
  });

  it('should release a socket whose client has left without a word while its packets wait', async () => {
    const { url, order, app } = await recording({ packetsPerTurn: 1 });
    const ws = await raw(url);
    sendAtOnce(ws, flood(0, 1000));
    await until('it is handled', () => order.length > 0);
    ws.terminate();
    await until('the socket is released', () => app.io.of('/').sockets.size === 0);
    assert.deepEqual(Object.keys((app.io.engine as unknown as { clients: object }).clients), []);
  });

  it('should drop those that wait behind a malformed one, which closes the connection', async () => {
    const { url, order, app } = await recording({ packetsPerTurn: 5 });
    const { error, warn } = logs(app);
    const ws = await raw(url);
    const closed = next(ws, 'close');
    sendAtOnce(ws, [...flood(0, 12), '42{', ...flood(12, 100)]);
    await closed;
    await until('the socket is released', () => app.io.of('/').sockets.size === 0);
    assert(order.length <= 12, String(order.length));
    assert.equal(warn.length, 1);
    assert.match(warn[0], /a packet cannot be decoded: invalid payload/);
    assert.deepEqual(error, []);
  });

  it('should not read the next request of long-polling before the packets of the last one are handled', async () => {
    const gate = signal();
    const { url, order } = await recording({ packetsPerTurn: 1 });
    const endpoint = `${url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(endpoint)).text()).slice(1));
    const post = async (body: string) => (await fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body })).text();
    await post('40');
    await fetch(`${endpoint}&sid=${sid}`);
    let handledAtAnswer = -1;
    const first = post(flood(0, 200).join('\x1e'));
    assert.equal(await first, 'ok');
    const second = post(flood(200, 1).join('\x1e')).then((answer) => {
      handledAtAnswer = order.length;
      gate.resolve();
      return answer;
    });
    assert.equal(await second, 'ok');
    assert(handledAtAnswer >= 200, `answered after ${handledAtAnswer}`);
    await until('all are handled', () => order.length === 201);
  });

  it('should close a connection of long-polling that sends overlapping requests meanwhile', async () => {
    const { url, order, app } = await recording({ packetsPerTurn: 1 });
    logs(app);
    const endpoint = `${url}/socket.io/?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(endpoint)).text()).slice(1));
    const post = (body: string) => fetch(`${endpoint}&sid=${sid}`, { method: 'POST', body });
    await post('40');
    await until('it has joined', () => app.io.of('/').sockets.size === 1);
    // Answered at once. Its packets are handled in 2,000 turns of the event loop.
    await post(flood(0, 2000).join('\x1e'));
    const overlapping = await Promise.all(Array.from({ length: 5 }, () => post('42["flood",0]')));
    assert(overlapping.every(({ status }) => status === 400));
    await until('the socket is released', () => app.io.of('/').sockets.size === 0);
    assert(order.length < 2000, String(order.length));
  });

  it('should stop to read from a WebSocket while packets wait', async () => {
    const { url, order, app } = await recording({ packetsPerTurn: 1 });
    const ws = await raw(url);
    const [conn] = Object.values((app.io.engine as unknown as { clients: Record<string, any> }).clients);
    const states: boolean[] = [];
    const { pause } = conn.transport.socket;
    conn.transport.socket.pause = function () {
      states.push(true);
      pause.call(this);
    };
    sendAtOnce(ws, flood(0, 50));
    await until('all are handled', () => order.length === 50);
    assert.equal(states.length > 0, true);
    await until('it reads again', () => !conn.transport.socket.isPaused);
    ws.send('42["flood",50]');
    await until('the next one is handled', () => order.length === 51);
    ws.close();
  });

  it('should be 50 by default, and off if it is false', async () => {
    assert.equal(resolveConfig({}).limits.packetsPerTurn, 50);
    assert.equal(resolveConfig({ limits: { packetsPerTurn: false } }).limits.packetsPerTurn, undefined);
    assert.equal(resolveConfig({ limits: false }).limits.packetsPerTurn, undefined);
    const { message } = await bootError({ io: { limits: { packetsPerTurn: 0 } } });
    assert.match(message, /config\.io\.limits\.packetsPerTurn is invalid .*a whole number of at least 1, or false/);
  });
});
