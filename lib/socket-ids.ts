// The ids of sockets that `config.io.generateId` returns. They are assigned before any middleware reads the id.
import type { IncomingMessage } from 'node:http';
import type { Namespace, Socket } from 'socket.io';
import { connectError, type ErrorReporting } from './error-response';
import { ConfigError } from './errors';
import { changeId, socketWithId } from './internals/namespaces';

/** Returns the id of a socket for a handshake request: `config.io.generateId`. */
export type GenerateId = (request: IncomingMessage) => string;

/** Assigns ids to the sockets of a namespace. */
export function assignIds(nsp: Namespace, generateId: GenerateId, reporting: ErrorReporting): void {
  nsp.use((socket, next) => {
    let refusal: Error | undefined;
    try {
      refusal = assignId(socket, generateId);
    } catch (thrown) {
      const error = connectError(reporting, socket, thrown);
      // The client receives no details of a mistake in the configuration.
      refusal = thrown instanceof ConfigError ? new Error('the server made no id') : error;
    }
    next(refusal);
  });
}

const ID = Symbol('egg-socket.io:id');

type Connection = Socket['conn'] & { [ID]?: string };

/**
 * Assigns the id of one socket. As in Socket.IO 2, all sockets of a connection share an id, with the namespace in front of it. The
 * sockets of clients of Socket.IO 2 have the id of their connection.
 *
 * @returns why the client is refused
 */
function assignId(socket: Socket, generateId: GenerateId): Error | undefined {
  const { nsp } = socket;
  const conn: Connection = socket.conn;
  if (conn.protocol === 3) return undefined;
  const prefix = nsp.name === '/' ? '' : `${nsp.name}#`;
  if (socket.recovered) {
    // A recovered socket keeps its id, which the other sockets of its connection get as well.
    conn[ID] ??= socket.id.slice(prefix.length);
    return undefined;
  }
  conn[ID] ??= generateId(socket.request);
  const id = prefix + conn[ID];
  // A second socket with the same id would replace the first one, which would never emit `disconnect`.
  const other = socketWithId(nsp, id);
  if (other && other !== socket && other.conn === conn) return new Error(`already connecting to ${nsp.name}`);
  changeId(socket, id);
  return undefined;
}
