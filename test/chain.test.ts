// A chain of one middleware is made without koa-compose: it does what koa-compose does.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import compose from 'koa-compose';
import { composeChain, composeLasting, type Onion } from '../lib/compose';
import type { Middleware } from '../lib/types/context';

const ctx = {} as Context;

/** What comes of a call: a value, or an error's message; never anything thrown at once. */
async function outcome(onion: Onion, core?: Middleware): Promise<unknown> {
  const promise = onion(ctx, core);
  assert(promise instanceof Promise);
  return promise.then(
    (value) => ({ value }),
    (err) => ({ err: err instanceof Error ? err.message : err }),
  );
}

const fails = () => {
  throw new Error('at once');
};
const rejects = async () => {
  throw new Error('later');
};

const middlewares: Record<string, Middleware> = {
  passes: (_ctx, next) => next(),
  'gives something': async (_ctx, next) => `around ${await next()}`,
  'is no promise': () => 'a value',
  'does not pass': async () => {},
  'throws at once': fails,
  'throws what is no error': () => {
    throw 'a text';
  },
  rejects,
  'catches what is inside': (_ctx, next) => next().catch((err) => `caught ${err.message}`),
  'calls next() twice': async (_ctx, next) => {
    await next();
    await next();
  },
  'calls next() twice without waiting': (_ctx, next) => {
    next().catch(() => {});
    return next();
  },
  'calls next() again when it has failed': (_ctx, next) => next().catch(next),
};

const cores: Record<string, Middleware | undefined> = {
  'no core': undefined,
  'a core that gives something': () => Promise.resolve('the core' as never),
  'a core that is no promise': () => 'the core',
  'a core that throws at once': fails,
  'a core that rejects': rejects,
};

describe('a chain of one middleware', () => {
  for (const [does, middleware] of Object.entries(middlewares)) {
    for (const [what, core] of Object.entries(cores)) {
      it(`should be what koa-compose makes of it: it ${does}, around ${what}`, async () => {
        const theirs = await outcome(compose([middleware as compose.Middleware<Context>]) as Onion, core);
        assert.deepEqual(await outcome(composeChain([middleware]), core), theirs);
        assert.deepEqual(await outcome(composeChain([middleware], core)), theirs);
      });
    }
  }

  for (const [does, middleware] of Object.entries(middlewares)) {
    for (const what of ['a core that gives something', 'a core that rejects']) {
      it(`should be that where it lasts, too: it ${does}, around ${what}`, async () => {
        const core = cores[what] as (ctx: Context) => Promise<void>;
        const theirs = await outcome(compose([middleware as compose.Middleware<Context>]) as Onion, core);
        for (const others of [[], [((_ctx, next) => next()) as Middleware]]) {
          let calls = 0;
          const lasting = composeLasting([middleware, ...others], function (this: Context) {
            assert.equal(this, ctx);
            return calls++ === 0 ? core(this) : Promise.reject(new Error('next() called multiple times'));
          });
          assert.deepEqual(await outcome(lasting), theirs);
        }
      });
    }
  }

  it('should call the core once, with the context, however often it is run', async () => {
    const calls: unknown[] = [];
    const onion = composeChain([
      async (ctx, next) => {
        calls.push(ctx);
        await next();
        await next().catch(() => {});
      },
    ]);
    for (const state of [{ first: true }, { second: true }]) {
      await onion(state as unknown as Context, (ctx) => calls.push(ctx));
      assert.deepEqual(calls.splice(0), [state, state]);
    }
  });
});
