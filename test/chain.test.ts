// Chains of one middleware are composed without koa-compose. They must behave as koa-compose does.
import assert from 'node:assert/strict';
import type { Context } from 'egg';
import compose from 'koa-compose';
import { composeChain, composeLasting, type Onion } from '../lib/compose';
import type { Middleware } from '../lib/types/context';

const ctx = {} as Context;

/** The outcome of a call: a value, or the message of an error. The call must return a promise in each case. */
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
  'calls next()': (_ctx, next) => next(),
  'returns a value': async (_ctx, next) => `around ${await next()}`,
  'does not return a promise': () => 'a value',
  'does not call next()': async () => {},
  'throws synchronously': fails,
  'throws a string': () => {
    throw 'a text';
  },
  rejects,
  'catches the error of next()': (_ctx, next) => next().catch((err) => `caught ${err.message}`),
  'calls next() twice': async (_ctx, next) => {
    await next();
    await next();
  },
  'calls next() twice without waiting': (_ctx, next) => {
    next().catch(() => {});
    return next();
  },
  'calls next() again after it has rejected': (_ctx, next) => next().catch(next),
};

const cores: Record<string, Middleware | undefined> = {
  'no core': undefined,
  'a core that returns a promise of a value': () => Promise.resolve('the core' as never),
  'a core that returns a value': () => 'the core',
  'a core that throws synchronously': fails,
  'a core that rejects': rejects,
};

describe('a chain of one middleware', () => {
  for (const [does, middleware] of Object.entries(middlewares)) {
    for (const [what, core] of Object.entries(cores)) {
      it(`should behave as with koa-compose: the middleware ${does}, around ${what}`, async () => {
        const theirs = await outcome(compose([middleware as compose.Middleware<Context>]) as Onion, core);
        assert.deepEqual(await outcome(composeChain([middleware]), core), theirs);
        assert.deepEqual(await outcome(composeChain([middleware], core)), theirs);
      });
    }
  }

  for (const [does, middleware] of Object.entries(middlewares)) {
    for (const what of ['a core that returns a promise of a value', 'a core that rejects']) {
      it(`should behave as with koa-compose if it is long-lived: the middleware ${does}, around ${what}`, async () => {
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

  it('should call the core once per run, with the context', async () => {
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
