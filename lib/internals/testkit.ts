// The private members of Socket.IO, socket.io-client and egg-mock that the test kit uses. The boot doesn't check them; they are
// checked when the test kit uses them.
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type Namespace, Socket } from 'socket.io';
import type { Socket as ClientSocket } from 'socket.io-client';
import { property } from './members';

const SUPPORTED = 'socket.io 4.8, socket.io-client 4.6 or later, Egg 3 with egg-mock 5, Egg 4 with @eggjs/mock 6 or 7';

/** The address of a mocked client. */
const ADDRESS = '127.0.0.1';

/** An Engine.IO connection, on the server. Its `id` and its events are documented, but its types lack them. */
export interface Connection extends EventEmitter {
  readonly id: string;
}

/** Throws if an object lacks a member, or if the member has another type than expected. */
function assertMember(object: object, path: string, type: 'function' | 'object', library: string): void {
  const value = property(object, path.slice(path.lastIndexOf('.') + 1));
  if (value !== null && typeof value === type) return;
  throw new Error(
    `[egg-socket.io] the test kit does not work with the installed ${library}: ${path} is missing (supported: ${SUPPORTED})`,
  );
}

/**
 * Calls `callback` once, at the next `mm.restore()`. egg-mock has no event for that, but it deletes each property that `app.mm()` has
 * added to an object. We let it add a property to a Proxy, which detects the deletion.
 *
 * @param callback - must not throw
 * @returns false if the application was started without egg-mock: `callback` is never called
 */
export function onceRestored(app: object, callback: () => void): boolean {
  const mm = property(app, 'mm');
  if (mm === undefined) return false;
  assertMember(app, 'app.mm', 'function', 'egg-mock');
  const target = new Proxy(
    {},
    {
      deleteProperty(object, name) {
        callback();
        return Reflect.deleteProperty(object, name);
      },
    },
  );
  (mm as (target: object, property: string, value: unknown) => void)(target, 'isTestRunning', true);
  return true;
}

/**
 * Returns the arguments of an event as the application has sent them. With connectionStateRecovery, Socket.IO's in-memory adapter
 * appends an offset to the arguments of each broadcast. It stores these packets in `packets`; other adapters have no such member.
 */
export function withoutOffset(nsp: Namespace | undefined, args: unknown[]): unknown[] {
  const packets = property(nsp?.adapter, 'packets') as ReadonlyArray<{ id: string }> | undefined;
  const last = args.at(-1);
  return packets?.some(({ id }) => id === last) ? args.slice(0, -1) : args;
}

/**
 * Connects a socket to a namespace without a network, without middleware and without an event `connection`. These are the steps of
 * Socket.IO's `Namespace._doConnect()`.
 *
 * @param request - the handshake request
 * @param prepare - called with the socket before it is connected
 */
export function connectMockSocket(
  nsp: Namespace,
  request: IncomingMessage,
  auth: Record<string, unknown>,
  prepare?: (socket: Socket) => void,
): Socket {
  // Engine.IO parses the query string into `_query`, and Socket.IO makes `handshake.query` of it.
  const { searchParams } = new URL(request.url ?? '/', `http://${ADDRESS}`);
  Object.assign(request, { _query: Object.fromEntries(searchParams) });
  const client = mockClient(nsp, request);
  const socket = new Socket(nsp, client as unknown as Socket['client'], auth);
  assertMember(socket, 'Socket._onconnect', 'function', 'socket.io');
  assertMember(nsp.sockets, 'Namespace.sockets.set', 'function', 'socket.io');
  client._disconnect = () => socket.disconnect();
  // koa reads the client's address and TLS from the request's socket, which is this one.
  Object.assign(socket, { remoteAddress: ADDRESS, encrypted: false });
  prepare?.(socket);
  nsp.sockets.set(socket.id, socket);
  socket._onconnect();
  return socket;
}

/** The members of Socket.IO's Client that a socket uses. Packets are discarded. */
function mockClient(nsp: Namespace, request: IncomingMessage) {
  const conn = Object.assign(new EventEmitter(), {
    id: 'mock',
    protocol: 4,
    readyState: 'open',
    remoteAddress: ADDRESS,
    request,
    transport: { name: 'websocket' },
    close() {},
  });
  const noop = () => {};
  return {
    server: nsp.server,
    conn,
    request,
    id: conn.id,
    _packet: noop,
    writeToEngine: noop,
    _remove: noop,
    _disconnect: noop as () => unknown,
  };
}

/** Sends an Engine.IO ping outside of Engine.IO's interval. The client answers it with a pong. */
export function sendPing(conn: Connection): void {
  assertMember(conn, 'Socket.sendPacket', 'function', 'engine.io');
  (conn as Connection & { sendPacket(type: 'ping'): void }).sendPacket('ping');
}

/**
 * Passes the result of each `socket.emitWithAck()` through `wrap`, except of calls that have a deadline of their own:
 * `socket.timeout(ms).emitWithAck()`.
 *
 * @param wrap - gets the promise of the acknowledgement; returns the promise for the caller
 */
export function wrapEmitWithAck(
  socket: ClientSocket,
  wrap: (event: string, args: unknown[], answer: Promise<unknown>) => Promise<unknown>,
): void {
  assertMember(socket, 'Socket.flags', 'object', 'socket.io-client');
  const { emitWithAck } = socket;
  socket.emitWithAck = (event: string, ...args: unknown[]) => {
    const { flags } = socket as unknown as { flags: { timeout?: number } };
    // emitWithAck() resets the flags.
    const hasDeadline = flags.timeout !== undefined;
    const answer = emitWithAck.call(socket, event, ...args);
    return hasDeadline ? answer : wrap(event, args, answer);
  };
}
