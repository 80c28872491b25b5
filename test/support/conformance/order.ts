// What arrives in the order in which it was sent.
import assert from 'node:assert/strict';
import { DEADLINE } from '../wait';
import type { Chain, Client, Doer } from './client';
import { NAMESPACES, type Unable, type World } from './world';

/** The number of consecutive broadcasts. */
const MANY = 1000;

/** Kinds of broadcasts, each with the clients that receive them. */
const MIX: Array<[Chain, (client: Client) => boolean, payload?: string]> = [
  [['io'], () => true],
  [['io', ['to', 'a']], (client) => client.is('a')],
  [['io'], () => true, 'several attachments'],
  [['io', ['to', ['a', 'b']]], ({ kind }) => kind !== ''],
  [['io', ['except', 'b']], (client) => !client.is('b'), 'a Buffer'],
  [['io', ['to', 'b'], ['compress', false]], (client) => client.is('b')],
  [['io', ['to', 'a'], ['except', 'b']], ({ kind }) => kind === 'a', 'unicode'],
];

export function order(world: () => World, { askOrder }: Unable): void {
  for (const nsp of NAMESPACES) {
    describe(`the order of events in ${nsp}`, () => {
      it(`should be preserved: ${MANY} broadcasts of one worker`, async () => {
        await shouldFollow(world(), [world().one(nsp)], MANY);
      });

      it('should be preserved: simultaneous broadcasts of all workers', async () => {
        await shouldFollow(world(), world().each(nsp), MANY / 5);
      });

      it('should be preserved: broadcasts, requests with acknowledgement, and events to one socket', async () => {
        const ask: [string, string] = askOrder ? ['emit', 'second'] : ['emitWithAck', 'who'];
        for (const me of world().each(nsp)) {
          const chains: Chain[] = [
            ['io', ['emit', 'first', { payload: 'a Buffer' }]],
            ['socket', ['emit', 'mine']],
            ['io', ['timeout', DEADLINE / 2], ask],
            ['socket', ['emit', 'mine too']],
            ['io', ['to', me.id], ['emit', 'mine as well']],
            ['io', ['emit', 'last']],
          ];
          await me.perform(chains);
          await world().lastWord(me);
          const names = (client: Client) => client.heard.splice(0).map(([event]) => event);
          const all = ['first', ask[1], 'last'];
          const mine = ['first', 'mine', ask[1], 'mine too', 'mine as well', 'last'];
          for (const client of world().clients) {
            const expected = client === me ? mine : client.nsp === nsp ? all : [];
            assert.deepEqual(names(client), expected, client.name);
          }
        }
      });

      it('should be preserved: short events after long ones', async () => {
        const me = world().one(nsp);
        await me.perform([
          ['io', ['emit', 'long', { payload: '1 MB of binary' }]],
          ['io', ['emit', 'short']],
          ['io', ['to', 'a'], ['emit', 'long', { payload: '1 MB of text' }]],
          ['io', ['emit', 'short']],
        ]);
        await world().lastWord(me);
        for (const client of world().in(nsp)) {
          const expected = client.is('a') ? ['long', 'short', 'long', 'short'] : ['long', 'short', 'short'];
          assert.deepEqual(
            client.heard.splice(0).map(([event]) => event),
            expected,
            client.name,
          );
        }
      });

      it('should include sockets that have joined before: socketsJoin(room), to(room).emit', async () => {
        for (const me of world().each(nsp)) await shouldWelcome(world(), me);
      });

      it('should include sockets until they leave: to(room).emit, socketsLeave(room)', async () => {
        for (const me of world().each(nsp)) await shouldDismiss(world(), me);
      });
    });
  }
}

/** Makes sockets join a room, and emits to it. */
export async function shouldWelcome(world: World, doer: Doer): Promise<void> {
  await doer.perform([
    ['io', ['in', 'a'], ['socketsJoin', 'just now']],
    ['io', ['to', 'just now'], ['emit', 'welcome']],
  ]);
  const meant = (client: Client) => client.nsp === doer.nsp && client.is('a');
  await world.heard(doer, (client) => (meant(client) ? [['welcome']] : []));
  await each(world, doer, 'leave', 'just now');
}

/** Emits to a room before and after sockets leave it. */
export async function shouldDismiss(world: World, doer: Doer): Promise<void> {
  await each(world, doer, 'join', 'not for long');
  await doer.perform([
    ['io', ['to', 'not for long'], ['emit', 'bye']],
    ['io', ['in', 'b'], ['socketsLeave', 'not for long']],
    ['io', ['to', 'not for long'], ['emit', 'are gone']],
  ]);
  const heard = (client: Client) => (client.is('b') ? [['bye']] : [['bye'], ['are gone']]);
  await world.heard(doer, (client) => (client.nsp === doer.nsp ? heard(client) : []));
  await each(world, doer, 'leave', 'not for long');
}

/** Sends a mix of broadcasts, and asserts that all clients receive those of each sender in order. */
export async function shouldFollow(world: World, doers: Doer[], count: number): Promise<void> {
  const sent = Array.from({ length: count }, (_, n) => ({ n, mix: MIX[n % MIX.length] as (typeof MIX)[number] }));
  await Promise.all(
    doers.map((doer, by) =>
      doer.perform(
        sent.map(({ n, mix: [to, , payload] }) => [...to, ['emit', 'n', by, n, ...(payload ? [{ payload }] : [])]]),
      ),
    ),
  );
  await Promise.all(doers.map((doer) => world.lastWord(doer)));
  for (const client of world.clients) {
    const heard = client.heard.splice(0);
    for (const [by, { nsp }] of doers.entries()) {
      const numbers = heard.filter((event) => event[1] === by).map((event) => event[2]);
      const expected = client.nsp === nsp ? sent.filter(({ mix: [, hears] }) => hears(client)).map(({ n }) => n) : [];
      assert.deepEqual(numbers, expected, client.name);
    }
  }
}

/** Makes all clients of the namespace join or leave a room, each on its own worker. */
async function each(world: World, { nsp }: Doer, method: 'join' | 'leave', room: string): Promise<void> {
  await Promise.all(world.in(nsp).map((client) => client.ask('socket', [method, room])));
}
