// Routes with a schema: what is checked, when, and what a client receives of invalid arguments.
import assert from 'node:assert/strict';
import { type } from 'arktype';
import type { Context } from 'egg';
import type { Socket } from 'socket.io-client';
import * as v from 'valibot';
import { z } from 'zod';
import type { IoConfig, Middleware, StandardSchema } from '../lib';
import { InvalidArgumentsError } from '../lib';
import { logs, mm } from './support/app';
import { NEW, parity, parityOf } from './support/clients';
import { bootError, type Inline, startInline } from './support/inline';
import { next, signal } from './support/wait';

type Route = (
  route: (event: string, ...tail: unknown[]) => void,
  app: Parameters<NonNullable<Inline['router']>>[0],
) => void;

/** Starts an application with routes. Their types are tested in test/types. */
const app = (route: Route, io: IoConfig = {}, more: Inline = {}) =>
  startInline({
    io: { ack: 'auto', drain: { timeout: 100 }, ...io },
    router: (app) => route(app.io.route as never, app),
    ...more,
  });

/** A schema that is written by hand. */
const schema = (validate: StandardSchema['~standard']['validate']): StandardSchema => ({
  '~standard': { version: 1, vendor: 'test', validate },
});

const INVALID = 'INVALID_ARGUMENTS';
const echo = (ctx: Context) => ctx.args.filter((arg: unknown) => typeof arg !== 'function');

function infoOf(app: { coreLogger: object }): string[] {
  const lines: string[] = [];
  mm(app.coreLogger, 'info', (line: string) => lines.push(line));
  return lines;
}

const libraries: Record<string, { text: StandardSchema; point: StandardSchema; toNumber: StandardSchema }> = {
  zod: {
    text: z.string().max(5),
    point: z.object({ at: z.object({ x: z.number() }) }),
    toNumber: z.string().transform(Number),
  },
  valibot: {
    text: v.pipe(v.string(), v.maxLength(5)),
    point: v.object({ at: v.object({ x: v.number() }) }),
    toNumber: v.pipe(v.string(), v.transform(Number)),
  },
  arktype: {
    text: type('string <= 5'),
    point: type({ at: { x: 'number' } }),
    toNumber: type('string.numeric.parse'),
  },
};

for (const [library, { text, point, toNumber }] of Object.entries(libraries)) {
  describe(`a schema of ${library}`, () => {
    it('should pass parsed values to the handler, and refuse others with the path', async () => {
      const { connect } = await app((route) => route('say', { args: [text, point, toNumber] }, echo));
      const client = await connect();
      const valid = { at: { x: 1 } };
      assert.deepEqual(await client.emitWithAck('say', 'hello', valid, '7'), ['hello', valid, 7]);
      const { error } = await client.emitWithAck('say', 'too long', { at: { x: 'one' } }, '7');
      assert.equal(error.code, INVALID);
      assert.deepEqual(
        error.errors.map(({ path }: { path: unknown }) => path),
        [[0], [1, 'at', 'x']],
      );
      assert(error.errors.every(({ message }: { message: unknown }) => typeof message === 'string' && message !== ''));
      assert.equal(error.message, `invalid arguments: 0: ${error.errors[0].message}`);
    });
  });
}

parityOf([NEW], 'the arguments of a route with a schema', () => {
  it('should be as many as there are schemas, and the acknowledgement follows them', async () => {
    const { connect } = await app(
      (route) => {
        route('say', { args: [z.string(), z.number().optional(), z.boolean().default(true)] }, (ctx: Context) => {
          const [text, count, flag, ack] = ctx.args;
          ack([text, count === undefined, flag, ctx.args.length]);
        });
        route('none', { args: [] }, echo);
      },
      { ack: 'manual' },
    );
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('say', 'a'), ['a', true, true, 4]);
    assert.deepEqual(await client.emitWithAck('say', 'a', 1, false), ['a', false, false, 4]);
  });

  it('should be refused if one is missing, null or too many', async () => {
    const { connect } = await app((route) => {
      route('say', { args: [z.string(), z.number().optional()] }, echo);
      route('none', { args: [] }, echo);
    });
    const client = await connect();
    const pathOf = async (...args: unknown[]) => {
      const { error } = await client.emitWithAck('say', ...args);
      assert.equal(error.code, INVALID);
      return error.errors[0].path;
    };
    assert.deepEqual(await pathOf(), [0]);
    // undefined arrives as null.
    assert.deepEqual(await pathOf('a', undefined), [1]);
    assert.deepEqual(await pathOf('a', 1, 'more'), [2]);
    const { error } = await client.emitWithAck('none', ...Array(5_000).fill(0));
    assert.deepEqual(error.errors, [{ path: [0], message: 'expected 0 arguments at most, received 5000' }]);
    assert.deepEqual(await client.emitWithAck('none'), []);
  });

  it('should reach the handler unchanged if only the acknowledgement has a schema', async () => {
    const { connect } = await app((route) => route('say', { ack: z.array(z.unknown()) }, echo));
    assert.deepEqual(await (await connect()).emitWithAck('say', 1, { a: 2 }), [1, { a: 2 }]);
  });

  it('should be parsed where the schema is in the route, after packet middleware', async () => {
    const seen: unknown[] = [];
    const note: Middleware = (ctx, next) => {
      seen.push(ctx.args[0]);
      return next();
    };
    const rename: Middleware = (ctx, next) => {
      ctx.packet[1] = ` ${ctx.packet[1]} `;
      return next();
    };
    const trimmed = { args: [z.string().trim()] };
    const { connect } = await app(
      (route) => {
        route('before', trimmed, note, echo);
        route('after', note, trimmed, echo);
      },
      { packetMiddleware: ['a'] },
      { middleware: { a: rename } },
    );
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('before', 'x'), ['x']);
    assert.deepEqual(await client.emitWithAck('after', 'x'), ['x']);
    assert.deepEqual(seen, ['x', ' x ']);
  });

  it('should not be checked if middleware before the schema refuses the event', async () => {
    let checks = 0;
    const counting = schema((value) => {
      checks++;
      return { value };
    });
    const refuse: Middleware = (ctx) => ctx.throw(403, 'not yours');
    const { connect } = await app((route) => route('say', refuse, { args: [counting] }, echo));
    assert.deepEqual(await (await connect()).emitWithAck('say', 1), { error: { message: 'not yours' } });
    assert.equal(checks, 0);
  });

  it('should be checked for all events without a route by a schema of *', async () => {
    const { connect } = await app((route) => route('*', { args: [z.number()] }, echo));
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('any', 1), [1]);
    assert.equal((await client.emitWithAck('other', 'x')).error.code, INVALID);
  });

  it('should be checked by schemas that are async', async () => {
    const { connect } = await app((route) =>
      route('say', { args: [z.string().refine(async (text) => text !== 'taken', 'it is taken'), z.number()] }, echo),
    );
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('say', 'free', 1), ['free', 1]);
    const { error } = await client.emitWithAck('say', 'taken', 1);
    assert.deepEqual(error.errors, [{ path: [0], message: 'it is taken' }]);
  });

  it('should be refused also if a schema names no issue', async () => {
    const { connect } = await app((route) => {
      route('say', { args: [schema(() => ({ issues: [] })), z.number()] }, () => assert.fail('it was handled'));
    });
    const { error } = await (await connect()).emitWithAck('say', 'x', 1);
    assert.deepEqual(error, { message: 'invalid arguments: no issue is named', code: INVALID, errors: [] });
  });

  it('should be answered by the time limit of acknowledgements if a schema never ends', async () => {
    const { connect } = await app(
      (route) => {
        route('say', { args: [schema(() => new Promise(() => {}))] }, () => assert.fail('it was handled'));
        route('other', { args: [z.number()] }, echo);
      },
      { ackTimeout: 50 },
    );
    const client = await connect();
    const answer = client.emitWithAck('say', 1);
    assert.deepEqual(await client.emitWithAck('other', 2), [2]);
    assert.equal((await answer).error.code, 'ACK_TIMEOUT');
  });

  it('should keep binary data', async () => {
    const file = z.object({ name: z.string(), content: z.instanceof(Buffer) });
    const { connect } = await app((route) => route('upload', { args: [file] }, (ctx: Context) => ctx.args[0].content));
    const client = await connect();
    const content = Buffer.from([0, 1, 255]);
    assert.deepEqual(await client.emitWithAck('upload', { name: 'x', content }), content);
    const { error } = await client.emitWithAck('upload', { name: 'x', content: 'text' });
    assert.deepEqual(error.errors[0].path, [0, 'content']);
  });

  it('should reach listeners that are added by hand as the client has sent them', async () => {
    const heard = signal<unknown[]>();
    const { connect, app: own } = await app((route) => route('say', { args: [z.string().trim()] }, echo));
    own.io.on('connection', (socket) => socket.on('say', (...args: unknown[]) => heard.resolve(args)));
    const client = await connect();
    client.emit('say', ' x ');
    assert.deepEqual(await heard.promise, [' x ']);
  });
});

parity('invalid arguments', ({ protocol }) => {
  const refusing = { args: [z.string()] };

  it('should be one line of the level INFO, without a stack', async () => {
    const { connect, app: own } = await app((route) => route('say', refusing, echo));
    const { error, warn } = logs(own);
    const info = infoOf(own);
    const client = await connect();
    for (let n = 0; n < 5; n++) await client.emitWithAck('say', n);
    assert.deepEqual([error, warn], [[], []]);
    assert.equal(info.length, 1);
    assert.match(
      info[0]!,
      /^\[egg-socket\.io\] INVALID_ARGUMENTS: invalid arguments: 0: Invalid input.* \[ \{ path: \[ 0 \], message: '.*' \} \] \(event 'say' in \/, client 127\.0\.0\.1\)$/,
    );
    assert.equal(own.io.stats().namespaces['/']?.protocols[protocol].errors, 5);
  });

  it('should be told by the event error, with errors, if the client asks for no acknowledgement or the controller gives it', async () => {
    for (const ack of ['auto', 'manual'] as const) {
      const { connect } = await app((route) => route('say', refusing, echo), { ack });
      const client = await connect();
      const failed = next(client, 'error');
      if (ack === 'auto') client.emit('say', 1);
      else client.emit('say', 1, () => assert.fail('it was answered'));
      const [{ message, code, errors }] = await failed;
      assert.equal(code, INVALID);
      assert.deepEqual(errors[0].path, [0]);
      assert.equal(message, `invalid arguments: 0: ${errors[0].message}`);
    }
  });

  it('should be passed to config.io.onerror, and be an error that clients may read', async () => {
    const { connect } = await app((route) => route('say', refusing, echo), {
      onerror: (err) => ({
        message: String([err instanceof InvalidArgumentsError, err.expose, err.code]),
        errors: err.errors,
      }),
    });
    const { error } = await (await connect()).emitWithAck('say', 1);
    assert.equal(error.message, `true,true,${INVALID}`);
    assert.deepEqual(error.errors[0].path, [0]);
  });

  it('should not be told of if a schema itself fails: that is a fault of the application', async () => {
    const { connect, app: own } = await app((route) => {
      route('throws', { args: [schema(() => assert.fail('broken schema'))] }, echo);
      route('rejects', { args: [schema(async () => assert.fail('broken schema'))] }, echo);
    });
    const { error } = logs(own);
    const client = await connect();
    for (const event of ['throws', 'rejects']) {
      const answer = await client.emitWithAck(event, 1);
      assert.equal(answer.error.message, 'broken schema');
      assert.equal(answer.error.errors, undefined);
    }
    assert.deepEqual(
      error.map(({ message }) => message),
      ['broken schema', 'broken schema'],
    );
  });
});

parityOf([NEW], 'hostile arguments', () => {
  async function refusalOf(client: Socket, ...args: unknown[]): Promise<any> {
    const { error } = await client.emitWithAck('say', ...args);
    assert.equal(error.code, INVALID);
    return error;
  }

  it('should not be answered with more than ten issues', async () => {
    for (const { args } of [
      { args: [z.array(z.string())] },
      { args: [v.array(v.string())] },
      { args: [type('string[]')] },
      { args: [z.array(z.string()), z.array(z.string())] },
    ]) {
      const { connect, app: own } = await app((route) => route('say', { args }, echo));
      const info = infoOf(own);
      const sent = args.map(() => Array(10_000).fill(0));
      const { errors } = await refusalOf(await connect(), ...sent);
      assert.deepEqual(
        errors.map(({ path }: { path: unknown }) => path),
        Array.from({ length: 10 }, (_, index) => [0, index]),
      );
      assert(info[0]!.length < 700, `${info[0]!.length} characters`);
    }
  });

  it('should not be repeated at length in messages and paths', async () => {
    const huge = 'x'.repeat(100_000);
    const deep = z.record(z.string(), z.record(z.string(), z.number()));
    const nested = schema(() => ({ issues: [{ message: huge, path: Array(10_000).fill(huge) }] }));
    for (const args of [[deep], [type({ '[string]': 'number' })], [nested]]) {
      const { connect, app: own } = await app((route) => route('say', { args }, echo));
      const info = infoOf(own);
      const error = await refusalOf(await connect(), { [huge]: { [`${huge}\n`]: huge } });
      assert(JSON.stringify(error).length < 2_000, `${JSON.stringify(error).length} characters`);
      assert(info[0]!.length < 700, `${info[0]!.length} characters`);
      assert.doesNotMatch(info[0]!, /\n/);
    }
  });

  it('should not change prototypes', async () => {
    const { connect } = await app((route) => {
      route('say', { args: [z.object({ name: z.string() })] }, echo);
      route('any', { args: [z.record(z.string(), z.unknown())] }, (ctx: Context) => Object.keys(ctx.args[0]).length);
    });
    const client = await connect();
    const names = ['__proto__', 'constructor', 'prototype'];
    const own = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"name":1}');
    const { errors } = await refusalOf(client, own);
    assert.deepEqual(errors[0].path, [0, 'name']);
    await client.emitWithAck('any', own);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    const path = schema(() => ({ issues: [{ message: 'no', path: [...names, Symbol('key'), { key: 'last' }] }] }));
    const other = await app((route) => route('say', { args: [path] }, echo));
    const refused = await refusalOf(await other.connect(), 1);
    assert.deepEqual(refused.errors, [{ path: [0, ...names, 'Symbol(key)', 'last'], message: 'no' }]);
  });
});

parityOf([NEW], 'the ack schema', () => {
  const ack = z.object({ id: z.number() });

  it('should check what the controller returns, and what it calls the acknowledgement with', async () => {
    const { connect, app: own } = await app((route) => {
      route('returned', { args: [z.unknown()], ack }, (ctx: Context) => ({ id: ctx.args[0] }));
      route('nothing', { ack }, () => {});
      route('called', { args: [z.unknown()], ack }, (ctx: Context) => void ctx.args[1]({ id: ctx.args[0] }));
    });
    const { error } = logs(own);
    const client = await connect();
    for (const event of ['returned', 'called']) {
      assert.deepEqual(await client.emitWithAck(event, 1), { id: 1 });
      const answer = await client.emitWithAck(event, 'one');
      assert.match(
        answer.error.message,
        new RegExp(
          `^the answer of app\\.io\\.of\\('/'\\)\\.route\\('${event}', handler\\) is not what its ack schema describes: id: `,
        ),
      );
    }
    assert.match((await client.emitWithAck('nothing')).error.message, /is not what its ack schema describes/);
    assert.deepEqual(
      error.map(({ name, expose }) => [name, expose]),
      Array(3).fill(['TypeError', undefined]),
    );
  });

  it('should not change the answer, and accept an error as the answer', async () => {
    const { connect } = await app((route) => {
      route('kept', { ack: z.object({}).transform(() => 'changed') }, () => ({ more: 1 }));
      route('later', { ack: schema(async (value) => ({ value })) }, (ctx: Context) => void ctx.args[0]('called'));
      route('failed', { ack }, () => ({ error: { message: 'no' } }));
    });
    const client = await connect();
    assert.deepEqual(await client.emitWithAck('kept'), { more: 1 });
    assert.equal(await client.emitWithAck('later'), 'called');
    assert.deepEqual(await client.emitWithAck('failed'), { error: { message: 'no' } });
  });

  it('should check what is returned if it is async', async () => {
    const never = schema(async () => ({ issues: [{ message: 'never right' }] }));
    const { connect } = await app((route) => route('say', { ack: never }, () => 1));
    assert.match((await (await connect()).emitWithAck('say')).error.message, /describes: never right$/);
  });

  it('should never throw: an answer that is given when the handler has ended would end the worker', async () => {
    const { connect, app: own } = await app(
      (route) => {
        const broken = schema(() => assert.fail('broken schema'));
        route('later', { ack }, (ctx: Context) => void setImmediate(ctx.args[0], { id: 'one' }));
        route('broken', { ack: broken }, (ctx: Context) => void setImmediate(ctx.args[0], 1));
        route('twice', { ack }, (ctx: Context) => {
          ctx.args[0]({ id: 1 });
          ctx.args[0]({ id: 'two' });
        });
      },
      { ack: 'manual' },
    );
    const { error } = logs(own);
    const client = await connect();
    assert.match((await client.emitWithAck('later')).error.message, /is not what its ack schema describes: id: /);
    assert.equal((await client.emitWithAck('broken')).error.message, 'broken schema');
    assert.deepEqual(await client.emitWithAck('twice'), { id: 1 });
    assert.deepEqual(
      error.map(({ name }) => name),
      ['TypeError', 'AssertionError', 'TypeError'],
    );
  });

  it('should give the handler an acknowledgement function also if the client asks for none', async () => {
    const { connect, app: own } = await app((route) => {
      route('say', { args: [z.number()], ack }, (ctx: Context) => void ctx.args[1]({ id: ctx.args[0] }));
      route('last', { args: [] }, () => 'last');
    });
    const { error } = logs(own);
    const client = await connect();
    client.emit('say', 1);
    assert.equal(await client.emitWithAck('last'), 'last');
    assert.deepEqual(error, []);
  });

  it('should not be checked in production', async () => {
    const { connect } = await app((route, own) => {
      mm(own.config, 'env', 'prod');
      route('returned', { args: [z.unknown()], ack }, (ctx: Context) => ({ id: ctx.args[0] }));
      route('called', { args: [z.unknown()], ack }, (ctx: Context) => void ctx.args[1]({ id: ctx.args[0] }));
    });
    const client = await connect();
    for (const event of ['returned', 'called']) assert.deepEqual(await client.emitWithAck(event, 'one'), { id: 'one' });
    client.emit('called', 'nobody waits for it');
    assert.deepEqual(await client.emitWithAck('returned', 2), { id: 2 });
  });
});

describe('a wrong schema', () => {
  const text = z.string();
  const cases: [name: string, tail: unknown[], message: RegExp, event?: string][] = [
    ['no schema in args', [{ args: [text, 'string'] }], /args\[1\] in the schema of .* is invalid .*'string'/],
    ['args that is no array', [{ args: text }], /args in the schema of .* an array of schemas/],
    ['no schema in ack', [{ ack: {} }], /ack in the schema of .* is invalid/],
    ['an unknown key', [{ arg: [text] }], /has an unknown key: arg /],
    ['an empty object', [{}], /is empty/],
    ['the schema of a value', [text], /single value: write \{ args: \[schema\] \} .*a schema of zod/],
    ['a function of arktype', [type('string')], /single value: .*a schema of arktype/],
    ['a schema of valibot', [v.string()], /single value: .*a schema of valibot/],
    ['two schemas', [{ args: [text] }, { args: [text] }], /has 2 schemas/],
    ['a system event', [{ args: [text] }], /disconnect is a system event/, 'disconnect'],
  ];
  for (const [name, tail, message, event = 'say'] of cases) {
    it(`should fail the boot and name the route: ${name}`, async () => {
      const err = await bootError({ router: (app) => (app.io.route as any)(event, ...tail, () => {}) });
      assert.equal(err.name, 'EggSocketIOConfigError');
      assert.match(err.message, message);
      assert(err.message.includes(`app.io.of('/').route('${event}'`), err.message);
      assert(err.message.length < 600, err.message);
    });
  }

  it('should fail the boot if the handler is missing', async () => {
    const err = await bootError({ router: (app) => (app.io.route as any)('say', { args: [text] }) });
    assert.match(err.message, /handler must be function!.* It is a schema: add the handler after it/);
  });
});
