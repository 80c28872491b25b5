// What happens when, in a worker. No logic here: each hook names the rooms that do the work.
import type { Application } from 'egg';
import { useAdapter } from './lib/adapter';
import { listenToAgent } from './lib/agent/relay';
import { bindNamespaces } from './lib/boot';
import { closeCluster, leaveCluster, openCluster, prepareCluster } from './lib/cluster';
import { resolveConfig } from './lib/config';
import { drain, drainConnection } from './lib/drain';
import { drainWarnings } from './lib/drain/times';
import { attach, detach } from './lib/engine';
import { adapterOf, hostWarnings } from './lib/host';
import { loadIo } from './lib/loader';
import { closeRedis } from './lib/redis';
import { hidePassword } from './lib/redis/config';
import { summary } from './lib/summary';

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
    const { warnings } = resolveConfig(this.app.config.io);
    adapterOf(this.app);
    for (const warning of [...warnings, ...drainWarnings(this.app), ...hostWarnings(this.app)]) {
      this.app.coreLogger.warn(`[egg-socket.io] ${warning}`);
    }
  }

  configDidLoad(): void {
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
