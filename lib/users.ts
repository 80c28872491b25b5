// Users: `config.io.user` returns the user id of a client, whose socket then joins the rooms of the user. `user(id)` selects these rooms, on
// every worker.
import { createHmac } from 'node:crypto';
import { debuglog } from 'node:util';
import type { Context } from 'egg';
import type { Namespace, Socket } from 'socket.io';
import { ConfigError, isPromise } from './errors';
import { hasClosed, unlessClosed } from './on-close';
import type { UserId } from './types/namespace';

const debug = debuglog('egg-socket.io:users');

/** What `config.io.user` returns. There is no user if it is `undefined`, `null`, `false` or `''`. */
export type FoundUser = UserId | false | null | undefined;

/** Returns the user id of a client: `config.io.user`. */
export type FindUser = (ctx: Context) => FoundUser | PromiseLike<FoundUser>;

/** The user of a client, with the names of its rooms. */
export interface User {
  /** Undefined if there is no user. */
  readonly id: UserId | undefined;
  readonly rooms: string[];
}

/** The user of a client that has none. */
export const NOBODY: User = { id: undefined, rooms: [] };

/** An application or an agent. */
interface WithKeys {
  config: { keys?: string };
}

/** The connections of each user. */
interface CountedConnections {
  /**
   * Counts the connection of a socket for a user, before the socket joins or leaves rooms.
   *
   * @param room - the first room of the user
   * @throws {LimitError} if the user has too many connections
   */
  count(socket: Socket, room: string | undefined): void;
}

const PREFIX = 'egg-socket.io:user:';
const ALLOWED = 'a string, a number or a bigint; undefined, null, false or an empty string if there is no user';

/** The users of one application. */
export class Users {
  /**
   * @param host - its `config.keys` make the names of the rooms secret
   * @param find - the resolved `config.io.user`
   * @param connections - undefined without `config.io.limits.connectionsPerUser`
   */
  constructor(
    private readonly host: WithKeys,
    private readonly find: FindUser | undefined,
    private readonly connections?: CountedConnections,
  ) {}

  /** @throws {ConfigError} if `config.io.user` is set and `config.keys` is not */
  check(): void {
    if (this.find) this.#keys();
  }

  /**
   * Selects the sockets of a user in a namespace.
   *
   * @param parent - the name of the namespace, if it is a parent namespace
   * @throws {ConfigError} if `config.io.user` is not set
   * @throws {TypeError} if the id is not a string, a number or a bigint, or if it is a parent namespace
   */
  in<N extends Pick<Namespace, 'in'>>(nsp: N, id: UserId, parent?: string): ReturnType<N['in']> {
    if (this.find === undefined) {
      const allowed = '(ctx) => the id of its user, such as (ctx) => ctx.session.userId';
      throw new ConfigError(
        'config.io.user',
        undefined,
        allowed,
        'user() needs config.io.user, which returns the user of a client',
      );
    }
    // The children of a parent namespace that exist on other workers would be left out.
    if (parent !== undefined)
      throw new TypeError(`[egg-socket.io] user(): ${parent} stands for many namespaces: name one of them`);
    // Without a room, all sockets would be selected.
    if (!isId(id)) {
      throw new TypeError(
        `[egg-socket.io] user(): the id of a user is a string, a number or a bigint, not ${show(id)}`,
      );
    }
    return nsp.in(this.#rooms(id)) as ReturnType<N['in']>;
  }

  /** Finds the user of a client that is being admitted. Its socket joins the rooms of the user. Returns the id of the user. */
  async join(...args: Parameters<Users['userOf']>): Promise<UserId | undefined> {
    const [, socket] = args;
    const user = await this.userOf(...args);
    if (!hasClosed(socket.conn)) await this.move(socket, user);
    return user.id;
  }

  /**
   * Finds the user of a client. Resolves early if the connection closes meanwhile.
   *
   * @param onLateRejection - called with an error after the connection has closed
   * @returns the user with its rooms, or `NOBODY`
   * @throws {ConfigError} if `config.io.user` does not return an id
   */
  async userOf(ctx: Context, socket: Socket, onLateRejection: (thrown: unknown) => void): Promise<User> {
    const { conn } = socket;
    if (hasClosed(conn)) return NOBODY;
    const found = (this.find as FindUser)(ctx);
    const id = isPromise(found) ? await unlessClosed(conn, found, onLateRejection) : found;
    if (hasClosed(conn)) return NOBODY;
    if (!hasNoUser(id) && !isId(id)) {
      throw new ConfigError(
        'config.io.user',
        this.find,
        `a function that returns ${ALLOWED}`,
        `config.io.user returned ${show(id)} for a client of ${socket.nsp.name}`,
      );
    }
    debug('%s of %s has %s', socket.id, socket.nsp.name, hasNoUser(id) ? 'no user' : 'a user');
    return hasNoUser(id) ? NOBODY : { id, rooms: this.#rooms(id) };
  }

  /**
   * Moves a socket to the rooms of its user.
   *
   * @throws {LimitError} if the user has too many connections. Then the socket stays in its rooms
   */
  async move(socket: Socket, { rooms }: User): Promise<void> {
    this.connections?.count(socket, rooms[0]);
    // A recovered socket may be in the room of another user. The name of a room may be a number.
    const others = Array.from(socket.rooms).filter((room) => String(room).startsWith(PREFIX) && !rooms.includes(room));
    for (const room of others) await socket.leave(room);
    // The room of the socket's id comes first, as for other sockets.
    if (rooms.length > 0) await socket.join([socket.id, ...rooms]);
  }

  /**
   * Must be called with a recovered socket whose connection chain was skipped: it is in the rooms of its user.
   *
   * @throws {LimitError} if the user has too many connections
   */
  recovered(socket: Socket): void {
    this.connections?.count(socket, userRoomOf(socket.rooms));
  }

  /**
   * The names of the rooms are secret: many applications let clients name the rooms that they join. There is one room for each key, so
   * that workers with old and with new keys reach each other's sockets.
   */
  #rooms(id: UserId): string[] {
    return this.#keys().map(
      (key) =>
        PREFIX + createHmac('sha256', key).update(`${PREFIX}\0${id}`, 'utf16le').digest('base64url').slice(0, 22),
    );
  }

  #keys(): string[] {
    const { keys } = this.host.config;
    const list = String(keys ?? '').split(',');
    const trimmed = list.map((key) => key.trim()).filter((key) => key !== '');
    if (trimmed.length > 0) return trimmed;
    throw new ConfigError(
      'config.keys',
      keys,
      'a secret text, the same on all hosts',
      'config.io.user needs config.keys',
    );
  }
}

/**
 * Returns what distinguishes the user of a socket from other users, or undefined if it has none. The name of a room: it is secret.
 *
 * @param rooms - the rooms of the socket
 */
export function userRoomOf(rooms: Iterable<string>): string | undefined {
  // The room of the user is one of the first.
  for (const room of rooms) if (String(room).startsWith(PREFIX)) return room;
  return undefined;
}

function hasNoUser(id: unknown): id is undefined | null | false | '' {
  return id === undefined || id === null || id === false || id === '';
}

function isId(id: unknown): id is UserId {
  return (typeof id === 'string' && id !== '') || typeof id === 'bigint' || Number.isFinite(id);
}

/** Describes a value by its type: its content may be secret. */
function show(value: unknown): string {
  if (value === '') return 'an empty string';
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return `an object (${value.constructor.name})`;
  } catch {
    return 'an object';
  }
}
