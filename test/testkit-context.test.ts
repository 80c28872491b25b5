// app.mockIoContext(): controllers and middleware without a network.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import type { Middleware } from '../lib';
import { mm, type Running } from './support/app';
import { startInline } from './support/inline';

describe('app.mockIoContext()', () => {
  let app: Running['app'];
  const connections: string[] = [];

  before(async () => {
    mm.env('unittest');
    ({ app } = await startInline({
      io: { namespace: { '/chat': { connectionMiddleware: ['a'], packetMiddleware: ['a'] }, '/room/:id': {} } },
      middleware: {
        a: async (ctx, next) => {
          if (!ctx.session.user) throw new Error('log in');
          await next();
        },
      },
      router: (app) => {
        app.io.of('/chat').on('connection', ({ id }) => connections.push(id));
        app.io.of('/chat').route('say', () => assert.fail('nobody has sent it'));
      },
    }));
  });

  async function say(this: Context, ctx: Context) {
    assert.equal(this, ctx);
    await ctx.join('room');
    ctx.emit('said', ctx.args[0]);
    ctx.to('room').emit('heard', ctx.args[0]);
    if (typeof ctx.args.at(-1) === 'function') ctx.args.at(-1)('ok');
    return 'done';
  }

  it('should return the context of a packet', async () => {
    const ctx = app.mockIoContext({
      packet: ['say', 'hi'],
      session: { user: 'ann' },
      namespace: '/chat',
      headers: { 'X-Name': 'h' },
      query: { name: 'q', n: 1 },
      auth: { token: 'a' },
    });
    assert.deepEqual(ctx.packet, ['say', 'hi']);
    assert.deepEqual(ctx.args, ['hi']);
    assert.deepEqual(ctx.session, { user: 'ann' });
    assert.equal(ctx.get('x-name'), 'h');
    assert.deepEqual({ ...ctx.query }, { name: 'q', n: '1' });
    assert.deepEqual({ ...ctx.handshake.query }, { name: 'q', n: '1' });
    assert.deepEqual(ctx.handshake.auth, { token: 'a' });
    assert.equal(ctx.ip, '127.0.0.1');
    assert.equal(ctx.app.io, app.io);
    assert.equal(ctx.socket.nsp.name, '/chat');
    assert.equal(ctx.connected, true);
    assert.ok(ctx.logger && ctx.service && ctx.helper);
    assert.deepEqual([...ctx.rooms], [ctx.id]);
  });

  it('should record the events that are emitted to its client, and the rooms it joins', async () => {
    const ctx = app.mockIoContext({ packet: ['say', 'hi'], namespace: '/chat' });
    assert.equal(await say.call(ctx, ctx), 'done');
    assert.deepEqual(ctx.emitted, [['said', 'hi']]);
    assert.deepEqual([...ctx.rooms], [ctx.id, 'room']);
    app.io.of('/chat').emit('to all', 1);
    ctx.emit('asked', () => {});
    assert.deepEqual(ctx.emitted.slice(1), [['to all', 1], ['asked']]);
  });

  it('should broadcast to other contexts and to clients in its rooms', async () => {
    const ctx = app.mockIoContext({ packet: ['say', 'hi'], namespace: '/chat' });
    const other = app.mockIoContext({ namespace: '/chat' });
    await other.join('room');
    const elsewhere = app.mockIoContext();
    await elsewhere.join('room');
    const client = await app.ioClient('/chat', { session: { user: 'ann' } });
    app.io
      .of('/chat')
      .sockets.get(client.id as string)
      ?.join('room');
    await say.call(ctx, ctx);
    assert.deepEqual(other.emitted, [['heard', 'hi']]);
    assert.deepEqual(elsewhere.emitted, []);
    await client.expect('heard', 'hi');
  });

  it('should have the acknowledgement function as its last argument', async () => {
    const answers: unknown[] = [];
    const ctx = app.mockIoContext({
      packet: ['say', 'hi', (answer: unknown) => answers.push(answer)],
      namespace: '/chat',
    });
    await say.call(ctx, ctx);
    assert.deepEqual(answers, ['ok']);
  });

  it('should work with middleware', async () => {
    const { a } = app.io.middleware as unknown as Record<'a', Middleware>;
    let passed = 0;
    const next = async () => void passed++;
    await a(app.mockIoContext({ session: { user: 'ann' }, namespace: '/chat' }), next);
    assert.equal(passed, 1);
    await assert.rejects(async () => a(app.mockIoContext({ session: {} }), next), /log in/);
    assert.equal(passed, 1);
  });

  it('should have a session that can be changed, with and without the option', () => {
    const session = { user: 'ann' };
    const ctx = app.mockIoContext({ session });
    ctx.session.user = 'bob';
    assert.deepEqual(session, { user: 'bob' });
    const other = app.mockIoContext();
    other.session.user = 'eve';
    assert.equal(other.session.user, 'eve');
  });

  it("should have the parameters of its namespace's name, or those of the option", () => {
    assert.equal(app.mockIoContext({ namespace: '/room/7' }).params?.id, '7');
    assert.deepEqual(app.mockIoContext({ namespace: '/room/7', params: { id: '8' } }).params, { id: '8' });
    assert.deepEqual(app.mockIoContext({ params: { id: '8' } }).params, { id: '8' });
  });

  it('should fail if the namespace does not exist', () => {
    assert.throws(() => app.mockIoContext({ namespace: '/nope' }), /no namespace \/nope \(there are: \/, \/chat, /);
    assert.equal(app.io._nsps.has('/nope'), false);
  });

  it('should neither run middleware chains nor open a connection', () => {
    app.mockIoContext({ namespace: '/chat' });
    assert.deepEqual(connections.length, app.io.stats().namespaces['/chat']?.protocols[4].total);
    assert.equal(app.io.engine.clientsCount, 0);
  });

  it('should let a controller disconnect its client', () => {
    const ctx = app.mockIoContext({ namespace: '/chat' });
    ctx.disconnect(true);
    assert.equal(app.io.of('/chat').sockets.has(ctx.id), false);
    const [other, ...more] = [app.mockIoContext({ namespace: '/chat' }), app.mockIoContext({ namespace: '/chat' })];
    other?.disconnect();
    assert.deepEqual([other?.connected, more[0]?.connected], [false, true]);
  });

  it('should reject ctx.reauthenticate(), and say how to mock it', async () => {
    const ctx = app.mockIoContext({ namespace: '/chat' });
    await assert.rejects(ctx.reauthenticate({ auth: {} }), /has no connection.*mm\(ctx, 'reauthenticate'/);
    mm(ctx, 'reauthenticate', async () => {});
    await ctx.reauthenticate();
    assert.equal(ctx.reauthenticating, false);
  });

  it('should be disconnected after the test', async () => {
    const { sockets } = app.io.of('/chat');
    assert.equal(sockets.size, 0);
    const ctx = app.mockIoContext({ namespace: '/chat' });
    assert.equal(sockets.size, 1);
    await mm.restore();
    assert.deepEqual([sockets.size, ctx.connected], [0, false]);
  });

  it('should record emitted events without their offsets if connectionStateRecovery is on', async () => {
    mm.env('unittest');
    const { app } = await startInline({ io: { init: { connectionStateRecovery: {} } } });
    const ctx = app.mockIoContext();
    ctx.emit('said', 'hi');
    assert.deepEqual(ctx.emitted, [['said', 'hi']]);
  });

  it('should refuse an unknown option', () => {
    assert.throws(() => app.mockIoContext({ sesion: {} } as never), /unknown option sesion.*session/);
  });
});
