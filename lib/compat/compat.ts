// `config.io.compat`: Socket.IO 2's server API on Socket.IO 4. Each name that is used is logged once and counted. It is loaded only if the
// option is set.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Namespace, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { extend, holdsPackets, isParent, replaceCollection, withAdapters } from '../internals/compat';
import { connectingSockets, socketWithId } from '../internals/namespaces';
import { stateOf } from '../socket-state';
import { indexed, objectOf } from './indexed';
import type { Origins, OriginsValue } from './origins';
import { pendingRooms } from './pending-rooms';
import { CURES, DOCS, type RemovedName } from './removed';

type Callback<T = void> = (err: unknown, result?: T) => void;
type Room = string;
const SELECTED = Symbol('egg-socket.io:selected');
/** What `nsp.in(room)` returns, with the rooms of all calls of `in()` and `to()`. */
type Operator = ReturnType<Namespace['in']> & { [SELECTED]?: { nsp: Namespace; rooms: Room[] } };

const ROOMS = Symbol('egg-socket.io:rooms');
/** The rooms of a socket, and the object that `socket.rooms` is. */
type SocketWithRooms = Socket & { [ROOMS]?: { set: Set<Room>; object: Set<Room> } };

/** Socket.IO 2's server API of one application. */
export class Compat {
  /** The members of sockets: `rooms`, `json`, and `to()` whose rooms are pending. */
  readonly socketMembers: PropertyDescriptorMap;
  readonly #counts = new Map<RemovedName, number>();
  readonly #ofNamespace: PropertyDescriptorMap;
  readonly #ofAdapter: PropertyDescriptorMap;
  readonly #ofOperator: PropertyDescriptorMap;

  constructor(
    private readonly log: { warn(message: string): void },
    private readonly origins: Origins,
  ) {
    this.socketMembers = this.#socketMembers();
    this.#ofOperator = this.#operatorMembers();
    this.#ofAdapter = this.#adapterMembers();
    this.#ofNamespace = this.#namespaceMembers();
    if (origins.value !== undefined) this.use('init.origins');
  }

  /** How often each name was used. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  /** Adds the members to a namespace and to its adapter. */
  addTo(nsp: Namespace): void {
    if (isParent(nsp)) return;
    extend(nsp, this.#ofNamespace);
    replaceCollection(nsp, 'sockets', (sockets) =>
      indexed(
        sockets,
        (id) => sockets.get(id as string),
        () => this.use('nsp.sockets[id]'),
      ),
    );
    this.#addToAdapter(nsp.adapter);
    // The sockets of a namespace without chains and routes, which is not bound, have no members yet.
    nsp.use((socket, next) => {
      this.addToSocket(socket);
      next();
    });
  }

  /** Adds the members to a socket that is not connected yet, unless it has them. */
  addToSocket(socket: Socket): void {
    if (!('json' in socket)) Object.defineProperties(socket, this.socketMembers);
  }

  /** `io.origins()`: sets which origins may connect, or returns them. */
  setOrigins(value: OriginsValue | undefined): OriginsValue {
    this.use('io.origins()');
    if (value !== undefined) this.origins.value = value;
    return this.origins.value ?? '*:*';
  }

  /** `nsp.clients()`, and that of `/` as `io.clients()`. */
  listClients(nsp: Namespace, callback: Callback<string[]>): void {
    this.use('nsp.clients()');
    answer(callback, clientsOf(nsp));
  }

  /** Counts the use of a name, and logs the first one. */
  use(name: RemovedName): void {
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    if (count > 0) return;
    this.log.warn(
      `[egg-socket.io] ${name} of Socket.IO 2 is used, which config.io.compat provides: write ${CURES[name]}. See ${DOCS}`,
    );
  }

  #addToAdapter(adapter: Adapter): void {
    extend(adapter, this.#ofAdapter);
    const { rooms, sids } = adapter;
    const room = (name: unknown) => {
      const ids = rooms.get(name as Room) ?? new Set();
      return {
        sockets: objectOf(ids, () => true),
        get length() {
          return ids.size;
        },
      };
    };
    replaceCollection(adapter, 'rooms', () => indexed(rooms, room, () => this.use('adapter.rooms[room]')));
    const roomsOf = (id: unknown) => objectOf(sids.get(id as string) ?? new Set(), () => true);
    replaceCollection(adapter, 'sids', () => indexed(sids, roomsOf, () => this.use('adapter.sids[id]')));
  }

  #namespaceMembers(): PropertyDescriptorMap {
    const compat = this;
    return {
      ...this.#selecting(),
      connected: {
        configurable: true,
        get(this: Namespace) {
          compat.use('nsp.connected');
          return objectOf(this.sockets, (id) => this.sockets.get(id));
        },
      },
      clients: method(function (this: Namespace, callback: Callback<string[]>) {
        compat.listClients(this, callback);
        return this;
      }),
      ...withAdapters((adapter) => compat.#addToAdapter(adapter)),
    };
  }

  /** What `nsp.in(room)` returns has `clients()`, also after more calls of `in()`, `to()` and `except()`. */
  #operatorMembers(): PropertyDescriptorMap {
    const compat = this;
    return {
      ...this.#selecting(),
      clients: method(function (this: Operator, callback: Callback<string[]>) {
        compat.use('nsp.in(room).clients()');
        const { nsp, rooms } = this[SELECTED] as NonNullable<Operator[typeof SELECTED]>;
        answer(callback, clientsOf(nsp, rooms, this));
        return this;
      }),
    };
  }

  /** The methods of a namespace, and of what they return, that return an operator. */
  #selecting(): PropertyDescriptorMap {
    const compat = this;
    const select = (name: 'in' | 'to' | 'except') =>
      method(function (this: Namespace | Operator, room: Room | Room[]) {
        const operator: Operator = extend(original(this, name).call(this, room), compat.#ofOperator);
        const { nsp, rooms } = (SELECTED in this && this[SELECTED]) || { nsp: this as Namespace, rooms: [] };
        operator[SELECTED] = { nsp, rooms: name === 'except' ? rooms : rooms.concat(room) };
        return operator;
      });
    return { in: select('in'), to: select('to'), except: select('except') };
  }

  #adapterMembers(): PropertyDescriptorMap {
    const compat = this;
    /** Acts on a socket of this worker at once, also while its client is being admitted; on one of another worker by the adapter. */
    const remote = (
      name: RemovedName,
      act: (socket: Socket, arg: never) => unknown,
      actRemote: (sockets: Operator, arg: never) => void,
    ) => {
      const perform = async (nsp: Namespace, id: string, arg: unknown): Promise<void> => {
        const socket = socketWithId(nsp, id);
        if (socket) await act(socket, arg as never);
        // As socket.io-redis, which passes an error after 5 s.
        else if ((await nsp.in(id).fetchSockets()).length === 0) throw new Error(`${name}: no client has the id ${id}`);
        else actRemote(nsp.in(id), arg as never);
      };
      return method(function (this: Adapter, id: string, arg: unknown, callback?: Callback) {
        compat.use(name);
        answer(callback, perform(this.nsp as Namespace, id, arg));
      });
    };
    return {
      clients: method(function (this: Adapter, ...args: [Callback<string[]>] | [Room[], Callback<string[]>]) {
        compat.use('adapter.clients()');
        const rooms = (args.length > 1 ? args[0] : undefined) as Room[] | undefined;
        answer(args.at(-1) as Callback<string[]>, clientsOf(this.nsp as Namespace, rooms));
      }),
      remoteJoin: remote(
        'adapter.remoteJoin()',
        (socket, room: Room) => socket.join(room),
        (sockets, room: Room) => sockets.socketsJoin(room),
      ),
      remoteLeave: remote(
        'adapter.remoteLeave()',
        (socket, room: Room) => socket.leave(room),
        (sockets, room: Room) => sockets.socketsLeave(room),
      ),
      remoteDisconnect: remote(
        'adapter.remoteDisconnect()',
        (socket, close: boolean) => void socket.disconnect(close),
        (sockets, close: boolean) => sockets.disconnectSockets(close),
      ),
      allRooms: method(function (this: Adapter & { allRooms?(): Promise<Set<Room>> }, callback?: Callback<Room[]>) {
        if (typeof callback !== 'function') return allRooms(this);
        compat.use('adapter.allRooms(callback)');
        answer(
          callback,
          allRooms(this).then((rooms) => [...new Set(Array.from(rooms, String))]),
        );
        return undefined;
      }),
    };
  }

  #socketMembers(): PropertyDescriptorMap {
    const compat = this;
    return {
      ...pendingRooms(() => this.use('socket.to(room); socket.emit()')),
      ...holdsPackets(),
      rooms: {
        configurable: true,
        get(this: SocketWithRooms) {
          const set = this.nsp.adapter.socketRooms(this.id) ?? new Set();
          if (this[ROOMS]?.set !== set) {
            const use = () => compat.use('socket.rooms[room]');
            this[ROOMS] = { set, object: indexed(set, (room) => room, use) };
          }
          return this[ROOMS].object;
        },
      },
      json: {
        configurable: true,
        get(this: Socket) {
          compat.use('socket.json');
          return this;
        },
      },
    };
  }
}

function method(value: unknown): PropertyDescriptor {
  return { configurable: true, writable: true, value };
}

/** Returns a member of Socket.IO's own class, which a member of the same name hides. */
// biome-ignore lint/suspicious/noExplicitAny: its type is that of any member
function original(object: object, name: string): any {
  return Object.getPrototypeOf(Object.getPrototypeOf(object))[name];
}

/** Calls a callback in a later tick, with the result or with the error. Without a callback an error is dropped, as in Socket.IO 2. */
function answer<T>(callback: Callback<T> | undefined, result: Promise<T>): void {
  const call = (...args: Parameters<Callback<T>>) => callback && process.nextTick(callback, ...args);
  result.then((value) => (value === undefined ? call(null) : call(null, value)), call);
}

/**
 * Returns the ids of all workers' clients in rooms, with those of this worker that are being admitted.
 *
 * @param operator - the clients in the rooms
 */
async function clientsOf(
  nsp: Namespace,
  rooms: Room[] = [],
  operator: Pick<Namespace, 'fetchSockets'> = rooms.length > 0 ? nsp.in(rooms.flatMap(sameNames)) : nsp,
): Promise<string[]> {
  const named = rooms.flatMap(sameNames);
  const isIn = ({ id }: Socket) => rooms.length === 0 || named.some((room) => nsp.adapter.rooms.get(room)?.has(id));
  const connecting = () => Array.from(connectingSockets(nsp)).filter(isIn);
  // The callback comes late enough for `clients(callback); await next()`: what it emits to the room reaches the client. A chain that waits
  // for the callback before it calls `next()` gets it at once.
  await nextTurn();
  await Promise.all(connecting().map((socket) => stateOf(socket)?.admission?.end()));
  const ids = (await operator.fetchSockets()).map(({ id }) => id);
  return [...new Set([...ids, ...connecting().map(({ id }) => id)])];
}

/** Socket.IO 2 converts the names of rooms to strings: a client that has joined the room 42 is in '42'. */
function sameNames(room: Room): Room[] {
  const number = Number(room);
  return String(number) === String(room) ? [String(room), number as unknown as Room] : [room];
}

/** Returns the rooms of all workers. Only the adapter 'redis' has a method for that. */
async function allRooms(adapter: Adapter & { allRooms?(): Promise<Set<Room>> }): Promise<Set<Room>> {
  const own = original(adapter, 'allRooms');
  if (typeof own === 'function') return own.call(adapter);
  const sockets = await (adapter.nsp as Namespace).fetchSockets();
  return new Set([...adapter.rooms.keys(), ...sockets.flatMap((socket) => [...socket.rooms])]);
}
