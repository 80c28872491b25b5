// What `egg` gains in unittest: app.ioClient and app.mockIoContext. Types only; with `skipLibCheck` they need no socket.io-client
// until a test uses them.
import type {} from '@eggjs/core';
import type { Context } from 'egg';
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client';
import type { ClientEventsOf, DeclaredNamespace, ServerEventsOf } from '../types/events';

/** What `app.ioClient()` takes: its own options, and those of socket.io-client. */
export interface IoClientOptions extends Partial<Omit<ManagerOptions & SocketOptions, 'query' | 'auth' | 'timeout'>> {
  /** The client's session: a real one, by a cookie beside those of `headers.cookie`. */
  session?: object;
  /** The headers of the handshake: `ctx.headers`. */
  headers?: Record<string, string>;
  /** `ctx.query` */
  query?: Record<string, unknown>;
  /** `ctx.handshake.auth` */
  auth?: Record<string, unknown> | ((send: (auth: object) => void) => void);
  /** How long anything is waited for, in ms. Default: 5000. */
  timeout?: number;
}

/** What an event came with, without the function by which it is acknowledged. */
type Payload<Args> = Args extends [...infer Rest, (...args: never[]) => unknown] ? Rest : Args;
type Listener<N, E> = E extends 'disconnect'
  ? (reason: string) => void
  : E extends keyof ServerEventsOf<N>
    ? ServerEventsOf<N>[E]
    : never;
// biome-ignore lint/suspicious/noExplicitAny: of an event that is not declared
type ArgsOf<N, E> = Listener<N, E> extends (...args: infer A) => any ? A : any[];
type EventOf<N> = (keyof ServerEventsOf<N> & string) | 'disconnect';

/** A connected client of a test: socket.io-client's own socket, with what tests need. */
export interface IoTestClient<N extends string = string> extends Socket<ServerEventsOf<N>, ClientEventsOf<N>> {
  /**
   * Takes the first event of that name that was received and not taken yet, or waits for the next. `disconnect` is one, with its
   * reason.
   *
   * @param payload - what the event must come with, compared by `assert.deepStrictEqual`; or one function that gets its arguments
   *   and must return something true
   * @returns the event's arguments
   * @throws {AssertionError} where it came with something else
   * @throws where it did not come in time, with what came instead
   *
   * @example
   * const [text] = await chat.expect('said');
   * await chat.expect('said', 'hello');
   * await chat.expect('moved', (x, y) => x > y);
   */
  expect<E extends EventOf<N>>(event: E, payload: (...args: ArgsOf<N, E>) => unknown): Promise<ArgsOf<N, E>>;
  expect<E extends EventOf<N>>(event: E, ...payload: Payload<ArgsOf<N, E>> | []): Promise<ArgsOf<N, E>>;
  /**
   * Fails where an event of that name was received and not taken, or is on its way: whatever the clients of the test have sent by
   * then has arrived and been handled, and what the server has sent has arrived here.
   *
   * @throws {AssertionError} where there is one
   */
  expectNothing(event: EventOf<N>): Promise<void>;
}

/** Why a server has let a client not in. */
export type IoRefusal = Error & { data?: unknown };

/** `app.ioClient` */
export interface IoClientFactory {
  /**
   * Connects a client to the application, which listens on a free port then. The client is closed when egg-mock restores what was
   * mocked, and with the application.
   *
   * @param namespace - Default: `/`
   * @throws where it is refused, with the `message` and the `data` of the refusal
   *
   * @example
   * const chat = await app.ioClient('/chat', { session: { user: 'ann' } });
   * assert.equal(await chat.emitWithAck('say', 'hello'), 'ok');
   */
  <N extends DeclaredNamespace>(namespace: N, options?: IoClientOptions): Promise<IoTestClient<N>>;
  (namespace?: string, options?: IoClientOptions): Promise<IoTestClient>;
  /**
   * Fails where a client is let in.
   *
   * @param reason - what the refusal's message must match (RegExp) or be (string), or a function that gets the refusal and must
   *   return something true
   * @returns the refusal, with `message` and `data` as the client hears them
   *
   * @example
   * await app.ioClient.expectRefused('/chat', /log in/);
   */
  expectRefused(
    namespace: string,
    reason?: RegExp | string | ((refusal: IoRefusal) => unknown),
    options?: IoClientOptions,
  ): Promise<IoRefusal>;
  /**
   * Where the application listens for its clients and for HTTP, such as `http://127.0.0.1:12345`.
   *
   * @example
   * await fetch(`${await app.ioClient.url()}/login`, { method: 'POST' });
   */
  url(): Promise<string>;
}

/** What `app.mockIoContext()` takes. */
export interface MockIoContextOptions {
  /** The event and its arguments, the client's ack last if it shall ask for one. */
  // biome-ignore lint/suspicious/noExplicitAny: a client sends what it likes
  packet?: [event: string, ...args: any[]];
  /** `ctx.session` */
  session?: object;
  /** Default: `/` */
  namespace?: string;
  /** `ctx.headers` */
  headers?: Record<string, string>;
  /** `ctx.query` */
  query?: Record<string, unknown>;
  /** `ctx.handshake.auth` */
  auth?: Record<string, unknown>;
  /** `ctx.params`, where they are not those of the namespace's name. */
  params?: Record<string, string | string[]>;
}

/** A context of `app/io`, whose client is a list of what was sent to it. */
export type MockIoContext = Context & {
  /** What the client would have received, in order: `[event, ...args]`. */
  // biome-ignore lint/suspicious/noExplicitAny: the test knows what to expect
  readonly emitted: [event: string, ...args: any[]][];
};

/** What an application has in unittest. */
export interface TestKitMembers {
  /** Connects clients to the application. In unittest only. */
  readonly ioClient: IoClientFactory;
  /**
   * A context of an event for calling controllers and middlewares of `app/io` without a network. In unittest only.
   *
   * @throws where there is no such namespace
   *
   * @example
   * const ctx = app.mockIoContext({ packet: ['say', 'hello'], session: { user: 'ann' } });
   * await app.io.controller.chat.say.call(ctx);
   * assert.deepEqual(ctx.emitted, [['said', 'hello']]);
   */
  mockIoContext(options?: MockIoContextOptions): MockIoContext;
}

declare module 'egg' {
  interface Application extends TestKitMembers {}

  interface EggApplicationCore extends TestKitMembers {}
}

// What egg-mock's application is by type on Egg 4.
declare module '@eggjs/core' {
  interface EggCore extends TestKitMembers {}
}
