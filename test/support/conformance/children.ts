// Namespaces that are there on some workers only: children of one that is a regular expression, or that has parameters, which
// come with their first client.
import assert from 'node:assert/strict';
import { DEADLINE } from '../wait';
import type { Client } from './client';
import type { Unable, World } from './world';

let count = 0;

export function children(world: () => World, unable: Unable): void {
  childrenOf('/child-', world, unable);
  childrenOf('/kid/', world, unable);
}

function childrenOf(prefix: string, world: () => World, { tellOthers }: Unable): void {
  describe(`a namespace that exists on some workers only: ${prefix}…`, () => {
    let nsp: string;
    /** Two clients of each worker that has the namespace. */
    let clients: Client[];
    /** The same for another child. */
    let neighbours: Client[];

    beforeEach(async () => {
      const { workers } = world().options;
      nsp = prefix + ++count;
      const names = [nsp, `${nsp}0`];
      const inside = (worker: number) => (worker === 0 || worker < workers - 1 ? names : []);
      const all = [...(await world().connect(['a', 'b'], inside))];
      clients = all.filter((client) => client.nsp === nsp);
      neighbours = all.filter((client) => client.nsp !== nsp);
      await Promise.all(all.map((client) => client.ask('socket', ['join', client.kind])));
    });

    const from = (which: 'has' | 'has not') => {
      const all = world().each('/');
      return which === 'has' ? (clients[0] as Client) : (all.at(-1) as Client).elsewhere(nsp);
    };

    it('should exist on some workers only', async () => {
      const has = await Promise.all(
        world()
          .each('/')
          .map(async ({ socket }) => (await socket.emitWithAck('namespaces')).includes(nsp)),
      );
      assert.deepEqual(
        has,
        world().pids.map((_, worker, { length }) => worker === 0 || worker < length - 1),
      );
    });

    for (const which of ['has', 'has not'] as const) {
      describe(`from a worker that ${which} it`, () => {
        it('should reach exactly its clients: emit, to(room), except(room)', async () => {
          const doer = from(which);
          await doer.perform([
            ['io', ['emit', 'all', { payload: 'several attachments' }]],
            ['io', ['to', 'a'], ['emit', 'some']],
            ['io', ['except', 'a'], ['emit', 'others']],
          ]);
          const names = ({ kind }: Client) => (kind === 'a' ? ['all', 'some'] : ['all', 'others']);
          const everybody = [...clients, ...neighbours, ...world().clients];
          await world().lastWord(doer, everybody);
          for (const client of everybody) {
            const expected = clients.includes(client) ? names(client) : [];
            assert.deepEqual(
              client.heard.splice(0).map(([event]) => event),
              expected,
              client.name,
            );
          }
        });

        it('should not wait for workers that do not have it: emitWithAck, fetchSockets', async () => {
          const doer = from(which);
          const [answers, sockets] = await doer.perform([
            // If they waited for such a worker, both would end with an error.
            ['io', ['timeout', DEADLINE / 2], ['emitWithAck', 'who']],
            ['io', ['fetchSockets']],
          ]);
          assert.deepEqual(answers?.value?.sort(), clients.map(({ label }) => label).sort(), answers?.error);
          const ids = sockets?.value?.map(({ id }: { id: string }) => id);
          assert.deepEqual(ids?.sort(), clients.map(({ id }) => id).sort(), sockets?.error);
        });

        it('should move and disconnect its sockets: socketsJoin, socketsLeave, disconnectSockets', async () => {
          const doer = from(which);
          await doer.perform([
            ['io', ['in', 'a'], ['socketsLeave', 'a']],
            ['io', ['in', 'b'], ['disconnectSockets']],
          ]);
          // When the remaining clients have the last event, the commands before it have been run.
          const left = clients.filter(({ kind }) => kind === 'a');
          const gone = clients.filter(({ kind }) => kind === 'b');
          await world().lastWord(doer, [...left, ...neighbours]);
          for (const client of left) assert.deepEqual(client.without(await client.ask('socket', 'rooms')), [client.id]);
          assert.deepEqual(
            gone.filter(({ socket }) => socket.connected),
            [],
          );
        });

        if (tellOthers) return;
        it('should reach the workers that have it: serverSideEmit, serverSideEmitWithAck', async () => {
          const doer = from(which);
          const self = which === 'has' ? 0 : world().pids.length - 1;
          const having = world().pids.map((_, worker) => worker !== self && worker < world().pids.length - 1);
          await doer.perform([['io', ['serverSideEmit', 'note', 1]]]);
          await world().lastWord(doer, [...clients, ...world().clients]);
          assert.deepEqual(
            await world().notes(),
            having.map((has) => (has ? [[nsp, 1]] : [])),
          );
          const [answers] = await doer.perform([['io', ['serverSideEmitWithAck', 'pid']]]);
          const pids = world().pids.filter((_, worker) => having[worker]);
          assert.deepEqual(answers?.value?.sort(), pids.sort(), answers?.error);
        });
      });
    }
  });
}
