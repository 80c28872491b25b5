// The boot hooks of the agent. It starts before the workers: a mistake in config.io is reported once, and not by each worker.
import type { Agent } from 'egg';
import { loadAdminUi } from './lib/config/admin';
import { configOf, namingFile } from './lib/config/config';
import { hidePassword } from './lib/config/redis-password';
import { loadWsEngine } from './lib/config/server-options';
import type { ResolvedOtel } from './lib/config/telemetry';
import { adapterOf } from './lib/config/topology';
import { removeDeadWorkers } from './lib/workers/run-directory';

export default class IoAgentBoot {
  constructor(private readonly agent: Agent) {}

  configWillLoad(): void {
    hidePassword(this.agent.config);
  }

  configDidLoad(): void {
    namingFile(this.agent, () => adapterOf(this.agent));
    // All throw if a package cannot be loaded.
    namingFile(this.agent, () => {
      const { admin, init, otel } = configOf(this.agent);
      loadWsEngine(init, this.agent.baseDir);
      if (admin) loadAdminUi(this.agent, admin);
      if (otel?.isRequired) this.#loadApi(otel);
    });
  }

  #loadApi(otel: ResolvedOtel): void {
    const { loadApi } = require('./lib/telemetry/api') as typeof import('./lib/telemetry/api');
    loadApi(this.agent, otel);
  }

  async didLoad(): Promise<void> {
    // Removes the sockets of workers that were killed.
    await removeDeadWorkers(this.agent.config.rundir);
  }
}
