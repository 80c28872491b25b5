// The test kit of one application: its server, its clients and its mocked contexts, and when they go. Made by
// app/extend/application.unittest.ts when it is first asked for.
import assert from 'node:assert';
import type { Application } from 'egg';
import type { Socket as ServerSocket } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { ContextFactory } from '../context';
import { workOf } from '../in-flight';
import { routerOf } from '../router';
import { sessionMembers } from '../session';
import { equip, type Opened, open, shut } from './client';
import { mockContext } from './context';
import { cookieOf } from './cookie';
import { DeadlineError, TIMEOUT, turn, within } from './deadline';
import { checkRefusal, type Reason, refusalOf } from './refusal';
import { type Mm, onRestore } from './restore';
import { TestServer } from './server';
import type {
  IoClientFactory,
  IoClientOptions,
  IoRefusal,
  IoTestClient,
  MockIoContext,
  MockIoContextOptions,
} from './types';

interface UnittestApplication {
  /** Of egg-mock; an application may run in unittest without it. */
  mm?: Mm;
  lifecycle: { registerBeforeClose(close: () => Promise<void>): void };
}

export class TestKit {
  readonly #server: TestServer;
  readonly #clients = new Set<Socket>();
  readonly #sockets = new Set<ServerSocket>();
  #contexts: ContextFactory | undefined;
  #closesItself = false;
  /** Over when the clients of the test before have gone. */
  #closing: Promise<unknown> = Promise.resolve();

  constructor(private readonly app: Application) {
    this.#server = new TestServer(app);
    const { lifecycle } = app as unknown as UnittestApplication;
    lifecycle.registerBeforeClose(async () => {
      this.#closeAll();
      this.#server.close();
    });
  }

  readonly ioClient: IoClientFactory = Object.assign(
    (name?: string, options?: IoClientOptions) => this.#connect(name, options) as Promise<IoTestClient<never>>,
    { expectRefused: this.#expectRefused.bind(this), url: () => this.#server.url() },
  );

  mockIoContext(options: MockIoContextOptions = {}): MockIoContext {
    this.#contexts ??= new ContextFactory(this.app, sessionMembers(this.app));
    const { ctx, socket } = mockContext(this.app, this.#contexts, options);
    this.#sockets.add(socket);
    this.#closeItself();
    return ctx;
  }

  async #connect(name = '/', options: IoClientOptions = {}): Promise<IoTestClient> {
    const full = fullName(name);
    const opened = await this.#open(full, options);
    try {
      await opened.connected;
    } catch (err) {
      shut(opened.socket);
      throw err instanceof DeadlineError ? err : refusalOf(full, err as IoRefusal, this.app.io.names());
    }
    return equip(opened, full, {
      timeout: options.timeout ?? TIMEOUT,
      settle: (ms) => this.#settle(ms),
      hint: (event) => unrouted(this.app, full, event),
    });
  }

  async #expectRefused(name: string, reason?: Reason, options: IoClientOptions = {}): Promise<IoRefusal> {
    const full = fullName(name);
    const opened = await this.#open(full, options);
    const outcome = await opened.connected.catch((err: IoRefusal) => err).finally(() => shut(opened.socket));
    if (outcome instanceof DeadlineError) throw outcome;
    assert(outcome, `${full} has let the client in, and was to refuse it`);
    await checkRefusal(full, outcome, reason);
    return outcome;
  }

  async #open(name: string, options: IoClientOptions): Promise<Opened> {
    await this.#closing;
    const { session } = options;
    const headers = { ...options.headers };
    if (session !== undefined) {
      const [key = 'cookie'] = Object.keys(headers).filter((header) => header.toLowerCase() === 'cookie');
      headers[key] = await cookieOf(this.app, session, headers[key]);
    }
    const opened = open(this.app, await this.#server.url(), name, { ...options, headers });
    this.#clients.add(opened.socket);
    this.#closeItself();
    return opened;
  }

  /** Waits until what the clients have sent is handled, and what the server has sent them has arrived. */
  async #settle(ms: number): Promise<void> {
    const { handlers } = workOf(this.app.io);
    const arrived = () => Promise.all(Array.from(this.#clients, (socket) => this.#line(socket)?.roundTrip()));
    for (const socket of this.#clients) {
      if (socket.connected || socket.sendBuffer.length === 0) continue;
      const { nsp } = socket as unknown as { nsp: string };
      throw new Error(`[egg-socket.io] a client of ${nsp} was disconnected: what it has sent since goes nowhere`);
    }
    await within(() => 'what the clients have sent to reach the server', arrived(), ms);
    await turn();
    await within(() => `the end of what is being handled (${handlers.running} packets)`, handlers.none(), ms);
    await within(() => 'what the server has sent to reach the clients', arrived(), ms);
    await turn();
  }

  #line(socket: Socket) {
    return this.#server.line((socket.io.engine as { id?: string } | undefined)?.id);
  }

  /** With the test, which is over when egg-mock restores what was mocked. */
  #closeItself(): void {
    const { mm } = this.app as unknown as UnittestApplication;
    if (this.#closesItself || mm === undefined) return;
    this.#closesItself = true;
    onRestore(mm, () => {
      this.#closesItself = false;
      this.#closeAll();
    });
  }

  #closeAll(): void {
    const lines = Array.from(this.#clients, (socket) => this.#line(socket)?.closed);
    for (const socket of this.#clients) shut(socket);
    for (const socket of this.#sockets) socket.disconnect();
    this.#clients.clear();
    this.#sockets.clear();
    const { handlers } = workOf(this.app.io);
    const gone = Promise.all([this.#closing, ...lines])
      .then(turn)
      .then(() => handlers.none());
    // A handler that never ends is not the fault of the test that comes next.
    this.#closing = within(() => 'the clients of a test to leave', gone, TIMEOUT).catch(() => {});
  }
}

const kits = new WeakMap<object, TestKit>();

/** The test kit of an application. */
export function kitOf(app: Application): TestKit {
  const made = kits.get(app) ?? new TestKit(app);
  kits.set(app, made);
  return made;
}

/** What an event says that no route has: nobody may answer it. */
function unrouted(app: Application, name: string, event: string): string {
  const nsp = app.io._nsps.get(name);
  const router = nsp && routerOf(nsp);
  if (router === undefined || router.find(event) !== undefined) return '';
  return `; no route of ${router.name} has '${event}' (there are: ${router.events().join(', ') || 'none'})`;
}

function fullName(name: string): string {
  return name.startsWith('/') ? name : `/${name}`;
}
