// The versions of socket.io-client that docs/en/clients.md lists beside those with which the whole suite runs. They are installed by npm. What
// they depend on is the same on both majors of Egg, so these tests run only once.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Socket } from 'socket.io-client';
import { EGG_MAJOR, ROOT, type Running } from './support/app';
import { startInline } from './support/inline';
import { cleanUp, install } from './support/packed';
import { next, until, within } from './support/wait';

const page = readFileSync(path.join(ROOT, 'docs/en/clients.md'), 'utf8');
const VERSIONS = /^\| socket\.io-client ((?:\d+\.\d+\.\d+(?:, )?)+)/m.exec(page)?.[1]?.split(', ') ?? [];
const TRANSPORTS = { polling: ['polling'], WebSocket: ['websocket'], 'both transports': ['polling', 'websocket'] };

if (EGG_MAJOR === 4) {
  describe('socket.io-client', function () {
    // npm installs packages, perhaps from the network.
    this.timeout(300_000);

    let running: Running;
    let load: NodeRequire;
    let sockets: Socket[] = [];

    before(async () => {
      assert.equal(VERSIONS.length, 6);
      const home = await install(VERSIONS.map((version) => `client-${version}@npm:socket.io-client@${version}`));
      load = createRequire(path.join(home, 'index.js'));
    });

    after(cleanUp);

    beforeEach(async () => {
      running = await startInline({
        io: { init: { allowEIO3: true }, namespace: { '/chat': { connectionMiddleware: ['guard'] } } },
        middleware: {
          guard: async (ctx, proceed) => {
            if (ctx.handshake.query.name === 'nobody') ctx.throw(401, 'not authorized');
            await proceed();
          },
        },
        router: ({ io }) => {
          io.of('/chat').route('say', (ctx) => {
            const [text, bytes, ack] = ctx.args;
            ctx.emit('said', text, bytes);
            ack(text, Buffer.concat([bytes, Buffer.from([3])]));
          });
        },
      });
    });

    afterEach(() => {
      for (const socket of sockets) socket.disconnect();
      sockets = [];
    });

    for (const version of VERSIONS) {
      describe(version, () => {
        const connect = (name: string, transports: string[]): Socket => {
          const io = load(`client-${version}`);
          const url = `${running.url}/chat`;
          const socket = io(url, { forceNew: true, reconnection: false, transports, query: { name } });
          sockets.push(socket);
          return socket;
        };

        for (const [title, transports] of Object.entries(TRANSPORTS)) {
          it(`should work over ${title}`, async () => {
            const socket = connect('Ann', transports);
            await next(socket, 'connect');
            const [peer] = running.app.io.of('/chat').sockets.values();
            assert(peer);
            const upgraded = () =>
              until('the last transport is used', () => peer.conn.transport.name === transports.at(-1));
            // Before 1.7 clients garble text that they send or receive during the upgrade.
            if (version.startsWith('1.')) await upgraded();
            const said = next(socket, 'said');
            const answer = new Promise<unknown[]>((resolve) => {
              socket.emit('say', '你好', Buffer.from([1, 2]), (...args: unknown[]) => resolve(args));
            });
            const [text, bytes] = await within('the answer', answer);
            assert.deepEqual([text, Array.from(bytes as Buffer)], ['你好', [1, 2, 3]]);
            assert.deepEqual(Array.from((await said)[1]), [1, 2]);
            await upgraded();
            const left = next(peer, 'disconnect');
            socket.disconnect();
            assert.match((await left)[0], /^(client namespace disconnect|transport close)$/);
          });
        }

        it('should be refused', async () => {
          const socket = connect('nobody', ['websocket']);
          const event = Number(version[0]) < 3 ? 'error' : 'connect_error';
          const [err] = await next(socket, event);
          assert.equal(err.message ?? err, 'not authorized');
        });
      });
    }
  });
}
