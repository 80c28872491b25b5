// The recipe docs/en/recipes/vite-react.md as its users see it: the page is compiled and built, and Egg serves it to a browser.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EGG_MAJOR, ROOT, start } from './support/app';
import { closeBrowser, closePages, openPage, reads } from './support/browser';
import { cleanUp, install } from './support/packed';
import { appsOf, type PageApp, writeApp } from './support/page-apps';
import { page } from './support/pages';

const PACKAGES = [
  'vite@5',
  '@vitejs/plugin-react@4',
  'react@18',
  'react-dom@18',
  '@types/react@18',
  '@types/react-dom@18',
  'socket.io-client@4',
];
const TSC = require.resolve('typescript/package.json').replace('package.json', 'bin/tsc');
const baseDir = path.join(ROOT, 'test/.tmp/recipe-vite');
const run = promisify(execFile);

// The page does not depend on Egg.
if (EGG_MAJOR === 3) {
  describe('the recipe of Vite and React', function () {
    // npm installs packages, perhaps from the network.
    this.timeout(300_000);

    before(async () => {
      fs.rmSync(baseDir, { recursive: true, force: true });
      const home = await install(PACKAGES);
      writeApp(appsOf(page('docs/en/recipes/vite-react.md', 'vite-react'))[0] as PageApp, baseDir, []);
      const modules = path.join(home, 'node_modules');
      for (const name of fs.readdirSync(modules).filter((each) => !/^(egg|zod)|^\.package-lock/.test(each)))
        fs.symlinkSync(path.join(modules, name), path.join(baseDir, 'node_modules', name));
    });

    afterEach(closePages);

    after(async () => {
      await closeBrowser();
      fs.rmSync(baseDir, { recursive: true, force: true });
      await cleanUp();
    });

    const node = (...args: string[]) =>
      run(process.execPath, args, { cwd: baseDir }).catch(({ stdout, stderr }) => assert.fail(`${stdout}\n${stderr}`));

    it('should be accepted by the compiler, which finds a wrong argument', async () => {
      const compile = () => node(TSC, '-p', 'web');
      await compile();
      const file = path.join(baseDir, 'web/Chat.tsx');
      const text = fs.readFileSync(file, 'utf8');
      fs.writeFileSync(file, text.replace("'say', text", "'say', 1"));
      await assert.rejects(compile(), /Chat\.tsx.*not assignable/);
      fs.writeFileSync(file, text);
    });

    it('should show each message once', async () => {
      await node('node_modules/vite/bin/vite.js', 'build');
      const { url } = await start('recipe-vite', { baseDir, plugins: { development: false } });
      const web = await openPage(`${url}/public/index.html`);
      await web.getByLabel('Message').fill('hello');
      await web.getByRole('button', { name: 'Send' }).click();
      await reads(web, 'li', ['hello']);
    });
  });
}
