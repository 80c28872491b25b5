// The code of the documentation: it parses in both languages, TypeScript accepts it, and the applications start. Tests of single pages
// (test/*-docs.test.ts) run it.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import vm from 'node:vm';
import { parse } from 'acorn';
import { transformSync } from 'esbuild';
import { EGG_MAJOR, ROOT } from './support/app';
import { appsOf, isServer, type PageApp, writeApp } from './support/page-apps';
import { type Block, blocksOf, LANGUAGES, type Language, pagesOf } from './support/pages';

const TEMPORARY = path.join(ROOT, 'test/.tmp/docs-code');
const REGISTER = require.resolve('./support/register.cjs');
const START_APPS = require.resolve('./support/start-apps.ts');
const TSC = require.resolve('typescript/package.json').replace('package.json', 'bin/tsc');

/** Packages that samples import and that are not installed, and why not. All that they export is of the type `any`. */
const STUBS: Record<string, string> = {
  '@opentelemetry/exporter-trace-otlp-http': 'needs a collector',
  jsonwebtoken: 'test/recipes.test.ts installs it',
};
/** A module, a class, an object and a function, of which each member is the same again. */
const STUB = `const stub = new Proxy(function () {}, {
  get: (_, key) => (key === '__esModule' || key === 'then' || typeof key === 'symbol' ? undefined : stub),
  apply: () => stub,
  construct: () => stub,
});
module.exports = stub;
`;

/** Pages whose applications are not compiled with the others, and why. */
const NOT_COMPILED: Record<string, string> = {
  'recipes/passport': 'needs egg-passport: test/recipes.test.ts installs and runs it',
  'recipes/vite-react': 'needs React: test/recipe-vite.test.ts installs it and compiles the page',
  tegg: 'needs Egg 4.1: test/newest compiles and runs it',
};

/** Pages whose applications are not started here, and why. */
const NOT_STARTED: Record<string, string> = {
  'recipes/passport': 'needs egg-passport: test/recipes.test.ts installs and runs it',
  tegg: 'needs Egg 4.1: test/newest compiles and runs it',
};

/** Environment variables that the samples read when they start. */
const ENVIRONMENT = { ADMIN_PASSWORD_HASH: '$2a$04$aH75L62Ll9wX1b2E3afpteYhLe6j7Jrpy6bpU0GyJl.j2tCTj5Myy' };

/** What an application of the page getting-started has, with the sources of the plugin in the place of the package. */
const COMPILER_OPTIONS = {
  target: 'ES2022',
  module: 'Node16',
  strict: true,
  esModuleInterop: true,
  skipLibCheck: true,
  jsx: 'preserve',
  noEmit: true,
  types: ['node', 'mocha'],
  paths: {
    egg: [path.join(ROOT, 'node_modules/egg')],
    'egg-socket.io': [path.join(ROOT, 'lib')],
    'egg-socket.io/tegg': [path.join(ROOT, 'lib/tegg/decorators')],
    'egg-socket.io/presence-client': [path.join(ROOT, 'lib/presence/client')],
  },
};

const DECORATORS = { compilerOptions: { experimentalDecorators: true } };

const parsers: Record<string, (block: Block) => void> = {
  ts: parseTypeScript,
  tsx: parseTypeScript,
  js: parseJavaScript,
  json: ({ code }) => JSON.parse(code),
  bash: ({ code }) => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: code, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  },
};

function parseTypeScript({ code, file }: Block): void {
  const options = { loader: file?.endsWith('.ts') ? 'ts' : 'tsx', tsconfigRaw: DECORATORS } as const;
  const parseAs = (text: string) => transformSync(text, options);
  if (file !== undefined) parseAs(code);
  else parseFragment(code, parseAs);
}

function parseJavaScript({ code, file }: Block): void {
  const isModule = file?.endsWith('.mjs') || /^(import|export) /m.test(code);
  const parseAs = (text: string) => parse(text, { ecmaVersion: 'latest', sourceType: isModule ? 'module' : 'script' });
  if (file === undefined) parseFragment(code, parseAs);
  else if (isModule) parseAs(code);
  else vm.compileFunction(code, ['exports', 'require', 'module']);
}

/** A fragment is a part of a module, of a function, of a class or of an object, or an expression. */
function parseFragment(code: string, parseAs: (text: string) => void): void {
  const expression = code.replace(/;?\s*$/, '');
  const attempts = [
    code,
    `async () => {${code}\n}`,
    `(${expression}\n)`,
    `class Fragment {${code}\n}`,
    `({${code}\n})`,
  ];
  const accepts = (text: string) => {
    try {
      parseAs(text);
      return true;
    } catch {
      return false;
    }
  };
  if (!attempts.some(accepts)) parseAs(code);
}

const isInstalled = (name: string) => fs.existsSync(path.join(ROOT, 'node_modules', name));

/** Writes the applications of a language, each to its own directory, and returns the directories. */
function writeApps(language: Language, accepts: (app: PageApp, name: string) => boolean): Map<string, PageApp> {
  const pages = pagesOf(language);
  const first = pages.find(({ name }) => name === 'getting-started') ?? pages.find(({ name }) => name === 'README');
  const base = first ? appsOf(first) : [];
  const apps = new Map<string, PageApp>();
  for (const page of pages) {
    for (const app of appsOf(page).filter((each) => accepts(each, page.name))) {
      const baseDir = path.join(TEMPORARY, `${language}-${page.name.replaceAll('/', '-')}-${apps.size}`);
      writeApp(app, baseDir, base);
      for (const stub of Object.keys(STUBS)) {
        fs.mkdirSync(path.join(baseDir, 'node_modules', stub), { recursive: true });
        fs.writeFileSync(path.join(baseDir, 'node_modules', stub, 'index.js'), STUB);
      }
      apps.set(baseDir, app);
    }
  }
  return apps;
}

/** Returns what the plugin has warned of in the log of an application. No Redis runs here. */
function warningsIn(baseDir: string): string[] {
  const directory = path.join(baseDir, 'logs/page');
  const lines = fs
    .readdirSync(directory)
    .flatMap((name) => fs.readFileSync(path.join(directory, name), 'utf8').split('\n'));
  return lines.filter((line) => /(WARN|ERROR) .*\[egg-socket\.io\]/.test(line) && !line.includes('ECONNREFUSED'));
}

if (EGG_MAJOR === 3) {
  describe('the code of the documentation', () => {
    beforeEach(() => fs.rmSync(TEMPORARY, { recursive: true, force: true }));
    after(() => fs.rmSync(TEMPORARY, { recursive: true, force: true }));

    for (const page of LANGUAGES.flatMap(pagesOf)) {
      it(`should parse in ${page.file}`, () => {
        for (const block of blocksOf(page)) {
          const explain = (err: Error) => assert.fail(`${page.file}:${block.line} ${err.message}`);
          try {
            parsers[block.language]?.(block);
          } catch (err) {
            explain(err as Error);
          }
        }
      });
    }

    // The code of the other language is the same: see docs-parity.test.ts.
    it('should be accepted by the compiler', async () => {
      const apps = writeApps('en', ({ kind }, name) => kind === 'ts' && !NOT_COMPILED[name]);
      assert(apps.size > 0);
      const stubs = Object.keys(STUBS).map((name) => `declare module '${name}';\n`);
      fs.writeFileSync(path.join(TEMPORARY, 'stubs.d.ts'), stubs.join(''));
      const config = {
        compilerOptions: COMPILER_OPTIONS,
        // Instead of "types": ["egg-socket.io"], which would be the compiled plugin.
        files: [path.join(ROOT, 'lib/index.ts'), '../stubs.d.ts'],
        include: ['**/*.ts', '**/*.tsx'],
        exclude: ['node_modules'],
      };
      for (const baseDir of apps.keys()) fs.writeFileSync(path.join(baseDir, 'tsconfig.json'), JSON.stringify(config));
      const run = promisify(execFile)(process.execPath, [TSC, '-b', ...apps.keys()], { cwd: TEMPORARY });
      await run.catch(({ stdout, stderr }) => {
        // The compiler names the files that were written, not the pages.
        const titles = Array.from(apps, ([baseDir, { title }]) => `${path.basename(baseDir)} is ${title}`);
        assert.fail([stdout, stderr, ...titles.filter((each) => stdout.includes(each.split(' ')[0]))].join('\n'));
      });
    });

    it('should need all exceptions', () => {
      const pages = LANGUAGES.flatMap(pagesOf);
      const isUsed = (name: string) => pages.some(({ text }) => text.includes(`'${name}'`));
      for (const name of Object.keys(STUBS)) assert(!isInstalled(name) && isUsed(name), name);
      for (const name of Object.keys({ ...NOT_COMPILED, ...NOT_STARTED }))
        assert(
          pages.some((page) => page.name === name && appsOf(page).length > 0),
          name,
        );
    });

    it('should be applications that start without warnings', async () => {
      const apps = writeApps('en', (app, name) => !NOT_STARTED[name] && isServer(app));
      const args = ['--require', REGISTER, START_APPS, ...apps.keys()];
      const env = { ...process.env, ...ENVIRONMENT };
      const { stdout } = await promisify(execFile)(process.execPath, args, { env, maxBuffer: 100_000_000 });
      const errors: Record<string, string> = JSON.parse(stdout.trim().split('\n').at(-1) as string);
      for (const [baseDir, { title }] of apps)
        assert.deepEqual([errors[baseDir], warningsIn(baseDir)], [undefined, []], title);
    });
  });
}
