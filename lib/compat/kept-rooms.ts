// `socket.to('room')` as a statement of its own: in Socket.IO 2 the room is kept for the next `socket.emit()`. Socket.IO 4 returns an object
// that emits, and keeps nothing.
import { Socket } from 'socket.io';
import { extend } from '../internals/compat';

const KEPT = Symbol('egg-socket.io:kept-rooms');
const SOCKET = Symbol('egg-socket.io:socket');

/** Emits to rooms: what `socket.to()` returns. */
type Operator = ReturnType<Socket['to']> & { [SOCKET]?: KeepingSocket };
type KeepingSocket = Socket & { [KEPT]?: Operator | undefined };

/**
 * Returns members of sockets that keep the rooms of `to()`, `in()` and `broadcast` for the next `emit()`. The rooms are not kept if the
 * returned object is used, as in Socket.IO 4: `socket.to('room').emit()`.
 *
 * @param used - called if `emit()` uses rooms that were kept
 */
export function keptRooms(used: () => void): PropertyDescriptorMap {
  const { to, emit } = Socket.prototype;
  const broadcast = Object.getOwnPropertyDescriptor(Socket.prototype, 'broadcast')?.get;
  let members: PropertyDescriptorMap | undefined;

  function keep(socket: KeepingSocket, operator: Operator): Operator {
    members ??= operatorMembers(operator);
    extend(operator, members);
    operator[SOCKET] = socket;
    socket[KEPT] = operator;
    return operator;
  }

  /** All members of an operator stop keeping its rooms, but `to()` and `in()`, which add rooms. */
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
        if (isRoom && socket) return keep(socket, member.apply(this, args));
        if (socket?.[KEPT] === this) socket[KEPT] = undefined;
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
    value(this: KeepingSocket, room: string | string[]): Operator {
      return this[KEPT] === undefined ? keep(this, to.call(this, room)) : this[KEPT].to(room);
    },
  };
  return {
    to: addRoom,
    in: addRoom,
    broadcast: {
      configurable: true,
      get(this: KeepingSocket): Operator {
        return keep(this, broadcast?.call(this));
      },
    },
    emit: {
      configurable: true,
      writable: true,
      value(this: KeepingSocket, event: string, ...args: unknown[]): boolean {
        const operator = this[KEPT];
        if (operator === undefined) return emit.call(this, event, ...args);
        used();
        if (typeof args.at(-1) === 'function') {
          this[KEPT] = undefined;
          // The error of Socket.IO 2.
          throw new Error('Callbacks are not supported when broadcasting');
        }
        return operator.emit(event, ...args);
      },
    },
  };
}
