// `socket.to('room')` as a statement of its own: in Socket.IO 2, the next `socket.emit()` is sent to the room. Socket.IO 4 returns an object
// that emits to the room, and `socket.emit()` is always sent to the client.
import { Socket } from 'socket.io';
import { extend } from '../internals/compat';

const PENDING = Symbol('egg-socket.io:pending-rooms');
const SOCKET = Symbol('egg-socket.io:socket');

/** Emits to rooms: what `socket.to()` returns. */
type Operator = ReturnType<Socket['to']> & { [SOCKET]?: PendingSocket };
type PendingSocket = Socket & { [PENDING]?: Operator | undefined };

/**
 * Returns members of sockets: `emit()` sends to the pending rooms, those of `to()`, `in()` and `broadcast`. No rooms are pending if the
 * returned object is used, as in Socket.IO 4: `socket.to('room').emit()`.
 *
 * @param used - called if `emit()` sends to pending rooms
 */
export function pendingRooms(used: () => void): PropertyDescriptorMap {
  const { to, emit } = Socket.prototype;
  const broadcast = Object.getOwnPropertyDescriptor(Socket.prototype, 'broadcast')?.get;
  let members: PropertyDescriptorMap | undefined;

  function setPending(socket: PendingSocket, operator: Operator): Operator {
    members ??= operatorMembers(operator);
    extend(operator, members);
    operator[SOCKET] = socket;
    socket[PENDING] = operator;
    return operator;
  }

  /** If a member of an operator is used, its rooms are no longer pending. `to()` and `in()` add rooms. */
  function operatorMembers(sample: Operator): PropertyDescriptorMap {
    const prototype: object = Object.getPrototypeOf(sample);
    // Flags of Socket.IO 2 that change nothing: socket.to('room').broadcast.emit().
    const itself = {
      configurable: true,
      get(this: Operator) {
        return this;
      },
    };
    const result: PropertyDescriptorMap = { broadcast: itself, json: itself };
    for (const [name, { get, value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === 'constructor') continue;
      const member: unknown = get ?? value;
      if (typeof member !== 'function') continue;
      const isRoom = name === 'to' || name === 'in';
      const wrapped = function (this: Operator, ...args: unknown[]): unknown {
        const socket = this[SOCKET];
        if (isRoom && socket) return setPending(socket, member.apply(this, args));
        if (socket?.[PENDING] === this) socket[PENDING] = undefined;
        return member.apply(this, args);
      };
      result[name] = get
        ? { configurable: true, get: wrapped as () => unknown }
        : { configurable: true, writable: true, value: wrapped };
    }
    return result;
  }

  const addRoom = {
    configurable: true,
    writable: true,
    value(this: PendingSocket, room: string | string[]): Operator {
      return this[PENDING] === undefined ? setPending(this, to.call(this, room)) : this[PENDING].to(room);
    },
  };
  return {
    to: addRoom,
    in: addRoom,
    broadcast: {
      configurable: true,
      get(this: PendingSocket): Operator {
        return setPending(this, broadcast?.call(this));
      },
    },
    emit: {
      configurable: true,
      writable: true,
      value(this: PendingSocket, event: string, ...args: unknown[]): boolean {
        const operator = this[PENDING];
        if (operator === undefined) return emit.call(this, event, ...args);
        used();
        if (typeof args.at(-1) === 'function') {
          this[PENDING] = undefined;
          // The error of Socket.IO 2.
          throw new Error('Callbacks are not supported when broadcasting');
        }
        return operator.emit(event, ...args);
      },
    },
  };
}
