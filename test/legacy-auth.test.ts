// An auth middleware that tells the client why, disconnects it and returns: Egg's own documentation has it like that.
// Socket.IO lets `disconnect()` pass without effect until a client is in, so this would let everybody in.
import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import { type ClientOptions, type Running, start } from './support/app';
import { parity } from './support/clients';
import { next, until } from './support/wait';

parity('legacy: an auth middleware that disconnects', (kind) => {
  let running: Running;

  before(async () => {
    running = await start('legacy-middleware');
  });

  beforeEach(() => until('everybody has left', () => running.app.io.of('/').sockets.size === 0));

  const cases: [name: string, nsp: string, query: Record<string, string>, options?: ClientOptions][] = [
    ['at once', '/', {}],
    ['at once, over polling', '/', {}, { transports: ['polling'] }],
    ['after it has waited for something', '/', { how: 'late' }],
    ['and goes on with next() all the same', '/', { how: 'next' }],
    ['with the connection below', '/', { how: 'close' }],
    ['in another namespace', '/chat', {}],
  ];
  for (const [name, nsp, query, options] of cases) {
    // It doesn't get past /, and then hears nothing of /chat: see old-clients.test.ts.
    if (kind.protocol === 3 && nsp === '/chat') continue;
    it(`should throw the client out: ${name}`, async () => {
      const app = running.app as unknown as EventEmitter;
      const client = running.client(nsp, { query, ...options });
      const heard: unknown[] = [];
      client.onAny((...args) => heard.push(args));
      // Were the client in, this would be answered with trace and said.
      client.emit('say', 'let me in');
      const gone = next(client, 'disconnect');
      const ended = next(app, 'ended');
      await next(app, 'denied');
      assert.deepEqual((await gone)[0], 'io server disconnect');
      assert.deepEqual(heard, [['deny', 'no token']]);
      assert.equal(client.active, false, 'the client comes back by itself');
      await ended;
      assert.equal(running.app.io.of(nsp).sockets.size, 0);
    });
  }

  it('should let in who brings a token', async () => {
    const client = await running.connect('/', { query: { token: 'ann' } });
    const said = next(client, 'said');
    client.emit('say', 'here I am');
    assert.deepEqual(await said, ['here I am']);
  });
});
