// What happens when, in a worker. No logic here: each hook names the rooms that do the work.
import type { Application } from 'egg';
import { closeRedis } from './lib/adapters/redis/install';
import { useAdapter } from './lib/adapters/select';
import { listenToAgent } from './lib/agent/relay';
import { bindNamespaces, summary } from './lib/boot';
import { configOf } from './lib/config/config';
import { hidePassword } from './lib/config/redis';
import { adapterOf, drainWarnings, hostWarnings } from './lib/config/topology';
import { drain, drainConnection } from './lib/drain';
import { attach, detach } from './lib/engine';
import { loadIo } from './lib/loader';
import { closeCluster, leaveCluster, openCluster, prepareCluster } from './lib/workers/workers';

/** What `app.beforeClose` calls, which Egg 4 calls deprecated. */
interface Lifecycle {
  registerBeforeClose(fn: () => Promise<void>): void;
}

export default class IoBoot {
  #loading: Promise<void> | undefined;
  #leaving: Promise<unknown> | undefined;

  constructor(private readonly app: Application) {}

  configWillLoad(): void {
    hidePassword(this.app.config);
  }

  configDidLoad(): void {
    const { warnings } = configOf(this.app);
    adapterOf(this.app);
    for (const warning of [...warnings, ...drainWarnings(this.app), ...hostWarnings(this.app)]) {
      this.app.coreLogger.warn(`[egg-socket.io] ${warning}`);
    }
    prepareCluster(this.app, (sid) => drainConnection(this.app, sid));
    this.#loading = loadIo(this.app);
    this.app.on('server', (server) => attach(this.app, server));
  }

  async didLoad(): Promise<void> {
    await this.#loading;
    await useAdapter(this.app);
  }

  // Not in didLoad: an application of ES modules on Egg 4 is still loading its middleware and its router by then.
  async willReady(): Promise<void> {
    bindNamespaces(this.app);
    listenToAgent(this.app);
    await openCluster(this.app);
    this.app.coreLogger.info(summary(this.app));
    this.#leaveFirst();
  }

  async serverDidReady(): Promise<void> {
    // Applications register until then.
    setImmediate(() => {
      try {
        this.#leaveFirst();
      } catch {
        // It is closing already, and does so without this.
      }
    });
  }

  /** What is registered last runs first: clients leave while the application still has what its handlers need. */
  #leaveFirst(): void {
    const { lifecycle } = this.app as unknown as { lifecycle: Lifecycle };
    lifecycle.registerBeforeClose(async () => {
      this.#leaving ??= Promise.all([drain(this.app), leaveCluster(this.app)]);
      await this.#leaving;
    });
  }

  async beforeClose(): Promise<void> {
    await detach(this.app);
    await closeCluster(this.app);
    await closeRedis(this.app);
  }
}
