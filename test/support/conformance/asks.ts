// What a worker asks all workers and all clients, in each namespace.
import assert from 'node:assert/strict';
import { DEADLINE } from '../wait';
import type { Client, Outcome } from './client';
import { farFrom, LOCAL, TARGETS } from './emits';
import { NAMESPACES, ODD_ROOMS, type Unable, type World } from './world';

/** How long clients have for their answers, in ms: if all of them answer, and if one does not. */
const LONG = DEADLINE / 2;
const SHORT = 3000;

export function asks(world: () => World, { tellOthers, binaryAnswers }: Unable): void {
  // Times out after 5 s, while other tests run.
  let silence: Promise<Outcome[]> | undefined;
  if (!tellOthers) {
    before(() => {
      silence = world()
        .one()
        .perform([['io', ['serverSideEmitWithAck', 'pid of all but', world().pids[1]]]]);
    });
  }

  for (const nsp of NAMESPACES) {
    describe(`requests of each worker in ${nsp}`, () => {
      for (const { title, to, meets } of [...TARGETS, ...LOCAL]) {
        it(`should be answered by exactly the matching clients, once: ${title}.emitWithAck`, async () => {
          for (const me of world().each(nsp)) {
            const far = farFrom(me, world());
            const chain = to(me, far);
            const meant = world()
              .in(nsp)
              .filter((client) => meets(client, me, far));
            assert.deepEqual(
              (await me.ask(...chain, ['timeout', LONG], ['emitWithAck', 'who'])).sort(),
              labelsOf(meant),
            );
            await world().heard(me, (client) => (meant.includes(client) ? [['who']] : []));
          }
        });
      }

      for (const { title, to, meets } of [...TARGETS, ...LOCAL]) {
        it(`should return exactly the matching sockets, once: ${title}.fetchSockets`, async () => {
          for (const me of world().each(nsp)) {
            const far = farFrom(me, world());
            const meant = world()
              .in(nsp)
              .filter((client) => meets(client, me, far));
            const sockets: Array<{ id: string }> = await me.ask(...to(me, far), ['fetchSockets']);
            assert.deepEqual(sockets.map(({ id }) => id).sort(), idsOf(meant));
          }
        });
      }

      it('should return all properties of sockets: fetchSockets', async () => {
        for (const me of world().each(nsp)) {
          const sockets: Array<Record<string, any>> = await me.ask('io', ['fetchSockets']);
          for (const { id, rooms, data, auth, url, query } of sockets) {
            const client = world()
              .in(nsp)
              .find((each) => each.id === id) as Client;
            const odd = [...client.kind].flatMap((kind) => [kind, ODD_ROOMS[kind as 'a' | 'b']]);
            assert.deepEqual(client.without(rooms), [id, ...odd]);
            assert.equal(data.pid, world().pids[client.worker]);
            const isJson = binaryAnswers && client.worker !== me.worker;
            assert.deepEqual(data.file, isJson ? { type: 'Buffer', data: [0, 255] } : Buffer.from([0, 255]));
            const { label, user } = client;
            assert.deepEqual(data.words, user === undefined ? { label } : { label, user });
            assert.deepEqual(auth, data.words);
            assert.match(url, /^\/socket\.io\/\?/);
            assert.equal(query.from, 'conformance');
          }
        }
      });

      it('should reach the sockets that fetchSockets returns', async () => {
        const me = world().one(nsp);
        const far = farFrom(me, world());
        const socket = ['in', far.id] as [string, string];
        const at = async (...step: [string, ...unknown[]]) => me.ask('io', socket, ['fetchSockets'], '0', step);

        await at('emit', 'you');
        const answer = await me.ask('io', socket, ['fetchSockets'], '0', ['timeout', LONG], ['emitWithAck', 'who']);
        assert.equal(answer, far.label);
        await world().heard(me, (client) => (client === far ? [['you'], ['who']] : []));
        for (const [method, has] of [
          ['join', true],
          ['leave', false],
        ] as const) {
          await at(method, 'its own');
          // The worker of the socket runs the command before it answers this request.
          await me.ask('io', ['timeout', LONG], ['emitWithAck', 'who']);
          assert.equal((await far.ask('socket', 'rooms')).includes('its own'), has, method);
        }
      });

      it('should be answered by the clients to which a socket broadcasts: socket.broadcast, socket.to(room)', async () => {
        for (const me of world().each(nsp)) {
          const others = world()
            .in(nsp)
            .filter((client) => client !== me);
          const ask = ['emitWithAck', 'who'] as [string, string];
          const all = await me.ask('socket', 'broadcast', ['timeout', LONG], ask);
          assert.deepEqual(all.sort(), labelsOf(others));
          const some = await me.ask('socket', ['to', 'a'], ['timeout', LONG], ask);
          assert.deepEqual(some.sort(), labelsOf(others.filter((client) => client.is('a'))));
        }
      });
    });
  }

  it('should fail with the answers received so far if a client does not answer: emitWithAck', async () => {
    const asked = NAMESPACES.flatMap((nsp) => world().each(nsp)).map(async (me) => {
      const silent = farFrom(me, world());
      const [outcome] = await me.perform([['io', ['timeout', SHORT], ['emitWithAck', 'who but', silent.label]]]);
      assert.equal(outcome?.error, 'operation has timed out');
      const others = world()
        .in(me.nsp)
        .filter((client) => client !== silent);
      assert.deepEqual(outcome?.responses?.toSorted(), labelsOf(others));
    });
    await Promise.all(asked);
  });

  if (tellOthers) return;
  describe('what a worker tells the others', () => {
    for (const nsp of NAMESPACES) {
      it(`should reach each other worker once, and not the sender: serverSideEmit in ${nsp}`, async () => {
        for (const me of world().each(nsp)) {
          await me.perform([['io', ['serverSideEmit', 'note', 1, { two: 2 }]]]);
          await world().lastWord(me);
          const notes = world().pids.map((_, worker) => (worker === me.worker ? [] : [[nsp, 1, { two: 2 }]]));
          assert.deepEqual(await world().notes(), notes);
        }
      });

      it(`should be answered by each other worker: serverSideEmitWithAck in ${nsp}`, async () => {
        for (const me of world().each(nsp)) {
          const others = world().pids.filter((_, worker) => worker !== me.worker);
          assert.deepEqual((await me.ask('io', ['serverSideEmitWithAck', 'pid'])).sort(), others.sort());
        }
      });
    }

    it('should fail with the answers received so far if a worker does not answer: serverSideEmitWithAck', async () => {
      const [outcome] = (await silence) ?? [];
      assert.equal(
        outcome?.error,
        "timeout reached: only 1 responses received out of 2: serverSideEmit('pid of all but') in /, after 5000 ms",
      );
      assert.deepEqual(outcome?.responses, world().pids.slice(2));
    });
  });
}

const idsOf = (clients: Client[]) => clients.map(({ id }) => id).sort();
const labelsOf = (clients: Client[]) => clients.map(({ label }) => label).sort();
