// What the agent emits by agent.io reaches the clients of all workers, in order, with any adapter.
import assert from 'node:assert/strict';
import { until } from '../wait';
import type { Chain, Client, Step } from './client';
import { FLAGS, farFrom, shouldReach, TARGETS, type Target } from './emits';
import { shouldDismiss, shouldFollow, shouldWelcome } from './order';
import { NAMES, shouldArrive } from './payloads';
import { shouldDisconnect, shouldMove } from './rooms';
import { NAMESPACES, type Unable, type World } from './world';

export function agent(world: () => World, { payloads = {} }: Unable): void {
  describe('agent.io', () => {
    const written = ({ title }: Target, nsp: string) => title.replace('io', of(nsp));

    for (const nsp of NAMESPACES) {
      for (const target of [...TARGETS, ...FLAGS]) {
        it(`should reach those who are meant, once: ${written(target, nsp)}.emit`, async () => {
          const one = world().one(nsp);
          const far = farFrom(one, world());
          const meant = (client: Client) => client.nsp === nsp && target.meets(client, one, far);
          await shouldReach(world(), world().agent(nsp), target.to(one, far), meant);
        });
      }

      for (const close of [undefined, true] as const) {
        it(`should disconnect those who are meant: ${of(nsp)}.in(room).disconnectSockets(${close ?? ''})`, async () => {
          await shouldDisconnect(world(), world().agent(nsp), close);
        });
      }

      it(`should tell each worker, once: ${of(nsp)}.serverSideEmit`, async () => {
        const doer = world().agent(nsp);
        await doer.perform([['io', ['serverSideEmit', 'note', 1, { two: 2 }]]]);
        await world().lastWord(doer);
        assert.deepEqual(
          await world().notes(),
          world().pids.map(() => [[nsp, 1, { two: 2 }]]),
        );
      });

      it(`should arrive in order: ${of(nsp)}`, async () => {
        await shouldFollow(world(), [world().agent(nsp)], 500);
        await shouldWelcome(world(), world().agent(nsp));
        await shouldDismiss(world(), world().agent(nsp));
      });
    }

    for (const [i, target] of TARGETS.entries()) {
      const nsp = NAMESPACES[i % NAMESPACES.length] as string;
      it(`should move those who are meant: ${written(target, nsp)}.socketsJoin, .socketsLeave`, async () => {
        await shouldMove(world(), world().agent(nsp), target);
      });
    }

    for (const payload of NAMES.filter((each) => !(each in payloads))) {
      it(`should arrive as it is: ${payload}`, async () => {
        await shouldArrive(world(), world().agent('/chat'), payload);
      });
    }

    it('should reach all: agent.io.send, agent.io.write', async () => {
      const doer = world().agent('/');
      await doer.perform([
        ['io', ['send', 1]],
        ['io', ['write', 2]],
      ]);
      const sent = [
        ['message', 1],
        ['message', 2],
      ];
      await world().heard(doer, ({ nsp }) => (nsp === '/' ? sent : []));
    });

    it('should reach the clients of a namespace that only one worker has', async () => {
      const names = world().pids.flatMap((_, worker) =>
        ['/child-', '/kid/'].map((prefix) => [worker, `${prefix}only${worker}`] as const),
      );
      for (const [worker, nsp] of names) {
        const clients = await world().connect(['', ''], (index) => (index === worker ? [nsp] : []));
        const doer = world().agent(nsp);
        await doer.perform([['io', ['emit', 'news', { payload: 'a Buffer' }]]]);
        await world().lastWord(doer, [...clients, ...world().clients]);
        assert.equal(clients.length, 2);
        for (const { heard } of clients)
          assert.deepEqual(heard, [['news', Buffer.from(Array.from({ length: 256 }, (_, i) => i))]]);
        for (const { heard } of world().clients) assert.deepEqual(heard, []);
      }
    });

    it('should emit from a schedule whose type runs in the agent', async () => {
      await world().one().socket.emitWithAck('agent', 'tick', 7);
      await world().heard(world().agent('/'), ({ nsp }) => (nsp === '/' ? [['scheduled', 7]] : []));
    });

    it('should refuse what is answered: fetchSockets, emitWithAck, serverSideEmitWithAck', async () => {
      const doer = world().agent('/chat');
      const asking: Step[] = [['fetchSockets'], ['emitWithAck', 'who']];
      await doer.perform([
        ...asking.map((ask): Chain => ['io', ['to', 'a'], ['timeout', 100], ask]),
        ['io', ['serverSideEmitWithAck', 'pid']],
      ]);
      const failures = world().one().heard;
      await until('three failures', () => failures.length >= 3);
      assert.equal(failures.length, 3);
      for (const [event, error] of failures) {
        assert.equal(event, 'failed');
        assert.match(error as string, /agent\.io only emits and receives no answers: use agent\.messenger/);
      }
    });
  });
}

function of(nsp: string): string {
  return nsp === '/' ? 'agent.io' : `agent.io.of('${nsp}')`;
}
