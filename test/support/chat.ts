// The actions of users in the example chat.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { EGG_MAJOR, ROOT } from './app';
import { openPage, reads } from './browser';
import type { Cluster } from './cluster';
import { freePort } from './port';
import { within } from './wait';

/** The packet with which a client of Engine.IO ends the upgrade. */
const UPGRADE = '5';

/** Starts the chat as `npm start` does. */
export async function npmStart(): Promise<Cluster> {
  const port = await freePort();
  const { NODE_ENV: _test, ...env } = process.env;
  const chat = spawn(process.execPath, [path.join(ROOT, 'example/chat/start.cjs')], {
    env: {
      ...env,
      PORT: String(port),
      EGG_MAJOR: String(EGG_MAJOR),
      NODE_OPTIONS: `--require ${require.resolve('./register.cjs')}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = once(chat, 'exit');
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [chat.stdout, chat.stderr]) {
      stream.on('data', (text) => {
        output += text;
        if (output.includes('egg started on')) resolve();
      });
    }
    ended.then(() => reject(new Error(`the chat has not started:\n${output}`)), reject);
  });
  const close = async () => {
    chat.kill();
    await within('the end of the chat', ended);
  };
  await within('the chat to start', ready, 60_000).catch(async (err) => {
    await close();
    throw err;
  });
  return { url: `http://127.0.0.1:${port}`, close };
}

/** Opens a page, chooses a nickname and enters a room. */
export async function enter(
  url: string,
  nickname: string,
  room = 'Lobby',
  look: BrowserContextOptions = {},
): Promise<Page> {
  const page = await openPage(url, look);
  const upgraded = upgradeOf(page);
  await page.getByLabel('Nickname').fill(nickname);
  await page.getByRole('button', { name: 'Enter the chat' }).click();
  await page.getByRole('heading', { name: 'Lobby' }).waitFor();
  if (room !== 'Lobby') await page.goto(`${url}/#${room}`);
  await page.getByRole('heading', { name: room }).waitFor();
  // What happens before the first list arrives is in that list, and is not announced.
  await page.locator('#people .name', { hasText: `${nickname} (you)` }).waitFor();
  // If a page is closed while its client still polls, the server notices only at the next ping.
  await within('the upgrade to WebSocket', upgraded);
  return page;
}

/** Waits until the client of a page has upgraded to WebSocket. */
function upgradeOf(page: Page): Promise<void> {
  return new Promise((resolve) => {
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => {
        if (payload === UPGRADE) resolve();
      });
    });
  });
}

/** Returns the worker that the user is connected to, as the page shows it. */
export function workerOf(page: Page): Promise<string | null> {
  return page.locator('#people li', { hasText: '(you)' }).locator('.worker').textContent();
}

/** Enters the chat on another worker than the page `other`. A user on the same worker leaves, and another attempt is made. */
export async function enterElsewhere(
  url: string,
  nickname: string,
  other: Page,
  look: BrowserContextOptions = {},
): Promise<Page> {
  const taken = await workerOf(other);
  const names = await other.locator('#people .name').allTextContents();
  for (let attempt = 1; attempt <= 10; attempt++) {
    const page = await enter(url, nickname, 'Lobby', look);
    if ((await workerOf(page)) !== taken) return page;
    await page.getByRole('button', { name: 'Leave' }).click();
    await reads(other, '#people .name', names);
    await page.close();
  }
  throw new Error(`${nickname} is always on ${taken}`);
}

export async function type(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).pressSequentially(text);
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

/** Submits the form without a browser, and returns the cookies. */
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

/** Updates docs/images/chat.png, the picture in the README. */
export async function takePicture(url: string): Promise<void> {
  await enter(url, 'Linus', 'Compilers');
  const grace = await enter(url, 'Grace');
  const ada = await enterElsewhere(url, 'Ada', grace, { viewport: { width: 1200, height: 760 }, deviceScaleFactor: 2 });
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
  await ada.screenshot({ path: path.join(ROOT, 'docs/images/chat.png') });
}
