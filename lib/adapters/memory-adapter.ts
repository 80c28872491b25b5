// The adapter of each namespace with one worker and connectionStateRecovery: Socket.IO's own, which here ends with its
// namespace. Called by lib/adapter.ts.
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions, SessionAwareAdapter } from 'socket.io-adapter';

/** What Socket.IO's adapter keeps for those who may come back. */
interface Kept {
  maxDisconnectionDuration: number;
  sessions: Map<string, { disconnectedAt: number }>;
  packets: Array<{ emittedAt: number }>;
}

/** How often is forgotten what is too old, in ms. */
const PERIOD = 60_000;

class RecoveryAdapter extends SessionAwareAdapter {}

/** Made past the constructor of Socket.IO's, whose timer would keep a namespace for ever that clients have asked for. */
export function recoveryAdapter(duration: number) {
  // biome-ignore lint/complexity/useArrowFunction: Socket.IO calls it with new, which an arrow function doesn't take
  return function (nsp: Namespace): Adapter {
    const adapter = Reflect.construct(Adapter, [nsp], RecoveryAdapter) as Adapter & Kept;
    Object.assign(adapter, { maxDisconnectionDuration: duration, sessions: new Map(), packets: [] });
    const timer = setInterval(() => forget(adapter, Date.now() - duration), PERIOD).unref();
    return Object.assign(adapter, { close: () => clearInterval(timer) });
  };
}

function forget({ sessions, packets }: Kept, before: number): void {
  for (const [id, { disconnectedAt }] of sessions) if (disconnectedAt < before) sessions.delete(id);
  const first = packets.findIndex(({ emittedAt }) => emittedAt >= before);
  packets.splice(0, first === -1 ? packets.length : first);
}

// The adapter of a parent namespace: what is asked of it each child does that this worker has. In place of Socket.IO's own, which
// gives all of them one packet, to which adapters that keep messages each add something. Called by lib/parents.ts.

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

/** Creates the adapter of a parent namespace. */
export function parentAdapter(parent: Namespace): Adapter {
  return new FamilyAdapter(parent as Family);
}
