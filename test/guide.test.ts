// The examples of example/guide: the room of Egg's guide in the style of 4.1.6, and the same in the style of version 5.
//
// The first one, without a change, on egg-socket.io 4.1.6 with config.io.redis, Socket.IO 2.5, Egg 2 and socket.io-client 2.5, on 2026-11-28:
// - ann enters: she receives `online` with her own id, action `join`
// - bob enters: both receive `online` with both ids
// - ann sends `exchange` to bob: the event of his id reaches him; it reaches ann as well, who has no listener for it
// - bob leaves: ann receives `online` with her own id, action `leave`
// - eve asks for a room that does not exist: she receives `connect`, the event of her own id with the action `deny`, then `connect` again, and
//   `disconnect` with `io server disconnect`
// Without Redis, the list lacks the client that enters, and the list does not reach it. Nothing disconnects eve: the adapter has no
// remoteDisconnect, and she receives `error` with `nsp.adapter.remoteDisconnect is not a function`.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import path from 'node:path';
import type { Socket } from 'socket.io-client';
import { Presence } from '../lib/presence/client';
import { connected, logs, ROOT, type Running, refused, start } from './support/app';
import { parity } from './support/clients';
import { next, times, until } from './support/wait';

const startExample = (name: string): Promise<Running> =>
  start('guide', { baseDir: path.join(ROOT, 'example/guide', name) });

/** Returns the query with which a user enters a room. */
const of = (userId: string, room = 'lobby') => ({ query: { room, userId } });

for (const name of ['original', 'today']) {
  parity(`example/guide/${name}`, (kind) => {
    let running: Running;

    before(async () => {
      running = await startExample(name);
    });

    // Each test begins without clients.
    beforeEach(() => until('all clients have left', () => running.app.io.sockets.sockets.size === 0));

    /** Returns what emits `online`: of the second example, what the page would do with the presence of the room. */
    function membersOf(client: Socket, room = 'lobby'): Pick<EventEmitter, 'on' | 'off'> {
      if (name === 'original') return client as never;
      const members = new EventEmitter();
      const here = new Presence(client, room);
      here.on('change', ({ joins, leaves }) => {
        const clients = Object.values(here.list()).flatMap((metas) => metas.map(({ id }) => kind.idOf(id)));
        const joined = Object.keys(joins).at(-1);
        const action = joined === undefined ? 'leave' : 'join';
        members.emit('online', { clients, action, userId: joined ?? Object.keys(leaves).at(-1) });
      });
      return members;
    }

    /** Connects a client, and returns it with the first `online` that it receives. */
    async function enter(userId: string, room?: string) {
      const client = running.client('/', of(userId, room));
      const members = membersOf(client, room);
      const online = next(members, 'online');
      await connected(client);
      return { client, members, id: kind.idOf(client.id as string), online: (await online)[0] };
    }

    it('should send the members to all clients in the room, with the one that has entered', async () => {
      const ann = await enter('ann');
      assert.deepEqual(ann.online.clients, [ann.id]);
      const heard = next(ann.members, 'online');
      const bob = await enter('bob');
      const [online] = await heard;
      assert.deepEqual(online, bob.online);
      assert.deepEqual([...online.clients].sort(), [ann.id, bob.id].sort());
      assert.equal(online.action, 'join');
      if (name === 'original') assert.equal(online.message, 'User(bob) joined.');
      else assert.equal(online.userId, 'bob');
      const eve = await enter('eve', 'garden');
      assert.deepEqual(eve.online.clients, [eve.id]);
    });

    it('should send the remaining members to the others when a client leaves', async () => {
      const ann = await enter('ann');
      const heard = times(ann.members, 'online', 2);
      const bob = await enter('bob');
      bob.client.disconnect();
      const online = (await heard)[1]?.[0];
      assert.equal(online.action, 'leave');
      assert.deepEqual(online.clients, [ann.id]);
    });

    it('should deliver a message to the client that it names', async () => {
      const [ann, bob] = [await enter('ann'), await enter('bob')];
      const event = (id: string) => (name === 'original' ? id : 'exchange');
      ann.client.on(event(ann.id), () => assert.fail('the sender received it'));
      const heard = next(bob.client, event(bob.id));
      ann.client.emit('exchange');
      ann.client.emit('exchange', { target: bob.id, payload: { text: 'hello' } });
      const [{ meta, data, ...message }] = await heard;
      if (name === 'original') {
        const { timestamp, ...ends } = meta;
        assert.equal(typeof timestamp, 'number');
        assert.deepEqual(ends, { client: ann.id, target: bob.id });
        assert.deepEqual(data, { action: 'exchange', payload: { text: 'hello' } });
      } else {
        assert.deepEqual(message, { from: ann.id, payload: { text: 'hello' } });
      }
    });

    it('should refuse a client whose room does not exist', async () => {
      const { error } = logs(running.app);
      const client = running.client('/', of('ann', 'attic'));
      if (name === 'original') {
        assert.deepEqual(await denied(client), { type: 'deleted', message: 'There is no room attic.' });
        assert.equal(error.length, 0);
      } else {
        const refusal = await refused(client);
        assert.deepEqual(refusal.data, { type: 'deleted' });
        assert.equal(client.connected, false);
      }
      assert.equal(running.app.io.sockets.sockets.size, 0);
    });

    /** Waits until a client of the original is disconnected, and returns the reason that it has received before. */
    async function denied(client: Socket): Promise<unknown> {
      let reason: any;
      // As the page of the guide does.
      client.on('connect', () => client.on(kind.idOf(client.id as string), (msg: unknown) => (reason = msg)));
      assert.deepEqual((await next(client, 'disconnect'))[0], 'io server disconnect');
      assert.equal(reason.data.action, 'deny');
      return reason.data.payload;
    }
  });
}

it('example/guide: the first one needs nothing but config.io.compat, and the second one not even that', async () => {
  const used = async (name: string) => {
    const { app, connect, client } = await startExample(name);
    logs(app);
    await connect('/', of('ann'));
    await next(client('/', of('ann', 'attic')), name === 'original' ? 'disconnect' : 'connect_error');
    return Object.keys(app.io.stats().compat ?? {});
  };
  assert.deepEqual((await used('original')).sort(), ['adapter.clients()', 'adapter.remoteDisconnect()']);
  assert.deepEqual(await used('today'), []);
});
