// The Socket.IO client of the page. view.js and side.js render it.
import { t } from './i18n.js';
import { followPresence } from './presence.js';
import * as side from './side.js';
import * as view from './view.js';

const me = document.body.dataset.nickname;
// Connects with the session's cookie. /socket.io/socket.io.js defines `io`.
const socket = io('/chat');
/** The room that this page is in. */
let room;
/** Who is in the chat, in all rooms. */
let everybody = [];
/** The nicknames of the users in the room. Undefined until they are known. */
let nicknames;

/** Joins the room that the address names. */
function join() {
  const wanted = decode(location.hash.slice(1)) || 'Lobby';
  socket.emit('join', wanted, (messages) => {
    if (wanted !== room) {
      room = wanted;
      nicknames = undefined;
      view.showRoom(room);
    }
    // After a reconnection, these are the messages that were missed, and others that are on the page already.
    for (const message of messages) view.addMessage(message, me);
    showEverybody();
  });
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function showEverybody() {
  const lively = everybody.flatMap((person) => person.room ?? []);
  side.showRooms([...new Set([...side.FIXED_ROOMS, ...lively.sort()])], room);
  const workers = new Map();
  for (const { nickname, worker } of everybody.filter((person) => person.room === room))
    workers.set(nickname, (workers.get(nickname) ?? new Set()).add(worker));
  // The list is the one of another connection or room, until this user is in it.
  if (!workers.has(me)) return;
  announceChanges([...workers.keys()]);
  const people = Array.from(workers, ([nickname, numbers]) => ({ nickname, workers: [...numbers].sort() }));
  side.showPeople(
    people.sort((one, other) => one.nickname.localeCompare(other.nickname)),
    me,
  );
}

function announceChanges(now) {
  // The first list after joining a room is not announced.
  const before = nicknames ?? now;
  for (const nickname of now) if (!before.includes(nickname)) view.announce(t('{0} joined', nickname));
  for (const nickname of before) {
    if (now.includes(nickname)) continue;
    view.stopTyping(nickname);
    view.announce(t('{0} left', nickname));
  }
  nicknames = now;
}

followPresence(socket, (people) => {
  everybody = people;
  showEverybody();
});

socket.on('connect', () => {
  view.showConnection('');
  if (room !== undefined) view.announce(t('Connected again'));
  // Also after a reconnection: the server has a new socket, which has not joined a room.
  join();
});

socket.on('disconnect', (reason) => {
  view.showConnection(t('The connection is lost. Reconnecting…'));
  // Socket.IO reconnects automatically, unless the server has disconnected the client.
  if (reason === 'io server disconnect') socket.connect();
});

socket.on('connect_error', (err) => {
  if (socket.active) view.showConnection(t('The server can’t be reached. Reconnecting…'));
  // The connection middleware app/io/middleware/auth.ts has refused the client: its session has expired. Socket.IO doesn't retry.
  else view.showConnection(`${t(err.message)} ${t('Reload the page.')}`);
});

socket.on('wave', (nickname) => view.announce(t('{0} waves at you', nickname)));

socket.on('message', (message) => {
  if (message.room === room) view.addMessage(message, me);
});

socket.on('typing', (where, nickname) => {
  if (where === room) view.showTyping(nickname);
});

// The message or the data of an error that a packet middleware or a controller has thrown.
socket.on('error', (problem) => view.showProblem(t(problem.message ?? problem)));

side.onWave(async (to) => {
  view.showProblem('');
  // An HTTP request: see app/controller/home.ts
  const response = await fetch('/wave', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-csrf-token': document.querySelector('[name=_csrf]').value },
    body: JSON.stringify({ to }),
  }).catch(() => ({ ok: false }));
  if (response.ok) view.announce(t('You wave at {0}', to));
  else view.showProblem(t('{0} could not be reached.', to));
});

window.addEventListener('hashchange', join);

const text = document.getElementById('text');
let lastTyping = 0;

text.addEventListener('input', () => {
  // Emit at most once a second. The other pages show "… is typing" for three seconds.
  if (text.value === '' || Date.now() - lastTyping < 1000) return;
  lastTyping = Date.now();
  socket.volatile.emit('typing');
});

document.getElementById('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  view.showProblem('');
  if (text.value === '/fail') socket.emit('fail');
  else socket.emit('say', text.value);
  text.value = '';
  lastTyping = 0;
});

document.getElementById('new-room').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = document.getElementById('room-name');
  location.hash = encodeURIComponent(name.value.trim());
  name.value = '';
});
