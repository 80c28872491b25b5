// What a client gets that has asked for a namespace that is not made for it. Made by parents.ts.
import type { Socket } from 'socket.io';
import { PacketType } from 'socket.io-parser';

/** What of Socket.IO's client is private. */
interface Client {
  _packet(packet: object): void;
}

/** Stands where Socket.IO expects the namespace, and says why there is none. */
export class Refused {
  constructor(
    private readonly name: string,
    private readonly message: string,
  ) {}

  /** Called by Socket.IO instead of a namespace's own. */
  _add(client: Socket['client']): void {
    const { message } = this;
    // As Socket.IO says that a chain has refused a client, also to those of Socket.IO 2.
    const data = client.conn.protocol === 3 ? message : { message };
    (client as unknown as Client)._packet({ type: PacketType.CONNECT_ERROR, nsp: this.name, data });
  }
}

/** No more than one line in so many ms. */
const PERIOD = 60_000;

/** Says in the log that clients are refused for want of a place. */
export class Refusals {
  #count = 0;
  #said = Number.NEGATIVE_INFINITY;

  /** @param log - `app.coreLogger` */
  constructor(private readonly log: { warn(message: string): void }) {}

  /** @param max - `config.io.maxNamespaces` */
  add(max: number): void {
    this.#count++;
    if (performance.now() - this.#said < PERIOD) return;
    this.#said = performance.now();
    this.log.warn(
      `[egg-socket.io] too many namespaces: ${max} that clients have asked for are in use, which is config.io.maxNamespaces. Clients that were refused another one since this was last said: ${this.#count}`,
    );
    this.#count = 0;
  }
}
