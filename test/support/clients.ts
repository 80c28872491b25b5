// The kinds of clients that tests of parity run with: each in a suite of its own, with the same tests. A client of Socket.IO 1 or 2
// gets what the tests use of the newest one's API, and says what it says on its own.
import assert from 'node:assert/strict';
import { io as connectNew, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { within } from './wait';

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

type Connect = (url: string, options: ClientOptions) => Socket;

/** A kind of client. */
export interface Kind {
  readonly name: string;
  /** Of Engine.IO. */
  readonly protocol: 3 | 4;
  /** What it goes over unless a test says more. */
  readonly transport: 'polling' | 'websocket';
  readonly connect: Connect;
  /** The id that the client has for itself, by that which its socket has on the server. */
  readonly idOf: (id: string) => string;
  /** Whether a client of another namespace is told that it was refused, be it in `/`. */
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
    // It has always left out the namespace.
    idOf: (id) => id.replace(/^.*#/, ''),
    hearsOfDefault: false,
  },
];

let current = NEW;

/** The kind that is used now. */
export function kind(): Kind {
  return current;
}

/** The kinds, one of them over polling as well. */
export const ALL: Kind[] = [NEW, ...OLD, { ...TWO, name: 'client 2 over polling', transport: 'polling' }];

/** A suite for each kind of client, where `track`, `start` and what is built on them use that kind. */
export function parity(title: string, suite: (kind: Kind) => void): void {
  parityOf([NEW, ...OLD], title, suite);
}

/** The same, for these kinds. */
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

/** A new client, of the kind that is used now unless another is named. */
export function connectClient(url: string, options: ClientOptions, { connect, transport } = current): Socket {
  return connect(url, { forceNew: true, reconnection: false, transports: [transport], ...options });
}

/** What a client that was refused has heard, as an error: an old one hears `err.data || err.message`. */
export function asError(heard: unknown): Error & { data?: unknown } {
  if (heard instanceof Error) return heard;
  return typeof heard === 'string' ? new Error(heard) : Object.assign(new Error(), { data: heard });
}

/** Fails unless the client has heard of the refusal what one of its kind is told. */
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
    io.socket = (nsp, own) => renewed(join.call(io, nsp, own) as unknown as OldSocket);
    return renewed(socket);
  };
}

/** Gives it what the tests use and it doesn't have. */
function renewed(socket: OldSocket): Socket {
  const emitWithAck = (event: string, ...args: unknown[]) =>
    new Promise((resolve) => socket.emit(event, ...args, resolve));
  const timeout = (ms: number) => ({
    emitWithAck: (event: string, ...args: unknown[]) => within(`the ack of ${event}`, emitWithAck(event, ...args), ms),
  });
  const onAny = (listener: (...args: unknown[]) => void) => {
    const { onevent } = socket;
    socket.onevent = (packet) => {
      listener(...packet.data);
      onevent.call(socket, packet);
    };
  };
  Object.assign(socket, { emitWithAck, timeout, onAny });
  Object.defineProperty(socket, 'active', { get: () => Boolean(socket.subs) });
  return socket as unknown as Socket;
}
