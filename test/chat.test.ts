// The example example/chat in browsers, and with a client without a browser.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { BrowserContextOptions } from 'playwright-core';
import { History } from '../example/chat/app/history';
import { logs, ROOT, type Running, refused, start } from './support/app';
import { closeBrowser, closePages, openPage, reads } from './support/browser';
import * as chatter from './support/chat';
import { enterElsewhere, say, type, workerOf } from './support/chat';
import type { Cluster } from './support/cluster';
import { times, until } from './support/wait';

const EXAMPLE = path.join(ROOT, 'example/chat');
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

describe('the example chat', () => {
  let chat: Running;

  before(async () => {
    chat = await start('chat', { baseDir: EXAMPLE });
    // The example logs each event.
    (chat.app as unknown as { loggers: { disableConsole(): void } }).loggers.disableConsole();
  });

  beforeEach(async () => {
    await until('everybody is gone', async () => (await chat.app.io.of('/chat').fetchSockets()).length === 0);
    for (const event of ['history:add', 'history:load']) chat.app.io.of('/chat').removeAllListeners(event);
    chat.app.history = new History(chat.app);
  });

  afterEach(async () => {
    engineOptions().allowRequest = undefined;
    await closePages();
  });

  after(closeBrowser);

  const engineOptions = () => (chat.app.io.engine as unknown as { opts: { allowRequest?: unknown } }).opts;

  /** Closes the connections of a user. */
  function drop(nickname: string): void {
    for (const socket of chat.app.io.of('/chat').sockets.values()) {
      if (socket.data.nickname === nickname) socket.conn.close();
    }
  }

  const enter = (nickname: string, room?: string, look?: BrowserContextOptions) =>
    chatter.enter(chat.url, nickname, room, look);
  const cookiesOf = (nickname: string) => chatter.cookiesOf(chat.url, nickname);

  it('shows two users each other, their messages, and that one is typing', async () => {
    const ada = await enter('Ada');
    await reads(ada, '#people .name', ['Ada (you)']);
    const grace = await enter('Grace');
    await reads(grace, '#people .name', ['Ada', 'Grace (you)']);
    await reads(grace, '#people .worker', ['worker 1', 'worker 1']);
    await reads(ada, '#people .name', ['Ada (you)', 'Grace']);
    await reads(ada, '.news', ['Grace joined']);
    await reads(grace, '.news', []);

    await until('Ada sees that Grace is typing', async () => {
      await type(grace, 'x');
      return (await ada.locator('#typing').textContent()) === 'Grace is typing…';
    });
    await say(grace, 'Hello Ada');
    await reads(ada, '.message .text', ['Hello Ada']);
    await reads(ada, '#typing', ['']);
    await say(ada, 'Hello Grace');
    for (const page of [ada, grace]) {
      await reads(page, '.message .text', ['Hello Ada', 'Hello Grace']);
      await reads(page, '.message strong', ['Grace', 'Ada']);
    }
    await reads(grace, '.mine .text', ['Hello Ada']);
  });

  it('shows who has left', async () => {
    const ada = await enter('Ada');
    const grace = await enter('Grace');
    const linus = await enter('Linus');
    await reads(ada, '#people .name', ['Ada (you)', 'Grace', 'Linus']);
    await grace.getByRole('button', { name: 'Leave' }).click();
    await reads(ada, '.news', ['Grace joined', 'Linus joined', 'Grace left']);
    await grace.getByLabel('Nickname').waitFor();
    await linus.close();
    await reads(ada, '.news', ['Grace joined', 'Linus joined', 'Grace left', 'Linus left']);
    await reads(ada, '#people .name', ['Ada (you)']);
  });

  it('separates rooms, shows the last messages of each, and lets users create one', async () => {
    const hint = 'Open this page in a second browser';
    const ada = await enter('Ada');
    await ada.getByText(hint).waitFor();
    const grace = await enter('Grace', 'Help');
    await say(ada, 'in the lobby');
    await reads(ada, '.text', ['in the lobby']);
    await ada.getByText(hint).waitFor({ state: 'hidden' });
    await ada.getByRole('link', { name: 'Help' }).click();
    await reads(grace, '.news', ['Ada joined']);
    await ada.getByText(hint).waitFor();
    await reads(ada, '.text', []);
    await say(ada, 'in the help room');
    await reads(grace, '.text', ['in the help room']);
    await ada.getByRole('link', { name: 'Lobby' }).click();
    await reads(ada, '.text', ['in the lobby']);
    await reads(grace, '.news', ['Ada joined', 'Ada left']);
    assert.equal(await grace.locator('[role=log] > ol > li').count(), 3);

    await ada.getByLabel('Name of a new room').fill('Compilers');
    await ada.getByRole('button', { name: 'Create the room' }).click();
    await grace.getByRole('link', { name: 'Compilers' }).click();
    await reads(grace, '#people .name', ['Ada', 'Grace (you)']);
    await say(ada, 'in a new room');
    await reads(grace, '.text', ['in a new room']);
  });

  it('shows a wave on all pages of a user', async () => {
    const ada = await enter('Ada');
    const again = await ada.context().newPage();
    await again.goto(`${chat.url}/#Help`);
    await again.getByRole('heading', { name: 'Help' }).waitFor();
    const grace = await enter('Grace');
    const linus = await enter('Linus');
    await grace.getByRole('button', { name: 'Wave at Ada' }).click();
    await reads(grace, '.news', ['Linus joined', 'You wave at Ada']);
    await reads(ada, '.news', ['Grace joined', 'Linus joined', 'Grace waves at you']);
    await reads(again, '.news', ['Grace waves at you']);
    await say(grace, 'Hello');
    await reads(linus, '.text', ['Hello']);
    await reads(linus, '.news', []);
  });

  it('refuses a wave without a session, or without a recipient', async () => {
    const wave = async (cookie: string, to: unknown) => {
      const token = { 'x-csrf-token': /csrfToken=([^;]+)/.exec(cookie)?.[1] ?? '' };
      const headers = { cookie, 'content-type': 'application/json', ...token };
      return (await fetch(`${chat.url}/wave`, { method: 'POST', headers, body: JSON.stringify({ to }) })).status;
    };
    const cookie = await cookiesOf('Mallory');
    assert.equal(await wave(cookie, 'Mallory'), 204);
    for (const to of [undefined, '', ['Ada'], { $ne: 1 }]) assert.equal(await wave(cookie, to), 422);
    assert.equal(await wave(cookie.replace(/chat_sess|EGG_SESS/, 'none'), 'Mallory'), 403);
  });

  it('shows an error only to the user who caused it, and HTML as text', async () => {
    const { error } = logs(chat.app);
    const ada = await enter('Ada');
    const grace = await enter('Grace');
    await say(ada, '/fail');
    await reads(ada, '[role=alert]:visible span', ['This always fails: you typed /fail.']);
    await say(grace, '  ');
    await reads(grace, '[role=alert]:visible span', ['A message has 1 to 500 characters.']);
    const html = '<img src="/nowhere" onerror="document.title = 1"><b>bold</b>';
    await say(grace, html);
    await reads(ada, '.text', [html]);
    assert.equal(await ada.locator('#messages').locator('img, b').count(), 0);
    await reads(ada, '[role=alert]:visible span', ['This always fails: you typed /fail.']);
    await reads(grace, '[role=alert]:visible span', []);
    assert.equal(error.length, 2);
  });

  it('shows that the connection is lost, and reconnects', async () => {
    logs(chat.app);
    const ada = await enter('Ada');
    const grace = await enter('Grace');
    const opts = engineOptions();
    opts.allowRequest = (_request: unknown, answer: (problem: string, ok: boolean) => void) => answer('closed', false);
    await say(grace, 'before');
    await reads(ada, '.text', ['before']);
    await ada.locator('#room-name').focus();
    drop('Ada');
    await ada.getByText('Reconnecting…').waitFor();
    assert(await ada.getByRole('button', { name: 'Send' }).isDisabled());
    // A field that is disabled loses the focus.
    assert(await ada.locator('#text').isEnabled());
    await reads(grace, '.news', ['Ada left']);
    await say(grace, 'meanwhile');
    opts.allowRequest = undefined;
    await reads(grace, '.news', ['Ada left', 'Ada joined']);
    await ada.getByText('Reconnecting…').waitFor({ state: 'hidden' });
    await reads(ada, '.news', ['Grace joined', 'Connected again']);
    await reads(ada, '.text', ['before', 'meanwhile']);
    assert.equal(await ada.evaluate('document.activeElement.id'), 'room-name');
    await say(ada, 'I am back');
    await reads(grace, '.text', ['before', 'meanwhile', 'I am back']);

    await ada.context().clearCookies();
    drop('Ada');
    await ada.getByText('Choose a nickname first. Reload the page.').waitFor();
  });

  it('accepts a client without a browser that has the session of the form', async () => {
    const ada = await enter('Ada');
    const terminal = await chat.connect('/chat', { extraHeaders: { cookie: await cookiesOf('Terminal') } });
    assert.deepEqual(await terminal.emitWithAck('join', 'Lobby'), []);
    await reads(ada, '.news', ['Terminal joined']);
    const heard = times(terminal, 'message', 2);
    terminal.emit('say', 'a plain client');
    await reads(ada, '.text', ['a plain client']);
    await say(ada, 'a page');
    const messages = (await heard).map(([{ id: _id, at: _time, ...message }]) => message);
    assert.deepEqual(messages, [
      { room: 'Lobby', from: 'Terminal', text: 'a plain client' },
      { room: 'Lobby', from: 'Ada', text: 'a page' },
    ]);
  });

  it('has room for names and fingers on a phone, and shows the last message beside an error', async () => {
    logs(chat.app);
    const long = 'Maximiliane Theodora Ada';
    for (const room of ['Lobby', 'Help'])
      for (let at = 1; at <= 20; at++)
        chat.app.history.add({ id: `${room}${at}`, room, from: long, text: `${at}`, at });
    const other = await chat.connect('/chat', { extraHeaders: { cookie: await cookiesOf(long) } });
    await other.emitWithAck('join', 'Lobby');
    const page = await enter('Grace', 'Lobby', PHONE);
    const bottom = (selector: string) =>
      page.locator(selector).evaluate((element) => element.getBoundingClientRect().bottom);
    assert((await page.locator('header').boundingBox())!.height <= 60);
    await say(page, '/fail');
    await page.getByRole('alert').waitFor();
    const isLastShown = async () => (await bottom('li:last-child .text')) <= (await bottom('#log'));
    await until('the last message is above the error', isLastShown);

    await page.getByRole('button', { name: 'Rooms and people' }).click();
    await reads(page, '#people .name', ['Grace (you)', long]);
    const controls = page.locator('a, button, input').filter({ visible: true });
    const boxes = await controls.evaluateAll((all) =>
      all.map((each) => ({ html: each.outerHTML, ...each.getBoundingClientRect().toJSON() })),
    );
    assert(boxes.length > 8);
    assert.deepEqual(
      boxes.filter(({ width, height }) => width < 44 || height < 44),
      [],
    );
    const cut = page
      .locator('.name')
      .evaluateAll((names) => names.filter((name) => name.scrollWidth > name.clientWidth));
    assert.deepEqual(await cut, []);
    await page.locator('#log').evaluate((log) => log.scrollTo(0, 0));
    await page.getByRole('link', { name: 'Help' }).click();
    await page.locator('#side').waitFor({ state: 'hidden' });
    await page.getByRole('heading', { name: 'Help' }).waitFor();
    await until('the last message of the other room is shown', isLastShown);
  });

  it('is in Chinese if the browser is', async () => {
    logs(chat.app);
    const page = await openPage(chat.url, { locale: 'zh-CN' });
    await page.getByLabel('昵称').fill('<i>');
    await page.getByRole('button', { name: '进入聊天室' }).click();
    await page.getByRole('alert').getByText('昵称只能包含').waitFor();
    const ada = await enter('Ada', 'Lobby', { locale: 'zh-CN' });
    assert.equal(await ada.locator('html').getAttribute('lang'), 'zh-CN');
    await reads(ada, '#people .name', ['Ada（我）']);
    await reads(ada, '#room, #count', ['大厅', '1 人']);
    await say(ada, '/fail');
    await ada.getByRole('alert').getByText('这个命令总是会出错').waitFor();
    await say(ada, ' ');
    await ada.getByRole('alert').getByText('消息的长度').waitFor();
    const marked = await ada
      .locator('[data-t]')
      .evaluateAll((all) =>
        all.flatMap((each) => [
          each.childElementCount === 0 ? each.textContent : '',
          each.getAttribute('aria-label'),
          each.getAttribute('placeholder'),
        ]),
      );
    assert.deepEqual(
      marked.filter((text) => text && /[a-z]/i.test(text.replace(/Egg|\/fail/g, ''))),
      [],
    );
  });

  it('has a translation of each text of its scripts', async () => {
    const directory = path.join(EXAMPLE, 'app/public');
    const names = (await readdir(directory)).filter((name) => name.endsWith('.js') && name !== 'i18n.js');
    const sources = await Promise.all(names.map((name) => readFile(path.join(directory, name), 'utf8')));
    const texts = sources.flatMap((source) => [...source.matchAll(/\bt\('(.+?)'/g)].map(([, text]) => text as string));
    const table = await readFile(path.join(directory, 'i18n.js'), 'utf8');
    assert(texts.length > 10);
    assert.deepEqual(
      texts.filter((text) => !table.includes(`  '${text}':`) && !table.includes(`  ${text}:`)),
      [],
    );
  });

  it('refuses clients and requests without the session of the form', async () => {
    logs(chat.app);
    assert.equal((await refused(chat.client('/chat'))).message, 'Choose a nickname first.');
    const body = new URLSearchParams({ nickname: 'Mallory' });
    assert.equal((await fetch(`${chat.url}/join`, { method: 'POST', body })).status, 403);
  });

  it('refuses a nickname that is invalid or in use', async () => {
    await enter('Ada');
    const page = await openPage(chat.url);
    const problems = { '<i>Eve</i>': 'A nickname has 1 to 24', Ada: 'Somebody here has this nickname already.' };
    for (const [nickname, problem] of Object.entries(problems)) {
      await page.getByLabel('Nickname').fill(nickname);
      await page.getByRole('button', { name: 'Enter the chat' }).click();
      await page.getByRole('alert').getByText(problem).waitFor();
      assert.equal(await page.getByLabel('Nickname').inputValue(), nickname);
    }
  });

  it('refuses events that the page would not send', async () => {
    const { error } = logs(chat.app);
    const client = await chat.connect('/chat', { extraHeaders: { cookie: await cookiesOf('Mallory') } });
    const bad: [string, unknown?][] = [
      ['say', 'x'.repeat(501)],
      ['say', { length: 1 }],
      ['say'],
      ['join', ''],
      ['join', ['Lobby']],
    ];
    const heard = times(client, 'error', bad.length + 1);
    for (const [event, value] of bad) client.emit(event, value);
    client.emit('say', 'not in a room yet');
    const problems = (await heard).map(([problem]) => problem);
    const message = 'A message has 1 to 500 characters.';
    const room = "A room's name has 1 to 24 letters, digits, spaces, dots or dashes.";
    assert.deepEqual(problems, [message, message, message, room, room, { message: 'Enter a room first.' }]);
    assert.equal(error.length, problems.length);
  });
});

describe('the example chat, started by npm start', () => {
  let chat: Cluster;

  before(async () => {
    chat = await chatter.npmStart();
  });

  afterEach(closePages);

  after(async () => {
    await closeBrowser();
    await chat?.close();
  });

  it('shows the users of two workers each other', async () => {
    const ada = await chatter.enter(chat.url, 'Ada');
    const here = await workerOf(ada);
    await say(ada, 'Is somebody here?');
    const grace = await enterElsewhere(chat.url, 'Grace', ada);
    const there = await workerOf(grace);
    assert.deepEqual([here, there].sort(), ['worker 1', 'worker 2']);
    await reads(ada, '#people .name', ['Ada (you)', 'Grace']);
    await reads(grace, '#people .name', ['Ada', 'Grace (you)']);
    await reads(grace, '.text', ['Is somebody here?']);
    for (const page of [ada, grace]) await reads(page, '#people .worker', [here as string, there as string]);
    assert.match((await ada.locator('.worker').first().getAttribute('title')) ?? '', /processes/);

    await say(grace, 'Hello Ada');
    await say(ada, 'Hello Grace');
    for (const page of [ada, grace])
      await until('both have been said', async () => (await page.locator('.text').count()) === 3);
    await until('Ada sees that Grace is typing', async () => {
      await type(grace, 'x');
      return (await ada.locator('#typing').textContent()) === 'Grace is typing…';
    });
    // Her worker has the messages that were sent on the other one.
    const all = await grace.locator('.text').allTextContents();
    await grace.getByRole('link', { name: 'Help' }).click();
    await reads(grace, '.text', []);
    await grace.getByRole('link', { name: 'Lobby' }).click();
    await reads(grace, '.text', all);
    await grace.getByRole('button', { name: 'Leave' }).click();
    await reads(ada, '#people .name', ['Ada (you)']);
  });

  if (process.env.SCREENSHOT) it('takes screenshots', chatter.takePictures);
});
