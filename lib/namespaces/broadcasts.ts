// Publishes the broadcasts of namespaces on their diagnostics channel, and the delivery of those of other workers on another one.
import type { Namespace } from 'socket.io';
import type { BroadcastOptions } from 'socket.io-adapter';
import { broadcasts, carrierOf, deliveries, isTraced, publishBroadcast, traceDelivery } from '../diagnostics';
import { broadcastObserver } from '../internals/adapters';
import { routerOf } from '../router';

/** Publishes the broadcasts of a namespace from now on. Must be called once for a namespace, and not for a parent namespace. */
export const publishBroadcasts = broadcastObserver({
  sending(nsp, { data: [event] }, opts, withAck) {
    return broadcasts.hasSubscribers ? publishBroadcast(nsp.server, nameOf(nsp), event, opts, withAck) : undefined;
  },
  receiving: publishDelivery,
});

/**
 * Calls `deliver`, which delivers a broadcast of another process, and publishes that. Returns what `deliver` returns.
 *
 * @param packet - not validated, as the flags
 */
export function publishDelivery<Result>(
  nsp: Namespace,
  packet: { readonly data: unknown[] },
  { rooms, except, flags }: BroadcastOptions,
  deliver: () => Result,
): Result {
  if (!isTraced(deliveries)) return deliver();
  const message = {
    server: nsp.server,
    namespace: nameOf(nsp),
    get event() {
      return eventOf(packet);
    },
    rooms: rooms.size,
    except: except?.size ?? 0,
    carrier: carrierOf((flags as { carrier?: unknown } | undefined)?.carrier),
  };
  return traceDelivery(message, deliver);
}

function nameOf(nsp: Namespace): string {
  return routerOf(nsp)?.name ?? nsp.name;
}

/** Another service may have sent any packet. What a subscriber throws ends the worker. */
function eventOf(packet: { readonly data: unknown[] }): unknown {
  try {
    return packet.data[0];
  } catch {
    return undefined;
  }
}
