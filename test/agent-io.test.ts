// agent.io: events of the agent reach the clients of all workers, in order, with every adapter.
import assert from 'node:assert/strict';
import { ADAPTERS } from './support/conformance/adapters';
import type { Chain, Client, Step } from './support/conformance/client';
import { FLAGS, farFrom, shouldReach, TARGETS, type Target } from './support/conformance/emits';
import { shouldDismiss, shouldFollow, shouldWelcome } from './support/conformance/order';
import { NAMES, shouldArrive } from './support/conformance/payloads';
import { shouldDisconnect, shouldMove } from './support/conformance/rooms';
import { NAMESPACES, startWorld, type World, type WorldOptions } from './support/conformance/world';
import { until } from './support/wait';

for (const [title, options] of Object.entries(ADAPTERS)) agentIo(title, options);

function agentIo(name: string, options: WorldOptions): void {
  const { unable = {}, workers } = options;

  describe(`agent.io, adapter ${name}, ${workers} workers`, function () {
    this.timeout(90_000);
    let world: World;

    before(async () => {
      world = await startWorld(options);
    });
    after(() => world?.close());
    afterEach(() => world?.tidy());

    const describeTarget = ({ title }: Target, nsp: string) => title.replace('io', of(nsp));

    for (const nsp of NAMESPACES) {
      for (const target of [...TARGETS, ...FLAGS]) {
        it(`should reach exactly the matching clients, once: ${describeTarget(target, nsp)}.emit`, async () => {
          const one = world.one(nsp);
          const far = farFrom(one, world);
          const meant = (client: Client) => client.nsp === nsp && target.meets(client, one, far);
          await shouldReach(world, world.agent(nsp), target.to(one, far), meant);
        });
      }

      for (const close of [undefined, true] as const) {
        it(`should disconnect exactly the matching clients: ${of(nsp)}.in(room).disconnectSockets(${close ?? ''})`, async () => {
          await shouldDisconnect(world, world.agent(nsp), close);
        });
      }

      it(`should reach each worker, once: ${of(nsp)}.serverSideEmit`, async () => {
        const agent = world.agent(nsp);
        await agent.perform([['io', ['serverSideEmit', 'note', 1, { two: 2 }]]]);
        await world.lastWord(agent);
        assert.deepEqual(
          await world.notes(),
          world.pids.map(() => [[nsp, 1, { two: 2 }]]),
        );
      });

      it(`should arrive in order: ${of(nsp)}`, async () => {
        await shouldFollow(world, [world.agent(nsp)], 500);
        await shouldWelcome(world, world.agent(nsp));
        await shouldDismiss(world, world.agent(nsp));
      });
    }

    for (const [i, target] of TARGETS.entries()) {
      const nsp = NAMESPACES[i % NAMESPACES.length] as string;
      it(`should move exactly the matching sockets: ${describeTarget(target, nsp)}.socketsJoin, .socketsLeave`, async () => {
        await shouldMove(world, world.agent(nsp), target);
      });
    }

    for (const payload of NAMES.filter((each) => !(each in (unable.payloads ?? {})))) {
      it(`should transmit a payload unchanged: ${payload}`, async () => {
        await shouldArrive(world, world.agent('/chat'), payload);
      });
    }

    it('should reach all clients: agent.io.send, agent.io.write', async () => {
      const agent = world.agent('/');
      await agent.perform([
        ['io', ['send', 1]],
        ['io', ['write', 2]],
      ]);
      const sent = [
        ['message', 1],
        ['message', 2],
      ];
      await world.heard(agent, ({ nsp }) => (nsp === '/' ? sent : []));
    });

    it('should reach the clients of a namespace that exists on one worker only', async () => {
      const names = world.pids.flatMap((_, worker) =>
        ['/child-', '/kid/'].map((prefix) => [worker, `${prefix}only${worker}`] as const),
      );
      for (const [worker, nsp] of names) {
        const clients = await world.connect(['', ''], (index) => (index === worker ? [nsp] : []));
        const agent = world.agent(nsp);
        await agent.perform([['io', ['emit', 'news', { payload: 'a Buffer' }]]]);
        await world.lastWord(agent, [...clients, ...world.clients]);
        assert.equal(clients.length, 2);
        for (const { heard } of clients)
          assert.deepEqual(heard, [['news', Buffer.from(Array.from({ length: 256 }, (_, i) => i))]]);
        for (const { heard } of world.clients) assert.deepEqual(heard, []);
      }
    });

    it('should emit from a schedule whose type runs in the agent', async () => {
      await world.one().socket.emitWithAck('agent', 'tick', 7);
      await world.heard(world.agent('/'), ({ nsp }) => (nsp === '/' ? [['scheduled', 7]] : []));
    });

    it('should reject methods that expect an answer: fetchSockets, emitWithAck, serverSideEmitWithAck', async () => {
      const agent = world.agent('/chat');
      const asking: Step[] = [['fetchSockets'], ['emitWithAck', 'who']];
      await agent.perform([
        ...asking.map((ask): Chain => ['io', ['to', 'a'], ['timeout', 100], ask]),
        ['io', ['serverSideEmitWithAck', 'pid']],
      ]);
      const failures = world.one().heard;
      await until('three failures have arrived', () => failures.length >= 3);
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
