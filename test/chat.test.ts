// The example example/chat in browsers, and with a client without a browser.
import assert from 'node:assert/strict';
import path from 'node:path';
import { logs, ROOT, type Running, refused, start } from './support/app';
import { closeBrowser, closePages, openPage, reads } from './support/browser';
import * as chatter from './support/chat';
import { enterElsewhere, say, type, workerOf } from './support/chat';
import type { Cluster } from './support/cluster';
import { times, until } from './support/wait';

describe('the example chat', () => {
  let chat: Running;

  before(async () => {
    chat = await start('chat', { baseDir: path.join(ROOT, 'example/chat') });
    // The example logs each event.
    (chat.app as unknown as { loggers: { disableConsole(): void } }).loggers.disableConsole();
  });

  beforeEach(async () => {
    await until('everybody is gone', async () => (await chat.app.io.of('/chat').fetchSockets()).length === 0);
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

  const enter = (nickname: string, room?: string) => chatter.enter(chat.url, nickname, room);
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

  it('separates rooms, and lets users create one', async () => {
    const ada = await enter('Ada');
    const grace = await enter('Grace', 'Help');
    await say(ada, 'in the lobby');
    await reads(ada, '.text', ['in the lobby']);
    await ada.getByRole('link', { name: 'Help' }).click();
    await reads(grace, '.news', ['Ada joined']);
    await reads(ada, '.text', []);
    await say(ada, 'in the help room');
    await reads(grace, '.text', ['in the help room']);

    await ada.getByLabel('Name of a new room').fill('Compilers');
    await ada.getByRole('button', { name: 'Create the room' }).click();
    await reads(grace, '.news', ['Ada joined', 'Ada left']);
    await grace.getByRole('link', { name: 'Compilers' }).click();
    await reads(grace, '#people .name', ['Ada', 'Grace (you)']);
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

  it('shows an error only to the user who caused it', async () => {
    const { error } = logs(chat.app);
    const ada = await enter('Ada');
    const grace = await enter('Grace');
    await say(ada, '/fail');
    await reads(ada, '[role=alert]:visible span', ['This always fails: you typed /fail.']);
    await say(grace, '  ');
    await reads(grace, '[role=alert]:visible span', ['A message has 1 to 500 characters.']);
    await say(grace, 'nothing of it here');
    await reads(ada, '.text', ['nothing of it here']);
    await reads(ada, '[role=alert]:visible span', ['This always fails: you typed /fail.']);
    await reads(grace, '[role=alert]:visible span', []);
    assert.equal(error.length, 2);
  });

  it('shows HTML as text', async () => {
    const html = '<img src="/nowhere" onerror="document.title = 1"><b>bold</b>';
    const ada = await enter('Ada');
    const grace = await enter('Grace');
    await say(grace, html);
    await reads(ada, '.text', [html]);
    assert.equal(await ada.locator('#messages').locator('img, b').count(), 0);
  });

  it('shows that the connection is lost, and reconnects', async () => {
    logs(chat.app);
    const ada = await enter('Ada');
    const grace = await enter('Grace');
    const opts = engineOptions();
    opts.allowRequest = (_request: unknown, answer: (problem: string, ok: boolean) => void) => answer('closed', false);
    drop('Ada');
    await ada.getByText('Reconnecting…').waitFor();
    assert(await ada.getByRole('button', { name: 'Send' }).isDisabled());
    await reads(grace, '.news', ['Ada left']);
    opts.allowRequest = undefined;
    await reads(grace, '.news', ['Ada left', 'Ada joined']);
    await ada.getByText('Reconnecting…').waitFor({ state: 'hidden' });
    await say(ada, 'I am back');
    await reads(grace, '.text', ['I am back']);

    await ada.context().clearCookies();
    drop('Ada');
    await ada.getByText('Choose a nickname first. Reload the page.').waitFor();
  });

  it('accepts a client without a browser that has the session of the form', async () => {
    const ada = await enter('Ada');
    const terminal = await chat.connect('/chat', { extraHeaders: { cookie: await cookiesOf('Terminal') } });
    assert.equal(await terminal.emitWithAck('join', 'Lobby'), 'Lobby');
    await reads(ada, '.news', ['Terminal joined']);
    const heard = times(terminal, 'message', 2);
    terminal.emit('say', 'a plain client');
    await reads(ada, '.text', ['a plain client']);
    await say(ada, 'a page');
    const messages = (await heard).map(([{ at: _time, ...message }]) => message);
    assert.deepEqual(messages, [
      { room: 'Lobby', from: 'Terminal', text: 'a plain client' },
      { room: 'Lobby', from: 'Ada', text: 'a page' },
    ]);
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
    const grace = await enterElsewhere(chat.url, 'Grace', ada);
    const there = await workerOf(grace);
    assert.deepEqual([here, there].sort(), ['worker 1', 'worker 2']);
    await reads(ada, '#people .name', ['Ada (you)', 'Grace']);
    await reads(grace, '#people .name', ['Ada', 'Grace (you)']);
    for (const page of [ada, grace]) await reads(page, '#people .worker', [here as string, there as string]);
    assert.match((await ada.locator('.worker').first().getAttribute('title')) ?? '', /processes/);

    await say(grace, 'Hello Ada');
    await say(ada, 'Hello Grace');
    for (const page of [ada, grace])
      await until('both have been said', async () => (await page.locator('.text').count()) === 2);
    await until('Ada sees that Grace is typing', async () => {
      await type(grace, 'x');
      return (await ada.locator('#typing').textContent()) === 'Grace is typing…';
    });
    await grace.getByRole('button', { name: 'Leave' }).click();
    await reads(ada, '#people .name', ['Ada (you)']);
  });

  if (process.env.SCREENSHOT) it('takes a screenshot', () => chatter.takePicture(chat.url));
});
