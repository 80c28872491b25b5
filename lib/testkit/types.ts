// The public types of the test kit, and its declaration for `egg`. An application without socket.io-client can compile them with
// `skipLibCheck`.
import type {} from '@eggjs/core';
import type { Context } from 'egg';
import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client';
import type { ClientEventsOf, DeclaredNamespace, ServerEventsOf } from '../types/events';

/** Options of `app.ioClient()`, beside those of socket.io-client. */
export interface IoClientOptions extends Partial<Omit<ManagerOptions & SocketOptions, 'query' | 'auth' | 'timeout'>> {
  /** `ctx.session`. It is saved as the application saves sessions; its cookie is added to `headers.cookie`. */
  session?: object;
  /** The headers of the handshake request: `ctx.headers` */
  headers?: Record<string, string>;
  /** `ctx.query` */
  query?: Record<string, unknown>;
  /** `ctx.handshake.auth` */
  auth?: Record<string, unknown> | ((send: (auth: object) => void) => void);
  /**
   * How long the client waits for its connection, for events and for acknowledgements, in ms.
   *
   * @default 5000
   */
  timeout?: number;
}

/** The arguments of an event without its acknowledgement function. */
type Payload<Args> = Args extends [...infer Rest, (...args: never[]) => unknown] ? Rest : Args;
type Listener<N, E> = E extends 'disconnect'
  ? (reason: string) => void
  : E extends keyof ServerEventsOf<N>
    ? ServerEventsOf<N>[E]
    : never;
// biome-ignore lint/suspicious/noExplicitAny: the arguments of an undeclared event
type ArgsOf<N, E> = Listener<N, E> extends (...args: infer A) => any ? A : any[];
type EventOf<N> = (keyof ServerEventsOf<N> & string) | 'disconnect';

/** A connected client of a test: socket.io-client's own socket with methods for tests. */
export interface IoTestClient<N extends string = string> extends Socket<ServerEventsOf<N>, ClientEventsOf<N>> {
  /**
   * Returns the arguments of the first received event of a name, or waits for the next one. Each event is returned once. The event
   * `disconnect` has the reason as its argument.
   *
   * @param payload - the expected arguments, which are compared with `assert.deepStrictEqual()`; or one function that gets the
   *   event's arguments, and returns a truthy value (or a promise of one) if they are right
   * @returns the event's arguments
   * @throws {AssertionError} if the arguments differ
   * @throws if the event does not arrive within `timeout`. The message lists the other events that were received.
   *
   * @example
   * const [text] = await chat.expect('said');
   * await chat.expect('said', 'hello');
   * await chat.expect('moved', (x, y) => x > y);
   */
  expect<E extends EventOf<N>>(event: E, payload: (...args: ArgsOf<N, E>) => unknown): Promise<ArgsOf<N, E>>;
  expect<E extends EventOf<N>>(event: E, ...payload: Payload<ArgsOf<N, E>> | []): Promise<ArgsOf<N, E>>;
  /**
   * Asserts that no event of a name was received, except those that `expect()` has returned. First it waits until all events that
   * the clients of the test have emitted are handled, and all events that the server has emitted have arrived.
   *
   * @throws {AssertionError} if there is such an event
   * @throws if this takes longer than `timeout`
   */
  expectNothing(event: EventOf<N>): Promise<void>;
}

/** The error of a refused client, as in `connect_error`. */
export type IoRefusal = Error & { data?: unknown };

/** The type of `app.ioClient`. */
export interface IoClientFactory {
  /**
   * Connects a client to the application. The first call lets the application listen on a free port. The client is closed when
   * egg-mock restores its mocks after the test, or when the application closes.
   *
   * @param namespace - its name. Default: `/`
   * @throws if the server refuses the client; with the `message` and the `data` of the refusal
   *
   * @example
   * const chat = await app.ioClient('/chat', { session: { user: 'ann' } });
   * assert.equal(await chat.emitWithAck('say', 'hello'), 'ok');
   */
  <N extends DeclaredNamespace>(namespace: N, options?: IoClientOptions): Promise<IoTestClient<N>>;
  (namespace?: string, options?: IoClientOptions): Promise<IoTestClient>;
  /**
   * Asserts that the server refuses a client.
   *
   * @param reason - the refusal's message (a string), a pattern for it (a RegExp; if the HTTP
   *   request has failed, for its status as well), or a function that gets the refusal and returns a
   *   truthy value (or a promise of one) if it is the expected one. Default: any refusal by the application
   * @returns the refusal, with the `message` and the `data` that the client has received
   * @throws {AssertionError} if the client is admitted, or refused for another reason
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
   * Returns the URL on which the application listens for clients and for HTTP requests, such as `http://127.0.0.1:12345`.
   *
   * @example
   * await fetch(`${await app.ioClient.url()}/login`, { method: 'POST' });
   */
  url(): Promise<string>;
}

/** Options of `app.mockIoContext()`. */
export interface MockIoContextOptions {
  /**
   * `ctx.packet`: the event, its arguments, and an acknowledgement function if the client asks for one.
   *
   * @default ['mock']
   */
  // biome-ignore lint/suspicious/noExplicitAny: clients send any arguments
  packet?: [event: string, ...args: any[]];
  /** `ctx.session` */
  session?: object;
  /**
   * The name of an existing namespace.
   *
   * @default '/'
   */
  namespace?: string;
  /** `ctx.headers` */
  headers?: Record<string, string>;
  /** `ctx.query` */
  query?: Record<string, unknown>;
  /** `ctx.handshake.auth` */
  auth?: Record<string, unknown>;
  /** `ctx.params`. Default: the parameters of the namespace's name */
  params?: Record<string, string | string[]>;
}

/** The context of a packet for controllers and middleware of `app/io`. Its client is mocked. */
export type MockIoContext = Context & {
  /** The events that the client would have received, in order: `[event, ...args]`. */
  // biome-ignore lint/suspicious/noExplicitAny: controllers emit any arguments
  readonly emitted: [event: string, ...args: any[]][];
};

/** The members that an application has in the environment unittest. */
export interface TestKitMembers {
  /** Connects clients to the application. Only in the environment unittest. */
  readonly ioClient: IoClientFactory;
  /**
   * Returns the context of a packet, for calling controllers and middleware of `app/io` without a network. Only in the environment
   * unittest.
   *
   * @throws if the namespace does not exist
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

// On Egg 4 the application of @eggjs/mock has this type.
declare module '@eggjs/core' {
  interface EggCore extends TestKitMembers {}
}
