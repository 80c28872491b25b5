// The replica of presence: what a worker knows after any sequence of messages.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Change, type Message, Replica } from '../lib/presence/replica';

/** Returns the replica of a worker. */
function replica(self: string, ...args: ConstructorParameters<typeof Replica>): Replica {
  const made = new Replica(...args);
  made.self = self;
  return made;
}

/** Changes a worker, and returns the message that tells the others. */
function change(worker: Replica, ...changes: Change[]): Message {
  for (const each of changes) worker.change(each);
  return worker.diff(changes);
}

describe('the replica of presence', () => {
  it('should apply the diffs of another worker in their order, and each once', () => {
    const [a, b] = [replica('a'), replica('b')];
    const joined = change(a, ['t', '1', 'ann', { n: 1 }], ['t', '2', 'ann', { n: 2 }]);
    const left = change(a, ['t', '1']);
    assert.equal(b.merge({ kind: 'hello', from: 'a', seq: 0 }, 0), false);
    assert.equal(b.merge(joined, 0), false);
    assert.deepEqual(b.list('t'), { ann: [{ n: 1 }, { n: 2 }] });
    assert.equal(b.merge(left, 0), false);
    assert.equal(b.merge(joined, 0), false);
    assert.deepEqual(b.list('t'), { ann: [{ n: 2 }] });
  });

  it('should need the state if a diff is missing, or if it does not know the worker', () => {
    const [a, b] = [replica('a'), replica('b')];
    const first = change(a, ['t', '1', 'ann', {}]);
    const second = change(a, ['t', '2', 'bob', {}]);
    assert.equal(b.merge(first, 0), true, 'unknown');
    b.merge({ kind: 'hello', from: 'a', seq: 0 }, 0);
    assert.equal(b.merge(second, 0), true, 'a diff is missing');
    assert.deepEqual(b.list('t'), {});
    assert.equal(b.merge(a.state(), 0), false);
    assert.deepEqual(b.list('t'), { ann: [{}], bob: [{}] });
    assert.equal(b.merge({ kind: 'beat', from: 'a', seq: 2 }, 0), false);
    change(a, ['t', '2']);
    assert.equal(b.merge({ kind: 'beat', from: 'a', seq: 3 }, 0), true);
  });

  it('should not report what a state does not change', () => {
    const changes: unknown[][] = [];
    const [a, b] = [replica('a'), replica('b', (...args) => changes.push(args))];
    change(a, ['t', '1', 'ann', { n: 1 }], ['t', '2', 'bob', {}]);
    b.merge(a.state(), 0);
    assert.equal(changes.length, 2);
    change(a, ['t', '2'], ['t', '3', 'cat', {}], ['t', '1', 'ann', { n: 2 }]);
    b.merge(a.state(), 0);
    const keys = changes.slice(2).map(([, ...entries]) => entries.map((entry) => (entry as { key?: string })?.key));
    assert.deepEqual(keys, [
      ['bob', undefined],
      ['ann', 'ann'],
      [undefined, 'cat'],
    ]);
  });

  it('should keep the reference of an entry whose meta changes, and none of one whose key changes', () => {
    const refs: [number | undefined, number | undefined][] = [];
    const a = replica('a', (_topic, before, after) => refs.push([before?.ref, after?.ref]));
    for (const [key, n] of [
      ['ann', 1],
      ['ann', 2],
      ['bob', 2],
      ['bob', 2],
    ] as const)
      a.change(['t', '1', key, { n }]);
    assert.deepEqual(refs, [
      [undefined, 1],
      [1, 1],
      [1, undefined],
      [undefined, 2],
    ]);
  });

  it('should remove the entries of a worker that ends or stays silent, and ignore what arrives later of one that has ended', () => {
    const [a, b] = [replica('a'), replica('b')];
    const early = change(a, ['t', '1', 'ann', {}]);
    const state = a.state();
    b.merge(state, 10);
    assert.deepEqual(b.expire(10), []);
    assert.deepEqual(b.expire(11), ['a']);
    assert.deepEqual(b.list('t'), {});
    b.merge(state, 20);
    assert.equal(b.count('t'), 1);
    b.merge({ kind: 'bye', from: 'a' }, 20);
    for (const late of [early, state, { kind: 'beat', from: 'a', seq: 9 } as const])
      assert.equal(b.merge(late, 20), false);
    assert.equal(b.count('t'), 0);
  });

  it('should list the entries of a worker that was removed when its state arrives again', () => {
    const [a, b] = [replica('a'), replica('b')];
    change(a, ['t', '1', 'ann', {}]);
    b.merge(a.state(), 0);
    b.remove('a');
    assert.equal(b.merge({ kind: 'beat', from: 'a', seq: 1 }, 0), true);
    b.merge(a.state(), 0);
    assert.deepEqual(b.list('t'), { ann: [{}] });
  });

  it('should distinguish sockets with the same id of two workers', () => {
    const [a, b] = [replica('a'), replica('b')];
    change(a, ['t', '1', 'ann', { at: 'a' }]);
    b.merge(a.state(), 0);
    b.change(['t', '1', 'ann', { at: 'b' }]);
    assert.deepEqual(b.list('t'), { ann: [{ at: 'b' }, { at: 'a' }] });
    b.merge(change(a, ['t', '1']), 0);
    assert.deepEqual(b.list('t'), { ann: [{ at: 'b' }] });
  });

  it('should count keys', () => {
    const a = replica('a');
    for (const [id, key] of ['ann', 'bob', 'ann'].entries()) a.change(['t', String(id), key, {}]);
    assert.equal(a.count('t'), 2);
    a.change(['t', '1']);
    assert.equal(a.count('t'), 1);
    a.change(['t', '0']);
    assert.equal(a.count('t'), 1);
  });

  it('should converge after a full exchange, whatever was lost, repeated or reordered before', () => {
    const WORKERS = ['a', 'b', 'c'];
    const topic = fc.constantFrom('t', 'u');
    const id = fc.constantFrom('1', '2', '3');
    const step = fc.oneof(
      fc.record({
        act: fc.constant('change' as const),
        worker: fc.nat(2),
        topic,
        id,
        key: fc.option(fc.constantFrom('ann', 'bob', '__proto__'), { nil: undefined }),
        n: fc.nat(2),
      }),
      fc.record({ act: fc.constantFrom('state' as const, 'beat' as const, 'hello' as const), worker: fc.nat(2) }),
      // Delivers one of the messages that were sent so far: some never, some twice, in any order.
      fc.record({ act: fc.constant('deliver' as const), worker: fc.nat(2), message: fc.nat(40) }),
      fc.record({ act: fc.constant('deliver' as const), worker: fc.nat(2), message: fc.nat(5) }),
      fc.record({ act: fc.constant('forget' as const), worker: fc.nat(2), other: fc.nat(2) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        /** What clients of a worker would have folded from its changes. */
        const folded = WORKERS.map(() => new Map<string, unknown>());
        const replicas = WORKERS.map((self, i) =>
          replica(self, (name, before, after) => {
            const ref = `${name} ${(before ?? after)?.ref}`;
            assert.equal(folded[i]?.has(ref), before !== undefined, 'a change of what clients do not have');
            if (after === undefined) folded[i]?.delete(ref);
            else folded[i]?.set(ref, [after.key, after.meta]);
          }),
        );
        // Without a first message, the diffs of a worker are ignored.
        for (const from of replicas) for (const to of replicas) to.merge({ kind: 'hello', from: from.self, seq: 0 }, 0);
        const sent: Message[] = [];
        for (const each of steps) {
          const worker = replicas[each.worker] as Replica;
          if (each.act === 'change') {
            const made: Change =
              each.key === undefined ? [each.topic, each.id] : [each.topic, each.id, each.key, { n: each.n }];
            sent.push(JSON.parse(JSON.stringify(change(worker, made))));
          } else if (each.act === 'state') sent.push(JSON.parse(JSON.stringify(worker.state())));
          else if (each.act === 'forget') worker.remove(WORKERS[each.other] as string);
          else if (each.act !== 'deliver') sent.push({ kind: each.act, from: worker.self, seq: worker.seq });
          else if (sent.length > 0) worker.merge(sent[each.message % sent.length] as Message, 0);
        }
        for (const from of replicas) for (const to of replicas) to.merge(from.state(), 0);
        for (const name of ['t', 'u']) {
          const [first, ...others] = replicas.map((each) => sorted(each.list(name)));
          for (const other of others) assert.deepEqual(other, first);
          for (const [i, each] of replicas.entries()) {
            assert.equal(each.count(name), first?.length);
            const own = [...(folded[i] as Map<string, unknown>)].filter(([ref]) => ref.startsWith(name));
            assert.equal(own.length, Array.from(each.entries(name)).length);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

function sorted(list: Record<string, object[]>): [string, string[]][] {
  const all = Object.entries(list).map(([key, metas]): [string, string[]] => [
    key,
    metas.map((m) => JSON.stringify(m)).sort(),
  ]);
  return all.sort(([a], [b]) => (a < b ? -1 : 1));
}
