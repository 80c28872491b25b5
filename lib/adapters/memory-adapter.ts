// The adapters that send nothing to other workers: Socket.IO's in-memory adapters, without and with connection state recovery, and the
// adapter of parent namespaces.
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions } from 'socket.io-adapter';
import { createRecoveryAdapter, type Packet, removeExpired, serverSideEmitToNone } from '../internals/adapters';

/** How often expired sessions and packets are removed, in ms. */
const CLEANUP_INTERVAL = 60_000;

/** Creates Socket.IO's in-memory adapter of a namespace. Socket.IO calls it with `new`. */
export function memoryAdapter(nsp: Namespace): Adapter {
  return Object.assign(new Adapter(nsp), { serverSideEmit: serverSideEmitToNone });
}

/**
 * Returns a constructor of Socket.IO's in-memory adapter with connection state recovery. Other than Socket.IO's own, it ends with its
 * namespace.
 *
 * @param duration - how long a client may be disconnected and be recovered, in ms
 */
export function recoveryAdapter(duration: number) {
  // biome-ignore lint/complexity/useArrowFunction: Socket.IO calls it with new, and an arrow function is no constructor
  return function (nsp: Namespace): Adapter {
    const adapter = createRecoveryAdapter(nsp, duration);
    const timer = setInterval(() => removeExpired(adapter), CLEANUP_INTERVAL).unref();
    const { broadcast } = adapter;
    return Object.assign(adapter, {
      close: () => clearInterval(timer),
      serverSideEmit: serverSideEmitToNone,
      broadcast(packet: Packet, opts: BroadcastOptions): void {
        const stored = adapter.packets.length;
        try {
          broadcast.call(adapter, packet, opts);
        } catch (err) {
          // A packet that cannot be encoded could not be sent to a client that returns either.
          adapter.packets.length = stored;
          throw err;
        }
      },
    });
  };
}

/**
 * The adapter of a parent namespace. It calls the adapters of all children that this worker has. Socket.IO's own passes one packet to all
 * of them, to which each adapter that stores packets adds its offset.
 */
export class ParentAdapter extends Adapter {
  /** @param children - the current children of the parent namespace */
  constructor(
    parent: Namespace,
    private readonly children: ReadonlySet<Namespace>,
  ) {
    super(parent);
  }

  override broadcast(packet: Packet, opts: BroadcastOptions): void {
    this.#forEachChild((adapter) => adapter.broadcast({ ...packet, data: [...packet.data] }, opts));
  }

  override addSockets(opts: BroadcastOptions, rooms: string[]): void {
    this.#forEachChild((adapter) => adapter.addSockets(opts, rooms));
  }

  override delSockets(opts: BroadcastOptions, rooms: string[]): void {
    this.#forEachChild((adapter) => adapter.delSockets(opts, rooms));
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    this.#forEachChild((adapter) => adapter.disconnectSockets(opts, close));
  }

  override broadcastWithAck(): void {
    throw unsupported('acknowledgements');
  }

  override fetchSockets(): Promise<never> {
    return Promise.reject(unsupported('fetchSockets()'));
  }

  #forEachChild(call: (adapter: Adapter) => void): void {
    // A copy: a child that loses its last client may be removed meanwhile.
    for (const { adapter } of [...this.children]) call(adapter);
  }
}

function unsupported(feature: string): Error {
  return new Error(
    `[egg-socket.io] a parent namespace stands for many namespaces and receives no responses: name one of them for ${feature}`,
  );
}
