// Binds a namespace to its chains and routes: installs the connection handler and the packet handler.
import type { Namespace, Socket } from 'socket.io';
import {
  clientConnected,
  deferDisconnect,
  handleConnection,
  publishRecovered,
  releaseSocket,
} from '../connection-handler';
import { SocketHookInstaller, type SocketHooks } from '../internals/socketio';
import {
  handleConnected,
  handleConnectionClosed,
  handleConnectionError,
  handlePacket,
  listenToSystemEvents,
} from '../packet-handler';
import { handleRecovered } from '../reauthenticate';
import { type NamespaceRuntime, SocketState, stateOf } from '../socket-state';

const HOOKS: SocketHooks = {
  packet: handlePacket,
  defersDisconnect: deferDisconnect,
  released: releaseSocket,
  closed: handleConnectionClosed,
  error: handleConnectionError,
};

/** Binds namespaces to their chains and routes. One for an application. */
export class NamespaceBinder {
  readonly #hooks: SocketHookInstaller;

  /** @param members - more members of the sockets */
  constructor(members?: PropertyDescriptorMap) {
    this.#hooks = new SocketHookInstaller(HOOKS, members);
  }

  /**
   * Runs the chains and routes of a namespace for its sockets.
   *
   * @param nsp - a namespace. The children of a parent namespace inherit the binding when Socket.IO creates them
   * @param runtime - the chains and routes
   */
  bind(nsp: Namespace, runtime: NamespaceRuntime): void {
    const createState = (socket: Socket): SocketState => {
      this.#hooks.hook(socket);
      return new SocketState(runtime, socket);
    };

    this.#hooks.hookNamespace(nsp);
    nsp.use((socket, next) => handleConnection(createState(socket), next));

    // Socket.IO emits `connect` before `connection`.
    nsp.prependListener('connect', (socket: Socket) => {
      const state = stateOf(socket);
      if (state !== undefined) clientConnected(state);
    });

    nsp.on('connection', (socket: Socket) => {
      // A recovered socket may have skipped the middleware of the namespace.
      const known = stateOf(socket);
      const state = known ?? createState(socket);
      const counts = runtime.counts.of(socket);
      if (state.admission !== undefined) {
        // The chain has disconnected it.
        counts.refused++;
        return;
      }
      counts.total++;
      listenToSystemEvents(state);
      handleConnected(state);
      if (known !== undefined) return;
      handleRecovered(state);
      publishRecovered(state);
    });
  }
}
