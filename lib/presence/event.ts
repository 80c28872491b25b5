// The server-side event of the default namespace by which workers exchange presence.
export const EVENT = 'egg-socket.io:presence';
