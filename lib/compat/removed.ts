// Socket.IO 2's server API that Socket.IO 4 has removed: its names, what to write instead, and the errors without `config.io.compat`.
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { extend, extendMissing, isParent, withAdapters } from '../internals/compat';

/** What to write instead of each name. */
export const CURES = {
  'nsp.connected': 'nsp.sockets.get(id)',
  'nsp.sockets[id]': 'nsp.sockets.get(id), and [...nsp.sockets.keys()] for the ids',
  'nsp.clients()': 'const ids = (await nsp.fetchSockets()).map((socket) => socket.id)',
  'nsp.in(room).clients()': 'const ids = (await nsp.in(room).fetchSockets()).map((socket) => socket.id)',
  'adapter.clients()': 'const ids = (await nsp.in(room).fetchSockets()).map((socket) => socket.id)',
  'adapter.remoteJoin()': 'nsp.in(id).socketsJoin(room)',
  'adapter.remoteLeave()': 'nsp.in(id).socketsLeave(room)',
  'adapter.remoteDisconnect()':
    'nsp.in(id).disconnectSockets(close); in connection middleware throw, or call ctx.disconnect(close) and return',
  'adapter.allRooms(callback)': 'the rooms of (await nsp.fetchSockets())',
  'adapter.rooms[room]': 'adapter.rooms.get(room)?.size',
  'adapter.sids[id]': 'adapter.sids.get(id)',
  'socket.rooms[room]': 'socket.rooms.has(room), and [...socket.rooms] for JSON',
  'socket.to(room); socket.emit()': 'socket.to(room).emit()',
  'socket.json': 'nothing: the flag had no effect',
  'io.origins()': 'config.io.init.cors.origin, which holds for polling and for WebSocket',
  'init.origins': 'config.io.init.cors.origin, which holds for polling and for WebSocket',
} as const;

export type RemovedName = keyof typeof CURES;

/** Where the documentation describes all of them. */
export const DOCS = 'docs/en/migration.md#what-socketio-renamed-or-dropped';

/** Returns the error for a removed name. */
export function removed(name: RemovedName): Error {
  return new Error(
    `[egg-socket.io] Socket.IO 4 has no ${name}: write ${CURES[name]}. config.io.compat = true gives it back. See ${DOCS}`,
  );
}

const getter = (name: RemovedName): PropertyDescriptor => ({
  configurable: true,
  get() {
    throw removed(name);
  },
  set(value: unknown) {
    Object.defineProperty(this, name.split('.')[1] as string, { value, writable: true, configurable: true });
  },
});

const method = (name: RemovedName): PropertyDescriptor => ({
  configurable: true,
  writable: true,
  value() {
    throw removed(name);
  },
});

const OF_ADAPTER: PropertyDescriptorMap = {
  clients: method('adapter.clients()'),
  remoteJoin: method('adapter.remoteJoin()'),
  remoteLeave: method('adapter.remoteLeave()'),
  remoteDisconnect: method('adapter.remoteDisconnect()'),
};

/** An adapter of the application may have such methods itself: those of socket.io-redis 6 and of @socket.io/redis-adapter 7 have. */
const refuseOfAdapter = (adapter: Adapter): unknown => extendMissing(adapter, OF_ADAPTER);

const OF_NAMESPACE: PropertyDescriptorMap = {
  connected: getter('nsp.connected'),
  clients: method('nsp.clients()'),
  ...withAdapters(refuseOfAdapter),
};

/** Makes the removed names of a namespace and of its adapters throw. */
export function refuseRemoved(nsp: Namespace): void {
  if (isParent(nsp)) return;
  extend(nsp, OF_NAMESPACE);
  refuseOfAdapter(nsp.adapter);
}
