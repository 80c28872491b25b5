// The page of the admin UI, which Egg serves from the package: it logs in, and shows sockets and events.
import path from 'node:path';
import type { Page } from 'playwright-core';
import { ROOT, type Running } from './support/app';
import { closeBrowser, closePages, openPage } from './support/browser';
import { startInline } from './support/inline';
import { next } from './support/wait';

const HASH = '$2a$04$aH75L62Ll9wX1b2E3afpteYhLe6j7Jrpy6bpU0GyJl.j2tCTj5Myy';
const DIRECTORY = path.dirname(require.resolve('@socket.io/admin-ui/ui/dist/index.html'));

describe('the page of the admin UI', () => {
  afterEach(closePages);
  after(closeBrowser);

  const startApp = (): Promise<Running> =>
    startInline({
      config: { static: { dir: [{ prefix: '/admin-ui/', dir: DIRECTORY }] } },
      io: { admin: { auth: { username: 'admin', password: HASH } } },
      router: (app) => {
        app.io.of('/chat').route('say', async (ctx) => {
          await ctx.join(ctx.args[0]);
          ctx.emit('said', ctx.args[1]);
        });
      },
    });

  async function logIn({ url }: Running): Promise<Page> {
    const page = await openPage('about:blank', { viewport: { width: 1080, height: 640 } });
    // The page loads its fonts from other servers. For the picture, ADMIN_ICONS is the directory of the package @mdi/font.
    const icons = process.env.ADMIN_ICONS;
    await page.route(
      (address) => !address.href.startsWith(url),
      (route) => {
        const file = /@mdi\/font@[^/]+\/(.*?)(\?.*)?$/.exec(route.request().url())?.[1];
        return icons && file ? route.fulfill({ path: path.join(icons, file) }) : route.abort();
      },
    );
    await page.goto(`${url}/admin-ui/index.html`);
    await page.getByLabel('Server URL').fill(url);
    await page.getByLabel('Username').fill('admin');
    await page.getByLabel('Password').fill('secret');
    await page.getByRole('button', { name: 'Connect' }).click();
    return page;
  }

  it('should show the sockets of a namespace, and the events of a route', async () => {
    const running = await startApp();
    const page = await logIn(running);
    await page
      .getByText(/^\s*connected\s*$/i)
      .first()
      .waitFor({ state: 'attached' });
    const ids: string[] = [];
    for (const [room, text] of [
      ['compilers', 'Is this the new one?'],
      ['gardening', 'Good morning!'],
    ]) {
      const client = await running.connect('/chat');
      const said = next(client, 'said');
      client.emit('say', room, text);
      await said;
      ids.push(client.id as string);
    }
    await show(running, page, 'sockets');
    for (const id of ids) await page.getByText(id).waitFor();
    await show(running, page, 'events');
    for (const text of ['say', 'said']) await page.getByText(text, { exact: true }).first().waitFor();
    // Updates the picture of docs/en/observability.md.
    if (process.env.ADMIN_PICTURE) await page.screenshot({ path: path.join(ROOT, 'docs/images/admin.png') });
  });

  async function show({ url }: Running, page: Page, what: 'events' | 'sockets'): Promise<void> {
    await page.goto(`${url}/admin-ui/index.html#/${what}`);
    await page.getByRole('button', { name: 'Select namespace' }).last().click();
    await page.getByRole('option', { name: '/chat' }).last().click();
  }
});
