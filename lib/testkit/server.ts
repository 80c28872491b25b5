// The HTTP server that the clients of a test connect to: one for each application, closed with it. Made by kit.ts.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Application } from 'egg';
import { enginesOf } from '../engine';
import { type Conn, Line } from './line';

/** An application that listens on a free port of 127.0.0.1. */
export class TestServer {
  readonly #lines = new Map<string, Line>();
  #listening: Promise<string> | undefined;
  #server: Server | undefined;

  constructor(private readonly app: Application) {}

  /** Its address, such as `http://127.0.0.1:12345`. Listens when it is first asked for. */
  url(): Promise<string> {
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  /** @param id - Engine.IO's id of a connection; undefined where there is none (any more) */
  line(id: string | undefined): Line | undefined {
    return id === undefined ? undefined : this.#lines.get(id);
  }

  /** Takes no more connections. WebSockets that are left are app.io's to close. */
  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  // Not egg-mock's own: on Egg 3 that is made before the routes are loaded, and knows none of the middlewares.
  async #listen(): Promise<string> {
    const { app } = this;
    const server = createServer(app.callback());
    app.emit('server', server);
    enginesOf(app)
      .at(-1)
      ?.on('connection', (conn) => {
        const made = conn as unknown as Conn;
        const line = new Line(made);
        this.#lines.set(made.id, line);
        void line.closed.then(() => this.#lines.delete(made.id));
      });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}
