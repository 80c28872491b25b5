// Runs the code of docs/en/testing.md: the application, and the tests with mocha and node:test.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EGG_MAJOR, FRAMEWORK, ROOT } from './support/app';

const REGISTER = require.resolve('./support/register.cjs');
const MOCHA = require.resolve('mocha/bin/mocha.js');
const run = promisify(execFile);

const text = fs.readFileSync(path.join(ROOT, 'docs/en/testing.md'), 'utf8');
const baseDir = path.join(ROOT, `test/.tmp/testing-${EGG_MAJOR}`);

function write(file: string, content: string): void {
  const full = path.join(baseDir, file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.writeFileSync(full, content);
}

/** Runs Node in the application. Rejects if Node exits with an error. */
async function node(args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { NODE_ENV: _none, NODE_TEST_CONTEXT: _no, ...inherited } = process.env;
  const options = {
    cwd: baseDir,
    timeout: 100_000,
    env: { ...inherited, NODE_OPTIONS: `--require ${REGISTER}`, ...env },
  };
  const { stdout } = await run(process.execPath, args, options).catch(({ message, stdout, stderr }) =>
    assert.fail(`${message}\n${stdout}\n${stderr}`),
  );
  return stdout;
}

// The options that egg-bin passes.
const mocha = [
  MOCHA,
  '--no-config',
  '--timeout',
  '60000',
  '--exit',
  '--require',
  'egg-mock/register',
  'test/chat.test.ts',
];

/** Creates the application of the page. */
function makeApplication(): void {
  fs.rmSync(baseDir, { recursive: true, force: true });
  for (const [, file, code] of text.matchAll(/^`([\w./]+)`\n\n```\w+\n(.*?)^```/gms)) write(file!, code!);
  write('package.json', JSON.stringify({ name: 'testing', egg: { typescript: true } }));
  write('config/plugin.js', "exports.io = { enable: true, package: 'egg-socket.io' };\n");
  fs.mkdirSync(path.join(baseDir, 'node_modules'));
  fs.symlinkSync(FRAMEWORK, path.join(baseDir, 'node_modules/egg'));
  fs.symlinkSync(ROOT, path.join(baseDir, 'node_modules/egg-socket.io'));
}

function remove(): void {
  fs.rmSync(baseDir, { recursive: true, force: true });
}

describe('docs/en/testing.md', () => {
  before(makeApplication);
  after(remove);

  it('should contain tests with mocha that pass', async () => {
    assert.match(await node(mocha, { NODE_ENV: 'test' }), / 4 passing/);
  });

  it('should contain an example with a second context that passes', async () => {
    const code = /```ts\n(const ctx = .*?other\.emitted.*?)```/s.exec(text)?.[1];
    assert.ok(code);
    const file = path.join(baseDir, 'test/chat.test.ts');
    const whole = fs.readFileSync(file, 'utf8');
    write('test/chat.test.ts', `${whole}\nit('another context', async () => {\n${code}});\n`);
    assert.match(await node(mocha, { NODE_ENV: 'test' }), / 5 passing/);
  });

  for (const restores of [true, false]) {
    it(`should contain tests with node:test that pass ${restores ? 'with' : 'without'} mm.restore()`, async () => {
      const file = path.join(baseDir, 'test/chat.test.js');
      const whole = fs.readFileSync(file, 'utf8');
      const own = restores ? whole : whole.replace('  afterEach(() => mm.restore());\n', '');
      assert.equal(own === whole, restores);
      write('test/chat.test.js', own);
      const output = await node(['--test', '--test-force-exit', '--test-reporter=tap', 'test/chat.test.js']);
      assert.match(output, /^# fail 0$/m);
      assert.match(output, /broadcasts a message to the other clients/);
    });
  }
});
