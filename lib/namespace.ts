// Binds a namespace to its chains: puts them on with nsp.use and socket.use. Called by boot.ts for each namespace.
import type { Namespace, Socket } from 'socket.io';
import { connect, releaseDisconnect } from './connection';
import { receive } from './packet';
import type { NamespaceScope, SocketScope } from './scope';
import { listen } from './system';

/**
 * Runs a namespace's chains for its sockets.
 *
 * @param nsp - of Socket.IO; what is bound to a parent namespace holds for its children
 * @param scope - the chains and routes
 */
export function bindNamespace(nsp: Namespace, scope: NamespaceScope): void {
  const scopes = new WeakMap<Socket, SocketScope>();
  const scopeOf = (socket: Socket): SocketScope => {
    const request = scope.contexts.requestOf(socket);
    const made: SocketScope = { nsp: scope, socket, request, work: scope.work.of(socket.conn), saidError: false };
    scopes.set(socket, made);
    return made;
  };

  nsp.use((socket, next) => connect(scopeOf(socket), next));

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
