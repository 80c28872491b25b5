// The limits of config.io.limits that hold for a connection: its namespaces, what is unsent, and the connections of an address or a user.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import { WebSocket } from 'ws';
import type { IoConfig, LimitsConfig } from '../lib';
import { resolveConfig } from '../lib/config/config';
import { ConfigError } from '../lib/errors';
import { connected, logs, mm, type Running, refused } from './support/app';
import { type Kind, kind, NEW, OLD, parityOf } from './support/clients';
import { startInline } from './support/inline';
import { next, signal, until } from './support/wait';

const KINDS = [NEW, OLD[0] as Kind];

describe('config.io.limits', () => {
  it('should be on for namespaces, unsentBytes and packetsPerTurn, and off for the others', () => {
    const off = {
      events: undefined,
      concurrency: undefined,
      argumentBytes: undefined,
      connectionsPerAddress: undefined,
      connectionsPerUser: undefined,
    };
    const on = { namespaces: 100, unsentBytes: 16_777_216, packetsPerTurn: 50 };
    assert.deepEqual(resolveConfig({}).limits, { ...on, ...off });
    assert.deepEqual(resolveConfig({ limits: { namespaces: undefined } }).limits, { ...on, ...off });
    assert.deepEqual(resolveConfig({ limits: { namespaces: false } }).limits, { ...on, namespaces: undefined, ...off });
    const none = { namespaces: undefined, unsentBytes: undefined, packetsPerTurn: undefined };
    assert.deepEqual(resolveConfig({ limits: false }).limits, { ...none, ...off });
  });

  const wrong: Array<[unknown, RegExp]> = [
    [true, /config\.io\.limits is invalid \(config\.io\.limits is true/],
    [{ rooms: 1 }, /unknown option rooms .*namespaces, unsentBytes/],
    [{ namespaces: 0 }, /config\.io\.limits\.namespaces is invalid .*a whole number of at least 1, or false/],
    [{ unsentBytes: '16MB' }, /config\.io\.limits\.unsentBytes/],
    [{ concurrency: 1.5 }, /config\.io\.limits\.concurrency/],
    [{ argumentBytes: -1 }, /config\.io\.limits\.argumentBytes/],
    [{ connectionsPerAddress: true }, /config\.io\.limits\.connectionsPerAddress/],
    [{ connectionsPerUser: 3 }, /config\.io\.limits\.connectionsPerUser needs config\.io\.user/],
    [{ events: 10 }, /config\.io\.limits\.events is invalid .*points, duration, by/],
    [{ events: {} }, /config\.io\.limits\.events\.points/],
    [{ events: { points: 5, duration: 0 } }, /config\.io\.limits\.events\.duration/],
    [{ events: { points: 5, by: 'ip' } }, /config\.io\.limits\.events\.by .*'socket', 'user', 'address'/],
    [{ events: { points: 5, by: 'user' } }, /config\.io\.limits\.events\.by needs config\.io\.user/],
    [{ events: { points: 5, seconds: 1 } }, /unknown option seconds/],
  ];
  for (const [limits, message] of wrong) {
    it(`should not be ${JSON.stringify(limits)}`, () => {
      assert.throws(
        () => resolveConfig({ limits: limits as LimitsConfig }),
        (err: Error) => err instanceof ConfigError && message.test(err.message),
      );
    });
  }
});

parityOf(KINDS, 'config.io.limits.namespaces', () => {
  /** Asserts that a client is refused by the limit. */
  function assertTooMany(err: Error & { data?: unknown }, limit: number): void {
    const data = { code: 'TOO_MANY_NAMESPACES', limit };
    if (kind().protocol === 3) assert.deepEqual(err.data, { message: 'too many namespaces', ...data });
    else assert.deepEqual({ message: err.message, data: err.data }, { message: 'too many namespaces', data });
  }

  async function rooms(io: IoConfig, guard = async (_ctx: Context, go: () => Promise<void>) => go()): Promise<Running> {
    const namespace = { '/': {}, '/a': {}, '/b': {}, '/room/:id': { connectionMiddleware: ['guard'] } };
    return await startInline({ io: { namespace, init: { allowEIO3: true }, ...io }, middleware: { guard } });
  }

  it('should refuse a namespace beyond the limit, keep the others, and admit one when another is left', async () => {
    const { connect, app } = await rooms({ limits: { namespaces: 3 } });
    const { warn } = logs(app);
    const first = await connect();
    const { io: manager } = first;
    const a = await connected(manager.socket('/a'));
    await connected(manager.socket('/room/1'));
    for (const name of ['/b', '/room/2', '/nowhere']) assertTooMany(await refused(manager.socket(name)), 3);
    assert(!app.io._nsps.has('/room/2'), 'the refused child was created');
    assert(first.connected && a.connected);
    assert.equal(app.io.stats().limited.namespaces, 3);
    assert.equal(warn.length, 1);
    assert.match(
      warn[0],
      /a client has exceeded 3 namespaces of one connection \(client 127\.0\.0\.1\)\. config\.io\.limits\.namespaces sets/,
    );
    const left = next(app.io.of('/a').sockets.values().next().value as never, 'disconnect');
    a.disconnect();
    await left;
    await connected(manager.socket('/room/3'));
    // Another connection has a limit of its own.
    await connected((await connect()).io.socket('/b'));
  });

  it('should count namespaces whose middleware has not decided', async () => {
    const gate = signal();
    const { connect, app } = await rooms({ limits: { namespaces: 3 } }, async (_ctx, go) => {
      await gate.promise;
      await go();
    });
    const { io: manager } = await connect();
    const pending = [manager.socket('/room/1'), manager.socket('/room/2')];
    assertTooMany(await refused(manager.socket('/room/3')), 3);
    gate.resolve();
    await Promise.all(pending.map(connected));
    assert.equal(app.io.stats().limited.namespaces, 1);
  });

  it('should not count namespaces that have refused the client', async () => {
    const { connect, app } = await rooms({ limits: { namespaces: 2 } }, async (ctx) => {
      throw new Error(`not to ${ctx.socket.nsp.name}`);
    });
    const { io: manager } = await connect();
    for (let i = 0; i < 5; i++) {
      await refused(manager.socket(`/room/${i}`));
      await refused(manager.socket(`/nowhere/${i}`));
    }
    await connected(manager.socket('/a'));
    assert.equal(app.io.stats().limited.namespaces, 0);
  });

  it('should not limit anything if it is false', async () => {
    const { connect, app } = await rooms({ limits: { namespaces: false } });
    const { io: manager } = await connect();
    await Promise.all(Array.from({ length: 120 }, (_, i) => connected(manager.socket(`/room/${i}`))));
    assert.equal(app.io.stats().limited.namespaces, 0);
  });
});

describe('config.io.limits.namespaces of a hostile client', () => {
  it('should bound the requests for one namespace that has not decided', async () => {
    let running = 0;
    const { url, app } = await startInline({
      io: { limits: { namespaces: 10 }, connectionMiddleware: ['a'] },
      middleware: {
        a: async () => {
          running++;
          await new Promise(() => {});
        },
      },
    });
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    const refusals: string[] = [];
    ws.on('message', (data) => {
      if (String(data).startsWith('0')) for (let i = 0; i < 100; i++) ws.send('40');
      if (String(data).startsWith('44')) refusals.push(String(data));
    });
    await until('it is refused', () => refusals.length === 90);
    assert.equal(running, 10);
    assert.equal(app.io.stats().limited.namespaces, 90);
    ws.terminate();
  });
});
