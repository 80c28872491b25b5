// Runs and compiles the code of docs/en/validation.md: the application, its client, the table of libraries and the adapters.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { StandardSchema } from '../lib';
import { EGG_MAJOR, FRAMEWORK, logs, ROOT, type Running, start } from './support/app';
import { startInline } from './support/inline';
import { next } from './support/wait';

const run = promisify(execFile);
const text = fs.readFileSync(path.join(ROOT, 'docs/en/validation.md'), 'utf8');
const baseDir = path.join(ROOT, `test/.tmp/validation-${EGG_MAJOR}`);
const files = new Map(
  Array.from(text.matchAll(/^`([\w./]+\.ts)`\n\n```ts\n(.*?)^```/gms), ([, file, code]) => [file!, code!]),
);

function write(file: string, content: string): void {
  const full = path.join(baseDir, file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.writeFileSync(full, content);
}

function isInstalled(name: string): boolean {
  try {
    return Boolean(require.resolve(name));
  } catch {
    return false;
  }
}

describe('docs/en/validation.md', () => {
  let running: Running;

  before(async () => {
    fs.rmSync(baseDir, { recursive: true, force: true });
    assert.equal(files.size, 7);
    for (const [file, code] of files) write(file, code);
    write('package.json', JSON.stringify({ name: 'validation', egg: { typescript: true } }));
    // egg-development watches the directory, and logs that it is removed, also after the application is closed.
    write(
      'config/plugin.js',
      "exports.development = false;\nexports.io = { enable: true, package: 'egg-socket.io' };\nexports.validate = { enable: true, package: 'egg-validate' };\n",
    );
    fs.mkdirSync(path.join(baseDir, 'node_modules'));
    fs.symlinkSync(FRAMEWORK, path.join(baseDir, 'node_modules/egg'));
    fs.symlinkSync(ROOT, path.join(baseDir, 'node_modules/egg-socket.io'));
    const skipped = isInstalled('@sinclair/typebox') ? [] : ['app/io/typebox.ts'];
    const declaration = /```ts\n(declare module.*?)```/s.exec(text)?.[1];
    const imports = "import type { ClientEvents, ServerEvents } from './app/io/events';\n";
    write('declared.ts', imports + declaration);
    write(
      'tsconfig.json',
      JSON.stringify({
        extends: `../../types/tsconfig.egg${EGG_MAJOR}.json`,
        include: ['**/*.ts'],
        exclude: ['node_modules', ...skipped],
      }),
    );
    running = await start('validation', { baseDir });
  });
  after(() => fs.rmSync(baseDir, { recursive: true, force: true }));

  it('should contain an application that checks and parses arguments, and its client', async () => {
    const { say } = require(path.join(baseDir, 'client.ts')) as { say(url: string, text: string): Promise<number> };
    const url = `${running.url}/chat`;
    const other = await running.connect('/chat');
    const heard = next(other, 'said');
    assert.equal(await say(url, ' hello '), 1);
    assert.equal((await heard)[1], 'hello');
    await assert.rejects(say(url, ' '), {
      message: 'invalid arguments: 0: Too small: expected string to have >=1 characters',
    });
    const moved = next(other, 'moved');
    (await running.connect('/chat')).emit('move', 1, 2);
    assert.deepEqual(await moved, [1, 2, 'black']);
  });

  it('should contain the answer to invalid arguments', async () => {
    const shown = /```json\n(.*?)```/s.exec(text)?.[1] ?? '';
    assert.deepEqual(await (await running.connect('/chat')).emitWithAck('say', ''), JSON.parse(shown));
  });

  it('should contain code that the compiler accepts', async () => {
    const tsc = require.resolve('typescript/package.json').replace('package.json', 'bin/tsc');
    await run(process.execPath, [tsc, '-p', baseDir]).catch(({ stdout, stderr }) => assert.fail(stdout + stderr));
  });

  /** Starts an application with a route whose arguments have these schemas. */
  async function echo(...args: StandardSchema[]) {
    const { connect, app } = await startInline({
      io: { ack: 'auto' },
      router: ({ io }) => io.route('say', { args }, (ctx) => ctx.args.slice(0, -1)),
    });
    logs(app);
    const client = await connect();
    return async (...sent: unknown[]) => {
      const answer = await client.emitWithAck('say', ...sent);
      return answer.error?.errors.map((error: { path: unknown }) => error.path) ?? answer;
    };
  }

  it('should contain a table of libraries, whose schemas refuse the same arguments', async () => {
    const rows = [...text.matchAll(/^\| \[(\w+)\]\(.*?\) \d \| `(.*)` \|$/gm)];
    assert.deepEqual(
      rows.map(([, library]) => library),
      ['zod', 'valibot', 'arktype'],
    );
    for (const [, library, code] of rows) {
      const { z, type } = { ...require('zod'), ...require('arktype') };
      const make = new Function('z', 'v', 'type', `return (${code!.replaceAll('\\|', '|')});`);
      const say = await echo(...make(z, require('valibot'), type).args);
      assert.deepEqual(await say('hello', 1), ['hello', 1], library);
      assert.deepEqual(await say('hello'), ['hello', null], library);
      assert.deepEqual(await say('x'.repeat(501), 'one'), [[0], [1]], library);
    }
  });

  it('should contain an adapter of TypeBox', async function () {
    if (!isInstalled('@sinclair/typebox')) this.skip();
    const { Type } = require('@sinclair/typebox');
    const { typebox } = require(path.join(baseDir, 'app/io/typebox.ts'));
    const say = await echo(
      typebox(Type.Object({ text: Type.String({ maxLength: 5 }), tags: Type.Array(Type.String()) })),
    );
    assert.deepEqual(await say({ text: 'hello', tags: ['a'] }), [{ text: 'hello', tags: ['a'] }]);
    assert.deepEqual(await say({ text: 'too long', tags: ['a', 1] }), [
      [0, 'text'],
      [0, 'tags', '1'],
    ]);
    assert.deepEqual(await say(), [[0]]);
  });

  it('should contain an adapter of the rules of egg-validate', async () => {
    const { rules } = require(path.join(baseDir, 'app/io/rules.ts'));
    const say = await echo(
      rules(running.app, { text: { type: 'string', max: 5 }, at: { type: 'object', rule: { x: 'number' } } }),
    );
    assert.deepEqual(await say({ text: 'hello', at: { x: 1 } }), [{ text: 'hello', at: { x: 1 } }]);
    assert.deepEqual(await say({ text: 'too long', at: { x: 'one' } }), [
      [0, 'text'],
      [0, 'at.x'],
    ]);
    assert.deepEqual([await say('text'), await say(null), await say()], [[[0]], [[0]], [[0]]]);
  });
});
