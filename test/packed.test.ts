// The packed plugin, installed into empty applications of both majors of Egg, in JavaScript and TypeScript. These tests cover both
// majors, so they run only once.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { EGG_MAJOR, ROOT } from './support/app';
import { closeBrowser, closePages, openPage, reads } from './support/browser';
import { startInline } from './support/inline';
import {
  application,
  cleanUp,
  compile,
  contents,
  generateTypes,
  install,
  npx,
  pack,
  sources,
  talk,
} from './support/packed';
import { LANGUAGES, pagesOf } from './support/pages';

/** Changes an application to ES modules. */
function makeEsm(baseDir: string, more: object = {}): void {
  const file = path.join(baseDir, 'package.json');
  fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(file, 'utf8')), type: 'module', ...more }));
}

/** A page that shows who is in the lobby. */
const PAGE = `<!DOCTYPE html>
<script type="importmap">{ "imports": { "egg-socket.io/presence-client": "/client.mjs" } }</script>
<script src="/socket.io/socket.io.js"></script>
<p></p>
<script type="module">
  import { Presence } from 'egg-socket.io/presence-client';
  const here = new Presence(io('/' + location.search, { transports: ['websocket'] }), 'lobby');
  here.on('change', () => {
    const all = Object.entries(here.list()).sort(([one], [other]) => (one < other ? -1 : 1));
    document.querySelector('p').textContent = JSON.stringify(Object.fromEntries(all));
  });
</script>`;

/** What `egg-socket.io routes` prints of the applications. */
const ROUTES = `/
  connection middleware: name
  packet middleware: count
  say  chat.say
`;

/** Returns the documents of the package. The site of the documentation is not in it. */
function documents(): string[] {
  const inDocs = (directory: string, ending: string) =>
    fs
      .readdirSync(path.join(ROOT, 'docs', directory))
      .filter((name) => name.endsWith(ending))
      .map((name) => `docs/${directory}/${name}`);
  const pages = LANGUAGES.flatMap((language) => pagesOf(language).map(({ file }) => file));
  return [...pages, ...inDocs('images', '.svg'), ...inDocs('recipes', '.js')];
}

if (EGG_MAJOR === 3) {
  describe('the packed plugin', function () {
    // npm installs packages, perhaps from the network.
    this.timeout(300_000);

    let tarball = '';

    before(async () => {
      tarball = await pack();
    });

    after(cleanUp);

    it('should contain only the files that the build makes of the sources, and the documents', async () => {
      const built = sources().flatMap((file) => {
        const made = ['js', 'd.ts', ...(file.startsWith('lib/') ? ['d.mts'] : [])];
        return made.map((ending) => file.replace(/ts$/, ending));
      });
      built.push('lib/presence/client.mjs');
      const papers = ['package.json', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'docs/grafana.json', ...documents()];
      const expected = [...built, ...papers].map((file) => `package/${file}`);
      assert.deepEqual(await contents(tarball), expected.sort());
    });

    it('should run nothing when it is installed, and depend on what docs/en/security.md lists', () => {
      const { scripts, dependencies } = JSON.parse(fs.readFileSync(path.join(__dirname, '../package.json'), 'utf8'));
      for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) assert(!(name in scripts), name);
      const page = fs.readFileSync(path.join(__dirname, '../docs/en/security.md'), 'utf8');
      const table = page.slice(page.indexOf('## Dependencies'), page.indexOf('## How a release is published'));
      const names = Array.from(table.matchAll(/^\|([^|]*)\|/gm), ([, cell]) => cell as string);
      const listed = names.flatMap((cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name as string));
      assert.deepEqual(listed.sort(), Object.keys(dependencies).sort());
    });

    it('should have a client for presence that browsers import', async () => {
      const read = (file: string) => execFileSync('tar', ['-xzOf', tarball, `package/${file}`], { encoding: 'utf8' });
      const module = JSON.parse(read('package.json')).exports['./presence-client'].import.default;
      const script = read(path.posix.normalize(module));
      const { url } = await startInline({
        io: { init: { serveClient: true }, presence: { interval: 10 } },
        router: ({ io, router }) => {
          io.route('connect', (ctx) => io.presence('lobby').track(ctx, String(ctx.query.name)));
          router.get('/client.mjs', (ctx) => {
            ctx.type = 'js';
            ctx.body = script;
          });
          router.get('/page', (ctx) => {
            ctx.body = PAGE;
          });
        },
      });
      try {
        const ann = await openPage(`${url}/page?name=ann`);
        await reads(ann, 'p', ['{"ann":[{}]}']);
        const bob = await openPage(`${url}/page?name=bob`);
        for (const page of [ann, bob]) await reads(page, 'p', ['{"ann":[{}],"bob":[{}]}']);
        await bob.close();
        await reads(ann, 'p', ['{"ann":[{}]}']);
      } finally {
        await closePages();
        await closeBrowser();
      }
    });

    for (const major of [3, 4]) {
      describe(`on Egg ${major}`, () => {
        let home = '';

        before(async () => {
          // Applications written for egg-socket.io 4 have the client of Socket.IO 2 among their dependencies.
          const client = major === 3 ? ['socket.io-client@2'] : [];
          home = await install([tarball, `egg@${major}`, ...client]);
        });

        it('should work in an application in JavaScript without TypeScript', async () => {
          const baseDir = application(home, 'packed-js');
          for (const name of ['typescript', 'tsx', 'ts-node']) {
            assert.throws(() => require.resolve(name, { paths: [baseDir] }), { code: 'MODULE_NOT_FOUND' });
          }
          await talk(baseDir);
        });

        it('should have a client for presence, without dependencies, in both kinds of modules', async () => {
          const baseDir = application(home, 'packed-js');
          const print = "console.log(typeof new Presence({ on() {}, off() {} }, 'lobby').list())";
          const imported = `import { Presence } from 'egg-socket.io/presence-client'; ${print}`;
          const required = `const { Presence } = require('egg-socket.io/presence-client'); ${print}; console.log(Object.keys(require.cache).length)`;
          const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: baseDir, encoding: 'utf8' });
          assert.equal(run('--input-type=module', '--eval', imported), 'object\n');
          assert.equal(run('--eval', required), 'object\n1\n');
        });

        it('should have a doctor, which reads TypeScript without TypeScript', async () => {
          const baseDir = application(home, 'packed-js');
          assert.deepEqual(await npx(['egg-socket.io', 'doctor'], baseDir), [0, 'Nothing to change, 7 files read.\n']);
          fs.writeFileSync(path.join(baseDir, 'app/old.ts'), "export default (app: any) => app.io.origins('*');\n");
          const [code, output] = await npx(['egg-socket.io', 'doctor'], baseDir);
          assert.equal(code, 1);
          assert.match(output, /^app\/old\.ts:1 {2}app\.io\.origins\('\*'\)\n/);
        });

        it('should list the routes of an application in JavaScript', async () => {
          const baseDir = application(home, 'packed-js');
          assert.deepEqual(await npx(['egg-socket.io', 'routes'], baseDir), [0, ROUTES]);
        });

        it('should list the routes of an application in TypeScript, compiled or with a loader', async () => {
          const baseDir = application(home, 'packed-ts');
          if (major === 4) makeEsm(baseDir);
          const list = () => npx(['egg-socket.io', 'routes'], baseDir);
          assert.deepEqual(await list(), [1, '']);
          fs.mkdirSync(path.join(baseDir, 'node_modules'));
          fs.symlinkSync(path.join(ROOT, 'node_modules/tsx'), path.join(baseDir, 'node_modules/tsx'), 'junction');
          assert.deepEqual(await list(), [0, ROUTES]);
          fs.rmSync(path.join(baseDir, 'node_modules'), { recursive: true });
          await compile(baseDir);
          assert.deepEqual(await list(), [0, ROUTES]);
        });

        it('should work in an application in TypeScript with strict options', async () => {
          const baseDir = application(home, 'packed-ts');
          await compile(baseDir);
          await talk(baseDir);
        });

        // Egg 3 supports only CommonJS.
        if (major === 4) {
          it('should work in an application in TypeScript with ES modules', async () => {
            const baseDir = application(home, 'packed-ts');
            makeEsm(baseDir);
            await compile(baseDir);
            assert.match(fs.readFileSync(path.join(baseDir, 'app/router.js'), 'utf8'), /^export default/m);
            await talk(baseDir);
          });
        }

        it('should be typed in an application in TypeScript', async () => {
          const baseDir = application(home, 'packed-ts');
          if (major === 4) makeEsm(baseDir);
          const router = path.join(baseDir, 'app/router.ts');
          fs.appendFileSync(router, "\nexport const wrong = (app: Application) => app.io.route('say');\n");
          await assert.rejects(compile(baseDir), { stdout: /app\/router\.ts.*No overload matches this call/ });
        });

        describe('with egg-ts-helper', () => {
          let types = '';

          before(async () => {
            types = await install([tarball, `egg@${major}`, 'typescript@5', `egg-ts-helper@${major - 1}`]);
          });

          const check = async (prepare: (baseDir: string) => void = () => {}) => {
            const baseDir = application(types, 'packed-ts');
            prepare(baseDir);
            const chat = path.join(baseDir, 'app/io/controller/chat.ts');
            fs.writeFileSync(chat, fs.readFileSync(chat, 'utf8').replace(/declare module.*$/s, ''));
            await generateTypes(baseDir);
            const routes = (...lines: string[]) => {
              const text = [
                "import type { Application } from 'egg';",
                'export default ({ io }: Application): void => {',
              ];
              fs.writeFileSync(path.join(baseDir, 'app/router.ts'), [...text, ...lines, '};'].join('\n'));
            };
            const events = path.join(baseDir, 'app/io/events.ts');
            fs.writeFileSync(
              events,
              "import 'egg-socket.io';\ndeclare module 'egg' {\n  interface IoNamespaces {\n    '/chat': { client: { say: (text: string) => void }; server: { said: (text: string) => void } };\n  }\n}\n",
            );
            const right = [
              "io.route('say', io.middleware.count, io.controller.chat.say);",
              "io.route('say', 'chat.say');",
            ];
            const wrong = [
              "io.route('say', io.controller.chta.say);",
              "io.route('say', 'chta.say');",
              'io.middleware.cuont;',
            ];
            right.push("io.of('/chat').route('say', (ctx) => ctx.emit('said', ctx.args[0]));");
            wrong.push("io.of('/chat').route('shout', () => {});");
            wrong.push("io.of('/chat').route('say', (ctx) => ctx.emit('said', 5));");
            // The application's own compiler is TypeScript 5, which the README installs.
            for (const compiler of ['its own', 'ours'] as const) {
              routes(...right);
              await compile(baseDir, compiler);
              routes(...wrong);
              const { stdout } = await compile(baseDir, compiler).then(
                () => assert.fail('it compiles'),
                (err) => err,
              );
              assert.deepEqual(
                stdout.match(/router\.ts\(\d,/g),
                wrong.map((_line, i) => `router.ts(${i + 3},`),
                compiler,
              );
            }
          };

          it('should have typed controllers and middleware without configuration', async () => {
            await check();
          });

          // In an application of ES modules, egg-ts-helper can't load config/plugin.ts, and so finds no plugin.
          if (major === 4) {
            it('should have them with ES modules and the configuration of docs/en/types.md', async () => {
              const docs = fs.readFileSync(path.join(__dirname, '../docs/en/types.md'), 'utf8');
              const { egg } = JSON.parse(/```json\n(\{[^`]*tsHelper[^`]*)```/.exec(docs)?.[1] ?? '');
              await check((baseDir) => makeEsm(baseDir, { egg }));
            });
          }
        });
      });
    }
  });
}
