// app.io.describe(), app.io.of(name).emits(), and the command `egg-socket.io describe`: a table, JSON, AsyncAPI, and types for clients.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { type } from 'arktype';
import type { Application } from 'egg';
import * as v from 'valibot';
import { z } from 'zod';
import { z as z3 } from 'zod/v3';
import type { DescribedRoute, EventSchema, IoDescription, Middleware, StandardSchema } from '../lib';
import { readApplication } from '../lib/cli/application';
import { asyncApi } from '../lib/cli/async-api';
import { declarations } from '../lib/cli/declarations';
import { SchemaTypes } from '../lib/cli/schema-types';
import { Describer } from '../lib/description';
import { EGG_MAJOR, FRAMEWORK, mm, ROOT } from './support/app';
import { bootError, startInline } from './support/inline';
import { cleanUp, install } from './support/packed';

const exec = promisify(execFile);
const temporary = path.join(ROOT, `test/.tmp/describe-${EGG_MAJOR}`);

const Tree = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});

function router({ io }: Application): void {
  const guard: Middleware = (_ctx, next) => next();
  const chat = io.of('/chat');
  chat.route(
    'say',
    { args: [z.string().max(500), z.number().optional()], ack: z.object({ id: z.number() }) },
    () => {},
  );
  chat.route('move', guard, { args: [z.number().default(1), z.enum(['a', 'b']).nullable()] }, () => {});
  chat.route('grow', { args: [Tree], ack: Tree }, () => {});
  chat.route('upload', { args: [z.object({ name: z.string(), content: z.instanceof(Buffer) })] }, () => {});
  chat.route('answer', { ack: z.literal('done') }, () => {});
  chat.route('nothing', { args: [] }, () => {});
  chat.route('plain', () => {});
  chat.route("it's */ odd", { args: [z.literal("*/'\u2028")] }, () => {});
  chat.route('*', { args: [z.tuple([z.string(), z.number()])] }, () => {});
  chat.route('disconnect', () => {});
  chat.emits({ said: [z.string(), z.string().optional()] });
  chat.emits({ grown: [Tree], expired: [z.object({ why: z.string() })] });
  io.of('/room/:id').route('enter', { args: [z.record(z.string(), z.number())] }, () => {});
  io.of(/^\/x/).route('any', () => {});
  io.of(/^\/x/).route('other', () => {});
}

async function describeApplication(): Promise<IoDescription> {
  const { app } = await startInline({ router });
  return app.io.describe();
}

/** Returns the description of one event. */
async function describeEvent(schema: EventSchema): Promise<DescribedRoute> {
  const { app } = await startInline({ router: ({ io }) => io.route('say', schema, () => {}) });
  const route = app.io.describe()[0]?.routes[0];
  assert(route);
  return route;
}

const standard = (own: object): StandardSchema =>
  ({
    '~standard': { version: 1, vendor: 'mine', validate: (value: unknown) => ({ value }), ...own },
  }) as StandardSchema;

/** Returns a schema as an earlier version of its library has it. */
const withoutJsonSchema = (schema: StandardSchema) =>
  Object.create(schema, { '~standard': { value: { ...schema['~standard'], jsonSchema: undefined } } });

function write(file: string, text: string): string {
  const full = path.join(temporary, file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.writeFileSync(full, text);
  return full;
}

beforeEach(() => fs.rmSync(temporary, { recursive: true, force: true }));
after(() => fs.rmSync(temporary, { recursive: true, force: true }));

describe('app.io.describe()', () => {
  it('should add to the routes the schemas of arguments and answers, and what is emitted', async () => {
    const { app } = await startInline({ router });
    const description = app.io.describe();
    assert.deepEqual(JSON.parse(JSON.stringify(description)), description);
    const bare = description.map(({ emits, routes, ...rest }) => ({
      ...rest,
      routes: routes.map(({ args, ack, ...route }) => route),
    }));
    assert.deepEqual(bare, app.io.routes());
    const [chat, room] = ['/chat', '/room/:id'].map((name) => description.find(({ namespace }) => namespace === name));
    assert(chat && room);
    const [say, move] = chat.routes;
    assert.deepEqual(say?.args, [
      { schema: { type: 'string', maxLength: 500 }, optional: false },
      { schema: { type: 'number' }, optional: true },
    ]);
    assert.deepEqual(say?.ack?.schema, { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] });
    assert.deepEqual(
      move?.args?.map(({ optional }) => optional),
      [true, false],
    );
    const plain = chat.routes.find(({ event }) => event === 'plain');
    assert.deepEqual([plain?.args, plain?.ack], [undefined, undefined]);
    assert.deepEqual(
      chat.emits.map(({ event, args }) => [event, args.map(({ optional }) => optional)]),
      [
        ['said', [false, true]],
        ['grown', [false]],
        ['expired', [false]],
      ],
    );
    assert.deepEqual(room.routes[0]?.args?.[0]?.schema.additionalProperties, { type: 'number' });
  });

  it('should prefer Standard JSON Schema, and describe the input', async () => {
    const jsonSchema = {
      input: ({ target }: { target: string }) => ({ $schema: 'x', title: target }),
      output: () => assert.fail('the output is described'),
    };
    const { args } = await describeEvent({
      args: [standard({ jsonSchema }), z.string().transform(Number), type('string.numeric.parse')],
    });
    assert.deepEqual(args?.[0]?.schema, { title: 'draft-07' });
    assert.equal(args?.[1]?.schema.type, 'string');
    assert.equal(args?.[2]?.schema.type, 'string');
  });

  it('should use the functions of libraries without it', async () => {
    const arktype = type({ a: 'string' });
    const { args } = await describeEvent({
      args: [
        withoutJsonSchema(z.object({ a: z.string(), b: z.date() })),
        Object.assign(withoutJsonSchema(arktype), { toJsonSchema: () => arktype.toJsonSchema() }),
      ],
    });
    assert.deepEqual(args?.[0]?.schema.properties, { a: { type: 'string' }, b: {} });
    assert.match(args?.[0]?.note ?? '', /Date cannot be represented/);
    assert.deepEqual(args?.[1]?.schema.properties, { a: { type: 'string' } });
  });

  it('should describe schemas of the zod 4 that the package zod 3.25 contains, but not those of zod 3', async () => {
    const schemas = [withoutJsonSchema(z.string()), z3.string()];
    const { app } = await startInline({ router: ({ io }) => io.route('say', { args: schemas }, () => {}) });
    write('old/node_modules/zod/package.json', JSON.stringify({ exports: { '.': './v3.js', './v4': './v4.js' } }));
    write('old/node_modules/zod/v3.js', '');
    write('old/node_modules/zod/v4.js', `module.exports = require(${JSON.stringify(require.resolve('zod'))});`);
    const [table] = app.io.routes();
    assert(table);
    const [route] = new Describer(path.join(temporary, 'old')).namespace(app.io.sockets, table).routes;
    assert.deepEqual(route?.args, [
      { schema: { type: 'string' }, optional: false },
      { schema: {}, note: 'zod 3 cannot describe its schemas as JSON Schema', optional: false },
    ]);
  });

  it('should accept anything, with a note, if a schema cannot be described', async () => {
    const fails = () => {
      throw new Error(`no way\n${'x'.repeat(1000)}`);
    };
    const broken = standard({
      validate: () => Promise.reject(new Error('rejected')),
      jsonSchema: { input: fails, output: fails },
    });
    const notJson = standard({ validate: fails, jsonSchema: { input: () => ({ default: 1n }), output: fails } });
    const file = z.object({ name: z.string(), content: z.instanceof(Buffer) });
    const { args, ack } = await describeEvent({
      args: [standard({}), broken, notJson, v.string(), file],
      ack: z.date(),
    });
    assert.deepEqual(args?.slice(0, 2), [
      { schema: {}, note: 'mine does not implement Standard JSON Schema', optional: true },
      { schema: {}, note: 'no way', optional: false },
    ]);
    assert.match(args?.[2]?.note ?? '', /BigInt/);
    assert.match(args?.[3]?.note ?? '', /^Cannot find module '@valibot\/to-json-schema'$/);
    assert.deepEqual(args?.[4]?.schema.properties, { name: { type: 'string' }, content: {} });
    assert.match(args?.[4]?.note ?? '', /Custom types cannot be represented/);
    assert.deepEqual(ack?.schema, {});
  });
});

describe('app.io.of(name).emits()', () => {
  it('should fail the boot if it is no list of schemas', async () => {
    for (const [given, message] of [
      [z.string(), /^\[egg-socket\.io\] 'said' of app\.io\.of\('\/chat'\)\.emits\(\) is invalid .*an array of schemas/],
      [
        ['string'],
        /^\[egg-socket\.io\] 'said' of app\.io\.of\('\/chat'\)\.emits\(\)\[0\] is invalid .*Standard Schema/,
      ],
    ] as const) {
      const err = await bootError({ router: ({ io }) => io.of('/chat').emits({ said: given } as never) });
      assert.equal(err.name, 'EggSocketIOConfigError');
      assert.match(err.message, message);
    }
    const err = await bootError({ router: ({ io }) => io.of('/chat').emits(undefined as never) });
    assert.equal(err.name, 'EggSocketIOConfigError');
    assert.match(err.message, /app\.io\.of\('\/chat'\)\.emits\(\) is invalid .*an object of arrays of schemas/);
  });
});

describe('types of a JSON Schema', () => {
  const cases: [schema: Record<string, unknown>, type: string][] = [
    [{}, 'unknown'],
    [{ type: ['string', 'null'] }, 'string | null'],
    [{ type: 'array', items: { type: ['string', 'integer'] } }, '(string | number)[]'],
    [
      { type: 'array', items: [{ type: 'string' }, {}], minItems: 1, additionalItems: { type: 'null' } },
      '[string, unknown?, ...null[]]',
    ],
    [{ properties: { 'a-b': { const: "it's" }, c: false }, required: ['a-b'] }, "{ 'a-b': 'it\\'s'; c?: never }"],
    [{ type: 'object', patternProperties: { '^x': { type: 'number' } } }, '{ [key: string]: number }'],
    [
      { type: 'object', properties: { a: {} }, additionalProperties: { type: 'number' } },
      '{ a?: unknown; [key: string]: unknown }',
    ],
    [{ type: 'object', additionalProperties: false }, 'Record<string, never>'],
    [{ enum: [1, true, null, 'x'] }, "1 | true | null | 'x'"],
    [
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'string' } } },
          { anyOf: [{ type: 'string' }, { type: 'null' }] },
        ],
      },
      '{ a?: string } & (string | null)',
    ],
    [{ anyOf: [{ type: 'string' }, {}] }, 'unknown'],
    [{ $ref: '#/definitions/%zz' }, 'unknown'],
    [{ $ref: 'https://example.com/x.json' }, 'unknown'],
    [{ $ref: '#/__proto__/toString' }, 'unknown'],
    [{ $ref: '#/definitions/a~1b', definitions: { 'a/b': { type: 'string' } } }, 'Type1'],
    [{ type: 'strange' }, 'unknown'],
  ];
  for (const [schema, expected] of cases) {
    it(`should be ${expected} of ${JSON.stringify(schema)}`, () => {
      assert.equal(new SchemaTypes().typeOf(schema), expected);
    });
  }
});

describe('egg-socket.io describe', () => {
  const run = async (...args: string[]) => {
    const main = ['--require', path.join(__dirname, 'support/register.cjs'), path.join(ROOT, 'lib/cli/main.ts')];
    const env = { ...process.env, EGG_SERVER_ENV: 'local' };
    return exec(process.execPath, [...main, 'describe', ...args], { env, timeout: 100_000 });
  };

  it('should print a table of the events, and the other formats, of an application that it loads', async () => {
    write('package.json', JSON.stringify({ name: 'talk', version: '1.2.3', egg: { framework: FRAMEWORK } }));
    write('config/plugin.js', `exports.io = { enable: true, path: ${JSON.stringify(ROOT)} };`);
    write('config/config.default.js', "exports.keys = 'x';");
    write(
      'app/router.js',
      `const { z } = require('zod');
      module.exports = ({ io }) => {
        io.route('say', { args: [z.string(), z.number().optional()], ack: z.object({ id: z.number() }) }, () => {});
        io.route('upload', { args: [z.instanceof(Buffer)] }, () => {});
        io.route('plain', () => {});
        io.of('/').emits({ said: [z.string()] });
      };`,
    );
    const [table, types, api, json] = await Promise.all([
      run(temporary),
      run(temporary, '--types'),
      run(temporary, '--asyncapi'),
      run(temporary, '--json'),
    ]);
    assert.equal(
      table.stdout,
      `/
  say     (string, number?) => { id: number }  inline function
  upload  (unknown)                            inline function
  plain   (...)                                inline function
  emits:
    said  (string)
  note: upload, argument 0: Custom types cannot be represented in JSON Schema
`,
    );
    const description = JSON.parse(json.stdout) as IoDescription;
    assert.equal(types.stdout, declarations(description, 'talk'));
    assert.deepEqual(JSON.parse(api.stdout), asyncApi(description, 'talk', '1.2.3'));
  });

  it('should refuse several formats, and other directories', async () => {
    await assert.rejects(run('--json', '--types'), {
      code: 2,
      stderr: /^egg-socket\.io describe: one format, not 2\n/,
    });
    await assert.rejects(run(path.join(temporary, 'missing')), { code: 2, stderr: /does not exist/ });
    assert.match((await run('--help')).stdout, /^Usage: egg-socket\.io describe/);
  });

  it('should print types by which the compiler checks what a client sends and receives', async () => {
    write('types/events.d.ts', declarations(await describeApplication(), 'an\napplication'));
    write(
      'types/client.ts',
      `import { io, type Socket } from 'socket.io-client';
import type { ClientEvents, ServerEvents } from './events';

export async function talk(): Promise<void> {
  const socket: Socket<ServerEvents<'/chat'>, ClientEvents<'/chat'>> = io();
  const answer = await socket.emitWithAck('say', 'hello');
  if ('error' in answer) answer.error.message.trim();
  else answer.id.toFixed();
  await socket.emitWithAck('say', 'hello', 1);
  socket.emit('move', 1, null);
  socket.emit('grow', { name: 'a', children: [{ name: 'b', children: [] }] }, (tree) => 'name' in tree);
  socket.emit('upload', { name: 'a', content: new Uint8Array() });
  socket.emit('nothing');
  socket.emit('plain', 1, 'two', (given: unknown) => given);
  const done = await socket.emitWithAck('answer', 'any', 1);
  done === 'done' || done.error.message;
  socket.on('said', (by, text) => [by.trim(), text?.trim()]);
  socket.on('grown', (tree) => tree.children[0]?.children[0]?.name);
  socket.on('presence_state', ({ state }) => state.ann?.[0]?.ref.toFixed());
  socket.on('error', (err: unknown) => err);
  socket.on('expired', ({ why }) => why.trim());
  const room: Socket<ServerEvents<'/room/:id'>, ClientEvents<'/room/:id'>> = io();
  room.emit('enter', { a: 1 });
  room.on('expired', ({ grace }) => grace.toFixed());
  // @ts-expect-error the text is a string
  await socket.emitWithAck('say', 5);
  // @ts-expect-error the text is missing
  await socket.emitWithAck('say');
  // @ts-expect-error undefined arrives as null
  await socket.emitWithAck('say', 'hello', undefined);
  // @ts-expect-error it is none of the values
  socket.emit('move', 1, 'c');
  // @ts-expect-error one argument too many
  socket.emit('nothing', 1);
  // @ts-expect-error children of children have names, too
  await socket.emitWithAck('grow', { name: 'a', children: [{ name: 1, children: [] }] });
  // @ts-expect-error no such event
  socket.emit('other');
  // @ts-expect-error no event has the name of the route for all others
  socket.emit('*', ['', 1]);
  // @ts-expect-error clients do not send it
  socket.emit('disconnect');
  // @ts-expect-error it is a string
  socket.on('said', (by) => by.toFixed());
  // @ts-expect-error the event is not declared
  socket.on('unsaid', () => {});
  const any: Socket<ServerEvents<'/^\\\\/x/'>, ClientEvents<'/^\\\\/x/'>> = io();
  any.emit('any');
  const other: Socket<ServerEvents<'/^\\\\/x/ (2)'>, ClientEvents<'/^\\\\/x/ (2)'>> = io();
  other.emit('other');
  // @ts-expect-error the events of another namespace
  room.emit('say', 'hello', () => {});
}
`,
    );
    write(
      'types/tsconfig.json',
      JSON.stringify({
        compilerOptions: { strict: true, noEmit: true, target: 'es2022', module: 'node16', types: [] },
        files: ['client.ts', 'events.d.ts'],
      }),
    );
    const tsc = require.resolve('typescript/package.json').replace('package.json', 'bin/tsc');
    await exec(process.execPath, [tsc, '-p', path.join(temporary, 'types')]).catch(({ stdout }) => assert.fail(stdout));
  });

  it('should end an application that does not finish loading, also if it handles SIGTERM', async () => {
    write('package.json', JSON.stringify({ egg: { framework: 'stuck' } }));
    write(
      'node_modules/stuck/index.js',
      `process.on('SIGTERM', () => {});
      setTimeout(() => {}, 30_000);
      exports.Application = class {
        loader = { async load() {} };
        lifecycle = {};
        on() {}
      };`,
    );
    mm(process, 'execArgv', ['--require', path.join(__dirname, 'support/register.cjs')]);
    assert.deepEqual(await readApplication(temporary, 'describe', 3000), {
      error: 'its process has ended with SIGKILL after 3 s\n',
    });
  });

  it('should make the types of / those without a namespace, or the types of the only one with events', () => {
    const namespace = (name: string, ...events: string[]) => ({
      namespace: name,
      connectionMiddleware: [],
      packetMiddleware: [],
      routes: events.map((event) => ({ event, system: false, schema: false, middleware: [], controller: 'x' })),
      emits: [],
    });
    const chosen = (...all: IoDescription) =>
      /ClientEvents<N extends keyof Namespaces(.*)> =/.exec(declarations(all, 'x'))?.[1];
    assert.equal(chosen(namespace('/'), namespace('/chat', 'say')), " = '/chat'");
    assert.equal(chosen(namespace('/', 'say'), namespace('/chat', 'say')), " = '/'");
    assert.equal(chosen(namespace('/'), namespace('/a', 'say'), namespace('/b', 'say')), '');
    assert.equal(chosen(), '');
  });
});

describe('the AsyncAPI document', () => {
  const namespace = (name: string, schema: object = {}) => ({
    namespace: name,
    connectionMiddleware: [],
    packetMiddleware: [],
    routes: [],
    emits: [{ event: 'said', args: [{ schema: { ...schema }, optional: false }] }],
  });

  it('should move the references in schemas, and not those in data', () => {
    const { channels } = asyncApi(
      [
        namespace('/', {
          properties: { default: { anyOf: [{ $ref: '#' }] }, const: { items: { $ref: '#/definitions/enum' } } },
          definitions: { enum: { $ref: '#' } },
          default: { type: 'x', $ref: '#' },
        }),
      ],
      'x',
      '1.0.0',
    ) as { channels: Record<string, { messages: Record<string, { payload: { items: unknown[] } }> }> };
    const root = '#/channels/root/messages/said/payload/items/0';
    assert.deepEqual(channels.root?.messages.said?.payload.items[0], {
      properties: { default: { anyOf: [{ $ref: root }] }, const: { items: { $ref: `${root}/definitions/enum` } } },
      definitions: { enum: { $ref: root } },
      default: { type: 'x', $ref: '#' },
    });
  });

  for (const [name, address, parameters] of [
    ['/chat:lobby', '/chat:lobby', undefined],
    ['/room/:id', '/room/{id}', { id: {} }],
    ['/room/:id-:part', '/room/{id}-{part}', { id: {}, part: {} }],
    ['/room/:房间', null, undefined],
    ['/files/*path', null, undefined],
    ['/[a-z]+/', null, undefined],
    ['those of a function', null, undefined],
  ] as const) {
    it(`should have the address ${address} of ${name}`, () => {
      const { channels } = asyncApi([namespace(name)], 'x', '1.0.0');
      const [channel] = Object.values(channels as Record<string, { address: string; parameters?: object }>);
      assert.deepEqual([channel?.address, channel?.parameters], [address, parameters]);
    });
  }
});

// What it depends on is the same on both majors of Egg, so it runs only once.
if (EGG_MAJOR === 3) {
  describe('egg-socket.io describe --asyncapi', function () {
    // npm installs packages, perhaps from the network.
    this.timeout(300_000);

    after(cleanUp);

    it('should print a document that is valid by the parser of AsyncAPI', async () => {
      const home = await install(['@asyncapi/parser@3']);
      const { Parser } = createRequire(path.join(home, 'index.js'))('@asyncapi/parser');
      const text = JSON.stringify(asyncApi(await describeApplication(), 'talk', '1.2.3'));
      const { document, diagnostics } = await new Parser().parse(text);
      assert.deepEqual(
        diagnostics.filter(({ code }: { code: string }) => code !== 'asyncapi-latest-version'),
        [],
      );
      const find = (id: string) => document.operations().get(id);
      const say = find('receive_chat_say');
      const [message] = say.messages().all();
      assert.deepEqual([say.action(), say.channels().all()[0].address(), message.name()], ['receive', '/chat', 'say']);
      const { items, minItems, maxItems } = message.payload().json();
      assert.deepEqual(
        [items.map((item: { type: string }) => item.type), minItems, maxItems],
        [['string', 'number'], 1, 2],
      );
      assert.equal(say.reply().messages().all()[0].payload().anyOf()[0].property('id').type(), 'number');
      // The reference of a tree to itself is inside of the document.
      const [grow] = find('receive_chat_grow').messages().all();
      const child = grow.payload().json().items[0].properties.children.items;
      assert.deepEqual(Object.keys(child.properties), ['name', 'children']);
      assert.equal(find('send_chat_said').action(), 'send');
      assert.equal(
        find('send_chat_expired').messages().all()[0].payload().json().items[0].properties.why.type,
        'string',
      );
      const room = document.channels().get('room_id');
      assert.deepEqual(
        [
          room.address(),
          room
            .parameters()
            .all()
            .map((each: { id(): string }) => each.id()),
        ],
        ['/room/{id}', ['id']],
      );
    });
  });
}
