// A TCP proxy between workers and Redis that can stop forwarding without closing anything, as a frozen machine or a lost route does.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a connection to Redis is used for. */
export type Use = 'publisher' | 'subscriber' | 'reader';

/** A connection through the proxy: both of its sockets. */
interface Connection {
  client: Socket;
  server: Socket;
  use: Use;
}

/** Starts a proxy to a port of this host. The caller stops it. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(target);
  await proxy.listening;
  return proxy;
}

export class TcpProxy {
  readonly listening: Promise<unknown>;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** How many connections it has accepted. */
  accepted = 0;
  /** Whether new connections are frozen as well. */
  #isFrozen = false;

  constructor(target: number) {
    this.#server = createServer((client) => this.#accept(client, connect(target, '127.0.0.1')));
    this.#server.listen(0, '127.0.0.1');
    this.listening = once(this.#server, 'listening');
  }

  /** `config.io.redis` for the server behind it. */
  get config(): { host: string; port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  /** Freezes the connections that are open, for one use or all: nothing is forwarded any more. New connections work. */
  freeze(use?: Use): void {
    for (const connection of this.#connections) {
      if (use !== undefined && connection.use !== use) continue;
      for (const socket of [connection.client, connection.server]) socket.pause();
    }
  }

  /** Freezes all connections, and those that are opened later, until `thaw`. */
  freezeAll(): void {
    this.#isFrozen = true;
    this.freeze();
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const { client, server } of this.#connections) for (const socket of [client, server]) socket.resume();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const { client, server } of this.#connections) for (const socket of [client, server]) socket.destroy();
    await closed;
  }

  #accept(client: Socket, server: Socket): void {
    const connection: Connection = { client, server, use: 'publisher' };
    this.#connections.add(connection);
    this.accepted++;
    client.on('data', (data) => {
      // The latest commands of a connection tell what it is used for.
      if (/\bs?p?subscribe\b/i.test(`${data}`)) connection.use = 'subscriber';
      if (/\bxread\b/i.test(`${data}`)) connection.use = 'reader';
      server.write(data);
    });
    server.on('data', (data) => client.write(data));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#connections.delete(connection);
        other.destroy();
      });
      if (this.#isFrozen) socket.pause();
    }
  }
}
