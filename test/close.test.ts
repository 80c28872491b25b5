// An application that closes: connections, adapters, and Egg's HTTP server.
import assert from 'node:assert/strict';
import { refused } from './support/app';
import { parity } from './support/clients';
import { startInline } from './support/inline';
import { next, signal } from './support/wait';

parity('closing the application', () => {
  it('should close the connections so that clients reconnect, and unwind their chains', async () => {
    const over = signal<boolean>();
    const reasons: string[] = [];
    const { connect, app } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'] } } },
      middleware: {
        a: async (ctx, next) => {
          await next();
          over.resolve(ctx.connected);
        },
      },
      router: (app) => app.io.route('disconnect', (ctx) => reasons.push(ctx.args[0])),
    });
    const client = await connect();
    const left = next(client, 'disconnect');
    await app.close();
    // A client of Socket.IO reconnects after this reason, and would not after "io server disconnect".
    assert.equal((await left)[0], 'transport close');
    assert.equal(await over.promise, false);
    assert.deepEqual(reasons, ['forced close']);
  });

  it("should not close Egg's HTTP server, and refuse new clients", async () => {
    const { app, server, client, url } = await startInline({});
    await app.close();
    assert.equal(server.listening, true);
    await refused(client());
    const handshake = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    assert.equal(handshake.status, 503);
    assert.match(await handshake.text(), /the server is closing/);
  });

  it('should close the adapters of all namespaces, also without clients', async () => {
    const closed: string[] = [];
    const { app } = await startInline({ io: { namespace: { '/': {}, '/chat': {} } } });
    for (const name of ['/', '/chat']) {
      const { adapter } = app.io.of(name);
      const { close } = adapter;
      adapter.close = () => {
        closed.push(name);
        return close.call(adapter);
      };
    }
    await app.close();
    assert.deepEqual(closed.sort(), ['/', '/chat']);
  });
});
