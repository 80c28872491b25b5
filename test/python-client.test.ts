// python-socketio as a client. Debian: apt-get install python3-socketio python3-requests python3-websocket.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { startInline } from './support/inline';

const SCRIPT = path.join(__dirname, 'support/client.py');

/** What the script prints. */
const SEEN = {
  refusal: { message: 'not authorized', data: 'BAD' },
  first: 'connect',
  answer: ['你好', [1, 2, 3]],
  event: ['你好', [1, 2, 3]],
  asked: 42,
  left: 'disconnect',
};
const RECONNECTED = { lost: ['disconnect', 'connect'], again: 42 };

/** Debian installs its packages for its own Python, which need not be the first one in the PATH. */
const PYTHON = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import socketio, requests, websocket']).status === 0,
);

describe('python-socketio', () => {
  before(function () {
    if (PYTHON) return;
    assert(!process.env.CI, 'python3-socketio, python3-requests and python3-websocket are not installed');
    this.skip();
  });

  for (const transport of ['polling', 'websocket']) {
    it(`should work over ${transport}`, async () => {
      const { url } = await startInline({
        io: { namespace: { '/chat': { connectionMiddleware: ['guard'] } } },
        middleware: {
          guard: async (ctx, proceed) => {
            if (ctx.handshake.auth.token !== 'secret') ctx.throw(401, 'not authorized', { data: 'BAD' });
            await proceed();
          },
        },
        router: ({ io }) => {
          const chat = io.of('/chat');
          chat.route('say', (ctx) => {
            const [text, data, ack] = ctx.args;
            const more = Buffer.concat([data, Buffer.from([3])]);
            ctx.emit('said', text, more);
            ack(text, more);
          });
          chat.route('ask me', async (ctx) => {
            ctx.args[0](await ctx.socket.timeout(30_000).emitWithAck('well?', 41));
          });
          chat.route('cut me', (ctx) => ctx.socket.conn.close());
        },
      });
      const { stdout } = await promisify(execFile)(PYTHON as string, [SCRIPT, url, transport], { timeout: 60_000 });
      assert.deepEqual(JSON.parse(stdout), { ...SEEN, ...(transport === 'websocket' && RECONNECTED), transport });
    });
  }
});
