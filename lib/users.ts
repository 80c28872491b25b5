// config.io.user: who a client is. The sockets of a user are in a room of theirs, which app.io.user() finds again on every worker.
// Called by connection/way.ts; by server.ts and agent/io.ts for what they offer.
import { createHmac } from 'node:crypto';
import type { Context } from 'egg';
import type { Namespace, Socket } from 'socket.io';
import { ConfigError, type ErrorLog, isPromise, toError } from './errors';
import { hasClosed, unlessClosed } from './on-close';
import type { UserId } from './types/namespace';

/** What `config.io.user` gives: nobody is `undefined`, `null`, `false` or `''`. */
export type FoundUser = UserId | false | null | undefined;

/** Finds a client's user. */
export type FindUser = (ctx: Context) => FoundUser | PromiseLike<FoundUser>;

/** An application or an agent. */
interface Host {
  config: { keys?: string };
}

const PREFIX = 'egg-socket.io:user:';
const ALLOWED = 'a string, a number or a bigint; nobody is undefined, null, false or an empty string';

/** The users of one application. */
export class Users {
  /**
   * @param host - whose `config.keys` keep the rooms secret
   * @param find - the resolved `config.io.user`
   */
  constructor(
    private readonly host: Host,
    private readonly find: FindUser | undefined,
  ) {}

  /** @throws {ConfigError} where there are users, and no `config.keys` */
  check(): void {
    if (this.find) this.#keys();
  }

  /**
   * The operator that reaches a user's sockets in a namespace.
   *
   * @param parent - what the namespace stands for, where that is many
   * @throws {ConfigError} where `config.io.user` is not set
   * @throws {TypeError} where the id is none
   */
  in<N extends Pick<Namespace, 'in'>>(nsp: N, id: UserId, parent?: string): ReturnType<N['in']> {
    if (this.find === undefined) {
      const allowed = '(ctx) => the id of its user, such as (ctx) => ctx.session.userId';
      throw new ConfigError(
        'config.io.user',
        undefined,
        allowed,
        'user() needs config.io.user, which says who a client is',
      );
    }
    // It would reach the children that this worker has, and no others.
    if (parent !== undefined)
      throw new TypeError(`[egg-socket.io] user(): ${parent} stands for many namespaces: name one of them`);
    // Without a room it would reach everybody.
    if (!isId(id)) {
      throw new TypeError(
        `[egg-socket.io] user(): the id of a user is a string, a number or a bigint, not ${show(id)}`,
      );
    }
    return nsp.in(this.#rooms(id)) as ReturnType<N['in']>;
  }

  /**
   * Finds the user of a client that is being let in, and puts its socket in the room. Where the client leaves meanwhile, nobody
   * waits for it.
   *
   * @param log - for a failure of which nobody else hears
   * @throws {ConfigError} where what was found is no id
   */
  async join(ctx: Context, socket: Socket, log: ErrorLog): Promise<void> {
    const { conn } = socket;
    if (hasClosed(conn)) return;
    const found = (this.find as FindUser)(ctx);
    const id = isPromise(found) ? await unlessClosed(conn, found, (thrown) => log.error(toError(thrown))) : found;
    if (hasClosed(conn)) return;
    if (!isNobody(id) && !isId(id)) {
      throw new ConfigError(
        'config.io.user',
        this.find,
        `a function that gives ${ALLOWED}`,
        `config.io.user gave ${show(id)} for a client of ${socket.nsp.name}`,
      );
    }
    const rooms = isNobody(id) ? [] : this.#rooms(id);
    // Those of who it was before, where it was recovered. A room may be a number.
    const others = Array.from(socket.rooms).filter((room) => String(room).startsWith(PREFIX) && !rooms.includes(room));
    for (const room of others) await socket.leave(room);
    // Its own comes first, as ever.
    if (rooms.length > 0) await socket.join([socket.id, ...rooms]);
  }

  /**
   * Nobody can guess it who hasn't the keys: applications let clients name the rooms that they enter. One room for each key, so
   * that workers with the old keys and workers with the new ones find each other's sockets.
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

function isNobody(id: unknown): id is undefined | null | false | '' {
  return id === undefined || id === null || id === false || id === '';
}

function isId(id: unknown): id is UserId {
  return (typeof id === 'string' && id !== '') || typeof id === 'bigint' || Number.isFinite(id);
}

/** What kind of thing it is: what it says isn't for the log. */
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
