// System events: connect, disconnecting, disconnect and error. Clients can't send them.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import { logs, refused } from './support/app';
import { parity } from './support/clients';
import { startInline } from './support/inline';
import { lenientParser } from './support/parser';
import { next, signal, until } from './support/wait';

parity('system events', (kind) => {
  it('should route disconnecting and disconnect with a context of their own and the reason', async () => {
    const seen: unknown[] = [];
    const over = signal();
    let packets = 0;
    const { connect } = await startInline({
      io: { namespace: { '/': { packetMiddleware: ['a'] } } },
      middleware: {
        a: async (_ctx: Context, next: () => Promise<void>) => {
          packets++;
          await next();
        },
      },
      router: (app) => {
        app.io.route('join', async (ctx) => {
          await ctx.join('lobby');
          ctx.args[0]();
        });
        app.io.route('disconnecting', function (this: Context) {
          seen.push(['disconnecting', this.args, [...this.rooms].sort(), this.connected]);
        });
        app.io.route('disconnect', async (ctx) => {
          seen.push([
            'disconnect',
            ctx.args,
            [...ctx.rooms],
            ctx.connected,
            typeof ctx.service,
            ctx.id === ctx.socket.id,
          ]);
          over.resolve();
        });
      },
    });
    const client = await connect();
    const { id } = client;
    await client.emitWithAck('join');
    client.disconnect();
    await over.promise;
    const reason = ['client namespace disconnect'];
    assert.deepEqual(seen, [
      ['disconnecting', reason, [id, 'lobby'].sort(), true],
      ['disconnect', reason, [], false, 'object', true],
    ]);
    assert.equal(packets, 1);
  });

  it('should route connect once the client is connected and before any of its packets', async () => {
    const seen: unknown[] = [];
    const { connect, client } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['a'], packetMiddleware: ['b'] } } },
      middleware: {
        a: async (ctx: Context, next: () => Promise<void>) => {
          await ctx.join('lobby');
          ctx.data.step = 'admitted';
          await next();
        },
        b: async (ctx: Context, next: () => Promise<void>) => {
          seen.push(ctx.packet[0]);
          await next();
        },
      },
      router: (app) => {
        app.io.route('connect', (ctx) => {
          const listed = app.io.sockets.sockets.has(ctx.id);
          seen.push(['connect', ctx.args, ctx.packet, ctx.data.step, ctx.connected, ctx.rooms.has('lobby'), listed]);
          app.io.to('lobby').emit('joined', ctx.id);
        });
        app.io.route('first', (ctx) => ctx.args[0](seen.length));
      },
    });
    const first = await connect();
    const newcomer = client();
    const received = [next(newcomer, 'joined'), next(first, 'joined')];
    // The packet is sent together with the confirmation of the connection, as early as a client can.
    const answer = new Promise((resolve) => {
      newcomer.on('connect', () => newcomer.emit('first', resolve));
    });
    for (const [id] of await Promise.all(received)) assert.equal(id, newcomer.id);
    assert.equal(await answer, 3);
    const expected = ['connect', [], undefined, 'admitted', true, true, true];
    assert.deepEqual(seen, [expected, expected, 'first']);
  });

  it('should not route connect for a client that was refused or disconnected by connection middleware', async () => {
    let calls = 0;
    const { connect, client } = await startInline({
      io: { namespace: { '/': { connectionMiddleware: ['guard'] } } },
      middleware: {
        guard: async (ctx: Context, next: () => Promise<void>) => {
          if (ctx.query.as === 'thrown') throw new Error('not you');
          if (ctx.query.as === 'disconnected') ctx.disconnect();
          await next();
        },
      },
      router: (app) => {
        app.io.route('connect', () => {
          calls++;
          throw new Error('harmless');
        });
        app.io.route('calls', (ctx) => ctx.args[0](calls));
      },
    });
    await refused(client('/', { query: { as: 'thrown' } }));
    await next(client('/', { query: { as: 'disconnected' } }), 'disconnect');
    assert.equal(await (await connect()).emitWithAck('calls'), 1);
  });

  it('should log errors of their handlers, and not affect other clients', async () => {
    const { connect, app } = await startInline({
      router: (app) => {
        app.io.route('disconnecting', () => {
          throw new Error('at once');
        });
        app.io.route('disconnect', async () => {
          throw null;
        });
        app.io.route('hail', (ctx) => ctx.args[0]('pong'));
      },
    });
    const { error: errors } = logs(app);
    (await connect()).disconnect();
    await until('both are logged', () => errors.length === 2);
    assert.equal(errors[0].message, '[egg-socket.io] controller execute error: at once');
    assert.equal(errors[1].message, 'non-error thrown: null');
    assert.equal(await (await connect()).emitWithAck('hail'), 'pong');
  });

  it("should route error with Socket.IO's error of the connection", async () => {
    const heard = signal<Context>();
    const { connect } = await startInline({ router: (app) => app.io.route('error', (ctx) => heard.resolve(ctx)) });
    const client = await connect();
    // Not a packet of Socket.IO's protocol.
    client.io.engine.write('2not json');
    const ctx = await heard.promise;
    assert.equal(ctx.args.length, 1);
    assert.match(ctx.args[0].message, /invalid payload/);
    assert.equal(ctx.id, ctx.socket.id);
  });

  it('should log such an error if it has no route', async () => {
    const { connect, app } = await startInline({});
    const { error: errors, warn: warnings } = logs(app);
    const client = await connect();
    client.io.engine.write('2not json');
    await until('the error is logged', () => warnings.length === 1);
    assert.match(
      warnings[0],
      /closed a connection, since a packet cannot be decoded: invalid payload \(namespace \/, client \S*127\.0\.0\.1\)$/,
    );
    assert.deepEqual(errors, []);
  });

  it('should not route a packet named error, nor let it suppress a real error', async () => {
    const routed: unknown[] = [];
    const native: unknown[] = [];
    const { connect, app } = await startInline({
      router: (app) => {
        app.io.route('error', (ctx) => routed.push(ctx.args[0].message));
        app.io.on('connection', (socket) => socket.on('error', (err) => native.push(err)));
        app.io.route('hail', (ctx) => ctx.args[0]('pong'));
      },
    });
    logs(app);
    const client = await connect();
    // Written as raw packets, because old clients reserve the name.
    for (const packet of ['2["error","forged"]', '2["error",{"message":"forged"}]']) client.io.engine.write(packet);
    assert.equal(await client.emitWithAck('hail'), 'pong');
    assert.deepEqual(routed, []);
    // A native listener receives it, as with Socket.IO alone.
    assert.deepEqual(native, ['forged', { message: 'forged' }]);
    client.io.engine.write('2not json');
    await until('the true error is routed', () => routed.length === 1);
    assert.deepEqual(routed, ['invalid payload']);
  });

  // Clients of version 1 and 2 have no option `parser`.
  if (kind.protocol === 3) return;

  for (const event of ['disconnect', 'disconnecting', 'connect', 'newListener']) {
    it(`should not disconnect a client that sends a packet "${event}", nor route the packet`, async () => {
      // Socket.IO's parser refuses such a packet; a parser of the application may accept it.
      const parser = lenientParser();
      const routed: unknown[] = [];
      let ended = 0;
      const { connect, app } = await startInline({
        io: { init: { parser }, namespace: { '/': { connectionMiddleware: ['a'] } } },
        middleware: {
          a: async (_ctx: Context, next: () => Promise<void>) => {
            await next();
            ended++;
          },
        },
        router: (app) => {
          app.io.route('disconnect', (ctx) => routed.push(ctx.args));
          app.io.route('disconnecting', (ctx) => routed.push(ctx.args));
          app.io.route('hail', (ctx) => ctx.args[0]('pong'));
        },
      });
      const { error: errors } = logs(app);
      const client = await connect('/', { parser });
      const heard = signal<unknown>();
      client.on('error', (message) => heard.resolve(message));
      const data = [event, 'forged'];
      (client as unknown as { packet(packet: object): void }).packet({ type: 2, data });
      assert.equal(await heard.promise, `"${event}" is a reserved event name`);
      assert.equal(await client.emitWithAck('hail'), 'pong');
      assert.deepEqual(routed, []);
      assert.equal(ended, 0);
      assert.equal(errors.length, 1);
    });
  }
});
