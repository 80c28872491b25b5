// Sockets of all workers that are moved and disconnected, from each worker and in each namespace.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { next, until } from '../wait';
import { Client, type Doer } from './client';
import { farFrom, LOCAL, shouldReach, TARGETS, type Target } from './emits';
import { NAMESPACES, type World } from './world';

export function rooms(world: () => World): void {
  for (const nsp of NAMESPACES) {
    describe(`sockets that a worker moves in ${nsp}`, () => {
      for (const [i, target] of [...TARGETS, ...LOCAL].entries()) {
        it(`should be exactly the matching ones: ${target.title}.socketsJoin, .socketsLeave`, async () => {
          const workers = world().each(nsp);
          await shouldMove(world(), workers[i % workers.length] as Client, target);
        });
      }
    });

    describe(`sockets that each worker disconnects in ${nsp}`, () => {
      for (const close of [undefined, true] as const) {
        it(`should be exactly the matching ones: disconnectSockets(${close ?? ''})`, async () => {
          for (const me of world().each(nsp)) await shouldDisconnect(world(), me, close);
        });
      }
    });
  }
}

/** Makes sockets join rooms and leave them again. */
export async function shouldMove(world: World, doer: Doer, { to, meets }: Target): Promise<void> {
  const me = doer instanceof Client ? doer : world.one(doer.nsp);
  const far = farFrom(me, world);
  const chain = to(me, far);
  const moved = (client: Client) => client.nsp === me.nsp && meets(client, me, far);

  await doer.perform([[...chain, ['socketsJoin', ['new', 'newer']]]]);
  await inRooms(world, moved, ['new', 'newer']);
  await shouldReach(world, doer, ['io', ['to', 'new']], moved);

  await doer.perform([[...chain, ['socketsLeave', 'new']]]);
  await inRooms(world, moved, ['newer']);
  await shouldReach(world, doer, ['io', ['to', 'new']], () => false);

  await doer.perform([[...chain, ['socketsLeave', 'newer']]]);
  await inRooms(world, moved, []);
}

const isNew = (room: unknown) => room === 'new' || room === 'newer';

/** Waits until the moved clients are in exactly these new rooms, and all others in none. */
async function inRooms(world: World, moved: (client: Client) => boolean, names: string[]): Promise<void> {
  let seen: unknown;
  const expected = Object.fromEntries(world.clients.map((client) => [client.id, moved(client) ? names : []]));
  const look = async () => {
    const workers = NAMESPACES.flatMap((nsp) => world.each(nsp));
    const sockets = await Promise.all(workers.map((client) => client.ask('io', 'local', ['fetchSockets'])));
    seen = Object.fromEntries(sockets.flat().map(({ id, rooms }) => [id, rooms.filter(isNew)]));
    return isDeepStrictEqual(seen, expected);
  };
  await until('all sockets are in the expected rooms', look).catch(() => assert.deepEqual(seen, expected));
}

/** Disconnects new clients of all workers, and asserts that no others are disconnected. */
export async function shouldDisconnect(world: World, doer: Doer, close?: true): Promise<void> {
  const { nsp } = doer;
  const others = await world.connect(['']);
  const leaving = others.filter((client) => client.nsp === nsp);
  await Promise.all(leaving.map((client) => client.ask('socket', ['join', 'leaving'])));
  // With true, disconnectSockets closes the connection, and with it the sockets of all namespaces.
  const going = close ? others : leaving;
  const gone = going.map(({ socket }) => next(socket, 'disconnect'));

  await doer.perform([
    ['io', ['to', 'leaving'], ['emit', 'bye']],
    ['io', ['in', 'leaving'], close ? ['disconnectSockets', close] : ['disconnectSockets']],
  ]);

  for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
  for (const { heard } of leaving) assert.deepEqual(heard.splice(0), [['bye']]);
  assert.deepEqual(
    others.filter(({ socket }) => socket.connected),
    others.filter((client) => !going.includes(client)),
  );
  await world.heard(doer, () => [], others);
  assert.deepEqual(await world.one(nsp).ask('io', ['in', 'leaving'], ['fetchSockets']), []);
  await world.tidy();
}
