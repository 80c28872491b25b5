// config.io.generateId: the ids of sockets, in every namespace, before any middleware sees them. Called by server.ts.
import type { Namespace, Socket } from 'socket.io';
import type { ResolvedConfig } from './config/config';
import { connectError, type ErrorReporting } from './error-response';
import { ConfigError } from './errors';

export type GenerateId = NonNullable<ResolvedConfig['generateId']>;

/** Gives the sockets of a namespace the ids that `config.io.generateId` makes. */
export function giveIds(nsp: Namespace, generateId: GenerateId, failures: ErrorReporting): void {
  nsp.use((socket, next) => {
    let refusal: Error | undefined;
    try {
      refusal = setId(socket, generateId);
    } catch (thrown) {
      const failed = connectError(failures, thrown);
      // A mistake in the configuration is for the log.
      refusal = thrown instanceof ConfigError ? new Error('the server made no id') : failed;
    }
    next(refusal);
  });
}

const ids = new WeakMap<Socket['conn'], string>();

/**
 * Socket.IO 2 took a socket's id from its connection; Socket.IO 4 makes one for each socket, unless the client is an old
 * one. Returns why the client is refused.
 */
function setId(socket: Socket, generateId: GenerateId): Error | undefined {
  const { nsp, conn } = socket;
  if (conn.protocol === 3) return undefined;
  const prefix = nsp.name === '/' ? '' : `${nsp.name}#`;
  if (socket.recovered) {
    // Its other sockets have the id that this one has kept.
    if (!ids.has(conn)) ids.set(conn, socket.id.slice(prefix.length));
    return undefined;
  }
  const made = ids.get(conn) ?? generateId(socket.request);
  ids.set(conn, made);
  const id = prefix + made;
  // Socket.IO keeps the sockets that are not in yet by id, too, and would keep this one for ever under its first id.
  const pending = (nsp as unknown as { _preConnectSockets?: Map<string, Socket> })._preConnectSockets;
  // Two sockets of one id: Socket.IO would forget the first, and never say that it has disconnected.
  const other = pending?.get(id) ?? nsp.sockets.get(id);
  if (other && other !== socket && other.conn === conn) return new Error(`already connecting to ${nsp.name}`);
  if (pending?.delete(socket.id)) pending.set(id, socket);
  (socket as { id: string }).id = id;
  return undefined;
}
