// Binds a namespace: the only place that calls nsp.use and socket.use. Called by boot.ts for each namespace.
import type { Namespace, Socket } from 'socket.io';
import type { ResolvedConfig } from './config';
import { connect, releaseDisconnect } from './connection';
import { ConfigError, connectionFailed } from './errors';
import { receive } from './packet';
import type { NamespaceScope, SocketScope } from './scope';
import { listen } from './system';

type GenerateId = NonNullable<ResolvedConfig['generateId']>;

/**
 * Runs a namespace's chains for its sockets.
 *
 * @param nsp - of Socket.IO; what is bound to a parent namespace holds for its children
 * @param scope - the chains and routes
 * @param generateId - `config.io.generateId`: makes one id a connection, which all its sockets have
 */
export function bindNamespace(nsp: Namespace, scope: NamespaceScope, generateId: GenerateId | undefined): void {
  const scopes = new WeakMap<Socket, SocketScope>();
  const scopeOf = (socket: Socket): SocketScope => {
    const request = scope.contexts.requestOf(socket);
    const made: SocketScope = { nsp: scope, socket, request, saidError: false };
    scopes.set(socket, made);
    return made;
  };

  nsp.use((socket, next) => {
    try {
      if (generateId) setId(socket, generateId);
    } catch (thrown) {
      const refusal = connectionFailed(scope.log, thrown);
      // A mistake in the configuration is for the log.
      return next(thrown instanceof ConfigError ? new Error('the server made no id') : refusal);
    }
    return connect(scopeOf(socket), next);
  });

  // Socket.IO emits it before `connection`.
  nsp.prependListener('connect', (socket: Socket) => {
    const made = scopes.get(socket);
    if (made) releaseDisconnect(made);
  });

  nsp.on('connection', (socket: Socket) => {
    // A recovered socket may have skipped the middlewares of the namespace.
    const made = scopes.get(socket) ?? scopeOf(socket);
    if (made.dismissed) return;
    socket.use((packet, next) => receive(made, packet, next));
    listen(made);
  });
}

const ids = new WeakMap<Socket['conn'], string>();

/**
 * Socket.IO 2 took a socket's id from its connection; Socket.IO 4 makes one for each socket, unless the client is an old
 * one. Called before the client is in.
 */
function setId(socket: Socket, generateId: GenerateId): void {
  const { nsp, conn } = socket;
  if (socket.recovered || conn.protocol === 3) return;
  const made = ids.get(conn) ?? generateId(socket.request);
  ids.set(conn, made);
  const id = nsp.name === '/' ? made : `${nsp.name}#${made}`;
  // Socket.IO keeps the sockets that are not in yet by id, too, and would keep this one for ever under its first id.
  const pending = (nsp as unknown as { _preConnectSockets?: Map<string, Socket> })._preConnectSockets;
  if (pending?.delete(socket.id)) pending.set(id, socket);
  (socket as { id: string }).id = id;
}
