// A packet's context without a network: a socket of Socket.IO in its namespace, whose client only takes notes. Called by kit.ts.
import { EventEmitter } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket as TcpSocket } from 'node:net';
import type { Application } from 'egg';
import { type Namespace, Socket } from 'socket.io';
import { onlyKeys } from '../config/validate';
import type { ContextFactory } from '../context';
import { withoutOffset } from './offset';
import type { MockIoContext, MockIoContextOptions } from './types';

const ADDRESS = '127.0.0.1';
const OPTIONS = ['packet', 'session', 'namespace', 'headers', 'query', 'auth', 'params'];

/** @returns the context, and its socket, which somebody has to disconnect */
export function mockContext(app: Application, contexts: ContextFactory, options: MockIoContextOptions) {
  onlyKeys('app.mockIoContext() options', options, OPTIONS);
  const { packet = ['mock'], session, namespace = '/', params } = options;
  const nsp = namespaceOf(app, namespace);
  const socket = socketIn(nsp, options);
  const emitted: unknown[][] = [];
  socket.onAnyOutgoing((...sent) => emitted.push(withoutAck(withoutOffset(nsp, sent))));
  const ctx = contexts.forPacket({ socket, request: contexts.requestOf(socket) }, [...packet]);
  define(ctx, 'emitted', emitted);
  if (session !== undefined) define(ctx, 'session', session);
  if (params !== undefined) define(ctx, 'params', params);
  return { ctx: ctx as MockIoContext, socket };
}

/** As Socket.IO makes a socket and lets it in, without the chains and without listeners of `connection`. */
function socketIn(nsp: Namespace, options: MockIoContextOptions): Socket {
  const client = stubClient(nsp, requestOf(options));
  const socket = new Socket(nsp, client as never, options.auth ?? {});
  client._disconnect = () => socket.disconnect();
  Object.assign(socket, { remoteAddress: ADDRESS, encrypted: false });
  nsp.sockets.set(socket.id, socket);
  socket._onconnect();
  return socket;
}

function namespaceOf(app: Application, namespace: string): Namespace {
  const name = namespace.startsWith('/') ? namespace : `/${namespace}`;
  if (app.io._nsps.has(name) || app.io.matches(name)) return app.io.of(name);
  throw new Error(
    `[egg-socket.io] app.mockIoContext() finds no namespace ${name} (there are: ${app.io.names().join(', ')})`,
  );
}

function requestOf({ headers = {}, query = {} }: MockIoContextOptions): IncomingMessage {
  const request = new IncomingMessage(new TcpSocket());
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return Object.assign(request, {
    method: 'GET',
    url: `/socket.io/?${search}`,
    headers: { host: ADDRESS, ...Object.fromEntries(lower) },
    _query: Object.fromEntries(search),
  });
}

/** Socket.IO's side of a connection, which sends nothing: what is sent the socket notes. */
function stubClient(nsp: Namespace, request: IncomingMessage) {
  const conn = Object.assign(new EventEmitter(), {
    id: 'mock',
    protocol: 4,
    readyState: 'open',
    remoteAddress: ADDRESS,
    request,
    transport: { name: 'websocket' },
    close() {},
  });
  const nothing = () => {};
  return {
    server: nsp.server,
    conn,
    request,
    id: conn.id,
    _packet: nothing,
    writeToEngine: nothing,
    _remove: nothing,
    _disconnect: nothing as () => unknown,
  };
}

function withoutAck(sent: unknown[]): unknown[] {
  return typeof sent.at(-1) === 'function' ? sent.slice(0, -1) : sent;
}

function define(ctx: object, property: string, value: unknown): void {
  Object.defineProperty(ctx, property, { value, writable: true, enumerable: true, configurable: true });
}
