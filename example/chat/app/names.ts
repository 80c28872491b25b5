// What people may call themselves and their rooms, and what Socket.IO calls such a room.

export const NAME_RULE = '1 to 24 letters, digits, spaces, dots or dashes';

export function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,23}$/u.test(value);
}

/** The name that Socket.IO has for a room. A socket's id is one of its rooms, too: the prefix keeps clients out of those. */
export function roomKey(room: string): string {
  return `room:${room}`;
}
