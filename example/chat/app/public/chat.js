// The client: what the page says to the server and what it hears from it. view.js shows it.
import * as view from './view.js';

const me = document.body.dataset.nickname;
// Connects at once, with the session's cookie. `io` comes from /socket.io/socket.io.js
const socket = io('/chat');
let room;

function join() {
  const wanted = location.hash.slice(1) || 'Lobby';
  socket.emit('join', decode(wanted), (joined) => {
    if (joined !== room) view.clear();
    room = joined;
    view.showRoom(room);
  });
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

socket.on('connect', () => {
  view.showConnection('');
  // Also after a lost connection: to the server this is a new socket, which is in no room yet.
  join();
});

socket.on('disconnect', (reason) => {
  view.showConnection('The connection is lost. Reconnecting…');
  // Socket.IO reconnects by itself, unless the server has sent the client away on purpose.
  if (reason === 'io server disconnect') socket.connect();
});

socket.on('connect_error', (err) => {
  if (socket.active) view.showConnection('The server can’t be reached. Reconnecting…');
  // Refused by a connection middleware, app/io/middleware/auth.ts: the session is over. Socket.IO doesn't try again.
  else view.showConnection(`${err.message} Reload the page.`);
});

socket.on('rooms', (rooms) => view.showRooms(rooms));

socket.on('people', (where, people) => {
  if (where === room) view.showPeople(people, me);
});

socket.on('wave', (nickname) => view.announce(`${nickname} waves at you`));

socket.on('message', (message) => {
  if (message.room === room) view.addMessage(message, me);
});

socket.on('typing', (where, nickname) => {
  if (where === room) view.showTyping(nickname);
});

// What a packet middleware or a controller threw: the error's message, or its data.
socket.on('error', (problem) => view.showProblem(problem.message ?? problem));

view.onWave(async (to) => {
  view.showProblem('');
  // An ordinary HTTP request: app/controller/home.ts
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
  // Once a second is enough to keep "… is typing" alive.
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
