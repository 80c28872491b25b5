// The adapter of each namespace with one worker and connectionStateRecovery: Socket.IO's own, which here ends with its
// namespace. Called by lib/adapter.ts.
import type { Namespace } from 'socket.io';
import { Adapter, SessionAwareAdapter } from 'socket.io-adapter';

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
