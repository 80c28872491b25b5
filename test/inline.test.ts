// The inline applications of the tests themselves.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import { startInline } from './support/inline';

it('inline applications that start at the same time should have their own definitions', async () => {
  const startOne = (n: number) =>
    startInline({
      io: { namespace: { '/': { packetMiddleware: ['a'] }, [`/own${n}`]: {} } },
      config: { number: n },
      middleware: {
        a: async (ctx: Context, next: () => Promise<void>) => {
          ctx.data.middleware = n;
          await next();
        },
      },
      router: ({ io, config }) => void io.route('who', (ctx) => ctx.args[0]([n, config.number, ctx.data.middleware])),
    });
  const all = await Promise.all([1, 2, 3].map(startOne));
  for (const [index, { connect }] of all.entries()) {
    const n = index + 1;
    assert.deepEqual(await (await connect()).emitWithAck('who'), [n, n, n]);
    await connect(`/own${n}`);
  }
});
