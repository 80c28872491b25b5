// The Socket.IO client of the page. view.js renders it.
import { followPresence } from './presence.js';
import * as view from './view.js';

const me = document.body.dataset.nickname;
// Connects with the session's cookie. /socket.io/socket.io.js defines `io`.
const socket = io('/chat');
/** Rooms that are listed even if they are empty. */
const FIXED_ROOMS = ['Lobby', 'Help', 'Random'];
let room;
/** Who is in the chat. */
let everybody = [];

function join() {
  const wanted = location.hash.slice(1) || 'Lobby';
  socket.emit('join', decode(wanted), (joined) => {
    if (joined !== room) view.clear();
    room = joined;
    view.showRoom(room);
    showPeople();
  });
}

function showPeople() {
  const lively = everybody.flatMap((person) => person.room ?? []);
  view.showRooms([...new Set([...FIXED_ROOMS, ...lively.sort()])]);
  const people = new Map();
  for (const { nickname, worker } of everybody.filter((person) => person.room === room))
    people.set(nickname, (people.get(nickname) ?? new Set()).add(worker));
  // The server has not told yet that this page is in the room.
  if (!people.has(me)) return;
  const sorted = [...people].sort(([one], [other]) => (one < other ? -1 : 1));
  view.showPeople(
    sorted.map(([nickname, workers]) => ({ nickname, workers: [...workers].sort() })),
    me,
  );
}

followPresence(socket, (people) => {
  everybody = people;
  showPeople();
});

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

socket.on('connect', () => {
  view.showConnection('');
  // Also runs after a reconnection: the server has a new socket, which has not joined a room.
  join();
});

socket.on('disconnect', (reason) => {
  view.showConnection('The connection is lost. Reconnecting…');
  // Socket.IO reconnects automatically, unless the server has disconnected the client.
  if (reason === 'io server disconnect') socket.connect();
});

socket.on('connect_error', (err) => {
  if (socket.active) view.showConnection('The server can’t be reached. Reconnecting…');
  // The connection middleware app/io/middleware/auth.ts has refused the client: its session has expired. Socket.IO doesn't retry.
  else view.showConnection(`${err.message} Reload the page.`);
});

socket.on('wave', (nickname) => view.announce(`${nickname} waves at you`));

socket.on('message', (message) => {
  if (message.room === room) view.addMessage(message, me);
});

socket.on('typing', (where, nickname) => {
  if (where === room) view.showTyping(nickname);
});

// The message or the data of an error that a packet middleware or a controller has thrown.
socket.on('error', (problem) => view.showProblem(problem.message ?? problem));

view.onWave(async (to) => {
  view.showProblem('');
  // An HTTP request: see app/controller/home.ts
  const response = await fetch('/wave', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-csrf-token': document.querySelector('[name=_csrf]').value },
    body: JSON.stringify({ to }),
  }).catch(() => ({ ok: false }));
  if (response.ok) view.announce(`You wave at ${to}`);
  else view.showProblem(`${to} could not be reached.`);
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
