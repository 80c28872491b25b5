// The sockets of a bound namespace: Socket.IO's own, in which the plugin comes first. Called by namespace.ts.
import type { Socket } from 'socket.io';
import { cleanUp, disconnect } from './admission';
import { receive } from './packet';
import { onError } from './system';

/** What a socket gets of its own. Of Socket.IO's methods, `disconnect` alone is public. */
interface TakenOver {
  dispatch: typeof receive;
  disconnect: typeof disconnect;
  _cleanup: typeof cleanUp;
  _onerror: typeof onError;
  remoteAddress: string;
  encrypted: boolean;
}

/**
 * Puts a socket under the plugin. It needs its scope before Socket.IO calls it again. Functions that are the same for all of them,
 * and not another prototype: after that V8 (up to Node 22) would make a shape of its own for each socket that gets a property.
 */
export function takeOver(socket: Socket): void {
  const taken = socket as unknown as TakenOver;
  taken.dispatch = receive;
  taken.disconnect = disconnect;
  taken._cleanup = cleanUp;
  taken._onerror = onError;
  // Read by koa and Egg through `request.socket`: ip, secure, protocol.
  taken.remoteAddress = socket.handshake.address;
  taken.encrypted = socket.handshake.secure;
}
