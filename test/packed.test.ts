// What a user gets: the packed plugin, installed into empty applications of both majors, in JavaScript and TypeScript.
// The two majors are tested here side by side, so this runs in the pass of one of them only.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { EGG_MAJOR } from './support/app';
import { application, cleanUp, compile, contents, install, pack, sources, talk } from './support/packed';

const MINUTE = 60_000;

/** Makes an application one of ES modules. */
function makeEsm(baseDir: string): void {
  const file = path.join(baseDir, 'package.json');
  fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(file, 'utf8')), type: 'module' }));
}

if (EGG_MAJOR === 3) {
  describe('the packed plugin', () => {
    let tarball = '';

    before(async function () {
      this.timeout(2 * MINUTE);
      tarball = await pack();
    });

    after(cleanUp);

    it('should hold what the build makes of the sources, and nothing else', async () => {
      const built = sources().flatMap((file) => {
        const made = ['js', 'd.ts', ...(file.startsWith('lib/') ? ['d.mts'] : [])];
        return made.map((ending) => file.replace(/ts$/, ending));
      });
      const papers = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'];
      for (const name of fs.readdirSync(path.join(__dirname, '../docs')))
        if (/\.(md|svg)$/.test(name)) papers.push(`docs/${name}`);
      const expected = [...built, ...papers].map((file) => `package/${file}`);
      assert.deepEqual(await contents(tarball), expected.sort());
    });

    for (const major of [3, 4]) {
      describe(`on Egg ${major}`, () => {
        let home = '';

        before(async function () {
          this.timeout(3 * MINUTE);
          home = await install([tarball, `egg@${major}`]);
        });

        it('should work in an application in JavaScript, with no TypeScript there', async function () {
          this.timeout(MINUTE);
          const baseDir = application(home, 'packed-js');
          for (const name of ['typescript', 'tsx', 'ts-node']) {
            assert.throws(() => require.resolve(name, { paths: [baseDir] }), { code: 'MODULE_NOT_FOUND' });
          }
          await talk(baseDir);
        });

        it('should work in an application in TypeScript, compiled strictly', async function () {
          this.timeout(MINUTE);
          const baseDir = application(home, 'packed-ts');
          await compile(baseDir);
          await talk(baseDir);
        });

        // Egg 3 knows CommonJS alone.
        if (major === 4) {
          it('should work in an application in TypeScript that is made of ES modules', async function () {
            this.timeout(MINUTE);
            const baseDir = application(home, 'packed-ts');
            makeEsm(baseDir);
            await compile(baseDir);
            assert.match(fs.readFileSync(path.join(baseDir, 'app/router.js'), 'utf8'), /^export default/m);
            await talk(baseDir);
          });
        }

        it('should be typed in an application in TypeScript', async function () {
          this.timeout(MINUTE);
          const baseDir = application(home, 'packed-ts');
          if (major === 4) makeEsm(baseDir);
          const router = path.join(baseDir, 'app/router.ts');
          fs.appendFileSync(router, "\nexport const wrong = (app: Application) => app.io.route('say');\n");
          await assert.rejects(compile(baseDir), { stdout: /app\/router\.ts.*No overload matches this call/ });
        });
      });
    }
  });
}
