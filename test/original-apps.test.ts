// Applications in the style of 4.1.6, on config.io.compat. RESULTS is what they sent on egg-socket.io 4.1.6 with Socket.IO 2.5, Egg 2 and
// socket.io-client 2.5, on 2026-11-28, the same with and without config.io.redis: the applications ran there unchanged. An id is
// replaced by the user's name.
import assert from 'node:assert/strict';
import type { Socket } from 'socket.io-client';
import { connected, type Running, start } from './support/app';
import { parity } from './support/clients';
import { next, until } from './support/wait';

const RESULTS = {
  who: { ids: ['ann', 'bob'], users: ['ann', 'bob'], own: true, none: 'undefined' },
  found: { found: true, same: true },
  notFound: { found: false, same: true },
  look: {
    rooms: { lobby: 'lobby', ann: 'ann' },
    names: ['lobby', 'ann'],
    lobby: { length: 2, sockets: ['ann', 'bob'] },
    sids: ['lobby', 'ann'],
    none: 'undefined',
    all: { err: null, ids: ['ann', 'bob'] },
    inLobby: { err: null, ids: ['ann', 'bob'] },
    inNowhere: { err: null, ids: [] },
  },
};

parity('an application for 4.1.6', (kind) => {
  let running: Running;
  let names: Map<string, string>;

  before(async () => {
    running = await start('original-rooms');
  });

  beforeEach(async () => {
    names = new Map();
    const { io } = running.app;
    await until('all clients have left', () => io.of('/room').sockets.size === 0 && io.of('/').sockets.size === 0);
  });

  /** Connects a client, and returns it with the first event of a name. */
  async function enter(user: string, nsp: string, event: string) {
    const client = running.client(nsp, { query: { user } });
    const first = next(client, event);
    await connected(client);
    const [value] = await first;
    const ids = running.app.io.of(nsp).sockets.keys();
    for (const id of ids) if (kind.idOf(id) === client.id) names.set(id, user);
    return { client, value };
  }

  /** Replaces ids by the names of their users, and sorts lists: the order of ids and rooms is of no importance. */
  function named(value: unknown): unknown {
    if (typeof value === 'string') return names.get(value) ?? value;
    if (Array.isArray(value)) return value.map(named).sort();
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [named(key), named(each)]));
  }

  const ask = async (client: Socket, event: string) => named(await client.emitWithAck(event));

  it('should keep a list of who is online with nsp.connected', async () => {
    const ann = await enter('ann', '/', 'before');
    assert.equal(ann.value, 0);
    const bob = await enter('bob', '/', 'before');
    assert.equal(bob.value, 1);
    assert.deepEqual(await ask(ann.client, 'who'), RESULTS.who);
    const left = next(ann.client, 'left');
    bob.client.disconnect();
    assert.deepEqual(await left, [{ isIn: false, count: 1 }]);
  });

  it('should push to a user from an HTTP controller with nsp.sockets[id] and nsp.connected[id]', async () => {
    const bob = await enter('bob', '/', 'before');
    const push = async (query: string) => (await fetch(`${running.url}/push?${query}`)).json();
    for (const by of ['sockets', 'connected']) {
      const pushed = next(bob.client, 'pushed');
      assert.deepEqual(await push(`user=bob&by=${by}`), RESULTS.found);
      assert.deepEqual(await pushed, [by]);
      assert.deepEqual(await push(`user=eve&by=${by}`), RESULTS.notFound);
    }
  });

  it('should await socket.join(room, callback), and count the members of a room', async () => {
    const ann = await enter('ann', '/room', 'entered');
    assert.equal(ann.value, 1);
    const bob = await enter('bob', '/room', 'entered');
    assert.equal(bob.value, 2);
    assert.deepEqual(await ask(ann.client, 'look'), named(RESULTS.look));
    const left = next(ann.client, 'left');
    assert.deepEqual(await ask(bob.client, 'leave'), ['bob']);
    bob.client.disconnect();
    assert.deepEqual(await left, [1]);
  });

  it('should emit to the room of ctx.to() in a statement before', async () => {
    const [ann, bob] = [await enter('ann', '/room', 'entered'), await enter('bob', '/room', 'entered')];
    const received: unknown[] = [];
    for (const [user, { client }] of Object.entries({ ann, bob }))
      client.onAny((event: string, text: string) => received.push([user, event, text]));
    ann.client.emit('say', 'hello');
    await until('both have received it', () => received.length === 2);
    await ask(bob.client, 'leave');
    ann.client.emit('say', 'anybody?');
    await until('the sender has received it', () => received.length === 3);
    const hello = [
      ['ann', 'echo', 'hello'],
      ['bob', 'said', 'hello'],
    ];
    assert.deepEqual([...received.slice(0, 2)].sort(), hello);
    assert.deepEqual(received[2], ['ann', 'echo', 'anybody?']);
  });
});
