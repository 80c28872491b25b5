// What people do in the example chat, for test/chat.test.ts.
import assert from 'node:assert/strict';
import path from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { ROOT } from './app';
import { openPage, reads } from './browser';

/** Takes a nickname and enters a room: somebody with a page. */
export async function enter(
  url: string,
  nickname: string,
  room = 'Lobby',
  look: BrowserContextOptions = {},
): Promise<Page> {
  const page = await openPage(url, look);
  await page.getByLabel('Nickname').fill(nickname);
  await page.getByRole('button', { name: 'Enter the chat' }).click();
  await page.getByRole('heading', { name: 'Lobby' }).waitFor();
  if (room !== 'Lobby') await page.goto(`${url}/#${room}`);
  await page.getByRole('heading', { name: room }).waitFor();
  return page;
}

export async function type(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).pressSequentially(text);
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

/** The cookies of somebody who has sent the form without a browser. */
export async function cookiesOf(url: string, nickname: string): Promise<string> {
  const form = await fetch(url);
  const token = /name="_csrf" value="(.+?)"/.exec(await form.text())?.[1] ?? '';
  const joined = await fetch(`${url}/join`, {
    method: 'POST',
    body: new URLSearchParams({ nickname, _csrf: token }),
    headers: { cookie: cookies(form) },
    redirect: 'manual',
  });
  assert.equal(joined.status, 302);
  return `${cookies(form)}; ${cookies(joined)}`;
}

function cookies(answer: Response): string {
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
}

/** Renews docs/chat.png, the picture in the README. */
export async function takePicture(url: string): Promise<void> {
  await enter(url, 'Linus', 'Compilers');
  const ada = await enter(url, 'Ada', 'Lobby', { viewport: { width: 1200, height: 760 }, deviceScaleFactor: 2 });
  const grace = await enter(url, 'Grace');
  const lines: [Page, string][] = [
    [grace, 'Hi Ada! Is this the new one?'],
    [ada, 'It is: Socket.IO 4 on Egg, with middleware and controllers for events.'],
    [grace, 'And the session?'],
    [grace, 'I logged in over HTTP. Does my socket know who I am?'],
    [ada, 'It does: ctx.session is there in app/io, too.'],
    [grace, 'Lovely. I moved our old app over this morning, and the server side runs unchanged.'],
    [ada, 'Now type /fail: an error reaches your page as an event.'],
  ];
  for (const [count, [page, text]] of lines.entries()) {
    await say(page, text);
    await ada.locator('.text').nth(count).waitFor();
  }
  await type(grace, 'Like this?');
  await reads(ada, '#typing', ['Grace is typing…']);
  await ada.screenshot({ path: path.join(ROOT, 'docs/chat.png') });
}
