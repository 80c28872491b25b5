// What the doctor reports: for each rule what to write instead, and where the documentation describes it.

export interface Rule {
  instead: string;
  /** An anchor in docs/en/migration.md. */
  docs: string;
  /** If `config.io.compat` makes it work. */
  compat?: true;
}

const RENAMED = 'what-socketio-renamed-or-dropped';
const ON_THIS_WORKER = 'on this worker';

export const RULES = {
  connected: {
    instead: 'nsp.sockets, a Map: nsp.sockets.get(id), [...nsp.sockets.keys()]',
    docs: RENAMED,
    compat: true,
  },
  sockets: {
    instead: 'nsp.sockets is a Map: nsp.sockets.get(id), [...nsp.sockets.keys()]',
    docs: RENAMED,
    compat: true,
  },
  'sockets-by-user': {
    instead:
      'set config.io.user, and reach the sockets of a user by nsp.user(id); by the id of a socket: nsp.sockets.get(id)',
    docs: RENAMED,
    compat: true,
  },
  namespaces: { instead: 'app.io.of(name)', docs: RENAMED },
  clients: {
    instead: 'const ids = (await nsp.in(room).fetchSockets()).map((s) => s.id), without .in(room) for all clients',
    docs: RENAMED,
    compat: true,
  },
  'adapter-rooms': {
    instead: `adapter.rooms is a Map of Sets: adapter.rooms.get(room)?.size, ${ON_THIS_WORKER}`,
    docs: RENAMED,
    compat: true,
  },
  'adapter-sids': {
    instead: `adapter.sids is a Map of Sets: adapter.sids.get(id), ${ON_THIS_WORKER}`,
    docs: RENAMED,
    compat: true,
  },
  'remote-join': { instead: 'nsp.in(id).socketsJoin(room)', docs: RENAMED, compat: true },
  'remote-leave': { instead: 'nsp.in(id).socketsLeave(room)', docs: RENAMED, compat: true },
  'remote-disconnect': {
    instead: 'in connection middleware throw an error; elsewhere nsp.in(id).disconnectSockets(true)',
    docs: RENAMED,
    compat: true,
  },
  'all-rooms': {
    instead: `[...nsp.adapter.rooms.keys()], ${ON_THIS_WORKER}; on all workers the rooms of await nsp.fetchSockets()`,
    docs: RENAMED,
    compat: true,
  },
  'client-rooms': { instead: 'the rooms of (await nsp.in(id).fetchSockets())[0]', docs: RENAMED },
  'custom-request': { instead: 'nsp.serverSideEmit(event, data) and nsp.on(event, listener)', docs: RENAMED },
  rooms: {
    instead: 'ctx.rooms is a Set: [...ctx.rooms], ctx.rooms.has(room); JSON makes {} of a Set',
    docs: RENAMED,
    compat: true,
  },
  acks: { instead: 'ctx.acks is a Map: ctx.acks.get(id)', docs: RENAMED },
  'to-statement': {
    instead: "ctx.to('x').emit('e') in one statement: to() returns what emits to the room",
    docs: RENAMED,
    compat: true,
  },
  'operator-statement': {
    instead: "nsp.to('x').emit('e') and ctx.broadcast.emit('e') in one statement",
    docs: RENAMED,
  },
  origins: {
    instead: 'config.io.init.cors.origin, which holds for polling and for WebSocket',
    docs: 'other-origins',
    compat: true,
  },
  'set-origins': {
    instead: 'config.io.init.cors.origin, which holds for polling and for WebSocket',
    docs: 'other-origins',
  },
  set: { instead: 'a key of config.io.init', docs: RENAMED },
  binary: { instead: 'nothing: Socket.IO detects binary data', docs: RENAMED },
  json: { instead: 'the same without json: ctx.emit()', docs: RENAMED, compat: true },
  'socket-error': { instead: "ctx.emit('error', what)", docs: RENAMED },
  'reserved-event': { instead: 'another name: this one is reserved, and emit() throws', docs: RENAMED },
  'socket-id': {
    instead: 'ctx.conn.id for the id of the connection; without config.io.generateId ids have no such form',
    docs: 'clients-of-socketio-2',
  },
  'route-connection': {
    instead: "route('connect', …), which runs once a client is connected",
    docs: 'routes-and-controllers',
  },
  'context-argument': {
    instead: 'app.io.route(event, (ctx) => …): a listener gets the arguments of the client, and no context',
    docs: 'where-416-was-wrong',
  },
  'query-of-namespace': {
    instead: "io('/chat', { auth: { token } }) and ctx.handshake.auth.token on the server",
    docs: RENAMED,
  },
  'redis-adapter': { instead: 'remove it and set config.io.redis: the adapter is a part of the plugin', docs: 'redis' },
  'redis-emitter': { instead: '@socket.io/redis-emitter', docs: RENAMED },
  internals: {
    instead: "what require('egg-socket.io') exports: the files and symbols of 4.1.6 are gone",
    docs: 'inside',
  },
  typings: { instead: "import type { IoServer, IoNamespace } from 'egg-socket.io'", docs: 'types' },
  'declared-io': { instead: 'remove it: egg-socket.io declares app.io and ctx.socket', docs: 'types' },
  'watch-dirs': {
    instead:
      'remove it: egg-ts-helper needs no configuration for app/io, and the interfaces are CustomController and CustomMiddleware',
    docs: 'types',
  },
  cookie: { instead: "cookie: { name: 'io', path: '/', httpOnly: true }; by default no cookie is sent", docs: RENAMED },
  uws: { instead: 'remove it: ws is as fast', docs: 'configuration' },
  'redis-client': { instead: 'redis.clientName, the name of a client of egg-redis', docs: 'redis' },
  'redis-uri': { instead: 'redis.host, redis.port, redis.auth_pass and redis.db', docs: 'redis' },
  'redis-option': { instead: 'the name that ioredis has for the option', docs: 'redis' },
  'unknown-option': { instead: 'remove it: an unknown option fails the boot', docs: 'configuration' },
  guard: {
    instead: 'config.io.connectionMiddleware, which guards all namespaces',
    docs: 'a-client-may-connect-to-chat-alone',
  },
  'old-client': {
    instead: 'socket.io-client 4, or config.io.init.allowEIO3: true for clients of Socket.IO 2',
    docs: 'clients-of-socketio-2',
  },
  upgrade: { instead: 'npm install egg-socket.io@beta', docs: 'the-steps' },
  egg: { instead: 'Egg 3 or Egg 4', docs: 'the-steps' },
  dependency: { instead: 'remove it: Socket.IO 4 and its types are a part of the plugin', docs: 'the-steps' },
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;

/** A place in a file where a rule applies. */
export interface Match {
  rule: RuleName;
  /** Of the reported source text. */
  start: number;
  end: number;
  /** If it reads the socket of an id. */
  isSocket?: boolean;
  /** More about this place. */
  note?: string;
}
