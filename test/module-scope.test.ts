// The module scopes of tegg in app/io, with a stand-in for tegg's plugin. test/newest runs the real one.
import assert from 'node:assert/strict';
import type { Application, Context } from 'egg';
import { type Running, refused } from './support/app';
import { type Inline, startInline } from './support/inline';
import { DEADLINE, next, until } from './support/wait';

type Next = () => Promise<unknown>;

/** What the stand-in and the application of a test have done, in order. */
let steps: string[] = [];
/** How many scopes have begun, and how many of them have not ended. */
let begun = 0;
let open = 0;

const SCOPE = Symbol('scope');
type Scoped = Context & { [SCOPE]?: string };

/** tegg's `ctx.beginModuleScope()`: it creates objects, which takes time, and does not return what the function returns. */
function tegg(app: Application): void {
  Object.assign(app.context, {
    async beginModuleScope(this: Scoped, fn: () => Promise<void>): Promise<void> {
      if (this[SCOPE] !== undefined) return fn();
      if (this.query?.broken || this.args?.[0] === 'broken') throw new Error('tegg has failed');
      const id = String(++begun);
      await new Promise(setImmediate);
      assert.equal(app.currentContext, this);
      this[SCOPE] = id;
      open++;
      try {
        await fn();
      } finally {
        steps.push(`end ${id}`);
        open--;
        this[SCOPE] = 'ended';
      }
    },
  });
}

const note = (ctx: Context, what: string) => steps.push(`${what} in ${(ctx as Scoped)[SCOPE]}`);

const middleware = {
  guard: async (ctx: Context, next: Next) => {
    note(ctx, 'guard');
    await next();
    note(ctx, 'left');
  },
  a: async (ctx: Context, next: Next) => {
    note(ctx, 'packet');
    await next();
  },
};

describe('module scopes of tegg', () => {
  beforeEach(() => {
    steps = [];
    begun = 0;
    open = 0;
  });

  const run = (inline: Inline): Promise<Running> => startInline({ ...inline, boot: tegg });

  it('should contain a connection chain until its end, and each event', async () => {
    const { connect } = await run({
      io: { connectionMiddleware: ['guard'], packetMiddleware: ['a'], ack: 'auto' },
      middleware,
      router: (app) =>
        app.io.route('x', async (ctx) => {
          note(ctx, 'handler');
          return 'result';
        }),
    });
    const client = await connect();
    assert.equal(await client.timeout(DEADLINE).emitWithAck('x'), 'result');
    assert.equal(await client.timeout(DEADLINE).emitWithAck('x'), 'result');
    const events = ['packet in 2', 'handler in 2', 'end 2', 'packet in 3', 'handler in 3', 'end 3'];
    assert.deepEqual(steps, ['guard in 1', ...events]);
    client.disconnect();
    await until('all scopes have ended', () => open === 0);
    assert.deepEqual(steps, ['guard in 1', ...events, 'left in 1', 'end 1']);
  });

  it('should contain an event of a namespace without middleware, and no idle connection', async () => {
    const { connect } = await run({
      router: (app) => app.io.route('x', (ctx) => ctx.args[0]((ctx as Scoped)[SCOPE])),
    });
    const client = await connect();
    assert.equal(begun, 0);
    assert.equal(await client.timeout(DEADLINE).emitWithAck('x'), '1');
  });

  it('should contain config.io.user and config.io.expires', async () => {
    const { connect } = await run({
      io: {
        user: (ctx: Context) => {
          note(ctx, 'user');
          return 1;
        },
        expires: (ctx: Context) => {
          note(ctx, 'expires');
          return Date.now() + DEADLINE;
        },
      },
    });
    await connect();
    assert.deepEqual(steps, ['expires in 1', 'user in 1']);
  });

  it('should contain the handlers of system events, of which disconnecting has the rooms', async () => {
    const { connect } = await run({
      router: (app) => {
        app.io.route('connect', (ctx) => {
          note(ctx, 'connect');
          ctx.join('lobby');
          ctx.emit('joined');
        });
        app.io.route('disconnecting', (ctx) => note(ctx, `disconnecting ${ctx.rooms.has('lobby')}`));
        app.io.route('disconnect', (ctx) => note(ctx, 'disconnect'));
      },
    });
    const client = await connect();
    await until('the handler of connect has ended', () => steps.includes('end 1'));
    client.disconnect();
    await until('all scopes have ended', () => begun === 3 && open === 0 && steps.length === 6);
    assert.deepEqual(steps.slice(0, 2), ['connect in 1', 'end 1']);
    const rest = steps.slice(2).filter((step) => !step.startsWith('end'));
    assert.deepEqual(rest, ['disconnecting true in 2', 'disconnect in 3']);
  });

  it('should end after a reauthentication', async () => {
    const { connect } = await run({
      io: { connectionMiddleware: ['guard'] },
      middleware,
      router: (app) =>
        app.io.route('renew', async (ctx) => {
          await ctx.reauthenticate();
          ctx.args[0]();
        }),
    });
    const client = await connect();
    await client.timeout(DEADLINE).emitWithAck('renew');
    await until('the scopes of the event and of the reauthentication have ended', () => open === 1);
    assert.deepEqual(steps.slice(0, 3), ['guard in 1', 'guard in 3', 'end 3']);
  });

  it('should report errors of tegg like those of middleware', async () => {
    const { connect, client: make } = await run({
      io: { connectionMiddleware: ['guard'] },
      middleware,
      router: (app) => app.io.route('x', (ctx) => ctx.args.at(-1)('ok')),
    });
    const err = await refused(make('/', { query: { broken: 'yes' } }));
    assert.match(err.message, /tegg has failed/);
    const client = await connect();
    const failed = next(client, 'error');
    client.emit('x', 'broken');
    assert.match(String((await failed)[0]), /tegg has failed/);
    assert.equal(await client.timeout(DEADLINE).emitWithAck('x', 1), 'ok');
  });
});
