// The line that says at boot what was chosen.
import assert from 'node:assert/strict';
import type { Application } from 'egg';
import { Adapter } from 'socket.io-adapter';
import type { IoConfig } from '../lib';
import { summary } from '../lib/boot';
import { hostWarnings } from '../lib/config/topology';
import { mm } from './support/app';
import { type Inline, startInline } from './support/inline';

/** What was logged at boot. */
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

/** What several workers would log. */
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

  it('should tell of clients that handover cannot help', () => {
    assert.match(warnings(old)[0]!, /clients of Socket\.IO 2 .* need --sticky: config\.io\.generateId/);
    for (const none of [warnings(old, 1), warnings(old, 4, true), warnings({ ...old, init: {} }), warnings({})]) {
      assert.deepEqual(none, []);
    }
  });

  it('should tell of an adapter that carries nothing to other workers', () => {
    assert.match(
      warnings({ adapter: 'memory' })[0]!,
      /'memory' sends no broadcasts to other workers, and there are 4: set it to 'cluster'/,
    );
    assert.deepEqual(warnings({ adapter: 'memory' }, 1), []);
  });
});

describe('the line at boot', () => {
  it('should say what was chosen', async () => {
    assert.equal(
      await line({ io: { namespace: { '/chat': {} } }, router: (app) => app.io.of(/room/).route('a', () => {}) }),
      '[egg-socket.io] namespaces: /, /chat, /room/; path: /socket.io; transports: polling, websocket; adapter: memory; workers: 1; handover: off',
    );
  });

  it('should name path, transports and an own adapter', async () => {
    const init = { path: '/live', transports: ['websocket' as const] };
    assert.match(
      await line({ io: { init, adapter: () => Adapter } }),
      /path: \/live; transports: websocket; adapter: the application's own; workers: 1; handover: off/,
    );
  });

  it('should tell of several workers', () => {
    assert.match(many({}, {}), /adapter: cluster; workers: 4; handover: on$/);
    assert.match(many({}, { sticky: true }), /adapter: cluster; workers: 4 \(sticky\); handover: off$/);
    assert.match(many({ init: { transports: ['websocket'] } }, {}), /adapter: cluster; workers: 4; handover: off$/);
    assert.match(many({ redis: {} }, {}), /adapter: redis; workers: 4; handover: on$/);
  });
});
