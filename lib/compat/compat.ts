// `config.io.compat`: Socket.IO 2's server API on Socket.IO 4. Each name that is used is logged once and counted. It is loaded only if the
// option is set.
import type { Namespace, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { extend, holdsPackets, isParent, replaceCollection, withAdapters } from '../internals/compat';
import { indexed, objectOf } from './indexed';
import type { Origins, OriginsValue } from './origins';
import { pendingRooms } from './pending-rooms';
import { CURES, DOCS, type RemovedName } from './removed';
import { type Change, type Room, type Selection, WorkerRequests } from './requests';

type Callback<T = void> = (err: unknown, result?: T) => void;
const ALL: Selection = { rooms: [], except: [] };
const SELECTED = Symbol('egg-socket.io:selected');
/** What `nsp.in(room)` returns, with the rooms of all calls of `in()`, `to()` and `except()`. */
type Operator = ReturnType<Namespace['in']> & { [SELECTED]?: Selection & { nsp: Namespace } };

const ROOMS = Symbol('egg-socket.io:rooms');
/** The rooms of a socket, and the object that `socket.rooms` is. */
type SocketWithRooms = Socket & { [ROOMS]?: { set: Set<string>; object: Set<string> } };

/** Socket.IO 2's server API of one application. */
export class Compat {
  /** The members of sockets: `rooms`, `json`, and `to()` whose rooms are pending. */
  readonly socketMembers: PropertyDescriptorMap;
  readonly #counts = new Map<RemovedName, number>();
  readonly #ofNamespace: PropertyDescriptorMap;
  readonly #ofAdapter: PropertyDescriptorMap;
  readonly #ofOperator: PropertyDescriptorMap;
  readonly #requests: WorkerRequests;

  /** @param requestsTimeout - how long requests wait for other workers, in ms */
  constructor(
    private readonly log: { warn(message: string): void },
    private readonly origins: Origins,
    requestsTimeout: number,
  ) {
    this.#requests = new WorkerRequests(requestsTimeout);
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
    this.#requests.answerIn(nsp);
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
    this.#list('nsp.clients()', callback, (requests) => requests.clients(nsp, ALL));
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
      const ids = rooms.get(name as string) ?? new Set();
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
        const { nsp, rooms, except } = this[SELECTED] as NonNullable<Operator[typeof SELECTED]>;
        compat.#list('nsp.in(room).clients()', callback, (requests) => requests.clients(nsp, { rooms, except }));
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
        const selected = (SELECTED in this && this[SELECTED]) || { nsp: this as Namespace, ...ALL };
        const names = name === 'except' ? 'except' : 'rooms';
        operator[SELECTED] = { ...selected, [names]: selected[names].concat(room) };
        return operator;
      });
    return { in: select('in'), to: select('to'), except: select('except') };
  }

  #adapterMembers(): PropertyDescriptorMap {
    const compat = this;
    const remote = (name: RemovedName, change: (id: string, arg: never) => Change) =>
      method(function (this: Adapter, id: string, arg: unknown, callback?: Callback) {
        compat.use(name);
        const changed = compat.#requests.change(this.nsp as Namespace, change(id, arg as never));
        answer(callback, changed.catch(naming(name)));
      });
    return {
      clients: method(function (this: Adapter, ...args: [Callback<string[]>] | [Room[], Callback<string[]>]) {
        const rooms = (args.length > 1 ? (args[0] as Room[]) : undefined) ?? [];
        compat.#list('adapter.clients()', args.at(-1) as Callback<string[]>, (requests) =>
          requests.clients(this.nsp as Namespace, { rooms, except: [] }),
        );
      }),
      remoteJoin: remote('adapter.remoteJoin()', (id, room: Room) => ({ type: 'join', id, room })),
      remoteLeave: remote('adapter.remoteLeave()', (id, room: Room) => ({ type: 'leave', id, room })),
      remoteDisconnect: remote('adapter.remoteDisconnect()', (id, close: boolean) => ({
        type: 'disconnect',
        id,
        close,
      })),
      allRooms: method(function (this: Adapter, callback?: Callback<string[]>) {
        const rooms = compat.#allRooms(this);
        // The adapter 'redis' has such a method, which returns a promise.
        if (typeof callback !== 'function') return rooms;
        compat.#list('adapter.allRooms(callback)', callback, async () => [...new Set(Array.from(await rooms, String))]);
        return undefined;
      }),
    };
  }

  #allRooms(adapter: Adapter): Promise<Set<string>> {
    const own = original(adapter, 'allRooms');
    if (typeof own === 'function') return own.call(adapter);
    return this.#requests.rooms(adapter.nsp as Namespace).then((rooms) => new Set(rooms));
  }

  /** Counts the use of a name, and calls a callback with a list. */
  #list(name: RemovedName, callback: Callback<string[]>, list: (requests: WorkerRequests) => Promise<string[]>): void {
    this.use(name);
    answer(callback, list(this.#requests).catch(naming(name)));
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

/** Returns a function that throws an error again, with the name of the method. */
function naming(name: RemovedName): (err: Error) => never {
  return (err) => {
    throw Object.assign(err, { message: `[egg-socket.io] ${name}: ${err.message}` });
  };
}

/**
 * Calls a callback in a later tick, with the result or with the error, and with what was found in spite of it, as socket.io-redis does.
 * Without a callback an error is dropped, as in Socket.IO 2.
 */
function answer<T>(callback: Callback<T> | undefined, result: Promise<T>): void {
  const call = (...args: Parameters<Callback<T>>) => callback && process.nextTick(callback, ...args);
  result.then(
    (value) => (value === undefined ? call(null) : call(null, value)),
    (err) => ('found' in err ? call(err, err.found) : call(err)),
  );
}
