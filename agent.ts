// The boot hooks of the agent. It starts before the workers: a mistake in config.io is reported once, and not by each worker.
import type { Agent } from 'egg';
import { configOf } from './lib/config/config';
import { hidePassword } from './lib/config/redis';
import { loadWsEngine } from './lib/config/server-options';
import { adapterOf } from './lib/config/topology';
import { removeDeadWorkers } from './lib/workers/run-directory';

export default class IoAgentBoot {
  constructor(private readonly agent: Agent) {}

  configWillLoad(): void {
    hidePassword(this.agent.config);
  }

  configDidLoad(): void {
    adapterOf(this.agent);
    // Throws if the package cannot be loaded.
    loadWsEngine(configOf(this.agent).init, this.agent.baseDir);
  }

  async didLoad(): Promise<void> {
    // Removes the sockets of workers that were killed.
    await removeDeadWorkers(this.agent.config.rundir);
  }
}
