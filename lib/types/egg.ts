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
    /** For the compiler alone. */
    [DECLARED]?: { namespaces: IoNamespaces; controllers: CustomController; middlewares: CustomMiddleware };
  }

  interface Agent {
    /**
     * Emits to the clients of all workers; that is all that it does. For Egg 4 an agent has by type what an application has,
     * so the type says more.
     */
    io: AgentIo & IoServer;
  }

  // On Egg 4 this is what `this.app` is in a controller or a service.
  interface EggApplicationCore {
    io: IoServer;
  }

  interface Context extends Omit<IoContext, 'socket'> {
    /** In `app/io` the Socket.IO socket. */
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
