// An auth middleware that emits the reason to the client, disconnects it and returns, as in Egg's documentation. Socket.IO ignores
// `disconnect()` before the client is connected, so without the plugin's support this middleware would admit every client.
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
    ['synchronously', '/', {}],
    ['synchronously, over long-polling', '/', {}, { transports: ['polling'] }],
    ['asynchronously', '/', { how: 'late' }],
    ['before it calls next()', '/', { how: 'next' }],
    ['and closes its connection', '/', { how: 'close' }],
    ['in another namespace', '/chat', {}],
  ];
  for (const [name, nsp, query, options] of cases) {
    // An old client is refused in /, and receives nothing of /chat: see old-clients.test.ts.
    if (kind.protocol === 3 && nsp === '/chat') continue;
    it(`should disconnect the client: ${name}`, async () => {
      const app = running.app as unknown as EventEmitter;
      const client = running.client(nsp, { query, ...options });
      const heard: unknown[] = [];
      client.onAny((...args) => heard.push(args));
      // If the client were admitted, it would receive trace and said.
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

  it('should admit a client with a token', async () => {
    const client = await running.connect('/', { query: { token: 'ann' } });
    const said = next(client, 'said');
    client.emit('say', 'here I am');
    assert.deepEqual(await said, ['here I am']);
  });
});
