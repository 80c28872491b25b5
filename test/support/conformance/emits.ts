// Who hears what is emitted, from each worker and in each namespace.
import type { Chain, Client, Doer } from './client';
import { NAMESPACES, ODD_ROOMS, type World } from './world';

/** The recipients of an emit. */
export interface Target {
  title: string;
  /** Returns the calls on `app.io` or on the socket of `me`. `far` is a client of another worker. */
  to(me: Client, far: Client): Chain;
  meets(client: Client, me: Client, far: Client): boolean;
}

const target = (title: string, to: Chain, meets: Target['meets']): Target => ({ title, to: () => to, meets });

/** Targets of all methods. */
export const TARGETS: Target[] = [
  target('io', ['io'], () => true),
  target('io.to(room)', ['io', ['to', 'a']], (client) => client.is('a')),
  target('io.in(room)', ['io', ['in', 'b']], (client) => client.is('b')),
  target('io.to([room, room])', ['io', ['to', ['a', 'b']]], ({ kind }) => kind !== ''),
  target('io.to(room).to(room)', ['io', ['to', 'a'], ['to', 'b']], ({ kind }) => kind !== ''),
  target('io.to(room).to(no such room)', ['io', ['to', 'a'], ['to', 'nobody']], (client) => client.is('a')),
  target('io.to(no such room)', ['io', ['to', 'nobody']], () => false),
  target('io.to(a number)', ['io', ['to', ODD_ROOMS.a]], (client) => client.is('a')),
  target('io.to(odd characters)', ['io', ['to', ODD_ROOMS.b]], (client) => client.is('b')),
  target('io.except(room)', ['io', ['except', 'a']], (client) => !client.is('a')),
  target('io.except([room, room])', ['io', ['except', ['a', 'b']]], ({ kind }) => kind === ''),
  target('io.to(room).except(room)', ['io', ['to', 'a'], ['except', 'b']], ({ kind }) => kind === 'a'),
  target('io.except(room).to(room)', ['io', ['except', 'a'], ['to', ['a', 'b']]], ({ kind }) => kind === 'b'),
  target('io.user(id)', ['io', ['user', 'ann']], ({ user }) => user === 'ann'),
  target('io.user(no such user)', ['io', ['user', 'nobody']], () => false),
  target(
    'io.user(id).except(room)',
    ['io', ['user', 'bob'], ['except', 'a']],
    (client) => client.user === 'bob' && !client.is('a'),
  ),
  {
    title: 'io.to(id of a socket)',
    to: (_me, far) => ['io', ['to', far.id]],
    meets: (client, _me, far) => client === far,
  },
  {
    title: 'io.except(id of a socket)',
    to: (_me, far) => ['io', ['except', far.id]],
    meets: (client, _me, far) => client !== far,
  },
];

/** Targets on one worker. */
export const LOCAL: Target[] = [
  target('io.local', ['io', 'local'], (client, me) => client.worker === me.worker),
  target(
    'io.local.to(room)',
    ['io', 'local', ['to', 'a']],
    (client, me) => client.worker === me.worker && client.is('a'),
  ),
];

/** Targets with flags that matter for emits only. */
export const FLAGS: Target[] = [
  target('io.volatile', ['io', 'volatile'], () => true),
  target('io.to(room).volatile', ['io', ['to', 'a'], 'volatile'], (client) => client.is('a')),
  target('io.compress(false)', ['io', ['compress', false]], () => true),
];

const OF_SOCKET: Target[] = [
  target('socket.broadcast', ['socket', 'broadcast'], (client, me) => client !== me),
  target('socket.to(room)', ['socket', ['to', 'a']], (client, me) => client !== me && client.is('a')),
  target('socket.in(room)', ['socket', ['in', 'b']], (client, me) => client !== me && client.is('b')),
  target(
    'socket.to([room, room])',
    ['socket', ['to', ['a', 'b']]],
    (client, me) => client !== me && client.kind !== '',
  ),
  target('socket.except(room)', ['socket', ['except', 'b']], (client, me) => client !== me && !client.is('b')),
  target(
    'socket.to(room).except(room)',
    ['socket', ['to', 'a'], ['except', 'b']],
    (client, me) => client !== me && client.kind === 'a',
  ),
  target('socket.volatile.broadcast', ['socket', 'volatile', 'broadcast'], (client, me) => client !== me),
  target('socket.local', ['socket', 'local'], (client, me) => client !== me && client.worker === me.worker),
  target('socket', ['socket'], (client, me) => client === me),
];

const NEWS = ['news', 1, 'two', { three: 3 }];

export function emits(world: () => World): void {
  for (const nsp of NAMESPACES) {
    describe(`emits of each worker in ${nsp}`, () => {
      for (const { title, to, meets } of [...TARGETS, ...LOCAL, ...FLAGS, ...OF_SOCKET]) {
        it(`should reach exactly the matching clients, once: ${title}`, async () => {
          for (const me of world().each(nsp)) {
            const far = farFrom(me, world());
            await shouldReach(world(), me, to(me, far), (client) => client.nsp === nsp && meets(client, me, far));
          }
        });
      }

      it('should reach all clients: io.send, io.write', async () => {
        for (const me of world().each(nsp)) {
          await me.perform([
            ['io', ['send', 1]],
            ['io', ['write', 2]],
          ]);
          const sent = [
            ['message', 1],
            ['message', 2],
          ];
          await world().heard(me, (client) => (client.nsp === nsp ? sent : []));
        }
      });
    });
  }
}

/** Returns a client of the next worker, in the same namespace. */
export function farFrom(me: Client, world: World): Client {
  const { workers } = world.options;
  return world.in(me.nsp).find(({ worker, kind }) => worker === (me.worker + 1) % workers && kind === 'ab') as Client;
}

/** Emits, and compares what all clients receive. */
export async function shouldReach(
  world: World,
  doer: Doer,
  to: Chain,
  meets: (client: Client) => boolean,
): Promise<void> {
  await doer.perform([[...to, ['emit', ...NEWS]]]);
  await world.heard(doer, (client) => (meets(client) ? [NEWS] : []));
}
