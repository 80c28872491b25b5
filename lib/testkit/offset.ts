// With connectionStateRecovery Socket.IO appends the offset of each event to its arguments, for clients to come back with. Called
// by client.ts and context.ts.
import type { Namespace } from 'socket.io';

/** What of Socket.IO's own adapter is needed here: the events that it keeps for clients that come back. */
interface Keeping {
  readonly packets?: ReadonlyArray<{ id: string }>;
}

/** An event's arguments as the application has sent them. */
export function withoutOffset(nsp: Namespace | undefined, args: unknown[]): unknown[] {
  const last = args.at(-1);
  const { packets } = (nsp?.adapter ?? {}) as Keeping;
  return packets?.some(({ id }) => id === last) ? args.slice(0, -1) : args;
}
