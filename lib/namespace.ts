// Binds a namespace to its chains: puts the connection's on with nsp.use, and has each socket's packets run through the other.
// Called by boot.ts for each namespace.
import type { Namespace, Socket } from 'socket.io';
import { admitted } from './admission';
import { connect } from './connection';
import { type NamespaceScope, SocketScope, scopeOf } from './scope';
import { makeBound, takeOver } from './socket';
import { listenToSystem } from './system';

/**
 * Runs a namespace's chains for its sockets.
 *
 * @param nsp - of Socket.IO; what is bound to a parent namespace holds for its children
 * @param scope - the chains and routes
 */
export function bindNamespace(nsp: Namespace, scope: NamespaceScope): void {
  const make = (socket: Socket): SocketScope => {
    takeOver(socket);
    return new SocketScope(scope, socket);
  };

  makeBound(nsp);
  nsp.use((socket, next) => connect(make(socket), next));

  // Socket.IO emits it before `connection`.
  nsp.prependListener('connect', (socket: Socket) => {
    const made = scopeOf(socket);
    if (made) admitted(made);
  });

  nsp.on('connection', (socket: Socket) => {
    // A recovered socket may have skipped the middlewares of the namespace.
    const made = scopeOf(socket) ?? make(socket);
    const counted = scope.counts.of(socket);
    if (made.entry !== undefined) {
      counted.refused++;
      return;
    }
    counted.total++;
    listenToSystem(made);
  });
}
