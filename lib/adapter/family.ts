// The adapter of a parent namespace: what is asked of it each child does that this worker has. In place of Socket.IO's own, which
// gives all of them one packet, to which adapters that keep messages each add something. Called by lib/parents.ts.
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';

type Packet = Parameters<Adapter['broadcast']>[0] & { data: unknown[] };

const ONE = 'reaches many namespaces, and gets no answers: name one of them for';

/** A parent, as far as it is used here. */
export type Family = Namespace & { children: Set<Namespace> };

export class FamilyAdapter extends Adapter {
  constructor(private readonly parent: Family) {
    super(parent);
  }

  override broadcast(packet: Packet, opts: BroadcastOptions): void {
    this.#each((adapter) => adapter.broadcast({ ...packet, data: [...packet.data] }, opts));
  }

  override addSockets(opts: BroadcastOptions, rooms: string[]): void {
    this.#each((adapter) => adapter.addSockets(opts, rooms));
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): void {
    this.#each((adapter) => adapter.delSockets(opts, rooms));
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    this.#each((adapter) => adapter.disconnectSockets(opts, close));
  }

  override broadcastWithAck(): void {
    throw new Error(`[egg-socket.io] app.io.of() of a parent namespace ${ONE} acknowledgements`);
  }

  override fetchSockets(): Promise<never> {
    return Promise.reject(new Error(`[egg-socket.io] app.io.of() of a parent namespace ${ONE} fetchSockets()`));
  }

  #each(run: (adapter: Adapter) => void): void {
    // One that loses its last client may go meanwhile.
    for (const { adapter } of [...this.parent.children]) run(adapter);
  }
}
