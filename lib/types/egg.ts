// The members that the plugin adds to the types of `egg`: app.io, agent.io, the members of ctx in app/io, config.io.
import type { AgentIo } from '../agent/io';
import type { IoConfig } from '../config/config';
import type { IoServer } from '../server';
import type { ContextSocket, IoContext } from './context';
import type { DECLARED } from './events';

declare module 'egg' {
  interface Application {
    /** Socket.IO's server of this worker, with routes. */
    io: IoServer;
    /** Exists for the compiler only. */
    [DECLARED]?: { namespaces: IoNamespaces; controllers: CustomController; middlewares: CustomMiddleware };
  }

  interface Agent {
    /**
     * Emits to the clients of all workers, and does nothing else. In the types of Egg 4 an agent has the members of an application:
     * the type says more than there is.
     */
    io: AgentIo & IoServer;
  }

  // On Egg 4 this is the type of `this.app` in a controller or a service.
  interface EggApplicationCore {
    io: IoServer;
  }

  interface Context extends Omit<IoContext, 'socket'> {
    /** The Socket.IO socket, in `app/io`. */
    socket: ContextSocket;
    /** The session. Egg 3 declares it, Egg 4 does not. */
    // biome-ignore lint/suspicious/noExplicitAny: as Egg 3 declares it
    session: any;
  }

  interface EggAppConfig {
    /** The configuration of egg-socket.io. */
    io: IoConfig;
  }

  /** The events of the application's namespaces, by name: see `NamespaceTypes` of egg-socket.io. */
  interface IoNamespaces {}

  interface CustomMiddleware {}

  interface CustomController {}
}
