// What happens when, in the agent: it starts before the workers, so a mistake in config.io is said once, not by each, and what
// killed ones have left is gone.
import type { Agent } from 'egg';
import { configOf } from './lib/config/config';
import { hidePassword } from './lib/config/redis';
import { loadWsEngine } from './lib/config/server-options';
import { adapterOf } from './lib/config/topology';
import { sweep } from './lib/workers/run-directory';

export default class IoAgentBoot {
  constructor(private readonly agent: Agent) {}

  configWillLoad(): void {
    hidePassword(this.agent.config);
  }

  configDidLoad(): void {
    adapterOf(this.agent);
    // To have said what can't be loaded.
    loadWsEngine(configOf(this.agent).init, this.agent.baseDir);
  }

  async didLoad(): Promise<void> {
    await sweep(this.agent.config.rundir);
  }
}
