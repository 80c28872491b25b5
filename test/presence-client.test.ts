// egg-socket.io/presence-client: the list of who is present in a client, with a server and by messages alone.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import { Presence, type PresenceChange } from '../lib/presence/client';
import type { Running } from './support/app';
import { startInline } from './support/inline';
import { next, until } from './support/wait';

describe('the presence client', () => {
  let running: Running;

  before(async () => {
    running = await startInline({
      io: { presence: { interval: 20 } },
      router: (app) => {
        const here = app.io.of('/').presence('lobby');
        app.io.route('connect', (ctx) => here.track(ctx, ctx.handshake.auth.name, { n: 1 }));
        app.io.route('set', (ctx) => here.update(ctx, { n: ctx.args[0] }));
        app.io.route('leave', (ctx) => here.untrack(ctx));
      },
    });
  });

  const enter = (name: string) => {
    const socket = running.client('/', { auth: { name }, reconnection: true, reconnectionDelay: 10 });
    return { socket, here: new Presence(socket, 'lobby') };
  };

  const shows = ({ here }: ReturnType<typeof enter>, list: object) =>
    until(`it shows ${JSON.stringify(list)}`, () => {
      const sorted = (all: object) => JSON.stringify(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
      return sorted(here.list()) === sorted(list);
    });

  it('should follow joins, updates and leaves, and tell what has changed', async () => {
    const ann = enter('ann');
    const changes: PresenceChange[] = [];
    ann.here.on('change', (change) => changes.push(change));
    await shows(ann, { ann: [{ n: 1 }] });
    const bob = enter('bob');
    await shows(bob, { ann: [{ n: 1 }], bob: [{ n: 1 }] });
    await shows(ann, { ann: [{ n: 1 }], bob: [{ n: 1 }] });
    assert.equal(ann.here.count(), 2);
    bob.socket.emit('set', 2);
    await shows(ann, { ann: [{ n: 1 }], bob: [{ n: 2 }] });
    const second = enter('bob');
    await shows(ann, { ann: [{ n: 1 }], bob: [{ n: 2 }, { n: 1 }] });
    assert.equal(ann.here.count(), 2);
    bob.socket.disconnect();
    await shows(ann, { ann: [{ n: 1 }], bob: [{ n: 1 }] });
    second.socket.emit('leave');
    await shows(second, {});
    await shows(ann, { ann: [{ n: 1 }] });
    assert.deepEqual(changes, [
      { joins: { ann: [{ n: 1 }] }, leaves: {} },
      { joins: { bob: [{ n: 1 }] }, leaves: {} },
      { joins: { bob: [{ n: 2 }] }, leaves: { bob: [{ n: 1 }] } },
      { joins: { bob: [{ n: 1 }] }, leaves: {} },
      { joins: {}, leaves: { bob: [{ n: 2 }] } },
      { joins: {}, leaves: { bob: [{ n: 1 }] } },
    ]);
  });

  it('should begin anew after a reconnect, and tell the difference', async () => {
    const ann = enter('ann');
    const bob = enter('bob');
    for (const each of [ann, bob]) await shows(each, { ann: [{ n: 1 }], bob: [{ n: 1 }] });
    const changes: PresenceChange[] = [];
    ann.here.on('change', (change) => changes.push(change));
    const lost = next(ann.socket, 'disconnect');
    ann.socket.io.engine.close();
    await lost;
    assert.equal(ann.here.synced, false);
    assert.deepEqual(Object.keys(ann.here.list()).sort(), ['ann', 'bob']);
    bob.socket.disconnect();
    await until('it is tracked again', () => ann.here.synced);
    await shows(ann, { ann: [{ n: 1 }] });
    assert.deepEqual(changes.at(-1)?.leaves, { bob: [{ n: 1 }] });
    assert(changes.every(({ joins, leaves }) => !joins.ann && !leaves.ann));
  });

  it('should ignore other topics, diffs before the state, and all messages after close()', () => {
    const socket = new EventEmitter();
    const here = new Presence(socket);
    const diff = { topic: '', joins: { ann: [{ ref: 1, meta: { n: 1 } }] }, leaves: {} };
    socket.emit('presence_diff', diff);
    assert.deepEqual(here.list(), {});
    socket.emit('presence_state', { topic: 'lobby', state: { ann: [{ ref: 1, meta: {} }] } });
    assert.deepEqual(here.list(), {});
    socket.emit('presence_state', { topic: '', state: {} });
    socket.emit('presence_diff', diff);
    assert.deepEqual(here.list(), { ann: [{ n: 1 }] });
    here.close();
    socket.emit('presence_diff', { topic: '', joins: {}, leaves: diff.joins });
    assert.deepEqual(here.list(), { ann: [{ n: 1 }] });
    assert.deepEqual(socket.eventNames(), []);
    assert.throws(() => here.on('join' as 'change', () => {}), /TypeError: Presence has no event join/);
  });

  it('should take any key', () => {
    const socket = new EventEmitter();
    const here = new Presence(socket);
    socket.emit('presence_state', JSON.parse('{"topic":"","state":{"__proto__":[{"ref":1,"meta":{"n":1}}]}}'));
    assert.deepEqual(Object.entries(here.list()), [['__proto__', [{ n: 1 }]]]);
  });

  it('should have the same list by the changes that it tells as by list()', () => {
    const entries = fc.dictionary(
      fc.constantFrom('ann', 'bob'),
      fc.array(fc.record({ ref: fc.nat(2), meta: fc.record({ n: fc.nat(2) }) })),
    );
    const message = fc.oneof(fc.record({ state: entries }), fc.record({ joins: entries, leaves: entries }));
    const sorted = (all: Record<string, object[]>) =>
      Object.entries(all)
        .flatMap(([key, metas]) => metas.map((meta) => JSON.stringify([key, meta])))
        .sort();
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const socket = new EventEmitter();
        const here = new Presence(socket);
        const told: string[] = [];
        here.on('change', ({ joins, leaves }) => {
          for (const left of sorted(leaves)) {
            assert(told.includes(left), `${left} has left and was not there`);
            told.splice(told.indexOf(left), 1);
          }
          told.push(...sorted(joins));
        });
        for (const each of messages)
          socket.emit('state' in each ? 'presence_state' : 'presence_diff', { topic: '', ...each });
        assert.deepEqual(told.sort(), sorted(here.list()));
      }),
    );
  });
});
