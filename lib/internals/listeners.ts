// The private members of Socket.IO through which it calls the listeners of an application: those of sockets and namespaces, the functions of
// `use()`, and the callbacks of acknowledgements. What one of them throws, or rejects with, is reported, and the others are called. Socket.IO
// itself lets the exception end the process.
import { Namespace, Socket } from 'socket.io';
import { isPromise } from '../errors';
import { type Member, property } from './members';

/** What is done with the errors of listeners. One object for an application. */
export interface ListenerErrors {
  /**
   * Reports what a listener of a socket has thrown. Never throws.
   *
   * @param packet - the event and its arguments, if a client has sent it
   */
  ofSocket(socket: Socket, event: unknown, thrown: unknown, packet?: unknown[]): void;
  /** Reports what a listener of a namespace has thrown. Never throws. */
  ofNamespace(nsp: Namespace, event: unknown, thrown: unknown): void;
  /** Reports what a function of `nsp.use()` has thrown. Returns the error with which the client is refused. */
  ofMiddleware(socket: Socket, thrown: unknown): Error;
  /** Returns an error that a function of `nsp.use()` has passed to `next`, without data that cannot be encoded. */
  encodable(socket: Socket, err: Error): Error;
}

type Listener = (...args: unknown[]) => unknown;

type Decide = (err?: Error) => void;

/** A function of `nsp.use()` or `socket.use()`. */
type Use<T> = (subject: T, next: Decide) => unknown;

interface PrivateSocket {
  readonly fns: Array<Use<unknown[]>>;
  readonly _anyListeners?: Listener[];
  readonly _anyOutgoingListeners?: Listener[];
  ack(id: number): Listener;
  dispatch(packet: unknown[]): void;
  onevent(packet: { data?: unknown[]; id?: number }): void;
  onack(packet: { id: number }): void;
  registerAckCallback(id: number, ack: Listener): void;
  notifyOutgoingListeners(packet: { data: unknown[] }): void;
  emitReserved(event: string, ...args: unknown[]): boolean;
  _onerror(err: unknown): void;
}

interface PrivateNamespace {
  readonly _fns: Array<Use<Socket>>;
  run(socket: Socket, fn: Decide): void;
  emitReserved(event: string, ...args: unknown[]): boolean;
  _onServerSideEmit(args: unknown[]): void;
}

const member = (owner: 'socket' | 'namespace', name: string, type: Member['type'], listeners: string): Member => ({
  library: 'socket.io',
  path: `${owner === 'socket' ? 'Socket' : 'Namespace'}.prototype.${name}`,
  type,
  find: (sample) => property(sample[owner], name),
  fallback: `${listeners} that throw end the worker, as config.io.containListeners has no effect on them`,
});

export const LISTENER_MEMBERS: readonly Member[] = [
  member('socket', 'ack', 'function', 'listeners of socket.onAny()'),
  member('socket', 'onevent', 'function', 'listeners of socket.onAny() have no app.currentContext, and those'),
  member('socket', 'onack', 'function', 'callbacks of acknowledgements of broadcasts'),
  member('socket', 'registerAckCallback', 'function', 'callbacks of acknowledgements'),
  member('socket', 'notifyOutgoingListeners', 'function', 'listeners of socket.onAnyOutgoing()'),
  member('socket', 'emitReserved', 'function', 'listeners of disconnecting, disconnect and error'),
  member('namespace', '_fns', 'object', 'functions of nsp.use()'),
  member('namespace', 'run', 'function', 'functions of nsp.use()'),
  member('namespace', 'emitReserved', 'function', 'listeners of connection'),
];

/** Under which a socket has what is done with the errors of its listeners. */
const ERRORS = Symbol('egg-socket.io:listener-errors');

/** A socket whose listeners are contained. */
interface ContainedSocket extends PrivateSocket {
  readonly [ERRORS]: ListenerErrors;
  readonly acks: Map<number, unknown>;
  readonly connected: boolean;
  rawListeners(event: unknown): Listener[];
}

/** Contains the errors of the listeners of namespaces and of their sockets. The members that it installs are the same for all of them. */
export class ListenerContainment {
  /** The members of the sockets of bound namespaces, which have `dispatch` and `onevent` of `SocketHookInstaller`. */
  readonly socketMembers: PropertyDescriptorMap;
  readonly #unboundMembers: PropertyDescriptorMap;
  readonly #namespaceMembers: PropertyDescriptorMap;

  constructor(errors: ListenerErrors) {
    this.socketMembers = socketMembers(errors);
    this.#unboundMembers = {
      ...this.socketMembers,
      dispatch: method(dispatchContained),
      ...receiver(callAnyListeners),
    };
    this.#namespaceMembers = namespaceMembers(errors, (socket) => {
      if (!isContained(socket)) Object.defineProperties(socket, this.#unboundMembers);
    });
  }

  /** Contains the errors of the listeners of a namespace, and of its sockets from their creation on. */
  contain(nsp: Namespace): void {
    Object.defineProperties(nsp, this.#namespaceMembers);
  }
}

/** @param containSocket - contains the errors of the listeners of a socket, unless they are */
function namespaceMembers(errors: ListenerErrors, containSocket: (socket: Socket) => void): PropertyDescriptorMap {
  const { run, emitReserved } = Namespace.prototype as unknown as Partial<PrivateNamespace>;
  const failed = (thrown: unknown, nsp: Namespace, event: unknown) => errors.ofNamespace(nsp, event, thrown);
  const listenersOf = (nsp: Namespace, event: unknown) => nsp.rawListeners(event as string) as Listener[];
  const members: PropertyDescriptorMap = {
    _onServerSideEmit: method(function (this: Namespace, [event, ...args]: unknown[]) {
      callListeners(this, listenersOf(this, event), args, failed, event);
    }),
  };
  if (typeof run === 'function') {
    members.run = method(function (this: PrivateNamespace, socket: Socket, fn: Decide) {
      containSocket(socket);
      if (Array.isArray(this._fns)) runMiddleware(this._fns.slice(), socket, errors, fn);
      else run.call(this, socket, fn);
    });
  }
  if (typeof emitReserved === 'function') {
    members.emitReserved = method(function (this: Namespace, event: string, ...args: unknown[]) {
      const [subject] = args;
      if (!(subject instanceof Socket)) return callListeners(this, listenersOf(this, event), args, failed, event);
      // A recovered socket may have skipped the functions of `use()`.
      containSocket(subject);
      return callListeners(this, listenersOf(this, event), args, (thrown) => errors.ofSocket(subject, event, thrown));
    });
  }
  return members;
}

function socketMembers(errors: ListenerErrors): PropertyDescriptorMap {
  const { onack, registerAckCallback, notifyOutgoingListeners, emitReserved } =
    Socket.prototype as unknown as PrivateSocket;
  const members: PropertyDescriptorMap = { [ERRORS]: { value: errors } };
  const add = (name: string, original: unknown, value: (this: ContainedSocket, ...args: never[]) => unknown) => {
    if (typeof original === 'function') members[name] = method(value);
  };
  add('onack', onack, function (packet: { id: number }) {
    try {
      onack.call(this, packet);
    } catch (thrown) {
      // Socket.IO deletes it after the call.
      this.acks.delete(packet.id);
      failedEvent(thrown, this, ACKNOWLEDGEMENT);
    }
  });
  add('registerAckCallback', registerAckCallback, function (id: number, callback: Listener) {
    const contained = (...args: unknown[]) => callListeners(this, [callback], args, failedEvent, ACKNOWLEDGEMENT);
    registerAckCallback.call(this, id, contained);
  });
  add('notifyOutgoingListeners', notifyOutgoingListeners, function ({ data }: { data: unknown[] }) {
    const listeners = this._anyOutgoingListeners;
    if (listeners !== undefined && listeners.length > 0) {
      callListeners(this, listeners.slice(), data, failedEvent, data[0]);
    }
  });
  add('emitReserved', emitReserved, function (event: string, ...args: unknown[]) {
    return callListeners(this, this.rawListeners(event), args, failedEvent, event);
  });
  return members;
}

/** What the log line of an error in the callback of an acknowledgement has as its event. */
const ACKNOWLEDGEMENT = 'acknowledgement of an emitted event';

function failedEvent(thrown: unknown, socket: ContainedSocket, event: unknown): void {
  socket[ERRORS].ofSocket(socket as unknown as Socket, event, thrown);
}

function failedPacket(thrown: unknown, socket: ContainedSocket, packet: unknown[]): void {
  socket[ERRORS].ofSocket(socket as unknown as Socket, packet[0], thrown, packet);
}

/** Whether the errors of the listeners of a socket are contained. */
export function isContained(socket: Socket): boolean {
  return ERRORS in socket;
}

/**
 * Returns the member `onevent` of sockets, which Socket.IO calls with an event packet: it passes the event on to `dispatch`.
 *
 * @param beforeDispatch - called first, for the listeners of `onAny()`. Undefined if `dispatch` itself calls them
 */
export function receiver(beforeDispatch?: (socket: Socket, packet: unknown[]) => void): PropertyDescriptorMap {
  const { ack, dispatch, onevent } = Socket.prototype as unknown as Partial<PrivateSocket>;
  if (typeof ack !== 'function' || typeof dispatch !== 'function' || typeof onevent !== 'function') return {};
  const value = function (this: ContainedSocket, packet: { data?: unknown[]; id?: number }) {
    const args = packet.data ?? [];
    if (packet.id !== undefined && packet.id !== null) args.push(this.ack(packet.id));
    beforeDispatch?.(this as unknown as Socket, args);
    this.dispatch(args);
  };
  return { onevent: method(value) };
}

function hasAnyListeners({ _anyListeners: listeners }: PrivateSocket): boolean {
  return listeners !== undefined && listeners.length > 0;
}

/** Calls the listeners of `socket.onAny()`, unless Socket.IO's own `onevent` has called them. Never throws. */
export function callAnyListeners(socket: Socket, packet: unknown[]): void {
  const target = socket as unknown as ContainedSocket;
  if (!hasAnyListeners(target) || target.onevent === (Socket.prototype as unknown as PrivateSocket).onevent) return;
  const listeners = (target._anyListeners as Listener[]).slice();
  if (isContained(socket)) {
    callListeners(target, listeners, packet, failedEvent, packet[0]);
    return;
  }
  try {
    for (const listener of listeners) Reflect.apply(listener, socket, packet);
  } catch (thrown) {
    // Ends the process, as with Socket.IO's own `onevent`.
    process.nextTick(() => {
      throw thrown;
    });
  }
}

/** `Socket.dispatch`: runs the functions of `socket.use()`, and calls the listeners in a later tick. */
export function dispatchContained(this: Socket, packet: unknown[]): void {
  const socket = this as unknown as ContainedSocket;
  const { fns } = socket;
  if (fns !== undefined && fns.length > 0) runSocketMiddleware(fns.slice(), socket, packet);
  else process.nextTick(deliver, socket, packet);
}

function deliver(socket: ContainedSocket, packet: unknown[]): void {
  if (socket.connected) callListeners(socket, socket.rawListeners(packet[0]), packet.slice(1), failedPacket, packet);
}

/** Runs the functions of `socket.use()`. What one of them throws before the first returns is thrown, as by Socket.IO. */
function runSocketMiddleware(fns: Array<Use<unknown[]>>, socket: ContainedSocket, packet: unknown[]): void {
  let isSync = true;
  const failed = (thrown: unknown) => failedPacket(thrown, socket, packet);
  const run = (index: number): void => {
    try {
      const result = fns[index]?.(packet, (err) => {
        if (err) process.nextTick(() => socket._onerror(err));
        else if (index + 1 < fns.length) run(index + 1);
        else process.nextTick(deliver, socket, packet);
      });
      if (isPromise(result)) result.then(undefined, failed);
    } catch (thrown) {
      if (isSync) throw thrown;
      failed(thrown);
    }
  };
  run(0);
  isSync = false;
}

/** Runs the functions of `nsp.use()`. One that throws before it has called `next` refuses the client. */
function runMiddleware(fns: Array<Use<Socket>>, socket: Socket, errors: ListenerErrors, decide: Decide): void {
  const run = (index: number): void => {
    const fn = fns[index];
    if (fn === undefined) {
      decide();
      return;
    }
    let hasDecided = false;
    const next = (err?: Error) => {
      if (hasDecided) return;
      hasDecided = true;
      if (err) decide(errors.encodable(socket, err));
      else run(index + 1);
    };
    const failed = (thrown: unknown) => {
      if (hasDecided) {
        errors.ofSocket(socket, 'connection', thrown);
        return;
      }
      hasDecided = true;
      decide(errors.ofMiddleware(socket, thrown));
    };
    try {
      const result = fn(socket, next);
      if (isPromise(result)) result.then(undefined, failed);
    } catch (thrown) {
      failed(thrown);
    }
  };
  run(0);
}

/**
 * Calls all listeners. Returns whether there are any.
 *
 * @param failed - called with what a listener has thrown, with the emitter and with `subject`
 */
function callListeners<E extends object, S>(
  emitter: E,
  listeners: Listener[],
  args: unknown[],
  failed: (thrown: unknown, emitter: E, subject: S) => void,
  subject?: S,
): boolean {
  for (const listener of listeners) {
    try {
      const result = Reflect.apply(listener, emitter, args);
      if (isPromise(result)) result.then(undefined, (reason) => failed(reason, emitter, subject as S));
    } catch (thrown) {
      failed(thrown, emitter, subject as S);
    }
  }
  return listeners.length > 0;
}

function method(value: unknown): PropertyDescriptor {
  return { value, writable: true, configurable: true };
}
