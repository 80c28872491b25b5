// Renders the rooms and the people beside the conversation. On a phone they are a popover, which the button in the header opens.
import { at, avatar, element, replaceRows } from './elements.js';
import { t } from './i18n.js';

/** These rooms are listed even if they are empty. */
export const FIXED_ROOMS = ['Lobby', 'Help', 'Random'];

const WORKER =
  'Egg’s workers are processes that share the connections. Users of different workers meet in the same rooms.';

/** Returns the name of a room in the language of the page. */
export function titleOf(room) {
  return FIXED_ROOMS.includes(room) ? t(room) : room;
}

/** @param current - the room that this page is in */
export function showRooms(rooms, current) {
  const rows = rooms.map((room) => {
    const attributes = { href: `#${encodeURIComponent(room)}`, 'data-key': room };
    if (room === current) attributes['aria-current'] = 'page';
    return element('li', {}, element('a', attributes, titleOf(room)));
  });
  replaceRows(at('rooms'), rows);
}

/** @param people - each with the workers that their pages are connected to */
export function showPeople(people, me) {
  at('count').textContent = people.length === 1 ? t('1 person') : t('{0} people', people.length);
  const rows = people.map(({ nickname, workers }) => {
    const isMe = nickname === me;
    const name = element('span', { class: 'name' }, isMe ? t('{0} (you)', nickname) : nickname);
    // Above the numbers stands “worker”, which a screen reader has in each row.
    const label = element('span', { class: 'hidden' }, t('worker'), ' ');
    const worker = element('span', { class: 'worker', title: t(WORKER) }, label, workers.join(', '));
    return element(
      'li',
      isMe ? { class: 'me' } : {},
      avatar(nickname),
      name,
      ...(isMe ? [] : [waveAt(nickname)]),
      worker,
    );
  });
  replaceRows(at('people'), rows);
}

function waveAt(nickname) {
  return element(
    'button',
    { class: 'wave', 'data-key': nickname, 'aria-label': t('Wave at {0}', nickname) },
    t('wave'),
  );
}

/** Calls `listener` with a nickname when the user waves at it. */
export function onWave(listener) {
  at('people').addEventListener('click', ({ target }) => {
    if (target.matches('.wave')) listener(target.dataset.key);
  });
}
