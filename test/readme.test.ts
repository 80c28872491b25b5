// Follows the README as a reader does, from the empty folder on: the application of each step boots, its client prints what the text says,
// and its test passes. In TypeScript, and in JavaScript by the rule that the README gives.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EGG_MAJOR, FRAMEWORK, ROOT, start } from './support/app';

const REGISTER = require.resolve('./support/register.cjs');
const MOCHA = require.resolve('mocha/bin/mocha.js');
const run = promisify(execFile);

type Language = 'ts' | 'js';
/** The files of the application, by path. */
type Files = Record<string, string>;
/** The application after a step, and what the client prints, before and after the reader has changed `client.mjs`. */
interface Step {
  files: Files;
  prints: string;
  changed?: { client: string; prints: string };
}

/** Returns the application after each step of a README. */
function stepsOf(readme: string, language: Language): { first: Step; auth: Step; room: Step; tested: Files } {
  const inline = (code: RegExp) => code.exec(readme)?.[1] ?? assert.fail(`${code} is not in the README`);
  const fragment = (code: RegExp) =>
    Array.from(readme.matchAll(/```ts\n( {2}.*?)```/gs), ([, body]) => body as string).find((body) =>
      code.test(body),
    ) ?? assert.fail(`${code} is not in the README`);
  const written = (...names: string[]) => {
    const files = names.map((name) => [name, wholeFile(readme, name)] as const);
    return Object.fromEntries(language === 'ts' ? files : files.map(([name, code]) => toJavaScript(name, code)));
  };
  const edit = (files: Files, name: string, change: (code: string) => string): Files => {
    const changed = change(files[name] as string);
    assert.notEqual(changed, files[name], name);
    return { ...files, [name]: changed };
  };
  const says = (...lines: string[]) => {
    for (const line of lines) assert(readme.includes(line), `the README does not say that the client prints ${line}`);
    return `${lines.join('\n')}\n`;
  };

  const client = wholeFile(readme, 'client.mjs');
  const first: Step = {
    files: {
      ...(language === 'ts'
        ? written('config/plugin.ts', 'config/config.default.ts', 'app/io/controller/chat.ts', 'app/router.ts')
        : foldedFiles(readme)),
      'client.mjs': client,
    },
    prints: says('said: hello', 'answer: ok'),
  };

  const options = fragment(/connectionMiddleware/);
  const authClient = client.replace(
    "io('http://127.0.0.1:7001')",
    inline(/`(io\('http:\/\/127\.0\.0\.1:7001', \{.*?)`/),
  );
  const auth: Step = {
    files: edit(
      { ...first.files, ...written('app/io/middleware/auth.ts', 'app/io/middleware/time.ts') },
      `config/config.default.${language}`,
      (code) => code.replace(/^ {2}ack: .*\n/m, (line) => line + options),
    ),
    prints: says('refused: not authorized'),
    changed: { client: authClient, prints: first.prints },
  };

  const enter = inline(/`(app\.io\.route\('enter'.*?)`/);
  const say = fragment(/async say/);
  const routed = edit({ ...auth.files, 'client.mjs': authClient }, `app/router.${language}`, (code) =>
    code.replace(/^ {2}app\.io\.route\('say'.*\n/m, (line) => `${line}  ${enter}\n`),
  );
  const room: Step = {
    files: edit(routed, `app/io/controller/chat.${language}`, (code) =>
      code.replace(/^ {2}async say.*?^ {2}\}\n/ms, () => say),
    ),
    prints: says("answer: { error: { message: 'enter the lobby first' } }"),
    changed: {
      client: authClient.replace(/^(?=.*'say')/m, `${inline(/`(await socket\.emitWithAck\('enter'\);)`/)}\n`),
      prints: says('said: ann hello', 'answer: ok'),
    },
  };
  return { first, auth, room, tested: { ...room.files, ...written('test/chat.test.ts') } };
}

/** Returns the block under the line that ends with the path of the file. */
function wholeFile(readme: string, name: string): string {
  const block = new RegExp(`\`${name.replaceAll('.', '\\.')}\`[:：]?\\n\\n\`\`\`\\w+\\n(.*?)^\`\`\``, 'ms');
  return block.exec(readme)?.[1] ?? assert.fail(`${name} is not in the README`);
}

/** Returns the files of the block in the fold, which begin with comments that have their paths. */
function foldedFiles(readme: string): Files {
  const fold = /<details>.*?```js\n(.*?)```/s.exec(readme)?.[1] ?? assert.fail('the README has no fold');
  const parts = fold.split(/^\/\/ (\S+\/\S+\.js)\n/m).slice(1);
  return Object.fromEntries(parts.flatMap((name, i) => (i % 2 ? [] : [[name, parts[i + 1] as string]])));
}

/** Changes a file as the rule of the README says. */
function toJavaScript(name: string, code: string): [name: string, code: string] {
  const changed = code
    .replace(/^import type .*\n/gm, '')
    .replace(/^import (.*?) from ('.*?');/gm, 'const $1 = require($2);')
    .replace('export default', 'module.exports =')
    .replace(/: (Context|Application|\(\) => Promise<void>)(?=[,)])/g, '');
  return [name.replace(/ts$/, 'js'), changed];
}

const english = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');

for (const language of ['ts', 'js'] as const) {
  describe(`the README in ${language === 'ts' ? 'TypeScript' : 'JavaScript'}`, () => {
    const home = path.join(ROOT, `test/.tmp/readme-${language}-${EGG_MAJOR}`);
    const { first, auth, room, tested } = stepsOf(english, language);

    /** Creates the application of a step. Each has a directory of its own, since Node caches modules. */
    const create = (name: string, files: Files): string => {
      const baseDir = path.join(home, name);
      const all: Files = { ...files, 'package.json': JSON.stringify({ name: 'chat', egg: { typescript: true } }) };
      for (const [file, code] of Object.entries(all)) {
        fs.mkdirSync(path.dirname(path.join(baseDir, file)), { recursive: true });
        fs.writeFileSync(path.join(baseDir, file), code);
      }
      fs.mkdirSync(path.join(baseDir, 'node_modules'));
      fs.symlinkSync(FRAMEWORK, path.join(baseDir, 'node_modules/egg'), 'junction');
      fs.symlinkSync(ROOT, path.join(baseDir, 'node_modules/egg-socket.io'), 'junction');
      return baseDir;
    };

    // Not after the tests: Egg's watchers of closed applications would log each file.
    before(() => fs.rmSync(home, { recursive: true, force: true }));

    for (const [name, { files, prints, changed }] of Object.entries({ first, auth, room })) {
      it(`should have a client that prints what the text says (${name})`, async () => {
        const baseDir = create(name, files);
        const { url } = await start(name, { baseDir });
        const talk = async (client: string) => {
          fs.writeFileSync(path.join(baseDir, 'client.mjs'), client.replace('http://127.0.0.1:7001', url));
          const { stdout } = await run(process.execPath, ['client.mjs'], { cwd: baseDir, timeout: 30_000 });
          return stdout;
        };
        assert.equal(await talk(files['client.mjs'] as string), prints);
        if (changed) assert.equal(await talk(changed.client), changed.prints);
      });
    }

    it('should have a test that passes', async () => {
      const test = `test/chat.test.${language}`;
      const code = tested[test]?.replace('@eggjs/mock', EGG_MAJOR === 3 ? 'egg-mock' : '@eggjs/mock') as string;
      const baseDir = create('tested', { ...tested, [test]: code });
      const { NODE_TEST_CONTEXT: _none, ...inherited } = process.env;
      // The options that egg-bin passes.
      const options = ['--no-config', '--timeout', '60000', '--exit', '--require', 'egg-mock/register', test];
      const { stdout } = await run(process.execPath, [MOCHA, ...options], {
        cwd: baseDir,
        timeout: 100_000,
        env: { ...inherited, NODE_ENV: 'test', NODE_OPTIONS: `--require ${REGISTER}` },
      }).catch(({ message, stdout, stderr }) => assert.fail(`${message}\n${stdout}\n${stderr}`));
      assert.match(stdout, /^ *2 passing/m);
      assert(english.includes('`2 passing`'));
    });
  });
}

const chinese = path.join(ROOT, 'README.zh-CN.md');
if (fs.existsSync(chinese)) {
  describe('the Chinese README', () => {
    for (const language of ['ts', 'js'] as const) {
      it(`should have the same steps, but for the comments (${language})`, () => {
        const bare = (steps: object) => JSON.stringify(steps, null, 1).replace(/ *\/\/ .*?(?=\\n)/g, '');
        assert.equal(bare(stepsOf(fs.readFileSync(chinese, 'utf8'), language)), bare(stepsOf(english, language)));
      });
    }
  });
}
