// The names of events that Socket.IO itself emits on a socket, and who listens to them. Asked by router.ts and packet.ts.
import type { Socket } from 'socket.io';

/** Events that Socket.IO emits by itself. Its own parser refuses them from a client; other parsers let them through. */
const RESERVED: ReadonlySet<unknown> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** Whether no client may send an event of that name. */
export function isReserved(event: unknown): boolean {
  return RESERVED.has(event);
}

const SYSTEM_EVENTS: ReadonlySet<unknown> = new Set(['disconnecting', 'disconnect', 'error']);

/** Whether an event is one that Socket.IO itself emits on a socket, and that can be routed all the same. */
export function isSystemEvent(event: unknown): boolean {
  return SYSTEM_EVENTS.has(event);
}

/** Whether anybody hears a client's packet named `error`. Socket.IO itself listens, with a function that does nothing. */
export function isErrorHeard(socket: Socket): boolean {
  return socket.listeners('error').some(({ name }) => name !== 'noop');
}
