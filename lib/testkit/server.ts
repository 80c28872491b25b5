// The HTTP server to which the clients of tests connect, their connections, and deadlines for waiting.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Application } from 'egg';
import { type Connection, sendPing } from '../internals/testkit';

/** How long the test kit waits by default, in ms. */
export const TIMEOUT = 5000;

/** A deadline has passed. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * Waits for a promise until a deadline.
 *
 * @param what - describes what is awaited; called when the deadline passes
 * @param ms - the time until the deadline
 * @throws {DeadlineError} if the promise is still pending at the deadline
 */
export async function waitFor<T>(what: () => string, promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new DeadlineError(`[egg-socket.io] timed out after ${ms} ms waiting for ${what()}`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves in the next turn of the event loop, when all callbacks that are already due have run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * The server's side of a client's connection. It counts Engine.IO's pings and pongs to detect when packets have arrived: these pass
 * neither namespaces nor middleware, and a connection preserves the order of its packets.
 */
export class ServerConnection {
  #pings = 0;
  #pongs = 0;
  #isClosed = false;
  readonly #pending = new Set<() => void>();
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;

  /** @param conn - a new connection: earlier pings are not counted */
  constructor(private readonly conn: Connection) {
    conn.on('packetCreate', ({ type }: { type: string }) => {
      if (type === 'ping') this.#pings++;
    });
    conn.on('heartbeat', () => {
      this.#pongs++;
      this.#checkPending();
    });
    this.closed = new Promise((resolve) => {
      conn.once('close', () => {
        this.#isClosed = true;
        this.#checkPending();
        resolve();
      });
    });
  }

  /**
   * Sends a ping and waits for its pong. When the promise resolves, the client has received all packets that the server sent before
   * the ping, and the server all packets that the client sent before the pong. It resolves at once if the connection is closed.
   */
  async roundTrip(): Promise<void> {
    sendPing(this.conn);
    const ping = this.#pings;
    await new Promise<void>((resolve) => {
      const check = () => {
        if (this.#pongs < ping && !this.#isClosed) return;
        this.#pending.delete(check);
        resolve();
      };
      this.#pending.add(check);
      check();
    });
  }

  #checkPending(): void {
    for (const check of this.#pending) check();
  }
}

/** An HTTP server of the application on a free port of 127.0.0.1. */
export class TestServer {
  readonly #connections = new Map<string, ServerConnection>();
  #url: Promise<string> | undefined;
  #server: Server | undefined;

  constructor(private readonly app: Application) {}

  /** Returns the server's URL, such as `http://127.0.0.1:12345`. The first call starts the server. */
  url(): Promise<string> {
    this.#url ??= this.#listen();
    return this.#url;
  }

  /**
   * Returns an open connection.
   *
   * @param id - Engine.IO's id of the connection, if it has one
   */
  connection(id: string | undefined): ServerConnection | undefined {
    return id === undefined ? undefined : this.#connections.get(id);
  }

  /** Stops listening and closes HTTP connections. app.io closes the WebSockets. */
  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  // egg-mock's own server does not do: on Egg 3 it is created before the routes are loaded, and lacks the application's middleware.
  async #listen(): Promise<string> {
    const { app } = this;
    const server = createServer(app.callback());
    // Attaches app.io to the server: `app.io.engine` is the engine of this server from now on.
    app.emit('server', server);
    app.io.engine.on('connection', (conn: Connection) => {
      const connection = new ServerConnection(conn);
      this.#connections.set(conn.id, connection);
      void connection.closed.then(() => this.#connections.delete(conn.id));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}
