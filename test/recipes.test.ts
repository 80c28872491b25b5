// The recipes of docs/en/recipes: each page has an application with its tests, which run here with mocha, as egg-bin does.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EGG_MAJOR, ROOT } from './support/app';
import { cleanUp, install } from './support/packed';
import { appsOf, type PageApp, writeApp } from './support/page-apps';
import { pagesOf } from './support/pages';

const DIRECTORY = path.join(ROOT, `test/.tmp/recipes-${EGG_MAJOR}`);
const REGISTER = require.resolve('./support/register.cjs');
const MOCHA = require.resolve('mocha/bin/mocha.js');
/** What the recipes install that is not among the packages of this repository. */
const PACKAGES = EGG_MAJOR === 3 ? ['egg-passport@2', 'passport-local@1'] : ['jsonwebtoken@9'];
/** The recipes that need Egg 3, since a package does. All others run on Egg 4. */
const EGG_3 = ['recipes/passport'];

const recipes = pagesOf('en').filter(({ name }) => name.startsWith('recipes/'));
const run = promisify(execFile);

/** Runs the tests of an application, and returns what mocha prints. */
async function test(app: PageApp, baseDir: string): Promise<string> {
  const files = Array.from(app.files.keys()).filter((file) => file.startsWith('test/'));
  const { NODE_ENV: _env, ...env } = process.env;
  const options = {
    cwd: baseDir,
    timeout: 100_000,
    env: { ...env, NODE_ENV: 'test', NODE_OPTIONS: `--require ${REGISTER}` },
  };
  const args = [MOCHA, '--no-config', '--exit', '--timeout', '60000', '--require', 'egg-mock/register', ...files];
  const { stdout } = await run(process.execPath, args, options).catch(({ message, stdout, stderr }) =>
    assert.fail(`${message}\n${stdout}\n${stderr}`),
  );
  return stdout;
}

describe('the recipes', function () {
  // npm installs packages, perhaps from the network.
  this.timeout(300_000);

  let home = '';

  before(async () => {
    fs.rmSync(DIRECTORY, { recursive: true, force: true });
    home = await install(PACKAGES);
  });

  after(async () => {
    fs.rmSync(DIRECTORY, { recursive: true, force: true });
    await cleanUp();
  });

  for (const page of recipes.filter(({ name }) => EGG_3.includes(name) === (EGG_MAJOR === 3))) {
    it(`should have tests that pass: ${page.file}`, async () => {
      const [app, ...others] = appsOf(page).filter(({ kind }) => kind === 'ts');
      assert(app && others.length === 0, 'a recipe is one application in TypeScript');
      const baseDir = path.join(DIRECTORY, path.basename(page.name));
      writeApp(app, baseDir, []);
      for (const name of PACKAGES.map((each) => each.split('@')[0] as string))
        fs.symlinkSync(path.join(home, 'node_modules', name), path.join(baseDir, 'node_modules', name));
      assert.match(await test(app, baseDir), /^ {2}[1-9]\d* passing/m);
    });
  }
});
