// The test kit of one application: app.ioClient() and app.mockIoContext(). It closes clients and contexts at the end of each test.
import assert from 'node:assert';
import type { Application } from 'egg';
import type { Socket as ServerSocket } from 'socket.io';
import { clientLogOf } from '../client-log';
import { inFlightOf } from '../in-flight';
import { registerBeforeClose } from '../internals/egg';
import { namespacesOf } from '../internals/namespaces';
import { onceRestored } from '../internals/testkit';
import { routerOf } from '../router';
import { checkRefusal, type Reason, refusalError, sessionCookie, TestClient } from './client';
import { ContextMocks } from './context';
import { DeadlineError, nextTurn, type ServerConnection, TestServer, TIMEOUT, waitFor } from './server';
import type {
  IoClientFactory,
  IoClientOptions,
  IoRefusal,
  IoTestClient,
  MockIoContext,
  MockIoContextOptions,
} from './types';

const KIT = Symbol('egg-socket.io:testkit');

/** Returns the test kit of an application. */
export function kitOf(app: Application): TestKit {
  const owner = app as Application & { [KIT]?: TestKit };
  owner[KIT] ??= new TestKit(app);
  return owner[KIT];
}

class TestKit {
  readonly #server: TestServer;
  #contexts: ContextMocks | undefined;
  /** The clients and the mocked sockets of the current test. */
  readonly #clients = new Set<TestClient>();
  readonly #mockSockets = new Set<ServerSocket>();
  #closesAfterTest = false;
  /** Resolves when the clients of the previous test are closed. */
  #closed: Promise<unknown> = Promise.resolve();

  constructor(private readonly app: Application) {
    this.#server = new TestServer(app);
    registerBeforeClose(app, async () => {
      this.#closeAll();
      this.#server.close();
    });
  }

  readonly ioClient: IoClientFactory = Object.assign(
    (name?: string, options?: IoClientOptions) => this.#connect(name, options) as Promise<IoTestClient<never>>,
    { expectRefused: this.#expectRefused.bind(this), url: () => this.#server.url() },
  );

  mockIoContext(options: MockIoContextOptions = {}): MockIoContext {
    this.#contexts ??= new ContextMocks(this.app);
    const { ctx, socket } = this.#contexts.create(options);
    this.#mockSockets.add(socket);
    this.#closeAfterTest();
    return ctx;
  }

  async #connect(name = '/', options: IoClientOptions = {}): Promise<IoTestClient> {
    const client = await this.#open(name, options);
    const { namespace } = client;
    try {
      await client.connected;
    } catch (err) {
      client.close();
      throw err instanceof DeadlineError ? err : refusalError(namespace, err as IoRefusal, this.app.io.names());
    }
    return client.extendSocket({
      waitUntilIdle: (ms) => this.#waitUntilIdle(ms),
      routeHint: (event) => routeHint(this.app, namespace, event),
    });
  }

  async #expectRefused(name: string, reason?: Reason, options: IoClientOptions = {}): Promise<IoRefusal> {
    const client = await this.#open(name, options);
    const { namespace } = client;
    const refusal = await client.connected.catch((err: IoRefusal) => err).finally(() => client.close());
    if (refusal instanceof DeadlineError) throw refusal;
    assert(refusal, `${namespace} admitted the client, which should have been refused`);
    await checkRefusal(namespace, refusal, reason);
    return refusal;
  }

  /** Begins to connect a client. */
  async #open(name: string, options: IoClientOptions): Promise<TestClient> {
    await this.#closed;
    const { session } = options;
    const headers = { ...options.headers };
    if (session !== undefined) {
      const [key = 'cookie'] = Object.keys(headers).filter((header) => header.toLowerCase() === 'cookie');
      headers[key] = await sessionCookie(this.app, session, headers[key]);
    }
    const namespace = name.startsWith('/') ? name : `/${name}`;
    const client = new TestClient(this.app, await this.#server.url(), namespace, { ...options, headers });
    this.#clients.add(client);
    this.#closeAfterTest();
    return client;
  }

  /** Waits until all packets of the clients have been handled, and all packets of the server have arrived. */
  async #waitUntilIdle(ms: number): Promise<void> {
    const roundTrips = () => Promise.all(this.#connections().map((connection) => connection?.roundTrip()));
    for (const { socket, namespace } of this.#clients) {
      if (socket.connected || socket.sendBuffer.length === 0) continue;
      throw new Error(
        `[egg-socket.io] a client of ${namespace} has emitted events after it was disconnected: they were not sent`,
      );
    }
    await waitFor(() => 'the packets of the clients to reach the server', roundTrips(), ms);
    await nextTurn();
    const handlers = this.#handlers;
    await waitFor(() => `the handlers of events to finish (${handlers.running} running)`, handlers.idle(), ms);
    await waitFor(() => 'the packets of the server to reach the clients', roundTrips(), ms);
    await nextTurn();
  }

  get #handlers() {
    return inFlightOf(this.app.io).handlers;
  }

  #connections(): (ServerConnection | undefined)[] {
    return Array.from(this.#clients, ({ connectionId }) => this.#server.connection(connectionId));
  }

  /** Closes the clients when egg-mock restores the mocks, which it does after each test. */
  #closeAfterTest(): void {
    if (this.#closesAfterTest) return;
    this.#closesAfterTest = onceRestored(this.app, () => {
      this.#closesAfterTest = false;
      this.#closeAll();
    });
  }

  #closeAll(): void {
    const connections = this.#connections();
    for (const client of this.#clients) client.close();
    for (const socket of this.#mockSockets) socket.disconnect();
    this.#clients.clear();
    this.#mockSockets.clear();
    const closed = Promise.all([this.#closed, ...connections.map((connection) => connection?.closed)])
      .then(nextTurn)
      .then(() => this.#handlers.idle())
      // The next test may expect the same lines.
      .then(() => clientLogOf(this.app).close());
    // A handler that never returns must not fail the next test.
    this.#closed = waitFor(() => 'the clients of a test to close', closed, TIMEOUT).catch(() => {});
  }
}

/** Returns a clause if no route handles an event: it may be misspelt. */
function routeHint(app: Application, namespace: string, event: string): string {
  const nsp = namespacesOf(app.io).get(namespace);
  const router = nsp && routerOf(nsp);
  if (router === undefined || router.find(event) !== undefined) return '';
  return `; ${router.name} has no route for '${event}' (there are: ${router.events().join(', ') || 'none'})`;
}
