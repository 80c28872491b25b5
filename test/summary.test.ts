// The log line and the warnings at boot: adapter, workers, handover.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import { Adapter } from 'socket.io-adapter';
import type { IoConfig } from '../lib';
import { summary } from '../lib/boot';
import { hostWarnings } from '../lib/config/topology';
import { mm } from './support/app';
import { type Inline, startInline } from './support/inline';

/** Boots an application and returns the log line. */
async function line(inline: Inline): Promise<string> {
  const lines: string[] = [];
  const boot = (app: Application) => {
    const { info } = app.coreLogger;
    mm(app.coreLogger, 'info', (message: string, ...rest: unknown[]) => {
      if (String(message).startsWith('[egg-socket.io] namespaces')) lines.push(message);
      info.call(app.coreLogger, message, ...rest);
    });
  };
  await startInline({ ...inline, boot });
  assert.equal(lines.length, 1);
  return lines[0]!;
}

/** Returns the log line of an application with several workers. */
const many = (io: IoConfig, options: object) =>
  summary({
    config: { io },
    options: { workers: 4, ...options },
    io: { names: () => ['/'], path: () => '/x' },
  } as never);

describe('the warnings at boot', () => {
  const warnings = (io: IoConfig, workers = 4, sticky = false) =>
    hostWarnings({ config: { io }, options: { workers, sticky } } as never);
  const old: IoConfig = { init: { allowEIO3: true }, generateId: () => 'x' };

  it('should name clients for which forwarding does not work', () => {
    assert.match(warnings(old)[0]!, /clients of Socket\.IO 2 .* need --sticky: config\.io\.generateId/);
    for (const none of [warnings(old, 1), warnings(old, 4, true), warnings({ ...old, init: {} }), warnings({})]) {
      assert.deepEqual(none, []);
    }
  });

  it('should name an adapter that does not reach other workers', () => {
    assert.match(
      warnings({ adapter: 'memory' })[0]!,
      /'memory' sends no broadcasts to other workers, and there are 4: set it to 'cluster'/,
    );
    assert.deepEqual(warnings({ adapter: 'memory' }, 1), []);
  });
});

describe('the log line at boot', () => {
  it('should name namespaces, path, transports, adapter and workers', async () => {
    assert.equal(
      await line({ io: { namespace: { '/chat': {} } }, router: (app) => app.io.of(/room/).route('a', () => {}) }),
      '[egg-socket.io] namespaces: /, /chat, /room/; path: /socket.io; transports: polling, websocket; adapter: memory; workers: 1; forwarding: off; routes: 1 (npx egg-socket.io routes lists them); docs: https://github.com/eggjs/egg-socket.io#readme',
    );
  });

  it("should name the configured path and transports, and the application's own adapter", async () => {
    const init = { path: '/live', transports: ['websocket' as const] };
    assert.match(
      await line({ io: { init, adapter: () => Adapter } }),
      /path: \/live; transports: websocket; adapter: the application's own \(Adapter\); workers: 1; forwarding: off;/,
    );
  });

  it('should name the adapter and handover of several workers', () => {
    assert.match(many({}, {}), /adapter: cluster; workers: 4; forwarding: on$/);
    assert.match(many({}, { sticky: true }), /adapter: cluster; workers: 4 \(sticky\); forwarding: off$/);
    assert.match(many({ init: { transports: ['websocket'] } }, {}), /adapter: cluster; workers: 4; forwarding: off$/);
    assert.match(many({ redis: {} }, {}), /adapter: redis; workers: 4; forwarding: on$/);
  });
});
