// The actions of users in the example chat.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
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
  // By ids: the language of the page is that of the browser.
  await page.locator('#nickname').fill(nickname);
  await page.locator('#nickname').press('Enter');
  await isIn(page, 'Lobby');
  if (room !== 'Lobby') await page.goto(`${url}/#${room}`);
  await isIn(page, room);
  // If a page is closed while its client still polls, the server notices only at the next ping.
  await within('the upgrade to WebSocket', upgraded);
  return page;
}

/** Waits until a page shows a room, and who is there: what happens earlier is not announced. On a phone, both lists are hidden. */
async function isIn(page: Page, room: string): Promise<void> {
  await page.locator(`#rooms [aria-current][data-key="${room}"]`).waitFor({ state: 'attached' });
  await page.locator('#people .me').waitFor({ state: 'attached' });
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
  return page.locator('#people .me .worker').textContent();
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
  await page.locator('#text').pressSequentially(text);
}

export async function say(page: Page, text: string): Promise<void> {
  await page.locator('#text').fill(text);
  await page.locator('#send').click();
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

const ENGLISH: Conversation = {
  file: 'chat.png',
  locale: 'en-US',
  people: ['Ada', 'Grace', 'Linus'],
  room: 'Compilers',
  lines: [
    ['Grace', 'Hi Ada! Is this the new one? 👋'],
    ['Ada', 'It is: Socket.IO 4 on Egg, with middleware and controllers for events.'],
    ['Grace', 'And the session?'],
    ['Grace', 'I logged in over HTTP. Does my socket know who I am?'],
    ['Ada', 'It does: ctx.session is there in app/io, too.'],
    ['Grace', 'Lovely. I moved our old app over this morning, and the server side runs unchanged.'],
    ['Ada', 'Now type /fail: an error reaches your page as an event.'],
  ],
  draft: 'Like this?',
};

const CHINESE: Conversation = {
  file: 'chat-zh.png',
  locale: 'zh-CN',
  people: ['林静', '阿明', '老周'],
  room: '前端交流',
  lines: [
    ['阿明', '嗨，林静！这就是新版吗？👋'],
    ['林静', '是的：在 Egg 里用 Socket.IO 4，事件也有中间件和控制器。'],
    ['阿明', '那会话呢？'],
    ['阿明', '我是通过 HTTP 登录的，Socket 知道我是谁吗？'],
    ['林静', '知道：在 app/io 里也能用 ctx.session。'],
    ['阿明', '太好了。我今天上午迁移了我们的老项目，服务端代码几乎没改。'],
    ['林静', '再输入 /fail 试试：错误会作为一个事件发到你的页面。'],
  ],
  draft: '是这样吗？',
};

interface Conversation {
  file: string;
  locale: string;
  /** The first one sees the page that is the picture. The last one is in the other room. */
  people: [string, string, string];
  room: string;
  lines: [from: string, text: string][];
  /** What the second one is typing. */
  draft: string;
}

/** Updates the pictures of the READMEs, docs/images/chat.png and docs/images/chat-zh.png. */
export async function takePictures(): Promise<void> {
  installFonts();
  for (const conversation of [ENGLISH, CHINESE]) {
    // Without the history of another conversation.
    const { url, close } = await npmStart();
    await takePicture(url, conversation).finally(close);
  }
}

async function takePicture(url: string, { file, locale, people, room, lines, draft }: Conversation): Promise<void> {
  const [first, second, third] = people;
  await enter(url, third, room);
  const other = await enter(url, second, 'Lobby', { locale });
  const look = { locale, viewport: { width: 1200, height: 760 }, deviceScaleFactor: 2 };
  const page = await enterElsewhere(url, first, other, look);
  for (const [count, [from, text]] of lines.entries()) {
    await say(from === first ? page : other, text);
    await page.locator('.text').nth(count).waitFor();
  }
  await type(other, draft);
  await page.locator('#typing', { hasText: second }).waitFor();
  await page.screenshot({ path: path.join(ROOT, 'docs/images', file) });
}

/** Installs fonts with Chinese characters and emoji, on Debian. */
function installFonts(): void {
  const packages = ['fonts-noto-cjk', 'fonts-noto-color-emoji'];
  const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
  if (spawnSync('dpkg', ['--status', ...packages], options).status === 0) return;
  execFileSync('apt-get', ['update'], options);
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], options);
}
