// Connection and packet middleware, and system events, of applications for egg-socket.io 4.
import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import { logs, type Running, refused, start } from './support/app';
import { parity } from './support/clients';
import { next, times, until } from './support/wait';

parity('legacy: middleware and system events', () => {
  let running: Running;
  let app: EventEmitter;

  before(async () => {
    running = await start('legacy-middleware');
    app = running.app as unknown as EventEmitter;
  });

  // Each test begins without clients.
  beforeEach(() => until('everybody has left', () => running.app.io.of('/').sockets.size === 0));

  const enter = (name: string) => running.connect('/', { query: { token: name } });

  it('should join a room before await next(), and emit to the room after it, when the socket is disconnected', async () => {
    const ann = await enter('ann');
    const heard = times(ann, 'online', 2);
    const bob = await enter('bob');
    bob.disconnect();
    assert.deepEqual(await heard, [['bob joined'], ['bob left']]);
  });

  it('should read ctx.packet before and after the controller', async () => {
    const ann = await enter('ann');
    const heard = Promise.all([times(ann, 'trace', 4), next(ann, 'said')]);
    ann.emit('say', '  hello  ', 'more');
    ann.emit('nothing', 1, 2, 3);
    const [trace, said] = await heard;
    assert.deepEqual(said, ['hello']);
    assert.deepEqual(trace.flat().sort(), ['in nothing 3', 'in say 2', 'out nothing none', 'out say said']);
  });

  it('should drop a packet if a middleware returns without next()', async () => {
    const ann = await enter('ann');
    const said = times(ann, 'said', 1);
    const blocked = next(ann, 'blocked');
    ann.emit('say', 'darn');
    ann.emit('say', 'sentinel');
    assert.deepEqual(await blocked, ['darn']);
    assert.deepEqual(await said, [['sentinel']]);
  });

  it('should leave a room, and receive no more events of it', async () => {
    const [ann, bob] = [await enter('ann'), await enter('bob')];
    const out = next(ann, 'out');
    ann.emit('leave');
    await out;
    ann.on('said', () => assert.fail('the client is in the room still'));
    const said = next(bob, 'said');
    bob.emit('say', 'anybody?');
    await said;
    // An event for this client would have arrived before this one.
    const again = next(ann, 'out');
    ann.emit('leave');
    await again;
  });

  it('should refuse a client if its connection middleware throws', async () => {
    const { error } = logs(running.app);
    const err = await refused(running.client('/', { query: { how: 'throw' } }));
    assert.equal(err.message, 'no token');
    assert.deepEqual(
      error.map(({ message }) => message),
      ['no token'],
    );
  });

  describe('system events', () => {
    it('should run the routes of disconnecting and disconnect with the reason', async () => {
      const ann = await enter('ann');
      const { id } = ann;
      const heard = times(app, 'system', 2);
      ann.disconnect();
      assert.deepEqual(await heard, [
        ['disconnecting', 'client namespace disconnect', id],
        ['disconnect', 'client namespace disconnect', id],
      ]);
    });

    it('should run both routes when a controller disconnects the socket', async () => {
      const ann = await enter('ann');
      const heard = Promise.all([times(app, 'system', 2), next(ann, 'disconnect')]);
      ann.emit('bye');
      const [events, [reason]] = await heard;
      assert.equal(reason, 'io server disconnect');
      assert.deepEqual(
        events.map((args) => args.slice(0, 2)),
        [
          ['disconnecting', 'server namespace disconnect'],
          ['disconnect', 'server namespace disconnect'],
        ],
      );
    });

    it('should run the route of error for a packet that Socket.IO cannot decode', async () => {
      const ann = await enter('ann');
      const { id } = ann;
      const heard = next(app, 'system');
      // A packet of an unknown type.
      ann.io.engine.write('9');
      assert.deepEqual(await heard, ['error', true, id]);
    });
  });
});
