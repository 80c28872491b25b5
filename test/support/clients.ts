// The kinds of clients of the parity tests: the same tests run in one suite for each kind. Clients of Socket.IO 1 and 2 get those
// methods of the newest client that the tests use; the packets they send are unchanged.
import assert from 'node:assert/strict';
import { io as connectNew, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { within } from './wait';

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

type Connect = (url: string, options: ClientOptions) => Socket;

/** A kind of client. */
export interface Kind {
  readonly name: string;
  /** The version of Engine.IO's protocol. */
  readonly protocol: 3 | 4;
  /** The transport, unless a test sets others. */
  readonly transport: 'polling' | 'websocket';
  readonly connect: Connect;
  /** Returns the id in the client for an id on the server. */
  readonly idOf: (id: string) => string;
  /** Whether a client of another namespace receives the error if it is refused in `/`. */
  readonly hearsOfDefault: boolean;
}

export const NEW: Kind = {
  name: 'client 4',
  protocol: 4,
  transport: 'websocket',
  connect: connectNew,
  idOf: (id) => id,
  hearsOfDefault: true,
};

const TWO: Kind = { ...NEW, name: 'client 2', protocol: 3, connect: old(require('socket.io-client2')) };

export const OLD: Kind[] = [
  TWO,
  {
    ...TWO,
    name: 'client 1.7',
    connect: old(require('socket.io-client1')),
    // Its id has no namespace.
    idOf: (id) => id.replace(/^.*#/, ''),
    hearsOfDefault: false,
  },
];

let current = NEW;

/** The current kind. */
export function kind(): Kind {
  return current;
}

/** All kinds, and one of them also over polling. */
export const ALL: Kind[] = [NEW, ...OLD, { ...TWO, name: 'client 2 over polling', transport: 'polling' }];

/** Runs a suite for each kind of client. In it, `track`, `start` and functions that call them use that kind. */
export function parity(title: string, suite: (kind: Kind) => void): void {
  parityOf([NEW, ...OLD], title, suite);
}

/** As `parity`, for the given kinds. */
export function parityOf(kinds: Kind[], title: string, suite: (kind: Kind) => void): void {
  for (const each of kinds) {
    describe(each === NEW ? title : `${title}: ${each.name}`, () => {
      before(() => {
        current = each;
      });
      after(() => {
        current = NEW;
      });
      suite(each);
    });
  }
}

/** Returns a new client of the current kind, unless another is given. */
export function connectClient(url: string, options: ClientOptions, { connect, transport } = current): Socket {
  return connect(url, { forceNew: true, reconnection: false, transports: [transport], ...options });
}

/** Converts what a refused client receives to an error: an old client receives `err.data || err.message`. */
export function asError(heard: unknown): Error & { data?: unknown } {
  if (heard instanceof Error) return heard;
  return typeof heard === 'string' ? new Error(heard) : Object.assign(new Error(), { data: heard });
}

/** Asserts that the client received the refusal in the form for its kind. */
export function assertRefusal(heard: Error & { data?: unknown }, message: string, data?: unknown): void {
  const expected = current.protocol === 3 && data ? { message: '', data } : { message, data };
  assert.deepEqual({ message: heard.message, data: heard.data }, expected);
}

/** The API of a client of Socket.IO 1 or 2. */
interface OldSocket {
  subs: unknown;
  emit(event: string, ...args: unknown[]): void;
  onevent(packet: { data: unknown[] }): void;
  io: { socket(nsp: string, options?: object): Socket };
}

function old(connect: (url: string, options: object) => unknown): Connect {
  return (url, options) => {
    const socket = connect(url, options) as OldSocket;
    const { io } = socket;
    const { socket: join } = io;
    io.socket = (nsp, own) => modernize(join.call(io, nsp, own) as unknown as OldSocket);
    return modernize(socket);
  };
}

/** Adds the methods of newer clients that the tests use. */
function modernize(socket: OldSocket): Socket {
  const emitWithAck = (event: string, ...args: unknown[]) =>
    new Promise((resolve) => socket.emit(event, ...args, resolve));
  const timeout = (ms: number) => ({
    emitWithAck: (event: string, ...args: unknown[]) =>
      within(`the acknowledgement of ${event}`, emitWithAck(event, ...args), ms),
  });
  const onAny = (listener: (...args: unknown[]) => void) => {
    const { onevent } = socket;
    socket.onevent = (packet) => {
      listener(...packet.data);
      onevent.call(socket, packet);
    };
  };
  Object.assign(socket, { emitWithAck, timeout, onAny });
  Object.defineProperty(socket, 'active', { configurable: true, get: () => Boolean(socket.subs) });
  return socket as unknown as Socket;
}
