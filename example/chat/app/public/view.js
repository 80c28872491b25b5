// Renders the page. Text of users is inserted with textContent, never as HTML.
const at = (id) => document.getElementById(id);

/** How long "… is typing" is shown, in ms. */
const TYPING = 3000;
const typing = new Map();
/** The nicknames of the users in the room. */
let people;

const WORKER =
  'Egg’s workers are processes that share the people among them. Whoever is on another worker is in the same room all the same.';

export function showConnection(text) {
  at('connection').textContent = text;
  at('connection').hidden = text === '';
  at('composer-fields').disabled = text !== '';
}

export function showProblem(text) {
  at('problem-text').textContent = text;
  at('problem').hidden = text === '';
}
at('problem-close').addEventListener('click', () => showProblem(''));

/** Clears the page for another room. */
export function clear() {
  people = undefined;
  at('people').replaceChildren();
  at('messages').replaceChildren();
  for (const nickname of typing.keys()) stopTyping(nickname);
}

export function showRoom(room) {
  at('room').textContent = room;
  document.title = `${room} · Egg chat`;
  markRoom();
  at('text').focus();
}

export function showRooms(rooms) {
  const links = rooms.map((room) => {
    const link = element('a', { href: `#${encodeURIComponent(room)}` }, room);
    return element('li', {}, link);
  });
  at('rooms').replaceChildren(...links);
  markRoom();
}

function markRoom() {
  for (const link of at('rooms').querySelectorAll('a')) {
    if (link.textContent === at('room').textContent) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

export function showPeople(now, me) {
  const nicknames = now.map(({ nickname }) => nickname);
  // The first list after joining a room is not announced.
  for (const nickname of people ? nicknames : []) if (!people.includes(nickname)) announce(`${nickname} joined`);
  for (const nickname of people ?? []) {
    if (nicknames.includes(nickname)) continue;
    stopTyping(nickname);
    announce(`${nickname} left`);
  }
  people = nicknames;
  at('count').textContent = now.length === 1 ? '1 person' : `${now.length} people`;
  const rows = now.map(({ nickname, workers }) => {
    const name = element('span', { class: 'name' }, nickname === me ? `${nickname} (you)` : nickname);
    const worker = element('span', { class: 'worker', title: WORKER }, `worker ${workers.join(', ')}`);
    return element('li', {}, avatar(nickname), name, ...(nickname === me ? [] : [waveAt(nickname)]), worker);
  });
  at('people').replaceChildren(...rows);
}

function waveAt(nickname) {
  return element('button', { class: 'wave', 'data-to': nickname, 'aria-label': `Wave at ${nickname}` }, 'wave');
}

/** Calls `listener` with a nickname when the user waves at it. */
export function onWave(listener) {
  at('people').addEventListener('click', ({ target }) => {
    if (target.dataset.to !== undefined) listener(target.dataset.to);
  });
}

export function addMessage({ from, text, at: time }, me) {
  stopTyping(from);
  const date = new Date(time);
  const clock = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const head = element('p', { class: 'head' }, element('strong', {}, from), ' ');
  head.append(element('time', { datetime: date.toISOString() }, clock));
  const body = element('div', { class: 'body' }, head, element('p', { class: 'text' }, text));
  const line = element(
    'li',
    { class: from === me ? 'message mine' : 'message', 'data-from': from },
    avatar(from),
    body,
  );
  if (at('messages').lastElementChild?.dataset.from === from) line.classList.add('follows');
  add(line);
}

export function announce(text) {
  add(element('p', { class: 'news' }, text));
}

/** Appends a line, and scrolls to it unless the user has scrolled up. */
function add(line) {
  const list = at('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  list.append(line);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

export function showTyping(nickname) {
  clearTimeout(typing.get(nickname));
  typing.set(
    nickname,
    setTimeout(() => stopTyping(nickname), TYPING),
  );
  sayTyping();
}

function stopTyping(nickname) {
  clearTimeout(typing.get(nickname));
  typing.delete(nickname);
  sayTyping();
}

function sayTyping() {
  const names = [...typing.keys()].join(', ');
  at('typing').textContent = names && `${names} ${typing.size === 1 ? 'is' : 'are'} typing…`;
}

/** Returns a disc with the first letter of the nickname, in a colour computed from it. */
function avatar(nickname) {
  const disc = element('span', { class: 'avatar', 'aria-hidden': 'true' }, [...nickname][0].toUpperCase());
  const hue = [...nickname].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  disc.style.setProperty('--hue', hue);
  return disc;
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  // Strings become text nodes.
  made.append(...children);
  return made;
}
