// What a context has of its socket: the members that 4.1.6 delegated, and new ones. Called by lib/context.ts.
import type { Context } from 'egg';
import type { Socket } from 'socket.io';
import { type Params, paramsOf } from '../pattern';

/** What 4.1.6 delegated, and what applications may therefore not shadow. */
const GETTERS = 'client server adapter id conn rooms acks volatile broadcast connected disconnected handshake'.split(
  ' ',
);
const METHODS = 'join leave emit to in send write disconnect'.split(' ');
/** New in 5: an application that has a ctx property of that name already, or sets one, keeps its own. */
const NEW_GETTERS = 'local data recovered'.split(' ');
const NEW_METHODS = 'except timeout emitWithAck'.split(' ');

type Members = Record<string, (...args: unknown[]) => unknown>;

/** The properties, for a prototype of contexts whose prototype is `base`. */
export function delegates(base: object): PropertyDescriptorMap {
  const properties: PropertyDescriptorMap = {
    socket: { get: getSocket },
    // A flag without effect since Socket.IO 1, which Socket.IO 3 dropped.
    json: { get: getSocket },
  };
  for (const name of GETTERS) properties[name] = { get: getter(name) };
  for (const name of METHODS) properties[name] = { value: method(name), writable: true };
  for (const name of NEW_GETTERS) if (!(name in base)) properties[name] = { get: getter(name), set: shadow(name) };
  for (const name of NEW_METHODS) if (!(name in base)) properties[name] = { value: method(name), writable: true };
  if (!('params' in base)) properties.params = { get: getParams, set: shadow('params') };
  return properties;
}

/** Worked out once for all sockets of a namespace. */
function getParams(this: Context): Params | undefined {
  return paramsOf((this.socket as unknown as Socket).nsp);
}

function getSocket(this: Context): unknown {
  return this.req.socket;
}

function getter(name: string) {
  return function delegated(this: Context): unknown {
    return (this.socket as unknown as Members)[name];
  };
}

function method(name: string) {
  return function delegated(this: Context, ...args: unknown[]): unknown {
    const socket = this.socket as unknown as Members;
    return socket[name]?.(...args);
  };
}

function shadow(name: string) {
  return function set(this: Context, value: unknown): void {
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
  };
}
