// Mocked contexts of packets. The client has a socket in a namespace but no network connection; what is sent to it is recorded.
import { IncomingMessage } from 'node:http';
import { Socket as TcpSocket } from 'node:net';
import type { Application } from 'egg';
import type { Namespace, Socket } from 'socket.io';
import { onlyKeys } from '../config/validate';
import { ContextFactory } from '../context';
import { namespacesOf } from '../internals/namespaces';
import { connectMockSocket, withoutOffset } from '../internals/testkit';
import { reauthenticationMembers } from '../reauthenticate';
import { sessionMembers } from '../session';
import type { MockIoContext, MockIoContextOptions } from './types';

const OPTIONS = ['packet', 'session', 'namespace', 'headers', 'query', 'auth', 'params'];

/** Mocks contexts of one application. */
export class ContextMocks {
  readonly #contexts: ContextFactory;

  constructor(private readonly app: Application) {
    this.#contexts = new ContextFactory(app, { ...sessionMembers(app), ...reauthenticationMembers(app.context) });
  }

  /** Returns a context and its socket. The caller must disconnect the socket. */
  create(options: MockIoContextOptions): { ctx: MockIoContext; socket: Socket } {
    onlyKeys('app.mockIoContext() options', options, OPTIONS);
    const { packet = ['mock'], session, namespace = '/', params, auth = {} } = options;
    const nsp = this.#namespace(namespace);
    const { compat } = this.app.io;
    const socket = connectMockSocket(nsp, mockRequest(options), auth, (socket) => compat?.addToSocket(socket));
    const emitted: unknown[][] = [];
    socket.onAnyOutgoing((...sent) => emitted.push(withoutAck(withoutOffset(nsp, sent))));
    const ctx = this.#contexts.forPacket({ socket, request: this.#contexts.requestOf(socket) }, [...packet]);
    define(ctx, 'emitted', emitted);
    if (session !== undefined) define(ctx, 'session', session);
    if (params !== undefined) define(ctx, 'params', params);
    return { ctx: ctx as MockIoContext, socket };
  }

  #namespace(namespace: string): Namespace {
    const { io } = this.app;
    const name = namespace.startsWith('/') ? namespace : `/${namespace}`;
    if (namespacesOf(io).has(name) || io.matches(name)) return io.of(name);
    throw new Error(
      `[egg-socket.io] app.mockIoContext(): there is no namespace ${name} (there are: ${io.names().join(', ')})`,
    );
  }
}

/** The handshake request of a client. */
function mockRequest({ headers = {}, query = {} }: MockIoContextOptions): IncomingMessage {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const lowerCased = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return Object.assign(new IncomingMessage(new TcpSocket()), {
    method: 'GET',
    url: `/socket.io/?${search}`,
    headers: { host: '127.0.0.1', ...Object.fromEntries(lowerCased) },
  });
}

function withoutAck(sent: unknown[]): unknown[] {
  return typeof sent.at(-1) === 'function' ? sent.slice(0, -1) : sent;
}

function define(ctx: object, property: string, value: unknown): void {
  Object.defineProperty(ctx, property, { value, writable: true, enumerable: true, configurable: true });
}
