// Joining and leaving rooms, with the callbacks of Socket.IO 2.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import { parity } from './support/clients';
import { startInline } from './support/inline';

type Callback = (err: unknown) => void;
type Change = (callback: Callback) => unknown;

/** Calls a function with a callback. Returns what the callback got, and whether it was called in a later tick. */
function called(change: Change): Promise<{ err: unknown; isLater: boolean }> {
  return new Promise((resolve) => {
    let isLater = false;
    change((err) => resolve({ err, isLater }));
    isLater = true;
  });
}

const DONE = { err: null, isLater: true };

parity('rooms', () => {
  it('should call the callbacks of join and leave in connection middleware and in controllers', async () => {
    const results: unknown[] = [];
    const { connect } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx: Context, next: () => Promise<void>) => {
          results.push(await called((done) => ctx.join('one', done)), [...ctx.rooms].includes('one'));
          results.push(await called((done) => ctx.socket.join(['two', 'three'], done)));
          results.push(await called((done) => ctx.leave('two', done)));
          await next();
        },
      },
      router: (app) =>
        app.io.route('change', async (ctx) => {
          const answer = ctx.args[0];
          const already = await called((done) => ctx.join('one', done));
          const left = await called((done) => ctx.socket.leave('one', done));
          answer([already, left, [...ctx.rooms].filter((room) => room !== ctx.id)]);
        }),
    });
    const client = await connect();
    assert.deepEqual(results, [DONE, true, DONE, DONE]);
    assert.deepEqual(await client.emitWithAck('change'), [DONE, DONE, ['three']]);
  });

  it("should pass an adapter's error to the callback", async () => {
    const { connect, app } = await startInline({
      router: (app) =>
        app.io.route('join', (ctx) => {
          void ctx.join('one', (err) => ctx.args[0]((err as Error).message));
        }),
    });
    const client = await connect();
    app.io.sockets.adapter.addAll = () => Promise.reject(new Error('no room'));
    assert.equal(await client.emitWithAck('join'), 'no room');
  });
});
