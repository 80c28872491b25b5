// The site of the documentation: builds it, and opens it in the browser. SITE_PICTURES=1 takes the pictures for the READMEs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { EGG_MAJOR, ROOT } from './support/app';
import { closeBrowser, closePages, openPage } from './support/browser';
import { LANGUAGES, pagesOf } from './support/pages';
import { until } from './support/wait';

const OUTPUT = path.join(ROOT, 'test/.tmp/site');
const VITEPRESS = path.join(ROOT, 'node_modules/vitepress/bin/vitepress.js');
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};
/** Vue has made the page interactive. */
const MOUNTED = "'__vue_app__' in (document.querySelector('#app') ?? {})";
const PHONE = { width: 390, height: 844 };

const site = createServer(({ url = '/' }, res) => {
  const { pathname } = new URL(url, 'http://localhost');
  const file = path.join(OUTPUT, decodeURIComponent(pathname.endsWith('/') ? `${pathname}index.html` : pathname));
  const found = fs.existsSync(file);
  res.writeHead(found ? 200 : 404, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
  fs.createReadStream(found ? file : path.join(OUTPUT, '404.html')).pipe(res);
});

if (EGG_MAJOR === 3) {
  describe('the site of the documentation', function () {
    // The build takes a minute on a busy machine.
    this.timeout(300_000);

    let url = '';

    before(async () => {
      fs.rmSync(OUTPUT, { recursive: true, force: true });
      await build(['--outDir', OUTPUT]);
      url = await listen(site);
    });

    afterEach(closePages);
    after(async () => {
      await closeBrowser();
      site.close();
      fs.rmSync(OUTPUT, { recursive: true, force: true });
    });

    const open = async (name: string, options = {}): Promise<Page> => {
      const page = await openPage(`${url}${name}`, { viewport: { width: 1280, height: 800 }, ...options });
      await page.waitForFunction(MOUNTED);
      return page;
    };
    const arrived = (page: Page, name: string) => page.waitForURL((at) => at.pathname === name);

    for (const [locale, home] of [
      ['zh-CN', '/zh-CN/'],
      ['fr', '/en/'],
    ] as const) {
      it(`should begin at ${home} in a browser whose language is ${locale}`, async () => {
        const page = await open('/', { locale });
        await arrived(page, home);
        await page.getByRole('heading', { level: 1 }).waitFor();
      });
    }

    for (const language of LANGUAGES) {
      it(`should list all pages of ${language} in the sidebar`, async () => {
        const page = await open(`/${language}/errors.html`);
        const links = page.locator('#VPSidebarNav a');
        const names = await links.evaluateAll((all) => all.map((each) => each.getAttribute('href')));
        const inDocs = pagesOf(language).filter(({ name }) => name !== 'README' && name !== 'index');
        assert.deepEqual(names.sort(), inDocs.map(({ name }) => `/${language}/${name}.html`).sort());
      });
    }

    for (const [language, button, word, name] of [
      ['en', 'Search', 'ack', 'errors'],
      ['zh-CN', '搜索', '命名空间', 'namespaces'],
    ] as const) {
      it(`should find "${word}", and go to the place`, async () => {
        const page = await open(`/${language}/`);
        await page.getByRole('button', { name: button }).click();
        await page.getByRole('searchbox').fill(word);
        await page.locator(`.result[href^="/${language}/${name}.html"]`).first().click();
        await arrived(page, `/${language}/${name}.html`);
      });
    }

    it('should stay on the page when the language is switched', async () => {
      const page = await open('/en/errors.html');
      await page.locator('.VPNavBarTranslations').hover();
      await page.getByRole('link', { name: '简体中文' }).click();
      await arrived(page, '/zh-CN/errors.html');
      await page.locator('.VPDocAside').getByText('本页目录').waitFor();
      assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
    });

    it('should switch to dark colours', async () => {
      const page = await open('/en/errors.html', { colorScheme: 'light' });
      const colour = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
      assert.equal(await colour(), 'rgb(255, 255, 255)');
      await page.getByRole('switch').first().click();
      await until('the page is dark', async () => (await colour()) !== 'rgb(255, 255, 255)');
    });

    it('should fit all pages on a phone', async () => {
      // The pages are complete without their scripts, and load faster.
      const page = await openPage(`${url}/en/`, { viewport: PHONE, javaScriptEnabled: false });
      for (const { name } of pagesOf('en').filter((each) => each.name !== 'README')) {
        await page.goto(`${url}/en/${name}.html`);
        const excess = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        assert.equal(excess, 0, name);
      }
    });

    if (process.env.SITE_PICTURES)
      for (const [language, picture] of [
        ['en', 'site.png'],
        ['zh-CN', 'site-zh.png'],
      ]) {
        it(`should take docs/images/${picture}`, async () => {
          const page = await open(`/${language}/getting-started.html`, { colorScheme: 'light' });
          await page.screenshot({ path: path.join(ROOT, 'docs/images', picture as string) });
        });
      }
  });
}

/** Builds the site. Rejects if VitePress fails or warns. */
async function build(options: string[]): Promise<void> {
  const { NODE_ENV: _test, ...env } = process.env;
  const run = promisify(execFile)(process.execPath, [VITEPRESS, 'build', 'docs', ...options], { cwd: ROOT, env });
  await run.catch(({ stdout, stderr }) => assert.fail(`${stdout}\n${stderr}`));
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
