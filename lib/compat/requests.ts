// Requests of a worker to all workers: which clients and rooms there are, and changes of one client. Workers ask each other by
// `serverSideEmit`, so that they work with every adapter. Other than those of Socket.IO 4, they include clients that are being admitted, as
// those of socket.io-redis 5.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Namespace, Socket } from 'socket.io';
import { reachesOthers } from '../internals/adapters';
import { connectingSockets, socketWithId } from '../internals/namespaces';
import { stateOf } from '../socket-state';

/** Socket.IO 2 converts the names of rooms to strings: a client that has joined the room 42 is in '42'. */
export type Room = string | number;

/** Selects the clients that are in one of the rooms, or all clients if there is none, and in none of `except`. */
export interface Selection {
  readonly rooms: readonly Room[];
  readonly except: readonly Room[];
}

/** A change of one client. */
export type Change =
  | { readonly type: 'join' | 'leave'; readonly id: string; readonly room: Room }
  | { readonly type: 'disconnect'; readonly id: string; readonly close: boolean };

type ListRequest = ({ readonly type: 'clients' } & Selection) | { readonly type: 'rooms' };
type Request = ListRequest | Change;

/** Ids or names of rooms; or whether the worker has the client. */
type Answer = readonly Room[] | boolean;

/** The event of `serverSideEmit`. */
const EVENT = 'egg-socket.io:compat';

/** How much longer than an adapter requests wait for it, in ms. An adapter of the application may never answer. */
const GRACE = 1_000;

/** The requests of one worker. */
export class WorkerRequests {
  /** @param timeout - how long requests wait for other workers, in ms */
  constructor(private readonly timeout: number) {}

  /** Makes a namespace answer the requests of other workers. */
  answerIn(nsp: Namespace): void {
    nsp.on(EVENT, answerRequest);
  }

  /**
   * Returns the ids of clients of all workers.
   *
   * @throws an error with the property `found`, the ids that are known, if a worker does not answer
   */
  async clients(nsp: Namespace, selection: Selection): Promise<string[]> {
    // The callback comes late enough for `clients(callback); await next()`: what it emits to the room reaches the client. A chain that waits
    // for the callback before it calls `next()` gets it at once.
    await nextTurn();
    await Promise.all(
      Array.from(connectingSockets(nsp))
        .filter(selected(nsp, selection))
        .map((socket) => stateOf(socket)?.admission?.end()),
    );
    return this.#list(nsp, { type: 'clients', ...selection });
  }

  /** Returns the names of the rooms of all workers. Throws as `clients()` does. */
  rooms(nsp: Namespace): Promise<string[]> {
    return this.#list(nsp, { type: 'rooms' });
  }

  /**
   * Changes a client of any worker.
   *
   * @throws if no worker has the client, or if a worker does not answer and no other one has the client
   */
  async change(nsp: Namespace, change: Change): Promise<void> {
    if (await perform(nsp, change)) return;
    const { err, answers } = await this.#ask(nsp, change);
    if (answers.includes(true)) return;
    throw err ?? new Error(`no client has the id ${change.id}`);
  }

  async #list(nsp: Namespace, request: ListRequest): Promise<string[]> {
    const { err, answers } = await this.#ask(nsp, request);
    const lists = [...answers, list(nsp, request)];
    const found = [...new Set(lists.flatMap((answer) => (Array.isArray(answer) ? answer.map(String) : [])))];
    if (err !== undefined) throw Object.assign(err, { found });
    return found;
  }

  /** Asks the other workers. If some do not answer in time, returns the answers of the others, and the error. */
  async #ask(nsp: Namespace, request: Request): Promise<{ err?: Error; answers: readonly Answer[] }> {
    if (!reachesOthers(nsp.adapter)) return { answers: [] };
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<never>((_resolve, reject) => {
      const late = () => reject(new Error(`timeout reached: the adapter has not answered for ${this.timeout} ms`));
      timer = setTimeout(late, this.timeout + GRACE);
    });
    try {
      return { answers: await Promise.race([nsp.serverSideEmitWithAck(EVENT, request), timedOut]) };
    } catch (thrown) {
      const { message, responses = [] } = thrown as Error & { responses?: Answer[] };
      const advice = message.startsWith('timeout') ? '. A worker without config.io.compat does not answer' : '';
      return { err: new Error(message + advice, { cause: thrown }), answers: responses };
    } finally {
      clearTimeout(timer);
    }
  }
}

function answerRequest(this: Namespace, request: Request, respond: (answer: Answer) => void): void {
  if (request.type === 'clients' || request.type === 'rooms') respond(list(this, request));
  // A change that fails is answered as well: the other worker would wait for it.
  else perform(this, request).then(respond, () => respond(false));
}

/** Returns the clients or the rooms of this worker. */
function list(nsp: Namespace, request: ListRequest): Room[] {
  if (request.type === 'rooms') return Array.from(nsp.adapter.rooms.keys());
  return [...nsp.sockets.values(), ...connectingSockets(nsp)].filter(selected(nsp, request)).map(({ id }) => id);
}

/** Returns whether a socket is selected. */
function selected(nsp: Namespace, { rooms, except }: Selection): (socket: Socket) => boolean {
  const sets = (names: readonly Room[]) =>
    names.flatMap(sameNames).map((room) => nsp.adapter.rooms.get(room as string));
  const [included, excluded] = [sets(rooms), sets(except)];
  return ({ id }) =>
    (rooms.length === 0 || included.some((ids) => ids?.has(id))) && !excluded.some((ids) => ids?.has(id));
}

function sameNames(room: Room): Room[] {
  const number = Number(room);
  return String(number) === String(room) ? [String(room), number] : [room];
}

/** Changes a client of this worker, also while it is being admitted. Returns whether there is such a client. */
async function perform(nsp: Namespace, change: Change): Promise<boolean> {
  const socket = socketWithId(nsp, change.id);
  if (socket === undefined) return false;
  if (change.type === 'disconnect') socket.disconnect(change.close);
  else await socket[change.type](change.room as string);
  return true;
}
