// Renders the conversation: the messages, who is typing, and the state of the connection.
import { at, avatar, element } from './elements.js';
import { LANGUAGE, t } from './i18n.js';
import { titleOf } from './side.js';

/** How long "… is typing" is shown, in ms. */
const TYPING = 3000;
/** The timers of the users who are typing, by nickname. */
const typing = new Map();
/** Whether the log is scrolled to its end, where new lines are added. */
let isAtEnd = true;

/** Shows that the page is connected, if `problem` is empty, or why it is not. */
export function showConnection(problem) {
  at('connection').textContent = problem;
  // The field stays enabled: a field that is disabled loses the focus.
  at('send').disabled = problem !== '';
}

export function showProblem(text) {
  at('problem-text').textContent = text;
  at('problem').hidden = text === '';
}
at('problem-close').addEventListener('click', () => showProblem(''));

/** Shows another room, without messages. */
export function showRoom(room) {
  at('room').textContent = titleOf(room);
  document.title = `${titleOf(room)} · ${t('Egg chat')}`;
  at('people').replaceChildren();
  at('messages').replaceChildren();
  isAtEnd = true;
  at('empty').hidden = false;
  for (const nickname of typing.keys()) stopTyping(nickname);
  at('side').hidePopover();
  // On a phone, the focus would open the keyboard.
  if (matchMedia('(pointer: fine)').matches) at('text').focus();
}

/** Adds a message, unless it is on the page. */
export function addMessage({ id, from, text, at: time }, me) {
  if (at(id)) return;
  stopTyping(from);
  const head = element('p', { class: 'head' }, element('strong', {}, from), ' ', clock(new Date(time)));
  const body = element('div', { class: 'body' }, head, element('p', { class: 'text' }, text));
  const line = element(
    'li',
    { id, class: from === me ? 'message mine' : 'message', 'data-from': from },
    avatar(from),
    body,
  );
  if (at('messages').lastElementChild?.dataset.from === from) line.classList.add('follows');
  add(line);
}

function clock(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  const format = { hour: '2-digit', minute: '2-digit', ...(!isToday && { month: 'short', day: 'numeric' }) };
  return element('time', { datetime: date.toISOString() }, date.toLocaleString([], format));
}

export function announce(text) {
  add(element('li', { class: 'news' }, text));
}

/** Adds a line, and scrolls to it unless the user has scrolled up. */
function add(line) {
  at('messages').append(line);
  scrollToEnd();
}

function scrollToEnd() {
  if (isAtEnd) at('log').scrollTop = at('log').scrollHeight;
}

at('log').addEventListener('scroll', () => {
  const { scrollHeight, scrollTop, clientHeight } = at('log');
  isAtEnd = scrollHeight - scrollTop - clientHeight < 80;
});
// The notice of an error, or the keyboard of a phone, takes space of the log, whose last line stays visible.
new ResizeObserver(scrollToEnd).observe(at('log'));

export function showTyping(nickname) {
  clearTimeout(typing.get(nickname));
  typing.set(
    nickname,
    setTimeout(() => stopTyping(nickname), TYPING),
  );
  sayTyping();
}

export function stopTyping(nickname) {
  clearTimeout(typing.get(nickname));
  typing.delete(nickname);
  sayTyping();
}

function sayTyping() {
  const names = new Intl.ListFormat(LANGUAGE).format(typing.keys());
  const texts = ['', '{0} is typing…', '{0} are typing…', '{0} are typing…'];
  at('typing').textContent = t(texts[typing.size] ?? 'Several people are typing…', names);
}
