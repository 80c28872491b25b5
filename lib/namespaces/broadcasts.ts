// Publishes the broadcasts of namespaces on their diagnostics channel. Those that arrive from other workers are not published again.
import { broadcasts } from '../diagnostics';
import { broadcastObserver } from '../internals/adapters';
import { routerOf } from '../router';

/** Publishes the broadcasts of a namespace from now on. Must be called once for a namespace, and not for a parent namespace. */
export const publishBroadcasts = broadcastObserver((nsp, { data: [event] }, { rooms, except, flags }, withAck) => {
  if (!broadcasts.hasSubscribers) return;
  broadcasts.publish({
    server: nsp.server,
    namespace: routerOf(nsp)?.name ?? nsp.name,
    event,
    rooms: rooms.size,
    except: except?.size ?? 0,
    isLocal: flags?.local === true,
    withAck,
  });
});
