// A client of a test: socket.io-client's own socket with expect(), expectNothing() and a deadline for acknowledgements.
import assert from 'node:assert';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Application } from 'egg';
import type { Socket } from 'socket.io-client';
import { configOf } from '../config/config';
import { namespacesOf } from '../internals/namespaces';
import { withoutOffset, wrapEmitWithAck } from '../internals/testkit';
import { sessionOf } from '../session';
import { compare, format, Inbox } from './inbox';
import { TIMEOUT, waitFor } from './server';
import type { IoClientOptions, IoRefusal, IoTestClient } from './types';

type ClientModule = typeof import('socket.io-client');

/** The expected reason of `app.ioClient.expectRefused()`. */
export type Reason = RegExp | string | ((refusal: IoRefusal) => unknown);

/** Functions of the test kit that a client calls. */
interface ClientHooks {
  /** Waits at most so many ms until all packets of all clients have arrived and been handled. */
  waitUntilIdle(ms: number): Promise<void>;
  /** Returns a hint for an event that was not acknowledged: a clause that begins with `;`, or nothing. */
  routeHint(event: string): string;
}

/** One client, from its connection attempt on. */
export class TestClient {
  readonly socket: Socket;
  /** Resolves when the server admits the client, rejects with the refusal. */
  readonly connected: Promise<void>;
  readonly #inbox: Inbox;
  readonly #timeout: number;

  /**
   * Begins to connect.
   *
   * @param url - the server's
   * @param namespace - its name
   */
  constructor(
    app: Application,
    url: string,
    readonly namespace: string,
    options: IoClientOptions,
  ) {
    const { timeout = TIMEOUT } = options;
    this.#timeout = timeout;
    this.#inbox = new Inbox(namespace);
    this.socket = connect(app, url, namespace, options);
    this.#receive(app);
    const connected = new Promise<void>((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
    });
    this.connected = waitFor(() => `${namespace} to admit or refuse the client`, connected, timeout);
  }

  /** Engine.IO's id of the connection. Unset while there is no connection. */
  get connectionId(): string | undefined {
    const { engine } = this.socket.io as { engine?: { id?: string } };
    return engine?.id;
  }

  /** Closes the connection, and so all its sockets in other namespaces. */
  close(): void {
    const manager = this.socket.io;
    manager.reconnection(false);
    this.socket.disconnect();
    manager.engine?.close();
  }

  /** Adds the test kit's members to the socket. */
  extendSocket({ waitUntilIdle, routeHint }: ClientHooks): IoTestClient {
    const { socket, namespace } = this;
    const inbox = this.#inbox;
    const timeout = this.#timeout;
    wrapEmitWithAck(socket, (event, args, answer) => {
      const what = () =>
        `the acknowledgement of ${format(event, args)} from ${namespace}${routeHint(event)}; ${inbox.summary()}`;
      return waitFor(what, answer, timeout);
    });
    return Object.assign(socket, {
      async expect(event: string, ...payload: unknown[]): Promise<unknown[]> {
        const args = await inbox.shift(event, timeout);
        await compare(namespace, event, args, payload);
        return args;
      },
      async expectNothing(event: string): Promise<void> {
        await waitUntilIdle(timeout);
        const events = inbox.all(event).map((args) => format(event, args));
        if (events.length === 0) return;
        // assert.fail() would have no `actual` and `expected`.
        throw new assert.AssertionError({
          message: `${namespace} sent unexpected events: ${events.join(', ')}`,
          actual: events,
          expected: [],
          operator: 'expectNothing',
        });
      },
    }) as unknown as IoTestClient;
  }

  #receive(app: Application): void {
    const { socket, namespace } = this;
    const inbox = this.#inbox;
    socket.onAny((event, ...args) => inbox.add(event, withoutOffset(namespacesOf(app.io).get(namespace), args)));
    socket.on('connect', () => inbox.reopen());
    socket.on('disconnect', (reason) => {
      inbox.add('disconnect', [reason]);
      const reconnects = socket.io.reconnection() && socket.active;
      if (!reconnects) inbox.close(reason);
    });
  }
}

/** Creates a socket, with a connection of its own, that begins to connect. */
function connect(app: Application, url: string, namespace: string, options: IoClientOptions): Socket {
  const { Manager } = loadClient(app.baseDir);
  const { session: _session, headers, timeout: _timeout, auth, ...rest } = options;
  const { path, transports, parser } = configOf(app).init;
  const hasWebSocket = transports === undefined || transports.includes('websocket');
  const manager = new Manager(url, {
    ...(path === undefined ? {} : { path }),
    ...(parser === undefined ? {} : { parser }),
    transports: hasWebSocket ? ['websocket'] : (transports as string[]),
    reconnection: false,
    extraHeaders: headers,
    ...rest,
  } as ConstructorParameters<typeof Manager>[1]);
  return manager.socket(namespace, { ...rest, auth } as Parameters<typeof manager.socket>[1]) as Socket;
}

/**
 * Loads socket.io-client from the application, or else from this plugin.
 *
 * @throws if it is not installed, or too old
 */
function loadClient(baseDir: string): ClientModule {
  const client = requireClient([path.join(baseDir, 'package.json'), __filename]);
  if (client === undefined || !('emitWithAck' in (client.Socket?.prototype ?? {}))) {
    const problem = client === undefined ? 'is not installed' : 'is too old';
    throw new Error(
      `[egg-socket.io] app.ioClient() needs socket.io-client 4.6 or later, which ${problem} in ${baseDir}: npm install --save-dev socket.io-client`,
    );
  }
  return client;
}

/** @param files - the files to resolve it from, in order */
function requireClient(files: string[]): ClientModule | undefined {
  for (const file of files) {
    try {
      return createRequire(file)('socket.io-client') as ClientModule;
    } catch (err) {
      const { code, message } = err as NodeJS.ErrnoException;
      if (code !== 'MODULE_NOT_FOUND' || !message.includes('socket.io-client')) throw err;
    }
  }
  return undefined;
}

/**
 * Returns an error for a client that the server has refused.
 *
 * @param cause - the `connect_error`
 * @param names - the names of all namespaces
 */
export function refusalError(namespace: string, cause: IoRefusal, names: string[] = []): IoRefusal {
  const { message, data } = cause;
  const others = message === 'Invalid namespace' && names.length > 0 ? ` (there are: ${names.join(', ')})` : '';
  const text = `${textOf(cause)}${others}`;
  const error: IoRefusal = new Error(`[egg-socket.io] ${namespace} refused the client: ${text}`, { cause });
  if (data !== undefined) error.data = data;
  return error;
}

/** Returns the message of a refusal. If the HTTP request has failed, the message includes its status. */
function textOf(refusal: IoRefusal): string {
  const { message, description } = refusal as IoRefusal & { description?: { message?: string } | number };
  const detail = typeof description === 'number' ? `status ${description}` : description?.message;
  return detail ? `${message} (${detail})` : message;
}

/**
 * Checks why the server has refused a client.
 *
 * @throws {AssertionError} if the reason is another one
 * @throws if no reason is expected, and the HTTP request failed before it reached the application
 */
export async function checkRefusal(namespace: string, refusal: IoRefusal, reason?: Reason): Promise<void> {
  if (reason === undefined) {
    const { type } = refusal as { type?: string };
    if (type === 'TransportError') throw refusalError(namespace, refusal);
    return;
  }
  const problem = `${namespace} refused the client for another reason: ${textOf(refusal)}`;
  if (typeof reason === 'function') assert(await reason(refusal), problem);
  else if (typeof reason === 'string') assert.strictEqual(refusal.message, reason, problem);
  else assert.match(textOf(refusal), reason, problem);
}

/**
 * Saves a session as the application's own middleware does, in a cookie or in its store.
 *
 * @param header - the client's other cookies
 * @returns a `cookie` header with the session's cookie
 * @throws if the application does not save the session
 */
export async function sessionCookie(app: Application, session: object, header = ''): Promise<string> {
  const load = sessionOf(app)?.load;
  if (load === undefined) {
    throw new Error(
      '[egg-socket.io] app.ioClient() can not create a session: app.middleware has no session middleware',
    );
  }
  // A request over TLS: the session's cookie may be for TLS alone.
  const ctx = app.createAnonymousContext({ socket: { encrypted: true } } as never);
  await load(ctx, async () => {
    ctx.session = { ...session } as never;
  });
  const cookies = [ctx.response.get('set-cookie') || []]
    .flat()
    .map((cookie) => String(cookie).split(';', 1)[0] as string);
  if (cookies.length === 0) {
    // An empty session is not saved.
    if (Object.keys(session).length === 0) return header;
    throw new Error(
      '[egg-socket.io] the session of app.ioClient() was not saved (app.mockSession() replaces all sessions: does the test use both?)',
    );
  }
  const names = cookies.map(cookieName);
  const others = header.split(';').filter((pair) => pair.trim() !== '' && !names.includes(cookieName(pair)));
  return [...others.map((pair) => pair.trim()), ...cookies].join('; ');
}

function cookieName(pair: string): string {
  return (pair.split('=', 1)[0] as string).trim();
}
