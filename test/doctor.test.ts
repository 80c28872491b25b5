// `egg-socket.io doctor`, on applications in the style of 4.1.6. Where a rule applies in their files, a comment at the end of the line names it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { slug } from '../docs/.vitepress/slug';
import { type Examination, examine as examineHere, type Finding } from '../lib/cli/examine';
import { RULES } from '../lib/cli/rules';
import { EGG_MAJOR, ROOT } from './support/app';

const REGISTER = path.join(__dirname, 'support/register.cjs');
const MAIN = path.join(ROOT, 'lib/cli/main.ts');
const FIXTURES = path.join(__dirname, 'fixtures/doctor');
const LEGACY = ['javascript', 'typescript'];
/** Applications of other tests, which use nothing that has to change. */
const TODAY = [
  'cluster',
  'conformance',
  'controller-forms',
  'drain',
  'forwarding',
  'inline',
  'legacy-controllers',
  'legacy-generator-class',
  'legacy-generator-file',
  'legacy-generator-middleware',
  'legacy-generator-object',
  'legacy-middleware',
  'legacy-params',
  'legacy-plugin',
  'legacy-plugin-clash',
  'legacy-readme',
  'members',
  'packed-js',
  'packed-ts',
  'redis-egg',
  'redis-streams',
  'routes',
  'session-app',
  'ts-app',
  'users',
];
/** package.json has no comments. */
const IN_MANIFEST = {
  javascript: ['5 egg', '6 upgrade', '7 redis-emitter', '8 redis-adapter', '9 uws', '10 old-client', '13 old-client'],
  typescript: ['10 watch-dirs', '17 upgrade', '18 old-client', '21 dependency'],
};

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line tool in a process of its own. */
function run(...args: string[]): Promise<Result> {
  const all = ['--require', REGISTER, MAIN, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, all, { cwd: os.tmpdir() }, (err, stdout, stderr) => {
      resolve({ code: err === null ? 0 : Number(err.code), stdout, stderr });
    });
  });
}

async function examine(directory: string): Promise<Examination> {
  const { code, stdout, stderr } = await run('doctor', directory, '--json');
  assert.equal(stderr, '');
  const examination: Examination = JSON.parse(stdout);
  assert.equal(code, examination.findings.length + examination.errors.length > 0 ? 1 : 0);
  return examination;
}

function files(directory: string): string[] {
  const all = fs.readdirSync(directory, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
}

/** The findings that the comments of a fixture application announce: `app.js:3 origins`. */
function announced(name: 'javascript' | 'typescript'): string[] {
  const directory = path.join(FIXTURES, name);
  const found = files(directory).flatMap((file) => {
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    return lines.flatMap((line, i) => {
      const [, code, names] = /^(.*)\/\/ ([a-z-]+(?:, [a-z-]+)*)$/.exec(line) ?? [];
      // The formatter moves a comment behind { into the next line.
      const number = code?.trim() ? i + 1 : i;
      return names?.split(', ').map((rule) => `${path.relative(directory, file)}:${number} ${rule}`) ?? [];
    });
  });
  return [...found, ...IN_MANIFEST[name].map((entry) => `package.json:${entry}`)].sort();
}

const place = ({ file, line, rule }: Finding) => `${file}:${line} ${rule}`;

// It does not depend on Egg.
if (EGG_MAJOR === 4) {
  describe('egg-socket.io doctor', () => {
    let temporary = '';

    before(() => {
      temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-doctor-'));
    });

    after(() => fs.rmSync(temporary, { recursive: true, force: true }));

    /** Writes an application: its files by their names. */
    function application(contents: Record<string, string>): string {
      const directory = fs.mkdtempSync(path.join(temporary, 'app-'));
      for (const [name, text] of Object.entries(contents)) {
        const file = path.join(directory, name);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, text);
      }
      return directory;
    }

    for (const name of LEGACY as ['javascript', 'typescript']) {
      it(`should find in an application in ${name} all that has to change, and nothing else`, async () => {
        const { findings, errors } = await examine(path.join(FIXTURES, name));
        assert.deepEqual(errors, []);
        assert.deepEqual(findings.map(place).sort(), announced(name));
      });
    }

    it('should have a place in the fixtures for each rule, and each anchor in docs/en/migration.md', () => {
      const rules = new Set([...announced('javascript'), ...announced('typescript')].map((each) => each.split(' ')[1]));
      assert.deepEqual([...rules].sort(), Object.keys(RULES).sort());
      const text = fs.readFileSync(path.join(ROOT, 'docs/en/migration.md'), 'utf8');
      const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slug(heading));
      for (const [rule, { docs }] of Object.entries(RULES)) assert(headings.includes(docs), `${rule}: ${docs}`);
    });

    it('should describe each place: source, cure, documentation, and if config.io.compat covers it', async () => {
      const { findings } = await examine(path.join(FIXTURES, 'javascript'));
      const found = findings.find(({ file, line }) => file === 'app.js' && line === 11);
      assert.deepEqual(found, {
        file: 'app.js',
        line: 11,
        column: 5,
        rule: 'origins',
        found: "app.io.origins(['https://example.com:443'])",
        instead: RULES.origins.instead,
        docs: 'docs/en/migration.md#other-origins',
        compat: true,
      });
      assert.equal(findings.find(({ rule }) => rule === 'reserved-event')?.compat, false);
      const guard = findings.find(({ rule }) => rule === 'guard');
      assert.match(guard?.instead ?? '', /config\.io\.connectionMiddleware.*it does not guard \/chat, \/room$/);
    });

    it('should print the same as text', async () => {
      const { code, stdout, stderr } = await run('doctor', path.join(FIXTURES, 'javascript'));
      assert.equal(stderr, '');
      assert.equal(code, 1);
      const block = [
        "app.js:11  app.io.origins(['https://example.com:443'])",
        `    instead: ${RULES.origins.instead}`,
        '    docs/en/migration.md#other-origins (works with config.io.compat)',
        '',
      ];
      assert(stdout.includes(`\n${block.join('\n')}\n`), stdout);
      assert.match(stdout, /\n\d+ places to change, \d+ files read\. \d+ of them work with config\.io\.compat\.\n$/);
    });

    it('should find nothing in the example and in applications in the style of today', async () => {
      const apps = TODAY.map((name) => `test/fixtures/apps/${name}`);
      for (const name of ['example/chat', 'example/guide/today', 'test/fixtures/doctor/today', ...apps]) {
        const { findings, errors, files: count } = await examineHere(path.join(ROOT, name));
        assert.deepEqual([...findings.map(place), ...errors], [], name);
        assert(count > 0, name);
      }
      const { code, stdout } = await run('doctor', path.join(ROOT, 'example/chat'));
      assert.equal(code, 0);
      assert.match(stdout, /^Nothing to change, \d+ files read\.\n$/);
    });

    it('should report a file with a syntax error, and read the others', async () => {
      const directory = application({
        'app/io/controller/a.js': 'module.exports = {\n  async say() {\n    if (;\n  },\n};\n',
        'app/io/controller/b.ts': 'export default class {\n  say(: string) {}\n}\n',
        'app/router.js': "module.exports = (app) => {\n  app.io.of('/').clients(() => {});\n};\n",
        'package.json': '{ "dependencies": ',
      });
      const { findings, errors } = await examine(directory);
      assert.deepEqual(findings.map(place), ['app/router.js:2 clients']);
      assert.deepEqual(
        errors.map(({ file, line }) => `${file}:${line}`),
        ['app/io/controller/a.js:3', 'app/io/controller/b.ts:2', 'package.json:1'],
      );
      const { code, stdout } = await run('doctor', directory);
      assert.equal(code, 1);
      assert.match(stdout, /app\/io\/controller\/a\.js:3 {2}not read: Unexpected token\n/);
      assert.match(stdout, /3 files could not be read\.\n$/);
    });

    it('should fail if the only file has a syntax error', async () => {
      const { code } = await run('doctor', application({ 'app/router.js': '(' }));
      assert.equal(code, 1);
    });

    it('should read only code of the server that was written by hand', async () => {
      const old = "app.io.of('/').clients(() => {});\n";
      const body = `module.exports = (app) => {\n${old}};\n`;
      const directory = application({
        'app/public/a.js': body,
        'app/view/a.js': body,
        'app/web/a.js': body,
        'app/node_modules/a/index.js': body,
        'node_modules/a/index.js': body,
        'logs/a.js': body,
        'run/a.js': body,
        'app/io/a.min.js': body,
        'app/io/generated.js': `module.exports = (app) => {${old.trim().repeat(300)}};`,
        'app/io/huge.js': body + '// a line\n'.repeat(60_000),
        'app/compiled.js': body,
        'app/compiled.ts': 'export default 1;\n',
        'config/key.js': `${body}exports.key = '${'0'.repeat(6_000)}';\n${'// a line\n'.repeat(100)}`,
        'lib/online.js': body,
      });
      const { findings, errors, files: count, skipped } = await examine(directory);
      assert.deepEqual(findings.map(place), ['config/key.js:2 clients', 'lib/online.js:2 clients']);
      assert.deepEqual(errors, []);
      assert.equal(count, 3);
      assert.deepEqual(skipped, ['app/io/generated.js', 'app/io/huge.js']);
      const { stdout } = await run('doctor', directory);
      assert.match(stdout, / Skipped as minified or generated: app\/io\/generated\.js, app\/io\/huge\.js\.\n$/);
    });

    it('should read sloppy scripts, modules and files with a byte order mark', async () => {
      const directory = application({
        'app/sloppy.js': "var await = 010;\nmodule.exports = (app) => app.io.origins('*');\n",
        'app/module.mjs':
          "const { list } = await import('./list.mjs');\nexport default (app) => app.io.origins(list);\n",
        'app/mark.js': "\uFEFFmodule.exports = (app) => app.io.origins('*');\n",
        'app/shebang.js': "#!/usr/bin/env node\nmodule.exports = (app) => app.io.origins('*');\n",
        'package.json': '\uFEFF{ "dependencies": {\n"socket.io-redis": "5" } }',
      });
      const { findings, errors } = await examine(directory);
      assert.deepEqual(errors, []);
      const expected = ['app/mark.js:1', 'app/module.mjs:2', 'app/shebang.js:2', 'app/sloppy.js:2'];
      assert.deepEqual(findings.map(place), [
        ...expected.map((each) => `${each} origins`),
        'package.json:2 redis-adapter',
      ]);
    });

    it('should accept old clients if allowEIO3 is set, and a guard that has company', async () => {
      const directory = application({
        'config/config.default.js': `exports.io = {
          init: { allowEIO3: true },
          namespace: { '/': { connectionMiddleware: ['a'] }, '/chat': { connectionMiddleware: ['a'] } },
        };`,
        'package.json': '{ "dependencies": { "socket.io-client": "^2.5.0", "@types/socket.io-client": "1" } }',
      });
      assert.deepEqual((await examine(directory)).findings, []);
    });

    it('should find nothing in an application with empty directories', async () => {
      const directory = application({});
      fs.mkdirSync(path.join(directory, 'app'));
      assert.deepEqual(await examine(directory), { directory, files: 0, findings: [], errors: [], skipped: [] });
    });

    it('should refuse wrong calls with exit code 2', async () => {
      const wrong: [args: string[], message: RegExp][] = [
        [[], /^egg-socket\.io: no command\n/],
        [['examine'], /^egg-socket\.io: unknown command examine\n/],
        [['constructor'], /^egg-socket\.io: unknown command constructor\n/],
        [['doctor', '--fix'], /^egg-socket\.io doctor: Unknown option '--fix'/],
        [['doctor', 'a', 'b'], /^egg-socket\.io doctor: one directory, not 2\n/],
        [['doctor', path.join(temporary, 'none')], /^egg-socket\.io doctor: .*none does not exist\n/],
        [['doctor', application({ 'readme.txt': '' })], /is not an application of Egg/],
        [['doctor', application({})], /is not an application of Egg/],
      ];
      for (const [args, message] of wrong) {
        const { code, stdout, stderr } = await run(...args);
        assert.deepEqual([code, stdout], [2, ''], args.join(' '));
        assert.match(stderr, message);
        assert.match(stderr, /\nUsage: egg-socket\.io /);
      }
    });

    it('should print its usage', async () => {
      for (const args of [['--help'], ['help'], ['doctor', '--help'], ['doctor', '-h']]) {
        const { code, stdout, stderr } = await run(...args);
        assert.deepEqual([code, stderr], [0, ''], args.join(' '));
        assert.match(stdout, /^Usage: egg-socket\.io /);
      }
    });
  });
}
