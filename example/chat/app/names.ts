// The names of users and rooms.

export const NAME_RULE = '1 to 24 letters, digits, spaces, dots or dashes';

export function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,23}$/u.test(value);
}

/** Returns the name of the Socket.IO room. Each socket id is also a room: the prefix prevents clients from joining those. */
export function roomKey(room: string): string {
  return `room:${room}`;
}
