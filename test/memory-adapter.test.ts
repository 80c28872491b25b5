// The adapters in memory, which an application with one worker has.
import assert from 'node:assert/strict';
import { mm } from './support/app';
import { startInline } from './support/inline';
import { within } from './support/wait';

describe('an adapter in memory', () => {
  const RECOVERY = { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } };

  for (const [title, init] of Object.entries({ 'without recovery': {}, 'with recovery': RECOVERY })) {
    it(`should answer serverSideEmit() with no responses, ${title}`, async () => {
      const warnings: unknown[] = [];
      mm(console, 'warn', (...args: unknown[]) => warnings.push(args));
      const { app } = await startInline({ io: { init } });
      const nsp = app.io.of('/chat');
      nsp.serverSideEmit('news', 1);
      assert.deepEqual(await within('the responses', nsp.serverSideEmitWithAck('ask')), []);
      assert.deepEqual(warnings, []);
    });
  }
});
